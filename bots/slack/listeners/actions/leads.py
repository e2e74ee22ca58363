"""What a click on a lead's card or on a list does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from bots.slack import access, answers, cards, forms, names
from bots.slack.client import Refused
from bots.slack.dates import read_moment
from bots.slack.text import say, when
from bots.slack.visit import Visit
from connector import commands
from connector.commands import Actor, CardState

#: When a lead comes back that was put off to a day.
MORNING: Final = time(9)
LASTING: Final[Mapping[str, timedelta]] = {"30m": timedelta(minutes=30), "1h": timedelta(hours=1), "3h": timedelta(hours=3)}


def accept(visit: Visit, actor: Actor, card: CardState) -> None:
    """Take the lead on."""
    refused = access.refusal(actor, "accept", card)
    if refused:
        visit.tell(refused)
        return
    visit.report(commands.accept(visit.house, card.lead_id, actor).text)


def claim(visit: Visit, actor: Actor, card: CardState) -> None:
    """Take a lead that nobody holds."""
    visit.report(commands.claim(visit.house, card.lead_id, actor).text)


def snooze(visit: Visit, actor: Actor, card: CardState, choice: str) -> None:
    """Put the lead off to the chosen time, in the zone of the rep who holds it."""
    refused = access.refusal(actor, "snooze", card)
    if refused:
        visit.tell(refused)
        return
    holder = visit.house.reps.get(card.owner_id) if card.owner_id else None
    until = moment_of(choice, visit.house.clock.now(), visit.zone_for(holder) if holder else visit.zone)
    if until is None:
        visit.tell("I do not know that time. Please choose again.")
        return
    done = commands.snooze(visit.house, card.lead_id, until, actor)
    visit.report(f"Snoozed. It comes back {when(until)}." if done.ok else say(done.text, 1000), safe=True)


def moment_of(choice: str, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment behind a choice of `names.SNOOZES`; None for an unmet one."""
    if choice in LASTING:
        return now + LASTING[choice]
    return read_moment(choice, now, zone, MORNING) if choice in names.SNOOZES else None


def ask_pass_reason(visit: Visit, actor: Actor, card: CardState) -> None:
    """Open the form that asks why."""
    refused = access.refusal(actor, "pass", card)
    if refused:
        visit.tell(refused)
        return
    visit.open_form(forms.pass_form(card, _private(visit, card)))


def ask_outcome(visit: Visit, actor: Actor, card: CardState) -> None:
    """Open the form that asks what came of it."""
    refused = access.refusal(actor, "outcome", card)
    if refused:
        visit.tell(refused)
        return
    visit.open_form(forms.outcome_form(card, _private(visit, card)))


def ask_what_is_wrong(visit: Visit, actor: Actor, card: CardState) -> None:
    """Open the form that asks what is wrong with the score. Everybody linked may correct it: a label is no change of the lead."""
    visit.open_form(forms.wrong_form(card, _private(visit, card)))


def ask_reassign_to(visit: Visit, actor: Actor, card: CardState) -> None:
    """Open the form that asks to whom and why."""
    refused = access.refusal(actor, "reassign", card)
    if refused:
        visit.tell(refused)
        return
    reps = commands.candidates(visit.house, card.lead_id)
    if not reps:
        visit.tell("There is no other active rep to give this lead to.")
        return
    visit.open_form(forms.reassign_form(card, reps, _private(visit, card)))


def warn_of_rep(visit: Visit, view: Mapping[str, Any], rep_id: str) -> None:
    """A rep was chosen in the open form: say what stands against them, if anything does. What was typed stays as it is."""
    private = str(view.get("private_metadata") or "{}")
    try:
        lead_id = names.lead_id(json.loads(private).get("lead_id"))
    except (json.JSONDecodeError, AttributeError):
        lead_id = None
    card = commands.card(visit.house, lead_id) if lead_id is not None else None
    if card is None:
        return  # whoever submits the form is told
    form = forms.reassign_form(card, commands.candidates(visit.house, card.lead_id), private, chosen=rep_id)
    try:
        visit.api.update_form(str(view.get("id") or ""), form)
    except Refused:
        return  # closed meanwhile


def show(visit: Visit, actor: Actor, card: CardState, *, shared: bool = False) -> None:
    """The card, with its buttons."""
    personal = actor.rep_id is not None and actor.rep_id == card.owner_id and not shared
    visit.tell(cards.card_text(card, personal=personal), cards.lead_card(card, personal=personal), shared=shared)


def why(visit: Visit, actor: Actor, card: CardState, *, shared: bool = False) -> None:
    """The score's reasons, and the decision's verdicts with the asker's own first."""
    found = commands.why(visit.house, card.lead_id)
    if found is None:
        visit.tell("Nothing was decided about this lead yet: it has not been given to anybody.")
        return
    viewer = None if shared else actor.rep_id
    visit.tell(f"Why lead {card.lead_id} is where it is", answers.why_answer(found, viewer), shared=shared)


def _private(visit: Visit, card: CardState) -> str:
    """What the form brings back: the lead, who held it then, and how it was closed if it was."""
    return visit.private(lead_id=card.lead_id, owner_id=card.owner_id, closed=access.closed_as(card))
