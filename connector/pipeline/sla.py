"""The clocks of the SLA: remind the rep, alert the manager, give the lead to somebody else, take a silent rep out of the rotation.

Each clock is a row with the moment it is due. The clock process sweeps them twice a second and takes each with
`UPDATE … RETURNING` in the transaction that carries it out, so that with any number of clock processes, kills and restarts it fires
once. On PostgreSQL a clock process passes over leads that another works on, so that several share the work. Whether there is
anything left to do is asked then, of the state as it is: a lead that was accepted, closed or given on has no deadline any more.
Those are settled all at once, the others a few in a transaction: at the beginning of a working day thousands may be due.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby, islice
from operator import attrgetter
from typing import Final

import structlog

from allocation.hours import Calendar
from allocation.sla import due_at
from allocation.terms import Sla, Team
from connector.bootstrap import House
from connector.errors import LeadswitchError
from connector.pipeline.allocate import chosen_plan, facts_of, take_away
from connector.pipeline.clocks import ACCEPT, ALERT, CONTACT, REMIND
from connector.pipeline.roster import as_rep
from connector.storage.decisions import Assignment, Load
from connector.storage.timers import Timer
from leads.enums import EffectKind, Outcome
from leads.records import Lead

log = structlog.get_logger(__name__)

ENGINE: Final = "engine"
#: Clocks read at once, and how often in one sweep: what waits beside the deadlines must have its turn, too.
A_SWEEP: Final = 100
MOST_READS: Final = 50
#: Clocks carried out in one transaction, with one flush to disk: many that only tell somebody, few that may give a lead away, which
#: no other lead can be meanwhile.
TOGETHER: Final = {REMIND: 25, ALERT: 25, ACCEPT: 5, CONTACT: 5}
#: How long a clock that broke is left alone.
BROKEN_FOR: Final = timedelta(seconds=60)
EMPTY: Final = Load({}, {}, {})


def sweep_clocks(house: House) -> int:
    """Carry out every clock whose time has come, the oldest first; returns how many. One that breaks is tried again after a minute,
    so that it keeps no other waiting."""
    fired = house.timers.void_met()
    for _ in range(MOST_READS):
        done = [one for few in _groups(house.timers.due(A_SWEEP)) for one in _try_together(house, few)]
        fired += sum(one is True for one in done)
        if all(one is False for one in done):  # nothing is due, or others work on all of it
            break
    return fired


def _groups(due: Sequence[Timer]) -> Iterator[Sequence[Timer]]:
    """Clocks of one stage that follow each other, as many as go together."""
    for stage, run in groupby(due, key=attrgetter("stage")):
        while few := list(islice(run, TOGETHER[stage])):
            yield few


def _try_together(house: House, timers: Sequence[Timer]) -> Sequence[bool | None]:
    """What `_try` says of each. One that breaks takes the others back with it: then each has a transaction of its own."""
    try:
        with house.db.transaction():
            return [fire(house, timer) for timer in timers]
    except Exception:  # whatever it was, `_try` tells of it
        return [_try(house, timer) for timer in timers]


def _try(house: House, timer: Timer) -> bool | None:
    """Whether the clock was carried out; None when it broke and was put off."""
    try:
        return fire(house, timer)
    except LeadswitchError as error:
        log.warning("clock not carried out", timer_id=timer.id, error=str(error))
    except Exception:  # one broken clock must not stop the others
        log.exception("clock broke", timer_id=timer.id)
    with house.db.transaction():
        house.timers.put_off(timer, house.clock.now() + BROKEN_FOR)
    return None


def fire(house: House, timer: Timer) -> bool:
    """Carry out one clock; false when another process was quicker, or works on the lead now."""
    with house.db.transaction():
        if house.timers.is_worked_on(timer):
            return False
        lead = house.leads.lock(timer.lead_id)
        if not house.timers.claim(timer):
            return False
        assignment = house.decisions.open_assignment(lead.id) if lead else None
        if lead is None or assignment is None or assignment.id != timer.assignment_id or _is_met(lead, timer.stage, assignment):
            house.timers.settle(timer, "void")
            return True
        result = _carry_out(house, lead, assignment, timer)
        house.timers.settle(timer, result)
    log.info("deadline", stage=timer.stage, result=result, lead_id=lead.id, rep_id=assignment.rep_id)
    return True


def _is_met(lead: Lead, stage: str, assignment: Assignment) -> bool:
    """Whether the lead ended, or the rep has done what the clock waits for. Whoever has spoken to the person has taken the lead on,
    too."""
    if lead.outcome in (Outcome.WON, Outcome.LOST):
        return True
    return assignment.contacted_at is not None or (stage != CONTACT and assignment.accepted_at is not None)


def _carry_out(house: House, lead: Lead, assignment: Assignment, timer: Timer) -> str:
    """What there is to do now; returns the word for it."""
    facts = facts_of(house, lead, house.scores.newest(lead.id), house.clock.now())
    plan = chosen_plan(house.policy, facts, team_of(house, assignment))
    terms = house.policy.sla_of(plan.team, facts.tier) or Sla()
    if timer.stage == REMIND:
        return _tell(house, lead, assignment, REMIND, [f"dm:{assignment.rep_id}"], "reminded")
    managers = _managers(house, plan.team, assignment)
    if timer.stage == ALERT:
        return _tell(house, lead, assignment, ALERT, managers, "alerted")
    silent = timer.stage == ACCEPT and terms.mark_away
    if not terms.reroute or lead.pinned:  # whom a person chose keeps the lead
        if silent:
            _mark_silent(house, assignment.rep_id, lead.id)
        return _tell(house, lead, assignment, timer.stage, managers, "missed")
    decision = take_away(house, lead, assignment, f"deadline to {timer.stage} passed")
    if decision is None:
        _try_again(house, timer, terms, calendar_of(house, assignment.rep_id, plan.calendar))
        return _tell(house, lead, assignment, timer.stage, managers, "alone")
    if silent:
        _mark_silent(house, assignment.rep_id, lead.id)
    return _tell(house, lead, assignment, timer.stage, managers, "rerouted")


def team_of(house: House, assignment: Assignment) -> str | None:
    """The team that the lead was given out in."""
    decision = house.decisions.get(assignment.decision_id)
    return decision.record["answer"].get("team") if decision else None


def _try_again(house: House, timer: Timer, terms: Sla, calendar: Calendar) -> None:
    """Nobody else could have the lead now: look again after as long a time."""
    minutes = (terms.accept_minutes if timer.stage == ACCEPT else terms.contact_minutes) or 15.0
    try:
        house.timers.again(timer, due_at(house.clock.now(), max(minutes, 1.0), calendar))
    except ValueError as error:
        log.warning("deadline not set again", timer_id=timer.id, error=str(error))


def calendar_of(house: House, rep_id: str, default: Calendar) -> Calendar:
    """The working time of a rep, with the policy file's word and the team's where they say nothing."""
    stored = house.reps.get(rep_id)
    return house.policy.settled(as_rep(stored, EMPTY, {})).calendar(default) if stored else default


def _managers(house: House, team: Team, assignment: Assignment) -> list[str]:
    """Who hears of it: the team's manager, else those of the settings, else the channel of the team."""
    if team.manager and team.manager != assignment.rep_id:
        return [f"dm:{team.manager}"]
    slack = house.settings.slack
    return [f"manager:{place}" for place in range(len(slack.managers))] or [
        f"channel:{slack.channels.get(team.name, slack.channel)}"
    ]


def _tell(house: House, lead: Lead, assignment: Assignment, stage: str, places: Sequence[str], result: str) -> str:
    """Ask for the messages and keep the step in the audit trail, within the caller's transaction; returns `result`."""
    detail = {"stage": stage, "rep": assignment.rep_id, "assignment": assignment.id}
    house.audit.add(ENGINE, f"sla.{result}", f"lead:{lead.id}", lead_id=lead.id, detail=detail)
    if house.slack_configured:
        for place in places:
            subject = f"sla:{assignment.id}:{stage}:{result}:{place}"
            payload = {"stage": stage, "result": result, "assignment_id": assignment.id, "rep_id": assignment.rep_id}
            house.effects.add(EffectKind.SLA_ALERT, "slack", subject, lead.id, {**payload, "destination": place})
        house.db.after_commit(lambda: house.queue.ring_deliver("slack"))
    return result


# -- reps who are silent


def _mark_silent(house: House, rep_id: str, lead_id: int) -> None:
    """Take a rep who did not answer out of the rotation until they act again."""
    house.reps.set(rep_id, {"silent_since": house.clock.now().isoformat()})
    house.audit.add(ENGINE, "rep.silent", f"rep:{rep_id}", lead_id=lead_id)


def note_return(house: House, rep_id: str | None) -> None:
    """The rep has just acted: they are back. Within the caller's transaction; nothing happens to one who was not silent."""
    rep = house.reps.get(rep_id) if rep_id else None
    if rep is not None and rep.settings.get("silent_since"):
        house.reps.set(rep.id, {"silent_since": None})
        house.audit.add(ENGINE, "rep.returned", f"rep:{rep.id}")
