"""Submitted forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bots.slack import access, names
from bots.slack.text import say
from bots.slack.visit import Visit
from connector import commands
from connector.commands import Actor, CardState


def handle(visit: Visit, payload: Mapping[str, Any], private: Mapping[str, Any]) -> None:
    """Act on a form. The lead may have moved on since it was opened: then nothing is done, and the person is told."""
    form = payload.get("view") or {}
    step = STEPS.get(str(form.get("callback_id") or ""))
    lead_id = names.lead_id(private.get("lead_id"))
    if step is None or lead_id is None:
        visit.tell("This form is from an older version of the app. Please open it again.")
        return
    actor = access.actor_of(visit.house, visit.api, visit.user)
    if isinstance(actor, str):
        visit.tell(actor)
        return
    card = commands.card(visit.house, lead_id)
    if card is None:
        visit.tell(access.GONE)
        return
    if card.owner_id != private.get("owner_id"):
        now = f"to {say(card.owner_name, 80)}" if card.owner_name else "back to the waiting list"
        visit.tell(f"While the form was open this lead went {now}. Nothing was changed.")
        return
    step(visit, actor, card, (form.get("state") or {}).get("values") or {})


def pass_on(visit: Visit, actor: Actor, card: CardState, values: Mapping[str, Any]) -> None:
    """Give the lead back, with the reason."""
    refused = access.refusal(actor, "pass", card)
    if refused:
        visit.tell(refused)
        return
    reason = _chosen(values, names.REASON)
    if reason not in names.PASS_REASONS:
        visit.tell("A reason is needed to pass a lead. Please open the form again.")
        return
    note = _written(values)
    visit.report(commands.pass_on(visit.house, card.lead_id, actor, f"{reason}: {note}" if note else reason).text)


def reassign(visit: Visit, actor: Actor, card: CardState, values: Mapping[str, Any]) -> None:
    """Give the lead to the chosen rep."""
    refused = access.refusal(actor, "reassign", card)
    if refused:
        visit.tell(refused)
        return
    rep = visit.house.reps.get(_chosen(values, names.REP))
    if rep is None or not rep.active:
        visit.tell("That rep is not active any more. Please open the form again and choose another.")
        return
    note = _written(values) or "Reassigned by form"
    visit.report(commands.reassign(visit.house, card.lead_id, rep.id, actor, note).text)


def _chosen(values: Mapping[str, Any], block: str) -> str:
    """The value chosen in a select of the form."""
    element = (values.get(block) or {}).get(block) or {}
    return str((element.get("selected_option") or {}).get("value") or "")


def _written(values: Mapping[str, Any]) -> str:
    """What was typed into the note, on one line."""
    element = (values.get(names.NOTE) or {}).get(names.NOTE) or {}
    return " ".join(str(element.get("value") or "").split())[:300]


STEPS = {names.PASS_ON_FORM: pass_on, names.REASSIGN_FORM: reassign}
