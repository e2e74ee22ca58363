"""The lift of a policy, from leads that were drawn."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from allocation.decide import decide
from allocation.fairness import Rotation
from allocation.lift import Drawn, estimate_lift, propensity_of
from allocation.policy import DEFAULT_POLICY, parse_policy
from allocation.rep import LeadFacts, Rep

AT = datetime(2026, 11, 18, 10, 0, tzinfo=UTC)
REPS = ("a", "b", "c", "d")
EXPLORE = 0.2


def chance(kind: int, rep: str) -> float:
    """The planted truth: each kind of lead has one rep who wins it more often."""
    return 0.45 if REPS[kind] == rep else 0.2


def world(seed: int, leads: int, fits_right: bool, explore: float = EXPLORE) -> list[Drawn]:
    """Leads given in turn, some of them at random; the new policy gives each kind to the rep who wins it."""
    rng = random.Random(seed)
    past = []
    for number in range(leads):
        kind, turn = rng.randrange(4), REPS[number % 4]
        rep = rng.choice(REPS) if rng.random() < explore else turn
        propensity, of_choice = (explore / 4 + (1 - explore) * (name == turn) for name in (rep, REPS[kind]))
        reward = float(rng.random() < chance(kind, rep))
        fits = {name: chance(kind, name) if fits_right else 0.9 for name in REPS}
        past.append(Drawn(rep, propensity, reward, REPS[kind], fits, of_choice))
    return past


@pytest.mark.parametrize(("leads", "explore"), [(1500, 0.2), (1500, 0.05), (400, 0.05)])
@pytest.mark.parametrize("fits_right", [True, False])
def test_a_planted_lift_lies_inside_the_interval(fits_right: bool, leads: int, explore: float) -> None:
    """True lift: 0.45 - (0.45 + 3 × 0.2) / 4. Nine of ten seeds is the floor; the intervals are of 95%."""
    planted = 0.45 - (0.45 + 3 * 0.2) / 4
    inside = {"inverse": 0, "robust": 0}
    for seed in range(100):
        found = estimate_lift(world(seed, leads, fits_right, explore))
        inside["inverse"] += found.inverse_propensity.low <= planted <= found.inverse_propensity.high
        inside["robust"] += found.doubly_robust.low <= planted <= found.doubly_robust.high
    assert min(inside.values()) >= 90, inside


def engine_world(seed: int, leads: int, fits_right: bool) -> list[Drawn]:
    """The same world with the engine's own rotation and lots: at times the lot cannot fall on the new policy's choice."""
    rng, ledger, past = random.Random(seed), Rotation("x/unknown"), []
    roster = [Rep(name, weight=weight) for name, weight in zip(REPS, (1.0, 1.0, 0.5, 2.0), strict=True)]
    terms = parse_policy("explore = 0.4\n[teams.x]\nreps = ['*']")
    for number in range(leads):
        kind = rng.randrange(4)
        decision, ledger = decide(LeadFacts(number), roster, terms, ledger, AT, draw=rng.random())
        chances = {one.rep_id: one.factors.get("propensity", 0.0) for one in decision.verdicts}
        rep = str(decision.rep_id)
        reward = float(rng.random() < chance(kind, rep))
        fits = {name: chance(kind, name) if fits_right else 0.9 for name in REPS}
        past.append(Drawn(rep, chances[rep], reward, REPS[kind], fits, chances[REPS[kind]]))
    return past


@pytest.mark.parametrize("fits_right", [True, False])
def test_a_planted_lift_lies_inside_the_interval_though_lots_fall_only_where_the_ledger_lets_them(fits_right: bool) -> None:
    planted = 0.45 - (0.45 + 3 * 0.2) / 4
    inside, means = {"inverse": 0, "robust": 0}, {"inverse": 0.0, "robust": 0.0}
    for seed in range(100):
        found = estimate_lift(engine_world(seed, 300, fits_right))
        for name, one in (("inverse", found.inverse_propensity), ("robust", found.doubly_robust)):
            inside[name] += one.low <= planted <= one.high
            means[name] += one.lift / 100
    assert min(inside.values()) >= 90, inside
    assert list(means.values()) == pytest.approx([planted, planted], abs=0.02), "without a bias"


def test_a_good_fit_makes_it_sharper() -> None:
    found = estimate_lift(world(1, 3000, fits_right=True))
    assert found.doubly_robust.error < found.inverse_propensity.error
    assert found.doubly_robust.low > 0
    assert 0 < found.matched < found.leads


def test_the_policy_that_ran_has_no_lift() -> None:
    past = [Drawn("a", 1.0, reward, "a", {}, 1.0) for reward in (1.0, 0.0)]
    assert estimate_lift(past).inverse_propensity.lift == 0


def test_what_cannot_be_estimated_is_refused() -> None:
    with pytest.raises(ValueError, match="explore"):
        estimate_lift([])
    with pytest.raises(ValueError, match="propensity"):
        estimate_lift([Drawn("a", 0.0, 1.0, "a", {}, 0.5)])
    with pytest.raises(ValueError, match="propensity"):
        estimate_lift([Drawn("a", 0.5, 1.0, "b", {}, -0.1)])
    with pytest.raises(ValueError, match="explore"):
        estimate_lift([Drawn("a", 0.5, 1.0, "b", {}, 0.0)])


def test_the_propensity_is_read_off_the_decision() -> None:
    roster = [Rep("a"), Rep("b")]
    drawn, _ = decide(LeadFacts(1), roster, parse_policy("explore = 0.1\n[teams.x]\nreps = ['*']"), Rotation("x"), AT, draw=0.5)
    assert propensity_of(drawn) == pytest.approx(0.95)
    plain, _ = decide(LeadFacts(1), roster, DEFAULT_POLICY, Rotation("x"), AT)
    assert propensity_of(plain) is None
