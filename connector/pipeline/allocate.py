"""Stage 3, `lead.allocate`: gates and method → decision. Decision, assignment, rotation and outbox rows commit together, under
the lead's lock, on the newest score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog

from allocation.decide import decide, keep, override, pass_back, rotation_key
from allocation.fairness import Rotation, take_back
from allocation.rep import LeadFacts, Rep
from allocation.replay import record as record_decision
from connector.bootstrap import House
from connector.pipeline.alerts import ask_cards, is_news
from connector.pipeline.roster import build_roster
from connector.storage.scores import StoredScore
from leads.enums import DecisionOutcome, EffectKind, Gate, Outcome, Tier, VerdictKind
from leads.records import Lead
from leads.results import Decision, Score, Verdict

log = structlog.get_logger(__name__)

ENGINE = "engine"


def allocate(house: House, lead_id: int) -> Decision | None:
    """Decide who works the lead, once a score; None when nothing was to be decided."""
    with house.db.transaction():
        lead = house.leads.lock(lead_id)
        if lead is None or lead.erased or not lead.routable or lead.allocated_version >= lead.scored_version:
            return None
        stored = house.scores.newest(lead.id)
        if stored is None:
            return None
        if lead.outcome in (Outcome.WON, Outcome.LOST):  # it ended: nobody is to follow it up
            house.leads.mark_allocated(lead.id, lead.scored_version)
            return None
        assignment = house.decisions.open_assignment(lead.id)
        decision = None if assignment else first_decision(house, lead, stored)
        rep_id = assignment.rep_id if assignment else decision.rep_id if decision else None
        if decision is None or decision.outcome is not DecisionOutcome.HELD:
            house.leads.mark_allocated(lead.id, lead.scored_version)  # a held lead stays due: the clock tries it again
        announce(house, lead, stored.score, rep_id, fresh=decision is not None and rep_id is not None)
    if decision is not None:
        log.info("lead allocated", lead_id=lead.id, rep_id=decision.rep_id, outcome=decision.outcome.value, method=decision.method)
    return decision


def first_decision(house: House, lead: Lead, stored: StoredScore) -> Decision | None:
    """Keep the CRM's owner, or let the engine pick; a lead already on the waiting list is not recorded as held again."""
    owner = house.reps.get(lead.owner_id) if lead.owner_id else None
    if owner is not None and owner.active:
        table = lay_table(house, lead, stored)
        decision, after = keep(table.facts, owner.id, table.roster, house.policy, table.rotation, table.at, charge=True)
        settle(house, lead, table, decision, after, ENGINE)
        return decision
    newest = house.decisions.newest(lead.id)
    return pick(house, lead, stored, ENGINE, held_before=newest is not None and newest.outcome is DecisionOutcome.HELD)


@dataclass(frozen=True, slots=True)
class Table:
    """Everything one decision is made from, read under its locks."""

    at: datetime
    facts: LeadFacts
    roster: Sequence[Rep]
    line: str
    rotation: Rotation
    stored: StoredScore | None


def lay_table(house: House, lead: Lead, stored: StoredScore | None) -> Table:
    """Lock the roster and read load and rotation, within the caller's transaction."""
    house.decisions.lock_roster()
    at = house.clock.now()
    facts = LeadFacts.of(lead, stored.score if stored else None)
    line = rotation_key(facts, house.policy)
    state = house.decisions.rotation(line)
    return Table(at, facts, build_roster(house, at), line, Rotation.from_json(state) if state else Rotation(line), stored)


def pick(
    house: House,
    lead: Lead,
    stored: StoredScore | None,
    actor: str,
    *,
    reason: str | None = None,
    passed_by: str | None = None,
    held_before: bool = False,
) -> Decision:
    """Let the engine choose a rep, within the caller's transaction. Whoever passed the lead before does not get it again."""
    table = lay_table(house, replace(lead, owner_id=None), stored)
    rotation = table.rotation
    if passed_by is not None:
        rotation = pass_back(rotation, passed_by, house.policy, table.at)
    exclude = frozenset(past.rep_id for past in house.decisions.history(lead.id) if past.closed_as == "passed")
    decision, after = decide(table.facts, table.roster, house.policy, rotation, table.at, exclude)
    if decision.outcome is DecisionOutcome.HELD and held_before:
        return decision
    settle(house, lead, replace(table, rotation=rotation), decision, after, actor, reason, exclude)
    return decision


def choose(house: House, lead: Lead, rep_id: str, actor: str, reason: str | None, *, because: str) -> Decision:
    """Record a person's pick, within the caller's transaction: it always wins, and pins the lead."""
    table = lay_table(house, lead, house.scores.newest(lead.id))
    rotation = take_back(table.rotation, lead.owner_id, house.policy.fairness) if lead.owner_id else table.rotation
    decision, after = override(table.facts, rep_id, table.roster, house.policy, rotation, table.at, because)
    settle(house, lead, replace(table, rotation=rotation), decision, after, actor, reason)
    house.leads.set_owner(lead.id, int(rep_id), pinned=True)
    return decision


def settle(
    house: House,
    lead: Lead,
    table: Table,
    decision: Decision,
    after: Rotation,
    actor: str,
    reason: str | None = None,
    exclude: frozenset[str] = frozenset(),
) -> None:
    """Keep a decision with the ledger it moved and the record it can be replayed from."""
    house.decisions.save_rotation(table.line, after.to_json())
    record = record_decision(table.facts, table.roster, house.policy, table.rotation, table.at, decision, exclude)
    record["verdicts"] = [_verdict(verdict) for verdict in decision.verdicts]
    commit(house, lead, table.stored, decision, record, actor, reason)


def _verdict(verdict: Verdict) -> dict[str, Any]:
    """A verdict as kept; `read_verdicts` reads it."""
    return {
        "rep": verdict.rep_id,
        "kind": verdict.kind.value,
        "rank": verdict.rank,
        "gate": verdict.gate.value if verdict.gate else None,
        "detail": verdict.detail,
        "factors": dict(verdict.factors),
    }


def read_verdicts(record: Mapping[str, Any]) -> list[Verdict]:
    """The verdicts of a stored decision, as they were given."""
    return [
        Verdict(
            kept["rep"],
            VerdictKind.read(kept["kind"]),
            kept["rank"],
            Gate.read(kept["gate"]) if kept["gate"] else None,
            kept["detail"],
            kept["factors"],
        )
        for kept in record.get("verdicts", ())
    ]


def commit(
    house: House,
    lead: Lead,
    stored: StoredScore | None,
    decision: Decision,
    record: Mapping[str, Any],
    actor: str,
    reason: str | None = None,
) -> int:
    """Store a decision with what follows from it: assignment, owner, audit."""
    decision_id = house.decisions.add(lead.id, stored.id if stored else None, decision, record, actor, reason)
    if decision.rep_id is not None:
        house.decisions.assign(lead.id, decision.rep_id, decision_id, decision.at)
        house.leads.set_owner(lead.id, int(decision.rep_id))
        if decision.outcome is DecisionOutcome.ASSIGNED:
            house.reps.touch(decision.rep_id, decision.at)
    house.audit.add(
        actor,
        f"lead.{decision.outcome.value}",
        f"lead:{lead.id}",
        lead_id=lead.id,
        reason=reason,
        detail={"before": lead.owner_id, "after": decision.rep_id, "decision": decision_id, "because": decision.because},
        person=house.leads.person_seal(lead.id),
    )
    return decision_id


def announce(house: House, lead: Lead, score: Score | None, rep_id: str | None, *, fresh: bool) -> None:
    """Ask for the effects of how the lead stands, within the caller's transaction. `fresh`: it has just got this owner.

    A score that moved little within its tier is not written back nor shown again: it would only make noise.
    """
    tier = score.tier if score else Tier.UNKNOWN
    if score is not None:
        shown, shown_tier = house.leads.announced(lead.id)
        if not fresh and not is_news(house, score, shown, shown_tier):
            return
        house.leads.announce(lead.id, score.score, tier)
    rings = set()
    if lead.external_id and lead.connection in house.crm_connections():
        house.effects.add(EffectKind.CRM_LEAD, lead.connection, f"lead:{lead.id}", lead.id)
        if fresh and rep_id is not None:
            house.effects.add(EffectKind.CRM_TASK, lead.connection, f"task:{lead.id}", lead.id)
        rings.add(lead.connection)
    if ask_cards(house, lead.id, tier, rep_id):
        rings.add("slack")
    for destination in rings:
        house.db.after_commit(lambda destination=destination: house.queue.ring_deliver(destination))  # type: ignore[misc]
