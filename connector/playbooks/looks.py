"""Looking at a lead: what has happened since the last look starts runs, and stops those that it ends.

A look is asked for in the transaction that scored the lead, and by time where silence may start something. It is taken with
`UPDATE … RETURNING` in the transaction that does its work, so that with any number of workers, kills and restarts each difference
is seen once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog

from connector.bootstrap import House
from connector.pipeline.allocate import chosen_plan, facts_of
from connector.playbooks.conditions import View
from connector.playbooks.plan import On, Playbook
from connector.playbooks.stops import stop_of
from connector.playbooks.triggers import cause_of, quiet_at
from connector.storage.playbooks import Mark
from connector.storage.scores import StoredScore
from leads.enums import Outcome
from leads.records import Lead

log = structlog.get_logger(__name__)

#: How long a look waits for the allocation of the lead, again and again.
AFTER_ALLOCATION: Final = timedelta(seconds=1)


def look(house: House, lead_id: int) -> int:
    """Take a due look at a lead; returns how many runs it started."""
    with house.db.transaction():
        lead = house.leads.lock(lead_id)
        if not house.playbooks.take_look(lead_id) or lead is None or lead.id != lead_id:
            return 0
        if lead.routable and lead.allocated_version < lead.scored_version:  # whoever gets the lead is to be told by the first step
            house.playbooks.put_off_look(lead.id, house.clock.now() + AFTER_ALLOCATION)
            return 0
        for run in house.playbooks.running(lead.id):
            if why := stop_of(house, lead, run):
                house.playbooks.end(run.id, "stopped", why)
                log.info("playbook stopped", playbook=run.playbook, lead_id=lead.id, why=why)
        stored = house.scores.newest(lead.id)
        view = view_of(house, lead, stored)
        if view is None or stored is None or not lead.routable:
            return 0
        known = house.playbooks.mark(lead.id)
        mark = known or _first_mark(house, stored)
        acts, upto = house.playbooks.acts_since(lead.id, mark.engagement_id)
        if known is None and mark.looked_at is not None:
            acts = [act for act in acts if act.at > mark.looked_at]
        over = lead.outcome in (Outcome.WON, Outcome.LOST)
        playbooks = [one for one in house.playbook_shelf.current().by_name.values() if one.enabled and not over]
        started = 0
        for playbook in playbooks:
            cause = cause_of(playbook.when, view, mark, acts, house.playbook_shelf.since(playbook))
            if cause and playbook.test.holds(view):
                started += _start(house, playbook, lead.id, cause, upto)
        standing = Mark(view.at, stored.score.score, view.tier, view.stage, upto)
        house.playbooks.save_mark(lead.id, standing, _next_silence(playbooks, view))
        if started:
            house.db.after_commit(house.queue.ring_playbooks)
    return started


def view_of(house: House, lead: Lead, stored: StoredScore | None) -> View | None:
    """The lead as it stands now; None when it is erased."""
    now = house.clock.now()
    history = house.histories.at(lead.id, now)
    if history is None:
        return None
    plan = chosen_plan(house.policy, facts_of(house, lead, stored, now), None)
    facts = {**history.facts, "lifecycle_stage": lead.fields.get("lifecycle_stage")}
    score, owned = stored.score if stored else None, lead.owner_id is not None
    return View(now, lead.created_at, facts, history.engagements, score, owned, plan.team.name)


def _first_mark(house: House, stored: StoredScore) -> Mark:
    """Of a lead that was never looked at: nothing when it is new, else how it stood at the score before this one."""
    before = house.scores.before(stored)
    return Mark(before.score.as_of, before.score.score, before.score.tier) if before else Mark()


def _start(house: House, playbook: Playbook, lead_id: int, cause: str, seen_id: int) -> bool:
    """Start a run, unless the lead had one and may not have another yet."""
    last = house.playbooks.last(playbook.name, lead_id)
    if last is not None:
        waits = playbook.again is None or house.clock.now() < last.started_at + playbook.again
        if waits or last.state == "running":
            return False
    number = last.number + 1 if last else 1
    run_id = house.playbooks.start(playbook.name, lead_id, number, cause, playbook.table, seen_id)
    if run_id:
        log.info("playbook started", playbook=playbook.name, lead_id=lead_id, cause=cause, run_id=run_id)
    return bool(run_id)


def _next_silence(playbooks: list[Playbook], view: View) -> datetime | None:
    """When time alone may start something for the lead."""
    moments = [quiet_at(one.when, view) for one in playbooks if one.when.on is On.QUIET]
    return min((moment for moment in moments if moment > view.at), default=None)
