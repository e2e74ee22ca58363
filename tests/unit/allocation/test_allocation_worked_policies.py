"""The three worked policies of docs/policies, each doing what its comments say."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from allocation.decide import decide, rotation_key
from allocation.fairness import Rotation
from allocation.policy import Policy, check_roster, parse_policy
from allocation.rep import Caps, LeadFacts, Rep
from allocation.replay import record, replay
from allocation.simulate import Past, simulate
from leads.enums import DecisionOutcome, Gate, Tier
from leads.results import Decision

MORNING = datetime(2026, 11, 18, 10, 0, tzinfo=UTC)  # a Wednesday
EVENING = datetime(2026, 11, 18, 18, 0, tzinfo=UTC)


def load(name: str) -> Policy:
    path = Path(__file__).parents[3] / "docs" / "policies" / f"{name}.toml"
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
    assert kings_day.rep_id == "1"
    assert kings_day.because.startswith("Nobody in team sales is free, routed anyway")
    assert policy.sla[Tier.A].accept_minutes == 15


def test_regional() -> None:
    policy, reps = load("regional"), [Rep(name) for name in ("1", "2", "5", "6", "9", "10")]
    assert check_roster(policy, reps) == []
    berlin = LeadFacts(1, Tier.A, country="DE", postcode="10115", language="de", employees=500)
    first = give(policy, berlin, reps)
    assert (first.rep_id, first.method) == ("6", "weighted")
    assert first.because.endswith("speaks German; covers postcode 10115")
    assert give(policy, LeadFacts(2, Tier.B, country="FR", language="fr"), reps).rep_id == "10"
    assert give(policy, LeadFacts(3, Tier.B, country="US"), reps, EVENING).rep_id == "1"
    late = give(policy, berlin, reps, EVENING)
    assert late.rep_id in ("1", "5")
    assert late.because.startswith("Nobody in team emea is free, so it went to team americas")
    night = give(policy, berlin, reps, datetime(2026, 11, 18, 3, 0, tzinfo=UTC))
    assert night.rep_id in ("1", "5", "9")
    assert "nor in team americas, routed anyway" in night.because
    assert {verdict.gate for verdict in night.verdicts if verdict.rep_id in ("2", "6", "10")} == {Gate.AVAILABILITY}
    polish = LeadFacts(4, Tier.B, country="PL", language="pl")
    assert give(policy, polish, reps).because.startswith("Nobody in team emea is free")
    assert give(policy, replace(polish, waiting_minutes=45), reps).rep_id in ("2", "10", "6")


def test_enterprise() -> None:
    policy = load("enterprise")
    reps = [Rep(name) for name in ("4", "8", "12", "16", "20", "3", "7", "11")]
    assert check_roster(policy, reps) == []
    large = LeadFacts(1, Tier.A, employees=20000)
    assert give(policy, large, reps).rep_id == "4"
    assert give(policy, replace(large, account_owner="12"), reps).rep_id == "12"
    full = [replace(rep, open_leads=12, caps=Caps(open=12)) if rep.id in ("4", "8") else rep for rep in reps]
    assert give(policy, large, full).rep_id == "12"
    billing = LeadFacts(2, Tier.B, employees=300, product="billing")
    assert give(policy, billing, reps).rep_id == "20"
    claimed = give(policy, LeadFacts(3, Tier.C, tags=frozenset({"event"})), reps)
    assert (claimed.outcome, claimed.method) == (DecisionOutcome.HELD, "claim_pool")
    gone = [replace(rep, open_leads=999) for rep in reps]
    assert give(policy, LeadFacts(4, Tier.A), gone).rep_id == "11"
    assert give(policy, LeadFacts(4, Tier.A), gone).method == "default"
    overflowed = give(policy, large, gone)
    assert (overflowed.rep_id, overflowed.method) == ("11", "default")
    assert overflowed.because.startswith(
        "Nobody in team strategic is free, nor in team midmarket, nor in team volume; goes to the default"
    )


@pytest.mark.parametrize("name", ["startup", "regional", "enterprise"])
def test_each_replays_and_simulates_to_the_same_owners(name: str) -> None:
    """A hundred leads of every kind through the policy: each record gives back its decision, and all together every owner."""
    policy, rng = load(name), random.Random(4)
    reps = [Rep(str(number)) for number in range(1, 21)]
    ledgers: dict[str, Rotation] = {}
    past, owners = [], {}
    for number in range(100):
        at = MORNING + timedelta(minutes=17 * number)
        size, tier = rng.choice((20, 400, 9000)), rng.choice((Tier.A, Tier.B, Tier.C))
        country, language = rng.choice((("DE", "de"), ("FR", "fr"), ("US", "en"), (None, None)))
        lead = LeadFacts(
            number,
            tier,
            50,
            rng.random(),
            country=country,
            language=language,
            employees=size,
            tags=frozenset(rng.sample(["event", "x"], 1)),
        )
        key, draw = rotation_key(lead, policy), rng.random()
        before = ledgers.get(key, Rotation(key))
        decision, ledgers[key] = decide(lead, reps, policy, before, at, draw=draw)
        stored = json.loads(json.dumps(record(lead, reps, policy, before, at, decision, draw=draw)))
        assert replay(stored) == decision
        past.append(Past(stored))
        owners[number] = decision.rep_id
    found = simulate(past, policy)
    assert {lead.lead_id: lead.now for lead in found.placed} == owners
    assert len(set(owners.values()) - {None}) >= 3
