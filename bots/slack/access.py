"""Who somebody in Slack is to us, and what they may do: asked at every click, of the state as it is then, never of the button.

Slack user → e-mail address → rep; admins and managers by the settings, as Slack user ids, e-mail addresses or user groups. Whom
that does not find may ask an admin to link them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import structlog

from bots.slack import names
from bots.slack.blocks import Block, button, section
from bots.slack.client import NeedsMending
from bots.slack.text import say
from connector import commands
from leads.enums import Role

if TYPE_CHECKING:
    from bots.slack.client import SlackApi
    from bots.slack.visit import Visit
    from connector.bootstrap import House
    from connector.commands import Actor, CardState

log = structlog.get_logger(__name__)

Act = Literal["accept", "pass", "reassign", "snooze", "outcome"]

UNLINKED = (
    "I do not know you yet: nobody in the CRM has the e-mail address of your Slack profile. "
    "Ask an admin to make the two equal, or to link you with the button below, then try again."
)
SWITCHED_OFF = "You are not an active rep at the moment. Ask an admin to switch you on, then try again."
GONE = "This lead is gone: it was deleted or merged in the CRM. Nothing was changed."
MANAGERS_ONLY = "Only managers and admins can do that. Ask one of them."
ADMINS_ONLY = "Only admins can do that. Ask one of them."
CLOSED = ("won", "lost")


def actor_of(house: House, api: SlackApi, slack_user_id: str) -> Actor | str:
    """The person behind a Slack user, or the sentence for somebody who is neither an active rep nor named in the settings."""
    rep = house.reps.by_slack(slack_user_id)
    email = rep.email if rep is not None and rep.email else api.email_of(slack_user_id)
    actor = commands.actor_for_slack(house, slack_user_id, email, _roles_by_group(house, api, slack_user_id))
    if actor.may(Role.REP):
        return actor
    known = rep or (house.reps.by_email(email) if email else None)
    return SWITCHED_OFF if known is not None and not known.active else UNLINKED


def _roles_by_group(house: House, api: SlackApi, user: str) -> list[Role]:
    """The roles that Slack's user groups give somebody. Without the scope for them nobody gets one, and the operator is told."""
    slack = house.settings.slack
    named = [(group, Role.ADMIN) for group in slack.admin_groups] + [(group, Role.MANAGER) for group in slack.manager_groups]
    try:
        return [role for group, role in named if api.in_group(group, user)]
    except NeedsMending as error:
        log.error("slack.groups_unread", error=str(error))
        return []


def admit(visit: Visit) -> Actor | None:
    """Who asks; None after telling somebody whom we do not know what to do about it."""
    actor = actor_of(visit.house, visit.api, visit.user)
    if not isinstance(actor, str):
        return actor
    visit.tell(actor, link_offer() if actor == UNLINKED else None)
    return None


def link_offer() -> list[Block]:
    """The sentence for the unlinked, with the button to mend it."""
    return [section(UNLINKED, button("Link me", names.LINK_ASK, "me"))]


def lead_of(visit: Visit, lead_id: int) -> CardState | None:
    """The lead as it stands now; None after telling the person that it is gone."""
    card = commands.card(visit.house, lead_id)
    if card is None:
        visit.tell(GONE)
    return card


def closed_as(card: CardState) -> str:
    """How a lead was closed; nothing while it is open."""
    return card.state if card.state in CLOSED else ""


def refusal(actor: Actor, act: Act, card: CardState) -> str | None:
    """The sentence for somebody who may not do this to this lead now, saying who may; None when they may."""
    if card.state in CLOSED and act != "outcome":
        return f"This lead is closed ({card.state}): there is nothing left to {act}."
    owner = say(card.owner_name, 80) if card.owner_name else ""
    mine = actor.rep_id is not None and card.owner_id == actor.rep_id
    if act == "reassign":
        return None if actor.may(Role.MANAGER) else "Only managers and admins can reassign a lead. You can pass it, if it is yours."
    if act == "accept":
        return _accept_refusal(actor, card, owner, mine)
    if mine or (actor.may(Role.MANAGER) and card.owner_id is not None):
        return None
    done = {"pass": "pass it", "snooze": "snooze it", "outcome": "log its outcome"}[act]
    if card.owner_id is None:
        return f"Nobody holds this lead now: nobody can {done}."
    return f"This lead is {owner}'s: only {owner}, a manager or an admin can {done}."


def _accept_refusal(actor: Actor, card: CardState, owner: str, mine: bool) -> str | None:
    if actor.rep_id is None:
        return "Only a rep can accept a lead, and no rep in the CRM has your e-mail address. You can reassign it."
    if mine:
        return None
    if card.state in ("accepted", "contacted"):
        return f"This lead is already taken by {say(card.accepted_by or '', 80) or owner}."
    if card.owner_id is None:
        return "Nobody holds this lead now: it waits for the next free rep. You can claim it; a manager can give it out."
    return f"This lead went to {owner}: only {owner} can accept it. A manager or an admin can reassign it."
