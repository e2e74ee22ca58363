"""Who somebody in Slack is to us, and what they may do: asked at every click, of the state as it is then, never of the button.

Slack user → e-mail address → rep; admins and managers by the settings, as Slack user ids or e-mail addresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from bots.slack.client import SlackApi
from bots.slack.text import say
from connector import commands
from leads.enums import Role

if TYPE_CHECKING:
    from connector.bootstrap import House
    from connector.commands import Actor, CardState

Act = Literal["accept", "pass", "reassign"]

UNLINKED = (
    "I do not know you yet: nobody in the CRM has the e-mail address of your Slack profile. "
    "Ask an admin to make the two equal, then try again."
)
SWITCHED_OFF = "You are not an active rep at the moment. Ask an admin to switch you on, then try again."
GONE = "This lead is gone: it was deleted or merged in the CRM. Nothing was changed."


def actor_of(house: House, api: SlackApi, slack_user_id: str) -> Actor | str:
    """The person behind a Slack user, or the sentence for somebody who is neither an active rep nor named in the settings."""
    rep = house.reps.by_slack(slack_user_id)
    email = rep.email if rep is not None and rep.email else api.email_of(slack_user_id)
    actor = commands.actor_for_slack(house, slack_user_id, email)
    if actor.may(Role.REP):
        return actor
    known = rep or (house.reps.by_email(email) if email else None)
    return SWITCHED_OFF if known is not None else UNLINKED


def refusal(actor: Actor, act: Act, card: CardState) -> str | None:
    """The sentence for somebody who may not do this to this lead now, saying who may; None when they may."""
    if card.state in ("won", "lost"):
        return f"This lead is closed ({card.state}): there is nothing left to {act}."
    owner = say(card.owner_name, 80) if card.owner_name else ""
    mine = actor.rep_id is not None and card.owner_id == actor.rep_id
    if act == "reassign":
        return None if actor.may(Role.MANAGER) else "Only managers and admins can reassign a lead. You can pass it, if it is yours."
    if act == "accept":
        return _accept_refusal(actor, card, owner, mine)
    if mine or (actor.may(Role.MANAGER) and card.owner_id is not None):
        return None
    if card.owner_id is None:
        return "Nobody holds this lead now: there is nothing to pass."
    return f"This lead is {owner}'s: only {owner}, a manager or an admin can pass it."


def _accept_refusal(actor: Actor, card: CardState, owner: str, mine: bool) -> str | None:
    if actor.rep_id is None:
        return "Only a rep can accept a lead, and no rep in the CRM has your e-mail address. You can reassign it."
    if mine:
        return None
    if card.state == "accepted":
        return f"This lead is already taken by {say(card.accepted_by or '', 80) or owner}."
    if card.owner_id is None:
        return "Nobody holds this lead now: it waits for the next free rep. A manager or an admin can give it out."
    return f"This lead went to {owner}: only {owner} can accept it. A manager or an admin can reassign it."
