"""Clicks on cards and lists."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bots.slack import access, blocks, names
from bots.slack.visit import Visit
from connector import commands
from connector.commands import Actor, CardState


def handle(visit: Visit, payload: Mapping[str, Any]) -> None:
    """Act on the clicked element. One that we do not know (an old message's) is answered, not ignored."""
    clicked = (payload.get("actions") or [{}])[0]
    action = str(clicked.get("action_id") or "")
    if action == names.OPEN:
        return  # the link opened in the browser; Slack tells us all the same
    value = (clicked.get("selected_option") or {}).get("value") if action == names.MORE else clicked.get("value")
    if action == names.MORE:
        action = f"{names.MORE}.{str(value).partition(':')[0]}"
    step = STEPS.get(action)
    lead_id = names.lead_id(value)
    if step is None or lead_id is None:
        visit.tell("This button is from an older version of the app. Please use the newest card of this lead.")
        return
    actor = access.actor_of(visit.house, visit.api, visit.user)
    if isinstance(actor, str):
        visit.tell(actor)
        return
    card = commands.card(visit.house, lead_id)
    if card is None:
        visit.tell(access.GONE)
        return
    step(visit, actor, card)


def accept(visit: Visit, actor: Actor, card: CardState) -> None:
    """Take the lead on."""
    refused = access.refusal(actor, "accept", card)
    if refused:
        visit.tell(refused)
        return
    visit.report(commands.accept(visit.house, card.lead_id, actor).text)


def ask_pass_reason(visit: Visit, actor: Actor, card: CardState) -> None:
    """Open the form that asks why."""
    refused = access.refusal(actor, "pass", card)
    if refused:
        visit.tell(refused)
        return
    visit.open_form(blocks.pass_form(card, private(visit, card)))


def ask_reassign_to(visit: Visit, actor: Actor, card: CardState) -> None:
    """Open the form that asks to whom and why."""
    refused = access.refusal(actor, "reassign", card)
    if refused:
        visit.tell(refused)
        return
    reps = {rep.id: rep.name for rep in visit.house.reps.all() if rep.active and rep.id != card.owner_id}
    if not reps:
        visit.tell("There is no other active rep to give this lead to.")
        return
    ordered = dict(sorted(reps.items(), key=lambda item: item[1].casefold()))
    visit.open_form(blocks.reassign_form(card, ordered, private(visit, card)))


def show(visit: Visit, actor: Actor, card: CardState) -> None:
    """The card, with its buttons, for the person alone."""
    personal = actor.rep_id is not None and actor.rep_id == card.owner_id
    visit.tell(blocks.card_text(card, personal=personal), blocks.lead_card(card, personal=personal))


def why(visit: Visit, actor: Actor, card: CardState) -> None:
    """The score's reasons and the decision's verdicts."""
    found = commands.why(visit.house, card.lead_id)
    if found is None:
        visit.tell("Nothing was decided about this lead yet: it has not been given to anybody.")
        return
    visit.tell(f"Why lead {card.lead_id} is where it is", blocks.why_answer(found, actor.rep_id))


def private(visit: Visit, card: CardState) -> str:
    """What the form brings back: the lead, who held it then, and where to answer."""
    return json.dumps(
        {"lead_id": card.lead_id, "owner_id": card.owner_id, "channel": visit.channel, "response_url": visit.response_url}
    )


STEPS = {
    names.ACCEPT: accept,
    names.PASS_ON: ask_pass_reason,
    names.SHOW: show,
    f"{names.SHOW}_why": why,
    f"{names.SHOW}_reassign": ask_reassign_to,
    f"{names.MORE}.{names.REASSIGN}": ask_reassign_to,
    f"{names.MORE}.{names.WHY}": why,
}
