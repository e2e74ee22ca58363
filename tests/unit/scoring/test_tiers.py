"""Tier cuts and the figures about them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from leads.enums import Tier
from scoring import tiers
from scoring.evaluation import calibration_error, measure, tier_table
from scoring.intervals import wilson
from scoring.tiers import Cuts, learn_cuts


def _slice(*parts: tuple[int, float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Parts of (rows, probability, share won), each probability nudged so that all differ."""
    chances, labels = [], []
    for rows, chance, won in parts:
        chances += [chance + place * 1e-6 for place in range(rows)]
        labels += [1.0] * round(rows * won) + [0.0] * (rows - round(rows * won))
    # Winners are spread evenly within a part, so that every top part of it has its share.
    random = np.random.default_rng(1)
    chances, start = np.array(chances), 0
    labels = np.array(labels)
    for rows, _, _ in parts:
        random.shuffle(labels[start : start + rows])
        start += rows
    return chances, labels


def test_a_is_the_top_fifth_where_precision_allows_more() -> None:
    chances, labels = _slice((600, 0.05, 0.02), (400, 0.9, 0.99))
    cuts = learn_cuts(chances, labels)
    assert cuts.reachable
    assert (chances >= cuts.a).mean() == pytest.approx(0.2, abs=0.002)
    assert (chances >= cuts.b).mean() == pytest.approx(0.5, abs=0.002)
    assert (chances >= cuts.c).mean() == pytest.approx(0.8, abs=0.002)


def test_a_is_smaller_where_precision_asks_for_it() -> None:
    chances, labels = _slice((850, 0.05, 0.05), (100, 0.5, 0.5), (50, 0.95, 1.0))
    cuts = learn_cuts(chances, labels)
    in_a = chances >= cuts.a
    assert cuts.reachable
    assert labels[in_a].mean() >= 0.9
    assert 50 <= in_a.sum() <= 75


def test_an_unreachable_precision_is_said_and_false_ones_stay_few() -> None:
    chances, labels = _slice((900, 0.05, 0.05), (100, 0.3, 0.3))
    cuts = learn_cuts(chances, labels)
    assert not cuts.reachable
    in_a = chances >= cuts.a
    assert 0 < (1 - labels[in_a]).sum() <= 0.05 * (1 - labels).sum()


def _lot(random: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """A fair slice whose precision target is out of reach: a third of the lost have higher chances than most of the won."""
    chances = random.beta(1.2, 4.0, rows)
    return chances, (random.random(rows) < chances).astype(float)


def _count_broken(draws: int) -> int:
    """In how many draws more than 5% of the non-converting leads to come stand in A."""
    later, ends = _lot(np.random.default_rng(0), 200_000)
    lost = later[ends == 0]
    broken = 0
    for seed in range(1, draws + 1):
        cuts = learn_cuts(*_lot(np.random.default_rng(seed), 1_200))
        broken += bool((lost >= cuts.a).mean() > 0.05)
    return broken


def test_false_ones_stay_few_on_leads_to_come_and_not_by_luck(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _count_broken(200) <= 16  # 95% of the time, and a little for chance in 200 draws
    monkeypatch.setattr(tiers, "SURE", 0.0)
    assert _count_broken(200) > 40  # as it was counted, without a bound


def test_too_few_leads_to_bound_anything_take_the_probability_at_its_word() -> None:
    chances = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 0.85, 0.95])
    labels = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    assert learn_cuts(chances, labels).a == 0.95
    timid = learn_cuts(chances * 0.8, labels)
    assert not timid.reachable
    assert timid.a > 0.9


def test_equal_probabilities_share_a_tier() -> None:
    chances, labels = np.full(50, 0.4), np.array([0.0, 1.0] * 25)
    cuts = learn_cuts(chances, labels)
    assert {cuts.tier(chance) for chance in chances} == {Tier.B}  # nothing sets a top part of them apart


def test_tiers_fall_with_probability() -> None:
    cuts = Cuts(0.7, 0.4, 0.1)
    assert [cuts.tier(chance) for chance in (1.0, 0.7, 0.69, 0.4, 0.1, 0.09, 0.0)] == [
        *(Tier.A, Tier.A, Tier.B, Tier.B, Tier.C, Tier.D, Tier.D)
    ]
    assert Cuts.from_json(json.loads(json.dumps(cuts.to_json()))) == cuts


def test_wilson_intervals_are_the_published_ones() -> None:
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998, table I, method 3
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_figures_of_a_small_holdout() -> None:
    chances = np.array([0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05])
    labels = np.array([1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    cuts = Cuts(0.75, 0.5, 0.2)
    found = measure(chances, labels, cuts)
    assert found["auc"] == pytest.approx(20 / 24)  # 24 pairs, 4 of them the wrong way round
    assert found["accuracy"] == 0.8
    assert found["precision_top20pct"] == 1.0
    assert found["lift_top20pct"] == pytest.approx(1.0 / 0.25)
    assert (found["tier_a_precision"], found["tier_a_recall"], found["tier_a_fpr"]) == (1.0, 0.5, 0.0)
    assert found["brier"] == pytest.approx(np.mean((chances - labels) ** 2))
    table = tier_table(chances, labels, cuts)
    assert {tier: (row["leads"], row["won"]) for tier, row in table.items()} == {"a": (2, 2), "b": (2, 1), "c": (3, 1), "d": (3, 0)}
    assert measure(chances[4:6], labels[4:6], cuts)["auc"] is None


def test_calibration_error_is_the_mean_gap() -> None:
    chances = np.array([0.2] * 10 + [0.7] * 10)
    labels = np.array([1.0] * 3 + [0.0] * 7 + [1.0] * 7 + [0.0] * 3)
    assert calibration_error(chances, labels, bins=2) == pytest.approx((0.1 + 0.0) / 2)
