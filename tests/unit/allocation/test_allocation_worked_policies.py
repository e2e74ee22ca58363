"""Three policies of the kind that teams write, each doing what its comments say."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from allocation.decide import decide, rotation_key
from allocation.fairness import Rotation
from allocation.policy import Policy, check_roster, parse_policy
from allocation.rep import Caps, LeadFacts, Rep
from leads.enums import DecisionOutcome, Tier
from leads.results import Decision

MORNING = datetime(2026, 11, 18, 10, 0, tzinfo=UTC)  # a Wednesday
EVENING = datetime(2026, 11, 18, 18, 0, tzinfo=UTC)


def load(name: str) -> Policy:
    path = Path(__file__).parent / "policies" / f"{name}.toml"
    policy = parse_policy(path.read_text(encoding="utf-8"), path.name)
    assert not policy.warnings
    return policy


def give(policy: Policy, lead: LeadFacts, roster: list[Rep], at: datetime = MORNING) -> Decision:
    return decide(lead, roster, policy, Rotation(rotation_key(lead, policy)), at)[0]


def test_startup() -> None:
    policy, reps = load("startup"), [Rep(str(number)) for number in range(1, 6)]
    assert check_roster(policy, reps) == []
    rotation, got = Rotation("sales/a"), Counter[str]()
    for number in range(46):
        decision, rotation = decide(LeadFacts(number, Tier.A), reps, policy, rotation, MORNING)
        got[str(decision.rep_id)] += 1
    assert got == {"1": 10, "2": 10, "3": 10, "4": 10, "5": 6}
    friday = give(policy, LeadFacts(1), reps, datetime(2026, 11, 20, 10, 0, tzinfo=UTC))
    assert "outside working hours" in next(verdict.detail for verdict in friday.verdicts if verdict.rep_id == "5")
    kings_day = give(policy, LeadFacts(1), reps, datetime(2026, 4, 27, 10, 0, tzinfo=UTC))
    assert kings_day.outcome is DecisionOutcome.HELD
    assert policy.sla[Tier.A].accept_minutes == 15


def test_regional() -> None:
    policy, reps = load("regional"), [Rep(name) for name in ("anna", "ben", "chloe", "dan", "eva")]
    assert check_roster(policy, reps) == []
    berlin = LeadFacts(1, Tier.A, country="DE", postcode="10115", language="de", employees=500)
    first = give(policy, berlin, reps)
    assert (first.rep_id, first.method) == ("ben", "weighted")
    assert first.because.endswith("speaks German; covers postcode 10115")
    assert give(policy, LeadFacts(2, Tier.B, country="FR", language="fr"), reps).rep_id == "chloe"
    assert give(policy, LeadFacts(3, Tier.B, country="US"), reps, EVENING).rep_id == "dan"
    late = give(policy, berlin, reps, EVENING)
    assert late.rep_id in ("dan", "eva")
    assert late.because.startswith("Nobody in team emea is free, so it went to team americas")
    polish = LeadFacts(4, Tier.B, country="PL", language="pl")
    assert give(policy, polish, reps).because.startswith("Nobody in team emea is free")
    assert give(policy, replace(polish, waiting_minutes=45), reps).rep_id in ("anna", "chloe", "ben")


def test_enterprise() -> None:
    policy = load("enterprise")
    reps = [Rep(name) for name in ("s1", "s2", "m1", "m2", "m3", "v1", "v2", "desk")]
    assert check_roster(policy, reps) == []
    large = LeadFacts(1, Tier.A, employees=20000)
    assert give(policy, large, reps).rep_id == "s1"
    assert give(policy, replace(large, account_owner="m1"), reps).rep_id == "m1"
    full = [replace(rep, open_leads=12, caps=Caps(open=12)) if rep.id.startswith("s") else rep for rep in reps]
    assert give(policy, large, full).rep_id == "m1"
    billing = LeadFacts(2, Tier.B, employees=300, product="billing")
    assert give(policy, billing, reps).rep_id == "m3"
    claimed = give(policy, LeadFacts(3, Tier.C, tags=frozenset({"event"})), reps)
    assert (claimed.outcome, claimed.method) == (DecisionOutcome.HELD, "claim_pool")
    gone = [replace(rep, open_leads=999) for rep in reps]
    assert give(policy, LeadFacts(4, Tier.A), gone).rep_id == "desk"
    assert give(policy, LeadFacts(4, Tier.A), gone).method == "default"
