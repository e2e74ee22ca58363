"""One decision: owners first, then gates, then the method, with one verdict for every rep. The same inputs give the same answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from allocation.fairness import Rotation, attend, credit_reject, give, shares, take_back, turns
from allocation.gates import Clocks, Closed, first_closed
from allocation.lots import may_fall_on
from allocation.methods import Field, Ranked, because, rank, tier_words, weight_of
from allocation.policy import Plan, Policy
from allocation.rep import LeadFacts, Rep
from allocation.terms import Method, NobodyFree, OwnerKind
from leads.enums import DecisionOutcome, Gate, VerdictKind
from leads.results import Decision, Verdict

#: The method of a decision that only records who has the lead already, and of one that a person made.
KEPT: Final = "kept"
PERSON: Final = "person"
#: The method of a lead that was placed with others of its campaign.
BATCH: Final = "batch"
#: Gates that say a rep cannot take this lead, though they could take another one now.
ABOUT_THE_LEAD: Final = (Gate.SKILL, Gate.TERRITORY, Gate.EXCLUDED)
#: What `route_anyway` stops asking about, step by step, until somebody is found.
ROUTE_ANYWAY: Final = (frozenset({Gate.AVAILABILITY}), frozenset({Gate.AVAILABILITY, Gate.CAPACITY}))


@dataclass(frozen=True, slots=True)
class Sitting:
    """The inputs of one decision."""

    lead: LeadFacts
    reps: Mapping[str, Rep]
    policy: Policy
    clocks: Clocks
    exclude: frozenset[str]
    draw: float | None = None

    @property
    def at(self) -> datetime:
        """The moment of the decision."""
        return self.clocks.at


@dataclass(frozen=True, slots=True)
class Bench:
    """A team as the gates left it: who is closed and why, who could take a lead now (with weights), who can take this one."""

    plan: Plan
    closed: Mapping[str, Closed]
    pool: Mapping[str, float]
    eligible: Sequence[str]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The bench after the method: the eligible reps, best first, and the ledger with everybody's presence noted."""

    field: Field
    ranked: Sequence[Ranked]
    sharing: Mapping[str, float]


def rotation_key(lead: LeadFacts, policy: Policy) -> str:
    """The line of the ledger that a decision on this lead reads and writes: team and tier. Load and lock it first.

    A lead that overflows to another team is booked in the line of the team it was meant for.
    """
    return f"{policy.plan(lead).team.name}/{lead.tier.value}"


def decide(
    lead: LeadFacts,
    roster: Sequence[Rep],
    policy: Policy,
    rotation: Rotation,
    at: datetime,
    exclude: frozenset[str] = frozenset(),
    draw: float | None = None,
) -> tuple[Decision, Rotation]:
    """Choose a rep for the lead, and the ledger as it stands after it.

    `rotation` is the line named by `rotation_key`; `at` is aware; `exclude` holds reps who had the lead and lost or passed it.
    `draw`, a random number in [0, 1), is wanted only when the policy explores: below `explore` one of the eligible (in a rotation,
    of those on whom a lot may fall: `allocation.lots`) is picked evenly at random, and the verdict of each of them states its
    propensity. A lead whose existing owner stays is booked on that owner's share: do not ask again for a lead already booked
    (use `keep`).
    """
    sitting = sit(lead, roster, policy, at, exclude, draw)
    plan = policy.plan(lead)
    bench = judge(sitting, plan)
    owned = _by_owner(sitting, bench, rotation)
    if owned:
        return owned
    return _pick(sitting, bench, rotation) or _nobody_free(sitting, bench, rotation)


def keep(
    lead: LeadFacts,
    rep_id: str,
    roster: Sequence[Rep],
    policy: Policy,
    rotation: Rotation,
    at: datetime,
    because: str = "Already has this owner",
    charge: bool = False,
) -> tuple[Decision, Rotation]:
    """Record that the owner who is there stays. `charge` books the lead on the owner's share, once a lead.

    Raises ValueError when there is no such rep.
    """
    return _settled(lead, rep_id, roster, policy, rotation, at, DecisionOutcome.KEPT, KEPT, because, charge)


def override(
    lead: LeadFacts,
    rep_id: str,
    roster: Sequence[Rep],
    policy: Policy,
    rotation: Rotation,
    at: datetime,
    because: str = "Picked by a person",
    previous: str | None = None,
    charge: bool = True,
) -> tuple[Decision, Rotation]:
    """Record a person's pick: no gate stops it, and the verdict says which one would have.

    `previous` is the rep it is taken from, who gets the lead back on their account. Raises ValueError when there is no such rep.
    """
    if previous is not None and previous != rep_id:
        rotation = take_back(rotation, previous, policy.fairness)
    return _settled(lead, rep_id, roster, policy, rotation, at, DecisionOutcome.OVERRIDDEN, PERSON, because, charge)


def place(
    lead: LeadFacts,
    rep_id: str,
    roster: Sequence[Rep],
    policy: Policy,
    rotation: Rotation,
    at: datetime,
    because: str = "Best place for it among the leads of its campaign",
) -> tuple[Decision, Rotation]:
    """Record one lead of a planned batch (`allocation.batch`). Raises ValueError when there is no such rep."""
    return _settled(lead, rep_id, roster, policy, rotation, at, DecisionOutcome.ASSIGNED, BATCH, because, True)


def pass_back(rotation: Rotation, rep_id: str, policy: Policy, at: datetime) -> Rotation:
    """The ledger after a rep passed a lead on: credited back within the policy's limit. Not for a missed deadline."""
    return credit_reject(rotation, rep_id, at, policy.fairness)


def sit(
    lead: LeadFacts,
    roster: Sequence[Rep],
    policy: Policy,
    at: datetime,
    exclude: frozenset[str] = frozenset(),
    draw: float | None = None,
) -> Sitting:
    """Lay out the inputs of a decision, the reps with what the policy file says of them. Raises ValueError for a naive `at`."""
    if at.tzinfo is None:
        raise ValueError("the moment of a decision must say its time zone")
    reps = {rep.id: policy.settled(rep) for rep in roster}
    return Sitting(lead, reps, policy, Clocks(at, policy.calendar.zone), exclude, draw)


def judge(sitting: Sitting, plan: Plan, off: frozenset[Gate] = frozenset()) -> Bench:
    """Ask the gates about every rep of the team."""
    closed: dict[str, Closed] = {}
    pool: dict[str, float] = {}
    eligible = []
    ignored = plan.gates_off | off
    for rep in sitting.policy.members(plan.team, sitting.reps.values()):
        verdict = first_closed(rep, sitting.lead, plan, sitting.policy, sitting.clocks, sitting.exclude, ignored)
        if verdict is not None:
            closed[rep.id] = verdict
        else:
            eligible.append(rep.id)
        if verdict is None or verdict.gate in ABOUT_THE_LEAD:
            pool[rep.id] = weight_of(rep, plan)
    return Bench(plan, closed, pool, eligible)


def _ranking(sitting: Sitting, bench: Bench, rotation: Rotation) -> Ranking:
    """Note who is here and put the eligible in order; `Ranking.field.rotation` is the ledger before the lead is given."""
    terms = sitting.policy.fairness
    away = {rep for rep, closed in bench.closed.items() if closed.away}
    leave = {rep for rep, closed in bench.closed.items() if closed.leave}
    rotation, sharing = attend(rotation, bench.pool, bench.eligible, away, leave, terms)
    parts = shares(rotation, sharing, terms)
    order = turns(rotation, parts, bench.eligible)
    field = Field(sitting.lead, bench.plan, sitting.policy, sitting.reps, order, rotation, parts, sitting.at)
    return Ranking(field, rank(field), sharing)


def _book(ranking: Ranking, rep_id: str, lead: LeadFacts) -> Rotation:
    return give(ranking.field.rotation, ranking.field.parts, rep_id, ranking.sharing, lead.probability * lead.value)


def find_owner(sitting: Sitting, plan: Plan) -> tuple[OwnerKind, Rep] | None:
    """The owner who comes before any rotation: an active one who has not lost this lead, by the policy's precedence."""
    lead, owners = sitting.lead, plan.owners
    for kind in owners.order:
        rep = sitting.reps.get((lead.existing_owner if kind is OwnerKind.EXISTING else lead.account_owner) or "")
        if rep is None or not rep.active or rep.id in sitting.exclude:
            continue
        if not owners.wait_when_away:
            closed = first_closed(rep, lead, plan, sitting.policy, sitting.clocks)
            if closed is not None and closed.gate is Gate.AVAILABILITY:
                continue
        return kind, rep
    return None


def _by_owner(sitting: Sitting, bench: Bench, rotation: Rotation) -> tuple[Decision, Rotation] | None:
    found = find_owner(sitting, bench.plan)
    if found is None:
        return None
    kind, rep = found
    if kind is OwnerKind.EXISTING:
        outcome, method, text = DecisionOutcome.KEPT, "existing_owner", "Already has this owner"
    else:
        outcome, method, text = DecisionOutcome.ASSIGNED, "account_owner", _of_account(sitting.lead)
    ranking = _ranking(sitting, _with(bench, rep.id), rotation)
    decision = _decision(sitting, bench, ranking, rep.id, outcome, method, text)
    return decision, _charged(sitting, bench, ranking, rep.id, rotation)


def _of_account(lead: LeadFacts) -> str:
    found = f", found by {lead.account_by}" if lead.account_by else ""
    return f"Owns the account this lead belongs to{found}"


def _with(bench: Bench, rep_id: str) -> Bench:
    """The bench with somebody who gets the lead in spite of skill or territory, so that they share in it too."""
    if rep_id in bench.pool and rep_id not in bench.eligible:
        return replace(bench, eligible=[*bench.eligible, rep_id])
    return bench


def _charged(sitting: Sitting, bench: Bench, ranking: Ranking, rep_id: str, rotation: Rotation) -> Rotation:
    """The ledger after an owner got the lead outside the rotation. Somebody of another team has no account in this line."""
    if rep_id in bench.pool:
        return _book(ranking, rep_id, sitting.lead)
    if rep_id in bench.closed:
        value = sitting.lead.probability * sitting.lead.value
        return give(ranking.field.rotation, {}, rep_id, {}, value)
    return rotation


def _pick(sitting: Sitting, bench: Bench, rotation: Rotation, note: str = "") -> tuple[Decision, Rotation] | None:
    """The method's choice among the eligible (in a claim pool: nobody yet), or None when there is nobody to choose from."""
    if not bench.eligible:
        return None
    ranking = _ranking(sitting, bench, rotation)
    if bench.plan.method is Method.CLAIM_POOL:
        text = f"In the claim pool of team {bench.plan.team.name}: the first to claim it has it"
        return _decision(sitting, bench, ranking, None, DecisionOutcome.HELD, Method.CLAIM_POOL, text), rotation
    chosen, explored = ranking.ranked[0].rep, False
    explore, draw = sitting.policy.explore, sitting.draw
    if explore > 0 and draw is not None:
        able = [item.rep for item in ranking.ranked]
        if bench.plan.method is Method.ROTATION:
            able = may_fall_on(ranking.field.rotation, ranking.field.parts, able)
        if draw < explore and len(able) > 1:
            chosen, explored = able[min(int(draw / explore * len(able)), len(able) - 1)], True
        ranking = replace(ranking, ranked=_with_propensity(ranking.ranked, able, explore))
    text = because(ranking.field, next(item for item in ranking.ranked if item.rep == chosen))
    if explored:
        text = f"Picked at random in team {bench.plan.team.name}, as {explore:.0%} of leads are, to learn what works"
    text = f"{note}; {text[0].lower()}{text[1:]}" if note else text
    decision = _decision(sitting, bench, ranking, chosen, DecisionOutcome.ASSIGNED, bench.plan.method, text)
    return decision, _book(ranking, chosen, sitting.lead)


def _with_propensity(ranked: Sequence[Ranked], able: Sequence[str], explore: float) -> list[Ranked]:
    """The ranked with the chance that each of the `able` had; the first of these is the method's pick."""
    even = explore / len(able)
    chances = dict.fromkeys(able, even) | {able[0]: 1.0 - explore + even}
    return [
        Ranked(item.rep, {**item.factors, "propensity": round(chances[item.rep], 9)}) if item.rep in chances else item
        for item in ranked
    ]


def _nobody_free(sitting: Sitting, bench: Bench, rotation: Rotation) -> tuple[Decision, Rotation]:
    """What the policy wants when the gates left nobody: overflow, default rep, route anyway, else the waiting list."""
    note = f"Nobody in team {bench.plan.team.name} is free"
    if bench.plan.team.nobody_free is NobodyFree.OVERFLOW:
        found = _overflow(sitting, bench, rotation, note)
    else:
        found = _last_resort(sitting, bench, rotation, note)
    if found:
        return found
    text = f"{note}{tier_words(sitting.lead)}: {_tally(bench)}; on the waiting list"
    return _decision(sitting, bench, None, None, DecisionOutcome.HELD, "hold", text), rotation


def _last_resort(sitting: Sitting, bench: Bench, rotation: Rotation, note: str) -> tuple[Decision, Rotation] | None:
    """What a team does that has nobody free and no other team to pass the lead to."""
    if bench.plan.team.nobody_free is NobodyFree.ROUTE_ANYWAY:
        for off in ROUTE_ANYWAY:
            relaxed = judge(sitting, bench.plan, off)
            found = _pick(sitting, replace(relaxed, closed={**bench.closed, **relaxed.closed}), rotation, f"{note}, routed anyway")
            if found:
                return found
    if bench.plan.team.nobody_free is NobodyFree.DEFAULT:
        return _default(sitting, bench, rotation, note)
    return None


def _overflow(sitting: Sitting, bench: Bench, rotation: Rotation, note: str) -> tuple[Decision, Rotation] | None:
    """Ask the overflow team, and its own after it; the last one does what it does when nobody is free. The policy has been checked
    for circles."""
    merged = dict(bench.closed)
    team, other = bench.plan.team, bench
    while team.nobody_free is NobodyFree.OVERFLOW and team.overflow:
        plan = sitting.policy.overflow_plan(bench.plan, team.overflow, sitting.lead)
        team = plan.team
        other = judge(sitting, plan)
        merged.update(other.closed)
        found = _pick(sitting, replace(other, closed=merged), rotation, f"{note}, so it went to team {team.name}")
        if found:
            return found
        note = f"{note}, nor in team {team.name}"
    return _last_resort(sitting, replace(other, closed=merged), rotation, note)


def _default(sitting: Sitting, bench: Bench, rotation: Rotation, note: str) -> tuple[Decision, Rotation] | None:
    rep = sitting.reps.get(bench.plan.team.default_rep or "")
    if rep is None or not rep.active or rep.id in sitting.exclude:
        return None
    text = f"{note}; goes to the default rep of the team"
    ranking = _ranking(sitting, _with(bench, rep.id), rotation)
    decision = _decision(sitting, bench, ranking, rep.id, DecisionOutcome.ASSIGNED, "default", text)
    return decision, _charged(sitting, bench, ranking, rep.id, rotation)


def _tally(bench: Bench) -> str:
    """`2 outside the gate of capacity` in words a person reads: how many were stopped by what."""
    words = {
        Gate.ACTIVE: "not active",
        Gate.AVAILABILITY: "not available now",
        Gate.CAPACITY: "at their cap",
        Gate.SKILL: "without the skill",
        Gate.TERRITORY: "with another territory",
        Gate.EXCLUDED: "had it before",
    }
    counts = Counter(closed.gate for closed in bench.closed.values())
    return ", ".join(f"{counts[gate]} {text}" for gate, text in words.items() if counts[gate]) or "the team has no reps"


def _settled(
    lead: LeadFacts,
    rep_id: str,
    roster: Sequence[Rep],
    policy: Policy,
    rotation: Rotation,
    at: datetime,
    outcome: DecisionOutcome,
    method: str,
    text: str,
    charge: bool,
) -> tuple[Decision, Rotation]:
    sitting = sit(lead, roster, policy, at)
    if rep_id not in sitting.reps:
        raise ValueError(f'there is no rep "{rep_id}" on the roster')
    bench = judge(sitting, policy.plan(lead))
    ranking = _ranking(sitting, _with(bench, rep_id), rotation)
    decision = _decision(sitting, bench, ranking, rep_id, outcome, method, text)
    return decision, _charged(sitting, bench, ranking, rep_id, rotation) if charge else rotation


def _decision(
    sitting: Sitting, bench: Bench, ranking: Ranking | None, chosen: str | None, outcome: DecisionOutcome, method: str, text: str
) -> Decision:
    """The answer with exactly one verdict for every rep of the roster."""
    ranked = ranking.ranked if ranking else ()
    others = [item for item in ranked if item.rep != chosen]
    places = {item.rep: place for place, item in enumerate(others, 1 if chosen is None else 2)}
    factors = {item.rep: item.factors for item in ranked}
    verdicts = []
    for rep_id, rep in sitting.reps.items():
        closed = bench.closed.get(rep_id)
        if rep_id == chosen:
            detail = f"although {closed.detail}" if closed else ""
            verdict = Verdict(rep_id, VerdictKind.CHOSEN, 1, closed.gate if closed else None, detail, factors.get(rep_id, {}))
        elif rep_id in places:
            verdict = Verdict(rep_id, VerdictKind.RANKED, places[rep_id], factors=factors[rep_id])
        elif closed:
            verdict = Verdict(rep_id, VerdictKind.GATED, gate=closed.gate, detail=closed.detail)
        elif not rep.active:
            verdict = Verdict(rep_id, VerdictKind.GATED, gate=Gate.ACTIVE, detail="not active")
        else:
            verdict = Verdict(rep_id, VerdictKind.GATED, gate=Gate.TERRITORY, detail=f"not in team {bench.plan.team.name}")
        verdicts.append(verdict)
    team = bench.plan.team.name
    return Decision(outcome, chosen, str(method), sitting.policy.version, text, tuple(verdicts), sitting.at, team)
