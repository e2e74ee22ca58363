"""Fairness as theorems: whatever happens to the roster, nobody is more than a lead away from what is due to them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from allocation.fairness import (
    Presence,
    Rotation,
    attend,
    credit_reject,
    give,
    shares,
    take_back,
    turns,
    unfairness,
)
from allocation.terms import Fairness

TERMS = Fairness()
AT = datetime(2026, 11, 18, 10, 0, tzinfo=UTC)
Weights = dict[str, float]
#: A deviation in leads cannot be met closer than this: leads are whole, and the optimum knows the last one beforehand.
WHOLE_LEADS = 1.0

weights_of_reps = st.lists(st.one_of(st.sampled_from([1.0, 2.0, 3.0, 0.5]), st.floats(0.05, 20)), min_size=1, max_size=10).map(
    lambda weights: {f"r{place}": weight for place, weight in enumerate(weights)}
)


def lead(
    rotation: Rotation,
    pool: Weights,
    eligible: frozenset[str] | None = None,
    away: frozenset[str] = frozenset(),
    leave: frozenset[str] = frozenset(),
    value: float = 0.0,
) -> tuple[Rotation, str, dict[str, float]]:
    """Give one lead away: the ledger after it, who got it, and what part of it was due to whom."""
    able = eligible if eligible is not None else frozenset(pool)
    rotation, sharing = attend(rotation, pool, able, away, leave, TERMS)
    parts = shares(rotation, sharing, TERMS)
    rep = turns(rotation, parts, able)[0].rep
    return give(rotation, parts, rep, sharing, value), rep, parts


@settings(deadline=None)
@given(weights_of_reps, st.integers(1, 150))
def test_within_one_lead_of_entitlement_at_every_moment(weights: Weights, leads: int) -> None:
    """The theorem on its own terms: counts against n × weight ÷ sum of weights, with nothing taken from the ledger."""
    rotation, counts, total = Rotation("x"), Counter[str](), sum(weights.values())
    for number in range(1, leads + 1):
        rotation, rep, _ = lead(rotation, weights)
        counts[rep] += 1
        assert all(abs(counts[rep] - number * weight / total) < 1 + 1e-6 for rep, weight in weights.items())


@settings(deadline=None)
@given(weights_of_reps, st.integers(0, 100))
def test_the_ledger_says_the_same_as_counting(weights: Weights, leads: int) -> None:
    rotation, counts, due = Rotation("x"), Counter[str](), Counter[str]()
    for _ in range(leads):
        rotation, rep, parts = lead(rotation, weights, value=0.5)
        counts[rep] += 1
        due.update(parts)  # type: ignore[arg-type]
    for rep, seat in rotation.seats.items():
        assert seat.taken == counts[rep]
        assert seat.due == pytest.approx(due[rep])
        assert seat.credit == pytest.approx(due[rep] - counts[rep], abs=1e-6)
        assert seat.value == pytest.approx(counts[rep] / 2)
        assert seat.value_due == pytest.approx(due[rep] / 2)
    assert sum(seat.credit for seat in rotation.seats.values()) == pytest.approx(0, abs=1e-6)


def test_equal_weights_are_plain_turns() -> None:
    rotation, order = Rotation("x"), []
    for _ in range(9):
        rotation, rep, _ = lead(rotation, {"a": 1, "b": 1, "c": 1})
        order.append(rep)
    assert order == ["a", "b", "c"] * 3


def test_weights_are_mixed_smoothly() -> None:
    rotation, order = Rotation("x"), []
    for _ in range(7):
        rotation, rep, _ = lead(rotation, {"a": 5, "b": 1, "c": 1})
        order.append(rep)
    assert Counter(order) == {"a": 5, "b": 1, "c": 1}
    assert "aaaa" not in "".join(order)


events = st.lists(
    st.tuples(
        st.sampled_from(["weight", "off", "away", "join", "reject", "moved", "leave"]),
        st.integers(0, 7),
        st.sampled_from([1.0, 2.0, 3.0, 0.5, 10.0, 0.05]),
        st.integers(0, 8),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 8), events)
def test_within_one_lead_through_joins_leaves_pauses_rejects_and_weights(
    size: int, happenings: list[tuple[str, int, float, int]]
) -> None:
    """Each happening is followed by leads (or none) that all share one eligible set: nobody is ever over a lead from their due.

    The ledger's credit is what is due less what was got since the start, which the test above checks against counting.
    """
    weights: Weights = {f"r{place}": 1.0 for place in range(size)}
    here, away, leave = set(weights), set[str](), set[str]()
    rotation = Rotation("x")
    for happening, which, weight, leads in happenings:
        rep = sorted(weights)[which % len(weights)]
        if happening == "weight":
            weights[rep] = weight
        elif happening == "join":
            weights[f"n{len(weights)}"] = weight
            here.add(f"n{len(weights) - 1}")
        elif happening == "reject":
            rotation = credit_reject(rotation, rep, AT, TERMS)
        elif happening == "moved":
            rotation = take_back(rotation, rep, TERMS)
        elif rep not in here:
            here.add(rep)
            away.discard(rep)
            leave.discard(rep)
        elif len(here) > 1:
            here.discard(rep)
            away |= {rep} if happening != "off" else set()
            leave |= {rep} if happening == "leave" else set()
        pool = {rep: weights[rep] for rep in here}
        for _ in range(leads):
            rotation, _, _ = lead(rotation, pool, away=frozenset(away), leave=frozenset(leave))
            assert unfairness(rotation) <= 1 + 1e-6
            assert sum(rotation.seats[rep].credit for rep in pool) == pytest.approx(0, abs=1e-6)


def test_two_who_become_nearly_due_at_once_by_a_change_of_weights_are_both_kept_within_a_lead() -> None:
    """Without drawing the credits together, one of two who are both nearly due would have to wait past a whole lead."""
    rotation, slow = Rotation("x"), {"a": 0.1, "b": 0.1, "c": 5.0}
    for _ in range(24):
        rotation, _, _ = lead(rotation, slow)
    assert rotation.seats["a"].credit + rotation.seats["b"].credit > 0.5
    assert rotation.seats["c"].credit < -0.5
    for _ in range(40):
        rotation, _, _ = lead(rotation, {"a": 5.0, "b": 5.0, "c": 0.01})
        assert unfairness(rotation) <= 1 + 1e-6


def test_a_change_that_breaks_nothing_leaves_every_credit_as_it_was() -> None:
    rotation, pool = Rotation("x"), {"a": 1.0, "b": 1.0, "c": 1.0}
    for _ in range(4):
        rotation, _, _ = lead(rotation, pool)
    before = {rep: seat.credit for rep, seat in rotation.seats.items()}
    after, _ = attend(rotation, {**pool, "b": 1.5}, frozenset(pool), (), (), TERMS)
    assert {rep: seat.credit for rep, seat in after.seats.items()} == pytest.approx(before)


def test_a_line_that_skills_have_pulled_apart_forgets_nothing_when_somebody_pauses() -> None:
    """What the special leads left due stays due: a pause by a third must not wipe it out."""
    rotation, pool = Rotation("x"), {"a": 1.0, "b": 1.0, "c": 1.0}
    rotation, _, _ = lead(rotation, pool)
    for _ in range(30):
        rotation, _, _ = lead(rotation, pool, frozenset({"a"}))
    assert rotation.seats["b"].credit > 9
    rotation, _, _ = lead(rotation, {"a": 1.0, "b": 1.0}, away=frozenset("c"))
    assert rotation.seats["b"].credit > 9


def test_a_joiner_starts_at_par() -> None:
    rotation, pool = Rotation("x"), {"a": 1.0, "b": 1.0, "c": 1.0}
    for _ in range(300):
        rotation, _, _ = lead(rotation, pool)
    pool["new"] = 1.0
    counts = Counter[str]()
    for _ in range(40):
        rotation, rep, _ = lead(rotation, pool)
        counts[rep] += 1
    assert max(counts.values()) - min(counts.values()) <= 1


@settings(deadline=None)
@given(weights_of_reps.filter(lambda weights: len(weights) > 1), st.integers(0, 400), st.integers(1, 300))
def test_a_returner_never_gets_over_a_quarter_more_than_their_share(weights: Weights, missed: int, leads: int) -> None:
    """From the return on, at every moment, and whatever they missed: 1.25 times the share, rounded up to whole leads."""
    rotation, total = Rotation("x"), sum(weights.values())
    others = {rep: weight for rep, weight in weights.items() if rep != "r0"}
    for _ in range(7):
        rotation, _, _ = lead(rotation, weights)
    for _ in range(missed):
        rotation, _, _ = lead(rotation, others, away=frozenset({"r0"}), leave=frozenset({"r0"}))
    assert rotation.seats["r0"].owed <= TERMS.catch_up_leads
    got = 0
    for number in range(1, leads + 1):
        rotation, rep, parts = lead(rotation, weights)
        got += rep == "r0"
        assert parts["r0"] <= 1.25 * weights["r0"] / total + 1e-9
        assert got <= 1.25 * number * weights["r0"] / total + 1


def test_leave_is_made_up_for_and_then_over() -> None:
    rotation, pool = Rotation("x"), {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0}
    rotation, _, _ = lead(rotation, pool)
    for _ in range(200):
        rotation, _, _ = lead(rotation, {"b": 1, "c": 1, "d": 1}, away=frozenset("a"), leave=frozenset("a"))
    counts = Counter[str]()
    for _ in range(400):
        rotation, rep, _ = lead(rotation, pool)
        counts[rep] += 1
    assert rotation.seats["a"].owed == 0
    assert abs(counts["a"] - (400 / 4 + TERMS.catch_up_leads)) <= 2


def test_pausing_gains_nothing() -> None:
    """A rep who pauses after every lead and resumes for the next gets no more than one who stays."""
    rotation, counts = Rotation("x"), Counter[str]()
    pool = {"a": 1.0, "b": 1.0, "c": 1.0}
    last = ""
    for _ in range(300):
        present = {rep: 1.0 for rep in pool if not (rep == "a" == last)}
        rotation, last, _ = lead(rotation, present, away=frozenset(pool) - frozenset(present))
        counts[last] += 1
    assert counts["a"] <= 101


def test_who_goes_home_at_night_comes_back_to_their_place() -> None:
    rotation, pool = Rotation("x"), {"a": 1.0, "b": 1.0, "c": 1.0}
    order = []
    for number in range(30):
        rotation, rep, _ = lead(rotation, pool)
        order.append(rep)
        if number % 4 == 3:  # the evening: only the night shift
            rotation, _, _ = lead(rotation, {"night": 1.0})
    assert Counter(order) == {"a": 10, "b": 10, "c": 10}


def test_a_reject_gives_the_lead_back_within_the_limit() -> None:
    pool = {"a": 1.0, "b": 1.0, "c": 1.0}
    rotation, first, _ = lead(Rotation("x"), pool)
    assert first == "a"
    back = credit_reject(rotation, "a", AT, TERMS)
    assert back.seats["a"].taken == 0
    assert unfairness(back) == pytest.approx(0)
    for number in range(5):
        rotation, _, _ = lead(rotation, pool)
        rotation = credit_reject(rotation, "a", AT + timedelta(minutes=number), TERMS)
    assert len(rotation.seats["a"].rejects) == TERMS.reject_credits
    assert credit_reject(rotation, "a", AT + timedelta(hours=1), TERMS) == rotation  # the limit is reached
    later = credit_reject(rotation, "a", AT + timedelta(days=8), TERMS)
    assert len(later.seats["a"].rejects) == 1  # and is forgotten after a week


def test_a_reject_counts_in_the_long_run_and_a_lost_deadline_does_not() -> None:
    pool = {"a": 1.0, "b": 1.0, "c": 1.0}
    kept = Counter[str]()
    rotation = Rotation("x")
    rejected = 0
    for _ in range(600):
        rotation, rep, _ = lead(rotation, pool)
        if rep == "a" and rejected < 3:
            rotation, rejected = credit_reject(rotation, "a", AT, TERMS), rejected + 1
            rotation, rep, _ = lead(rotation, pool, eligible=frozenset({"b", "c"}))
        kept[rep] += 1
    assert max(kept.values()) - min(kept.values()) <= 2


def test_an_unknown_rep_has_nothing_to_give_back() -> None:
    rotation = Rotation("x")
    assert credit_reject(rotation, "nobody", AT, TERMS) == rotation
    assert take_back(rotation, "nobody", TERMS) == rotation


def test_special_leads_count_towards_the_share() -> None:
    """One of three takes all the German leads; the others get more of the rest, and all end equal."""
    pool, counts, rotation = {"a": 1.0, "b": 1.0, "c": 1.0}, Counter[str](), Rotation("x")
    for number in range(300):
        rotation, rep, _ = lead(rotation, pool, frozenset({"a"}) if number % 5 == 0 else frozenset(pool))
        counts[rep] += 1
    assert max(counts.values()) - min(counts.values()) <= 2


def test_who_is_never_asked_gathers_no_credit() -> None:
    pool, rotation = {"a": 1.0, "b": 1.0, "rare": 1.0}, Rotation("x")
    rotation, _, _ = lead(rotation, pool)
    counts = Counter[str]()
    for _ in range(2000):
        rotation, rep, _ = lead(rotation, pool, frozenset({"a", "b"}))
        counts[rep] += 1
    assert rotation.seats["rare"].presence is Presence.UNASKED
    assert abs(counts["a"] - counts["b"]) <= 1
    run = 0
    for _ in range(10):  # the day the rep learns the skill: no flood
        rotation, rep, _ = lead(rotation, pool)
        run += rep == "rare"
    assert run <= 5


def offline_optimum(kinds: list[frozenset[str]], counts: list[int], share: Weights) -> float:
    """The smallest possible largest deviation, knowing all leads beforehand: an integer programme, solved exactly."""
    reps, leads = list(share), sum(counts)
    width = len(kinds) * len(reps) + 1
    rows, low, high = [], [], []
    for kind, count in enumerate(counts):
        row = np.zeros(width)
        row[kind * len(reps) : (kind + 1) * len(reps)] = 1
        rows, low, high = [*rows, row], [*low, count], [*high, count]
    for place, rep in enumerate(reps):
        row = np.zeros(width)
        row[place : width - 1 : len(reps)] = 1
        below, above = row.copy(), row.copy()
        below[-1], above[-1] = -1, 1
        rows, low, high = [*rows, below, above], [*low, -np.inf, leads * share[rep]], [*high, leads * share[rep], np.inf]
    most = np.array([count if rep in kind else 0 for kind, count in zip(kinds, counts, strict=True) for rep in reps] + [np.inf])
    goal = np.zeros(width)
    goal[-1] = 1
    found = milp(goal, constraints=LinearConstraint(np.array(rows), low, high), bounds=Bounds(0, most), integrality=1 - goal)
    return float(found.fun)


def line_of(seed: int) -> tuple[Weights, list[frozenset[str]], np.ndarray]:
    """A line whose leads come in kinds, each of which some reps can take: weights, kinds, and how frequent each kind is."""
    rng = np.random.default_rng(seed)
    weights = {f"r{place}": float(rng.choice([1, 1, 2, 3])) for place in range(rng.integers(2, 9))}
    names = sorted(weights)
    kinds = [
        frozenset(rng.choice(names, rng.integers(1, len(names) + 1), replace=False).tolist()) for _ in range(rng.integers(2, 6))
    ]
    return weights, kinds, rng.dirichlet(np.ones(len(kinds)))


def ours_and_best(weights: Weights, kinds: list[frozenset[str]], order: list[int]) -> tuple[float, float]:
    """The largest deviation from the share at the end, by the rotation and by the offline optimum."""
    rotation, counts = Rotation("x"), Counter[str]()
    for kind in order:
        rotation, rep, _ = lead(rotation, weights, kinds[kind])
        counts[rep] += 1
    asked = frozenset[str]().union(*(kinds[kind] for kind in order))
    total = sum(weights[rep] for rep in asked)
    share = {rep: weights[rep] / total for rep in sorted(asked)}
    ours = max(abs(counts[rep] - len(order) * part) for rep, part in share.items())
    return ours, offline_optimum(kinds, np.bincount(order, minlength=len(kinds)).tolist(), share)


@pytest.mark.parametrize("seed", range(25))
def test_where_eligibility_differs_the_worst_is_within_a_tenth_of_the_offline_optimum(seed: int) -> None:
    """Kinds come evenly mixed, so that the past says what will come: then only whole leads stand between us and the optimum."""
    weights, kinds, often = line_of(seed)
    mix, order = np.zeros(len(kinds)), []
    for _ in range(1000):
        mix += often
        order.append(int(mix.argmax()))
        mix[order[-1]] -= 1
    ours, best = ours_and_best(weights, kinds, order)
    assert ours <= max(1.1 * best, best + WHOLE_LEADS)


@pytest.mark.parametrize("seed", range(25))
def test_where_the_order_is_left_to_chance_only_chance_is_added(seed: int) -> None:
    """The optimum knows the order beforehand, nobody else can: where what only some can take is just their share, luck adds
    some leads. Where the kinds force a deviation (the optimum is beyond chance), ours is within a tenth of it again."""
    weights, kinds, often = line_of(seed)
    order = np.random.default_rng(1000 + seed).choice(len(kinds), 1000, p=often).tolist()
    ours, best = ours_and_best(weights, kinds, order)
    chance = len(order) ** 0.5 / 4
    assert ours <= (1.1 * best if best > 3 * chance else best + chance)


@settings(deadline=None)
@given(weights_of_reps, st.integers(0, 40))
def test_the_ledger_survives_json_exactly(weights: Weights, leads: int) -> None:
    rotation = Rotation("emea/a")
    for _ in range(leads):
        rotation, _, _ = lead(rotation, weights, value=0.3)
    rotation = credit_reject(rotation, "r0", AT, TERMS)
    assert Rotation.from_json(json.loads(json.dumps(rotation.to_json()))) == rotation
    assert Rotation.from_json(json.dumps(rotation.to_json())) == rotation


def test_a_ledger_that_is_not_one_is_refused() -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        Rotation.from_json({"key": "x", "steps": 1, "seats": {"a": [1, 2]}})
