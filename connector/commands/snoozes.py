"""Putting a lead off until a moment, at which it comes back by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from allocation.sla import business_minutes, due_at
from connector.bootstrap import House
from connector.commands.ledger import audit_act, note_act, now_of, refresh_cards, standing
from connector.commands.people import Actor, Done
from connector.pipeline.alerts import SLACK
from connector.pipeline.allocate import chosen_plan, facts_of
from connector.pipeline.sla import calendar_of, team_of
from leads.enums import EffectKind, Outcome, Role

LONGEST: Final = timedelta(days=30)


def snooze(house: House, lead_id: int, until: datetime, actor: Actor) -> Done:
    """Put the lead off until then. Its card says so, and comes back with a reminder at that moment."""
    now = house.clock.now()
    if not now < until <= now + LONGEST:
        return Done(False, f"A lead can be put off until a moment within the next {LONGEST.days} days.")
    with house.db.transaction():
        lead = house.leads.lock(lead_id)
        if lead is None or lead.erased or lead.outcome in (Outcome.WON, Outcome.LOST) or lead.owner_id is None:
            return Done(False, "Nobody works this lead now: there is nothing to put off.")
        if actor.rep_id != lead.owner_id and not actor.may(Role.MANAGER):
            return Done(False, f"{lead.name} is not yours to put off.")
        before = standing(house, lead)
        put_off(house, lead.id, lead.owner_id, until, actor)
        after = now_of(house, lead)
        note_act(house, actor, "snooze", lead, before, after)
        audit_act(house, actor, "lead.snoozed", lead, before, after)
        refresh_cards(house, lead)
        return Done(True, f"{lead.name} comes back then.")


def put_off(house: House, lead_id: int, rep_id: str, until: datetime, actor: Actor) -> None:
    """Begin a snooze with the row that ends it, within the caller's transaction and under the lead's lock."""
    snooze_id = house.snoozes.begin(lead_id, rep_id, until, actor.label)
    _stop_clocks(house, lead_id, until)
    wanted = {"snooze_id": snooze_id}
    house.effects.add(EffectKind.SLACK_REMINDER, SLACK, f"snooze:{snooze_id}", lead_id, wanted, due_at=until)


def _stop_clocks(house: House, lead_id: int, until: datetime) -> None:
    """The deadlines of whoever holds the lead stand still until then: as much working time is left then as is now."""
    lead, assignment, now = house.leads.get(lead_id), house.decisions.open_assignment(lead_id), house.clock.now()
    if lead is None or assignment is None:
        return
    facts = facts_of(house, lead, house.scores.newest(lead.id), now)
    plan = chosen_plan(house.policy, facts, team_of(house, assignment))
    calendar = calendar_of(house, assignment.rep_id, plan.calendar)

    def later(due: datetime) -> datetime:
        try:
            return due_at(until, business_minutes(now, due, calendar), calendar) if due > now else until
        except ValueError:  # hours that never come: counted round the clock, as when the clocks were started
            return until + (due - now)

    house.timers.stand_still(assignment.id, later)
