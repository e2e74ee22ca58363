"""Stage 3, `lead.allocate`: gates and method → decision. Decision, assignment, rotation and outbox rows commit together, under
the lead's lock, on the newest score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from allocation.decide import decide, judge, keep, override, pass_back, rotation_key, sit
from allocation.fairness import Rotation, take_back
from allocation.policy import Plan, Policy
from allocation.rep import LeadFacts, Rep
from allocation.replay import record as record_decision
from allocation.terms import Method, NobodyFree
from connector.bootstrap import House
from connector.pipeline.accounts import employer_of
from connector.pipeline.alerts import ask_cards, is_news
from connector.pipeline.clocks import start_clocks
from connector.pipeline.roster import build_roster
from connector.storage.decisions import Assignment
from connector.storage.scores import StoredScore
from connector.storage.waiting import Held
from leads.enums import DecisionOutcome, EffectKind, Gate, Outcome, Tier, VerdictKind
from leads.records import Lead
from leads.results import Decision, Score, Verdict

log = structlog.get_logger(__name__)

ENGINE = "engine"


def allocate(house: House, lead_id: int, actor: str = ENGINE, *, again: bool = False) -> Decision | None:
    """Decide who works the lead, once a score, and again while it waits; None when nothing was to be decided.

    `again` decides for a lead that nobody holds even if its newest score has been decided on.
    """
    with house.db.transaction():
        lead = house.leads.lock(lead_id)
        if lead is None or lead.id != lead_id or lead.erased or not lead.routable or lead.outcome in (Outcome.WON, Outcome.LOST):
            house.waiting.take_off(lead_id)
        if lead is None or lead.erased or not lead.routable:
            return None
        held = house.waiting.get(lead.id)
        if held is None and not again and lead.allocated_version >= lead.scored_version:
            return None
        stored = house.scores.newest(lead.id)
        if stored is None:
            return None
        if lead.outcome in (Outcome.WON, Outcome.LOST):  # it ended: nobody is to follow it up
            house.leads.mark_allocated(lead.id, lead.scored_version)
            return None
        assignment = house.decisions.open_assignment(lead.id)
        decision = None if assignment else _decide(house, lead, stored, held, actor)
        rep_id = assignment.rep_id if assignment else decision.rep_id if decision else None
        house.leads.mark_allocated(lead.id, lead.scored_version)
        announce(house, lead, stored.score, rep_id, fresh=decision is not None and rep_id is not None)
        if decision is not None and decision.method == Method.CLAIM_POOL:
            _offer(house, lead)
    if decision is not None:
        log.info("lead allocated", lead_id=lead.id, rep_id=decision.rep_id, outcome=decision.outcome.value, method=decision.method)
    return decision


def _decide(house: House, lead: Lead, stored: StoredScore, held: Held | None, actor: str) -> Decision:
    """Keep the owner a person chose, or let the engine decide, with the CRM's owner as one it may keep."""
    owner = house.reps.get(lead.owner_id) if lead.owner_id else None
    if owner is not None and owner.active and lead.pinned:
        table = lay_table(house, lead, stored)
        decision, after = keep(table.facts, owner.id, table.roster, house.policy, table.rotation, table.at, charge=True)
        settle(house, lead, table, decision, after, actor)
        return decision
    return pick(house, lead, stored, actor, held=held)


def _offer(house: House, lead: Lead) -> None:
    """Show a lead of a claim pool where its team can claim it."""
    slack, held = house.settings.slack, house.waiting.get(lead.id)
    if not house.slack_configured or held is None:
        return
    place = f"channel:{slack.channels.get(held.team, slack.channel)}"
    house.effects.add(EffectKind.SLACK_CARD, "slack", f"card:{lead.id}:{place}", lead.id, {"destination": place})
    house.db.after_commit(lambda: house.queue.ring_deliver("slack"))


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
    roster = build_roster(house, at)
    facts = fitted_facts(house, lead, stored, at, roster)
    line, rotation = rotation_of(house, facts)
    return Table(at, facts, roster, line, rotation, stored)


def rotation_of(house: House, facts: LeadFacts) -> tuple[str, Rotation]:
    """The line that a lead is booked in, and how it stands. The caller holds the roster's lock."""
    line = rotation_key(facts, house.policy)
    state = house.decisions.rotation(line)
    return line, Rotation.from_json(state) if state else Rotation(line)


def fitted_facts(house: House, lead: Lead, stored: StoredScore | None, at: datetime, roster: Sequence[Rep]) -> LeadFacts:
    """`facts_of` with the learned win probability of each active rep, where a fit is in use."""
    facts = facts_of(house, lead, stored, at)
    return replace(facts, fits=house.rep_fits.of(facts, [rep.id for rep in roster if rep.active]))


def facts_of(house: House, lead: Lead, stored: StoredScore | None, at: datetime) -> LeadFacts:
    """What allocation needs of a lead, with the owner of its company and how long it has waited."""
    employer = employer_of(house, lead)
    held = house.waiting.get(lead.id)
    waited = max(0.0, (at - held.since).total_seconds() / 60) if held else 0.0
    score = stored.score if stored else None
    facts = LeadFacts.of(lead, score, account_owner=employer.rep_id if employer else None, waiting_minutes=waited)
    return replace(facts, account_by=employer.because) if employer and employer.rep_id else facts


#: How an assignment ended whose rep does not get the lead again.
HAD_IT = ("passed", "missed", "cleared")


def had_it(house: House, lead_id: int) -> frozenset[str]:
    """Who passed the lead on, let its deadline pass, or lost it by a person's word in the CRM."""
    return frozenset(past.rep_id for past in house.decisions.history(lead_id) if past.closed_as in HAD_IT)


def holding(house: House, lead: Lead) -> Assignment | None:
    """The assignment by which its owner has the lead, closed or not; None when nobody owns it, or the owner came from the CRM."""
    past = house.decisions.history(lead.id) if lead.owner_id is not None else ()
    return past[-1] if past and past[-1].rep_id == lead.owner_id else None


def credited(house: House, table: Table, assignment: Assignment, undo: Callable[[Rotation], Rotation]) -> Table:
    """The table with a lead off the account of whoever had it, in the line where it was booked; `undo` is how.

    Tier and policy may have changed since: another line than the table's is saved at once.
    """
    decision = house.decisions.get(assignment.decision_id)
    line = decision.record.get("rotation", {}).get("key", table.line) if decision else table.line
    if line == table.line:
        return replace(table, rotation=undo(table.rotation))
    if state := house.decisions.rotation(line):
        house.decisions.save_rotation(line, undo(Rotation.from_json(state)).to_json())
    return table


def draw(house: House) -> float | None:
    """A random number for the part of leads that a policy gives out at random; None when it gives out none so."""
    return house.chance.random() if house.policy.explore > 0 else None


def pick(
    house: House,
    lead: Lead,
    stored: StoredScore | None,
    actor: str,
    *,
    reason: str | None = None,
    said: str = "",
    passed: Assignment | None = None,
    held: Held | None = None,
) -> Decision:
    """Let the engine choose a rep, within the caller's transaction. Whoever passed the lead before does not get it again; who just
    `passed` it is credited within the policy's limit. `reason` is a word of ours, `said` what a person wrote.

    A lead that waits already (`held`) and goes on waiting is not recorded as held again.
    """
    table = lay_table(house, lead if passed is None else replace(lead, owner_id=None), stored)
    if passed is not None:
        table = credited(house, table, passed, lambda line: pass_back(line, passed.rep_id, house.policy, table.at))
    exclude, chance = had_it(house, lead.id), draw(house)
    decision, after = decide(table.facts, table.roster, house.policy, table.rotation, table.at, exclude, chance)
    if decision.outcome is DecisionOutcome.HELD:
        put_on_list(house, lead, table, decision)
        if held is not None and held.pool == (decision.method == Method.CLAIM_POOL):
            return decision
        if lead.owner_id is not None:  # an owner who cannot have it: switched off in the CRM, or away by a policy that goes on
            house.leads.set_owner(lead.id, None, pinned=False)
    settle(house, lead, table, decision, after, actor, reason, exclude, chance, said)
    return decision


def put_on_list(house: House, lead: Lead, table: Table, decision: Decision) -> None:
    """Let a lead that nobody got wait: to be claimed, or for somebody who is free."""
    plan = house.policy.plan(table.facts)
    relax = plan.team.relax_skills_after
    by = None if relax is None else table.at + timedelta(minutes=max(0.0, relax - table.facts.waiting_minutes))
    pool = decision.method == Method.CLAIM_POOL
    house.waiting.put(lead.id, plan.team.name, table.facts.tier, table.at, pool=pool, by=by)


def take_away(house: House, lead: Lead, assignment: Assignment, reason: str) -> Decision | None:
    """Give a lead whose deadline passed to somebody who has not had it, within the caller's transaction.

    No credit comes back to who let it pass. None when nobody else can have it now: then it stays where it is.
    """
    stored = house.scores.newest(lead.id)
    table = lay_table(house, replace(lead, owner_id=None), stored)
    exclude, chance = had_it(house, lead.id) | {assignment.rep_id}, draw(house)
    decision, after = decide(table.facts, table.roster, house.policy, table.rotation, table.at, exclude, chance)
    if decision.rep_id is None and decision.method != Method.CLAIM_POOL:
        return None
    house.decisions.close(lead.id, table.at, "missed")
    house.leads.set_owner(lead.id, None, pinned=False)
    if decision.rep_id is None:
        put_on_list(house, lead, table, decision)
    settle(house, lead, table, decision, after, ENGINE, reason, exclude, chance)
    current = house.leads.get(lead.id)
    if current is not None:
        announce(house, current, stored.score if stored else None, decision.rep_id, fresh=True)
    return decision


def choose(
    house: House,
    lead: Lead,
    rep_id: str,
    actor: str,
    reason: str | None,
    *,
    because: str,
    said: str = "",
    credit_back: bool = True,
    table: Table | None = None,
) -> Decision:
    """Record a person's pick, within the caller's transaction: it always wins, and pins the lead. `reason` is a word of ours, and
    `said` what they wrote. `credit_back`: whoever had the lead is not charged for it any more. `table`: what is on it already."""
    table = table or lay_table(house, lead, house.scores.newest(lead.id))
    before = holding(house, lead) if credit_back else None
    if before is not None:
        table = credited(house, table, before, lambda line: take_back(line, before.rep_id, house.policy.fairness))
    decision, after = override(table.facts, rep_id, table.roster, house.policy, table.rotation, table.at, because)
    settle(house, lead, table, decision, after, actor, reason, said=said)
    house.leads.set_owner(lead.id, int(rep_id), pinned=True)
    return decision


def closed_to(house: House, table: Table, rep_id: str) -> str | None:
    """Why the engine would not give a rep the lead of this table, in the words of the gate; None when it would.

    Nobody asks whether they are available: whoever wants a lead is. The teams to which the lead overflows may have it, too.
    """
    sitting = sit(table.facts, table.roster, house.policy, table.at)
    first = plan = house.policy.plan(table.facts)
    why = None
    for _ in house.policy.teams:  # a chain of overflow has no circle
        bench = judge(sitting, plan, frozenset({Gate.AVAILABILITY}))
        if rep_id in bench.eligible:
            return None
        if why is None and rep_id in bench.closed:
            why = bench.closed[rep_id].detail
        if plan.team.nobody_free is not NobodyFree.OVERFLOW or not plan.team.overflow:
            break
        plan = house.policy.overflow_plan(first, plan.team.overflow, table.facts)
    return why or f"not in team {first.team.name}"


def lay_down(house: House, lead: Lead, ended_as: str) -> None:
    """Take a lead from its owner, who is not charged for it any more, and let it wait, within the caller's transaction."""
    before = holding(house, lead)
    table = lay_table(house, replace(lead, owner_id=None), house.scores.newest(lead.id))
    if before is not None:
        table = credited(house, table, before, lambda line: take_back(line, before.rep_id, house.policy.fairness))
        house.decisions.save_rotation(table.line, table.rotation.to_json())
    house.decisions.close(lead.id, table.at, ended_as)
    house.leads.set_owner(lead.id, None, pinned=False)
    plan = house.policy.plan(table.facts)
    house.waiting.put(lead.id, plan.team.name, table.facts.tier, table.at, pool=plan.method is Method.CLAIM_POOL)


def settle(
    house: House,
    lead: Lead,
    table: Table,
    decision: Decision,
    after: Rotation,
    actor: str,
    reason: str | None = None,
    exclude: frozenset[str] = frozenset(),
    chance: float | None = None,
    said: str = "",
) -> None:
    """Keep a decision with the ledger it moved, the record it can be replayed from, and what follows from it."""
    house.decisions.save_rotation(table.line, after.to_json())
    record = record_decision(table.facts, table.roster, house.policy, table.rotation, table.at, decision, exclude, chance)
    record["verdicts"] = [_verdict(verdict) for verdict in decision.verdicts]
    assignment_id = commit(house, lead, table, decision, record, actor, reason, said)
    if assignment_id and decision.rep_id is not None:
        plan = chosen_plan(house.policy, table.facts, decision.team)
        rep = next(house.policy.settled(rep) for rep in table.roster if rep.id == decision.rep_id)
        start_clocks(house, lead.id, assignment_id, rep, plan, table.facts.tier, decision.at)


def chosen_plan(policy: Policy, facts: LeadFacts, team: str | None) -> Plan:
    """The plan by which a lead was given out: the policy's for the lead, unless it went over to another `team`."""
    plan = policy.plan(facts)
    if team is None or team == plan.team.name or team not in policy.teams:
        return plan
    return policy.overflow_plan(plan, team, facts)


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
    table: Table,
    decision: Decision,
    record: Mapping[str, Any],
    actor: str,
    reason: str | None,
    said: str = "",
) -> int:
    """Store a decision with assignment, owner and audit; returns the new assignment's id, 0 when nobody got the lead. What the
    actor wrote (`said`) is sealed under the person's key, and not kept of somebody erased."""
    person = house.leads.person_seal(lead.id)
    words = person.seal_json(said) if said and person else None
    score_id = table.stored.id if table.stored else None
    decision_id = house.decisions.add(lead.id, score_id, decision, record, actor, reason, words)
    assignment_id = 0
    if decision.rep_id is not None:
        assignment_id = house.decisions.assign(lead.id, decision.rep_id, decision_id, decision.at, table.facts.tier)
        picked = decision.outcome is DecisionOutcome.ASSIGNED  # by the engine: no person's choice stands any more
        house.leads.set_owner(lead.id, int(decision.rep_id), pinned=False if picked else None)
        house.waiting.take_off(lead.id)
        if picked:
            house.reps.touch(decision.rep_id, decision.at)
    house.audit.add(
        actor,
        f"lead.{decision.outcome.value}",
        f"lead:{lead.id}",
        lead_id=lead.id,
        reason=reason,
        said=said if person else "",
        detail={"before": lead.owner_id, "after": decision.rep_id, "decision": decision_id, "because": decision.because},
        person=person,
    )
    return assignment_id


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
