"""Playbooks tried on the past: who would have got what. The same comparison as in a live look, at each moment a lead was scored.

What a run would have stopped for, and where its branches would have gone, is not played through: a dry run tells who would have
been taken in and why, which is what a wrong `when` or `if` shows first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from allocation.rep import LeadFacts
from connector.bootstrap import House
from connector.pipeline.allocate import chosen_plan
from connector.playbooks.conditions import View
from connector.playbooks.plan import On, Playbook
from connector.playbooks.triggers import cause_of, quiet_at
from connector.storage.playbooks import Mark, NewAct
from connector.storage.scores import StoredScore
from leads.records import Lead, LeadHistory


@dataclass(frozen=True, slots=True)
class WouldRun:
    """One run that would have begun."""

    playbook: str
    lead_id: int
    at: datetime
    cause: str


Progress = Callable[[float, str], None]


def dry_run(house: House, playbooks: Sequence[Playbook], since: datetime, progress: Progress | None = None) -> list[WouldRun]:
    """Every run that these playbooks would have begun since then, the oldest first."""
    leads = house.playbooks.scored_since(since)
    found: list[WouldRun] = []
    for place, lead_id in enumerate(leads, 1):
        lead = house.leads.get(lead_id)
        if lead is not None and lead.id == lead_id and not lead.erased:
            found += _of_lead(house, lead, playbooks, since)
        if progress and (place % 50 == 0 or place == len(leads)):
            progress(place / len(leads), f"{place:,} of {len(leads):,} leads")
    return sorted(found, key=lambda one: (one.at, one.playbook, one.lead_id))


def _of_lead(house: House, lead: Lead, playbooks: Sequence[Playbook], since: datetime) -> Iterator[WouldRun]:
    scores = house.scores.of_lead(lead.id)
    moments = [stored.score.as_of for stored in scores]
    stood = house.histories.at_each(lead.id, moments)
    last: dict[str, datetime] = {}
    mark = Mark()
    for place, (stored, history) in enumerate(zip(scores, stood, strict=True)):
        view = _view(house, lead, stored, history)
        until = moments[place + 1] if place + 1 < len(moments) else house.clock.now()
        if view.at >= since:
            acts = [
                NewAct(number, act.kind, act.occurred_at)
                for number, act in enumerate(history.engagements)
                if not act.machine and (mark.looked_at is None or act.occurred_at > mark.looked_at)
            ]
            for playbook in playbooks:
                at = _silent_at(playbook, view, until) if playbook.when.on is On.QUIET else view.at
                if at is None:
                    continue
                looked = _later(view, at)
                cause = cause_of(playbook.when, looked, mark, acts, since)
                if cause and playbook.test.holds(looked) and _may_again(playbook, last.get(playbook.name), at):
                    last[playbook.name] = at
                    yield WouldRun(playbook.name, lead.id, at, cause.partition(":")[0])
        mark = Mark(view.at, stored.score.score, view.tier, view.stage)


def _silent_at(playbook: Playbook, view: View, until: datetime) -> datetime | None:
    """When the silence is complete, if nothing came before."""
    moment = quiet_at(playbook.when, view)
    return moment if view.at < moment <= until else None


def _may_again(playbook: Playbook, last: datetime | None, at: datetime) -> bool:
    return last is None or (playbook.again is not None and at >= last + playbook.again)


def _view(house: House, lead: Lead, stored: StoredScore, history: LeadHistory) -> View:
    facts = LeadFacts.of(lead, stored.score)
    team = chosen_plan(house.policy, facts, None).team.name
    owned = any(
        one.opened_at <= history.as_of and (one.closed_at is None or one.closed_at > history.as_of)
        for one in house.decisions.history(lead.id)
    )
    return View(history.as_of, history.created_at, history.facts, history.engagements, stored.score, owned, team)


def _later(view: View, at: datetime) -> View:
    """The lead as it still stood at a later moment."""
    return View(at, view.created_at, view.facts, view.acts, view.score, view.owned, view.team)
