"""Many leads at once, such as those of a campaign: one optimum under everybody's capacity, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from allocation.decide import decide, place
from allocation.fairness import Rotation
from allocation.rep import LeadFacts, Rep, Taken
from connector.bootstrap import House
from connector.pipeline.allocate import Table, announce, fitted_facts, had_it, put_on_list, rotation_of, settle
from connector.pipeline.roster import build_roster
from connector.storage.scores import StoredScore
from leads.enums import Outcome
from leads.records import Lead
from leads.results import Decision

#: Leads of one batch. The optimum over a thousand leads takes a few seconds, in which no other lead is given out.
MOST = 500


@dataclass(frozen=True, slots=True)
class Placed:
    """How a batch ended: lead → rep, the leads that wait, and why others were left out."""

    given: dict[int, str]
    waiting: tuple[int, ...]
    left_out: dict[int, str]


def place_leads(house: House, lead_ids: Sequence[int], actor: str, reason: str | None = None) -> Placed:
    """Give these leads out as one optimum. Leads that somebody holds, that have ended or have no score yet are left out."""
    from allocation.batch import owner_of, plan_batch  # with its numerics, which the web process must not load before it is asked

    with house.db.transaction():
        leads, left_out = _gather(house, lead_ids)
        house.decisions.lock_roster()
        at = house.clock.now()
        roster: list[Rep] = build_roster(house, at)
        facts = {lead.id: fitted_facts(house, lead, stored, at, roster) for lead, stored in leads}
        lines = dict(rotation_of(house, one) for one in facts.values())
        had = {lead.id: had_it(house, lead.id) for lead, _ in leads}
        owned = {lead_id for lead_id, one in facts.items() if owner_of(one, roster, house.policy, at, had[lead_id]) is not None}
        planned = plan_batch(list(facts.values()), roster, house.policy, lines, at, had)
        given: dict[int, str] = {}
        waiting: list[int] = []
        for lead, stored in leads:
            line, _ = rotation_of(house, facts[lead.id])
            table = Table(at, facts[lead.id], roster, line, lines[line], stored)
            placed_at = None if lead.id in owned else planned[lead.id]
            decision, lines[line] = _settle_one(house, lead, table, placed_at, had[lead.id], actor, reason)
            if decision.rep_id is None:
                waiting.append(lead.id)
            else:
                given[lead.id] = decision.rep_id
                roster = [_with_one_more(rep, facts[lead.id], table) if rep.id == decision.rep_id else rep for rep in roster]
    return Placed(given, tuple(waiting), left_out)


def _gather(house: House, lead_ids: Sequence[int]) -> tuple[list[tuple[Lead, StoredScore]], dict[int, str]]:
    """The leads that can be given out, locked in one order so that two batches never wait for each other; why others cannot."""
    leads: list[tuple[Lead, StoredScore]] = []
    left_out: dict[int, str] = {}
    for lead_id in sorted(set(lead_ids)):
        lead = house.leads.lock(lead_id)
        stored = house.scores.newest(lead.id) if lead else None
        if lead is None or lead.erased or not lead.routable or lead.id != lead_id:
            left_out[lead_id] = "gone"
        elif lead.outcome in (Outcome.WON, Outcome.LOST):
            left_out[lead_id] = f"closed ({lead.outcome.value})"
        elif house.decisions.open_assignment(lead.id) is not None:
            left_out[lead_id] = "somebody holds it"
        elif stored is None:
            left_out[lead_id] = "not scored yet"
        else:
            leads.append((lead, stored))
    return leads, left_out


def _settle_one(
    house: House, lead: Lead, table: Table, rep_id: str | None, exclude: frozenset[str], actor: str, reason: str | None
) -> tuple[Decision, Rotation]:
    """Record one lead of the plan; one that has an owner, or found no place, is decided by itself, which says why and what happens
    then."""
    if rep_id is not None:
        decision, after = place(table.facts, rep_id, table.roster, house.policy, table.rotation, table.at)
    else:
        decision, after = decide(table.facts, table.roster, house.policy, table.rotation, table.at, exclude)
    if decision.rep_id is None:
        put_on_list(house, lead, table, decision)
    settle(house, lead, table, decision, after, actor, reason, exclude)
    house.leads.mark_allocated(lead.id, lead.scored_version)
    current = house.leads.get(lead.id)
    if current is not None and table.stored is not None:
        announce(house, current, table.stored.score, decision.rep_id, fresh=decision.rep_id is not None)
    return decision, after


def _with_one_more(rep: Rep, facts: LeadFacts, table: Table) -> Rep:
    by_tier = {**rep.open_by_tier, facts.tier: rep.open_by_tier.get(facts.tier, 0) + 1}
    recent = (*rep.recent, Taken(table.at, facts.tier))
    return replace(rep, open_leads=rep.open_leads + 1, open_by_tier=by_tier, recent=recent, last_assigned_at=table.at)
