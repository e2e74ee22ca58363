"""Carrying a run on: each due step in turn, until it waits or is over.

The step's effect, its line in the history and the run's new position commit together, under the lead's lock and after the row was
taken with `UPDATE … RETURNING`: a kill at any moment leaves all of it done or none, and the outbox delivers each effect once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

import structlog

from connector.bootstrap import House
from connector.errors import LeadswitchError, Skippable
from connector.playbooks.looks import look, view_of
from connector.playbooks.plan import Do, Playbook, Step
from connector.playbooks.reading import read_stored
from connector.playbooks.steps import STEPS, quiet_until, wait_until
from connector.playbooks.stops import opted_out, stop_of
from connector.storage.playbooks import Run
from leads.records import Lead

log = structlog.get_logger(__name__)

#: Rows read at once, and how often in one sweep.
A_SWEEP: Final = 100
MOST_READS: Final = 50
#: How long what broke is left alone.
BROKEN_FOR: Final = timedelta(seconds=60)
Due = TypeVar("Due")


def sweep_playbooks(house: House) -> int:
    """Take every due look and carry on every due run; returns how many. What breaks keeps no other waiting."""
    done = 0
    for _ in range(MOST_READS):
        turn = _each(house.playbooks.looks_due(A_SWEEP), lambda lead_id: look(house, lead_id), lambda one: _leave_look(house, one))
        turn += _each(house.playbooks.runs_due(A_SWEEP), lambda run: advance(house, run), lambda one: _leave_run(house, one))
        done += turn
        if not turn:
            break
    return done


def _each(due: Sequence[Due], work: Callable[[Due], object], leave: Callable[[Due], None]) -> int:
    for one in due:
        try:
            work(one)
        except LeadswitchError as error:
            log.warning("playbook put off", error=str(error))
            leave(one)
        except Exception:  # one that breaks must not stop the others
            log.exception("playbook broke")
            leave(one)
    return len(due)


def _leave_look(house: House, lead_id: int) -> None:
    with house.db.transaction():
        house.playbooks.put_off_look(lead_id, house.clock.now() + BROKEN_FOR)


def _leave_run(house: House, run: Run) -> None:
    with house.db.transaction():
        house.playbooks.put_off_run(run, house.clock.now() + BROKEN_FOR)


def advance(house: House, due: Run) -> None:
    """Carry a due run on as far as it goes now."""
    with house.db.transaction():
        lead = house.leads.lock(due.lead_id)
        run = house.playbooks.take_run(due.id)
        if run is None:
            return  # another worker was quicker
        if why := stop_of(house, lead, run):
            house.playbooks.end(run.id, "stopped", why)
            return
        assert lead is not None  # noqa: S101 - stop_of says so of a lead that is gone
        playbook = read_stored(run.playbook, run.plan)
        position = run.position
        while position < len(playbook.steps):
            step = playbook.steps[position]
            if until := _held_until(house, lead, playbook, step):
                house.playbooks.move(run.id, position, until)
                return
            following, until = _take(house, lead, run, playbook, position)
            position = following
            if until is not None:
                house.playbooks.move(run.id, position, until)
                return
        house.playbooks.end(run.id, "done", "done")
    log.info("playbook done", playbook=due.playbook, lead_id=due.lead_id, run_id=due.id)


def _held_until(house: House, lead: Lead, playbook: Playbook, step: Step) -> datetime | None:
    """When a step that speaks to the person may be taken, if not now."""
    return quiet_until(house, lead, playbook) if step.reaches_out and not opted_out(house, lead) else None


def _take(house: House, lead: Lead, run: Run, playbook: Playbook, position: int) -> tuple[int, datetime | None]:
    """Take one step; returns the position after it, and until when the run waits there."""
    step = playbook.steps[position]
    if step.do is None:
        return step.other, None
    if step.do is Do.WAIT:
        until = wait_until(house, lead, step)
        house.playbooks.note(run.id, position, step.do, f"until {until.isoformat(timespec='seconds')}")
        return position + 1, until
    if step.do is Do.BRANCH:
        view = view_of(house, lead, house.scores.newest(lead.id))
        held = view is not None and step.test.holds(view)
        house.playbooks.note(run.id, position, step.do, "then" if held else "else")
        return (position + 1 if held else step.other), None
    try:
        if step.reaches_out and opted_out(house, lead):
            raise Skippable("the person opted out")
        result = STEPS[step.do](house, lead, playbook, step, f"playbook:{run.id}:{position}")
    except Skippable as error:
        result = f"skipped: {error}"
    house.playbooks.note(run.id, position, step.do, result)
    return position + 1, None
