"""Stage 3, `lead.allocate`: gates and method → decision. Decision, assignment, rotation and outbox rows commit together, under
the lead's lock, on the newest score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from allocation.decide import decide, keep, override, rotation_key
from allocation.fairness import Rotation
from allocation.rep import LeadFacts
from allocation.replay import record as record_decision
from connector.bootstrap import House
from connector.pipeline.alerts import ask_cards
from connector.pipeline.roster import build_roster
from connector.storage.scores import StoredScore
from leads.enums import DecisionOutcome, EffectKind, Tier
from leads.records import Lead
from leads.results import Decision, Score

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
    """Keep the CRM's owner, or let the engine pick; a lead already held is not recorded as held again."""
    at = house.clock.now()
    owner = house.reps.get(lead.owner_id) if lead.owner_id else None
    if owner is not None and owner.active:
        roster = build_roster(house, at)
        facts = LeadFacts.of(lead, stored.score)
        decision = keep(facts, owner.id, roster, house.policy, at)
        commit(house, lead, stored, decision, record_decision(decision, lead=facts, roster=roster, policy=house.policy), ENGINE)
        return decision
    newest = house.decisions.newest(lead.id)
    return pick(house, lead, stored, ENGINE, held_before=newest is not None and newest.outcome is DecisionOutcome.HELD)


def pick(
    house: House,
    lead: Lead,
    stored: StoredScore | None,
    actor: str,
    *,
    reason: str | None = None,
    exclude: frozenset[str] = frozenset(),
    held_before: bool = False,
) -> Decision:
    """Let the engine choose a rep, within the caller's transaction."""
    at = house.clock.now()
    policy = house.policy
    house.decisions.lock_roster()
    passed = {past.rep_id for past in house.decisions.history(lead.id) if past.closed_as == "passed"}
    excluded = exclude | frozenset(passed)
    facts = LeadFacts.of(lead, stored.score if stored else None)
    roster = build_roster(house, at)
    line = rotation_key(facts, policy)
    before = Rotation.from_json(house.decisions.rotation(line))
    decision, after = decide(facts, roster, policy, before, at, excluded)
    if decision.outcome is DecisionOutcome.HELD and held_before:
        return decision
    house.decisions.save_rotation(line, after.to_json())
    record = record_decision(decision, lead=facts, roster=roster, policy=policy, rotation=before, exclude=excluded)
    commit(house, lead, stored, decision, record, actor, reason)
    return decision


def choose(house: House, lead: Lead, rep_id: str, actor: str, reason: str | None, *, because: str) -> Decision:
    """Record a person's pick, within the caller's transaction: it always wins, and pins the lead."""
    at = house.clock.now()
    house.decisions.lock_roster()
    stored = house.scores.newest(lead.id)
    facts = LeadFacts.of(lead, stored.score if stored else None)
    roster = build_roster(house, at)
    decision = override(facts, rep_id, roster, house.policy, at, because)
    record = record_decision(decision, lead=facts, roster=roster, policy=house.policy)
    commit(house, lead, stored, decision, record, actor, reason)
    house.leads.set_owner(lead.id, int(rep_id), pinned=True)
    return decision


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
        moved = shown is None or shown_tier is not tier or abs(shown - score.score) >= house.settings.write_back.min_score_change
        if not fresh and not moved:
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
