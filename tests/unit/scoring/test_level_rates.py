"""Columns of many levels: rates that no lead's own outcome is in, exact reasons, and the same numbers after storing."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from leads.records import FieldValue
from scoring.boosted import BoostedScorer, Recipe
from scoring.columns import MISSING, OTHER, Column
from scoring.level_rates import FEW_LEVELS, FOLDS, PRIOR, LevelRates, learn_level_rates, of_many_levels

CITY = Column("city", "categorical", tuple(f"city {number}" for number in range(FEW_LEVELS + 1)))
FIT = Recipe(60, 4, 0.2, 3.0, 1.0)


def _cells(*levels: str) -> np.ndarray:
    return np.array([[level.encode()] for level in levels], dtype=object)


def test_only_columns_of_many_levels_become_numbers() -> None:
    few = Column("plan", "categorical", tuple(f"plan {number}" for number in range(FEW_LEVELS)))
    assert of_many_levels([CITY, Column("age", "numeric"), few]) == [0]
    assert of_many_levels([few, Column("age", "numeric"), CITY]) == [1]


def test_a_level_is_told_by_its_leads_drawn_to_all() -> None:
    levels = _cells(*["city 0"] * 10, *["city 1"] * 20, *[MISSING] * 10)
    labels = np.array([1.0] * 8 + [0.0] * 2 + [1.0] * 2 + [0.0] * 18 + [1.0] * 10)
    rates, _ = learn_level_rates([CITY], levels, labels, np.ones(40))
    base = (20 + 0.5) / (40 + 1)
    for level, won, seen in (("city 0", 8, 10), ("city 1", 2, 20), (MISSING, 10, 10), ("city 9", 0, 0), (OTHER, 0, 0)):
        rate = (won + PRIOR * base) / (seen + PRIOR)
        assert rates.tables["city"][level] == pytest.approx(log(rate / (1 - rate)))
    known = rates.read(_cells("city 0", MISSING, "a city of tomorrow"))
    assert known[:, 0] == pytest.approx([rates.tables["city"][name] for name in ("city 0", MISSING, OTHER)])


def test_weights_count() -> None:
    """Two looks of half a weight are one lead."""
    twice = np.repeat(np.arange(30), 2)
    levels = _cells(*(f"city {number % 3}" for number in range(30)))
    labels = (np.arange(30) % 4 == 0).astype(float)
    once, _ = learn_level_rates([CITY], levels, labels, np.ones(30))
    halves, _ = learn_level_rates([CITY], levels[twice], labels[twice], np.full(60, 0.5))
    assert halves.tables["city"] == pytest.approx(once.tables["city"])


def test_no_lead_hears_of_its_own_outcome() -> None:
    random = np.random.default_rng(2)
    rows = 40 * FOLDS
    levels = _cells(*(f"city {number}" for number in random.integers(0, 3, rows)))
    labels = (random.random(rows) < 0.3).astype(float)
    _, before = learn_level_rates([CITY], levels, labels, np.ones(rows))
    labels[:40] = 1 - labels[:40]  # the first fold ended the other way round
    _, after = learn_level_rates([CITY], levels, labels, np.ones(rows))
    assert (before[:40] == after[:40]).all()
    assert (before[40:] != after[40:]).all()


def test_levels_that_mean_nothing_are_not_taken_for_knowledge() -> None:
    """Each level has three leads, so that its rate with the lead's own outcome in it would tell that outcome."""
    random = np.random.default_rng(3)
    column = Column("city", "categorical", tuple(f"city {number}" for number in range(400)))
    levels = _cells(*(f"city {number}" for number in random.permutation(np.repeat(np.arange(400), 3))))
    labels = (random.random(1200) < 0.4).astype(float)
    rates, own = learn_level_rates([column], levels, labels, np.ones(1200))
    assert roc_auc_score(labels, rates.read(levels)[:, 0]) > 0.75
    assert roc_auc_score(labels, own[:, 0]) < 0.55


def _planted(rows: int, seed: int) -> tuple[list[dict[str, FieldValue]], np.ndarray]:
    """A hundred cities with odds of their own, a plan, and numbers of which `day` says much."""
    random = np.random.default_rng(seed)
    worth = np.random.default_rng(0).normal(0, 1.5, 100)
    cities, days = random.integers(0, 100, rows), random.normal(size=rows)
    odds = worth[cities] + days
    told: list[dict[str, FieldValue]] = [
        {"age": float(random.normal()), "city": f"city {city}", "day": float(day), "plan": f"plan {number % 3}"}
        for number, (city, day) in enumerate(zip(cities, days, strict=True))
    ]
    return told, (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(float)


COLUMNS = [
    Column("plan", "categorical", ("plan 0", "plan 1", "plan 2")),
    Column("age", "numeric"),
    Column("city", "categorical", tuple(f"city {number}" for number in range(100))),
    Column("day", "numeric"),
]


def _fit(unread: str | None = None) -> tuple[BoostedScorer, list[dict[str, FieldValue]], np.ndarray]:
    rows, labels = _planted(3_000, seed=1)
    scorer = BoostedScorer.fit(
        rows, labels, np.ones(3_000), COLUMNS, seed=1, threads=1, progress=lambda share: None, recipe=FIT, unread=unread
    )
    return scorer, *_planted(1_000, seed=2)


def test_many_levels_are_learned_and_their_reasons_are_exact() -> None:
    scorer, rows, labels = _fit()
    rows.append({"age": None, "city": "a city of tomorrow", "day": None, "plan": None})
    raw, parts = scorer.raw(rows), scorer.contributions(rows)
    assert scorer.names == ("age", "day", "plan", "city")
    assert scorer.base + parts.sum(axis=1) == pytest.approx(raw, abs=1e-6)
    assert roc_auc_score(labels, raw[:-1]) > 0.80
    weights = dict(zip(scorer.names, np.abs(parts).mean(axis=0), strict=True))
    assert weights["city"] > weights["day"] > max(weights["age"], weights["plan"])
    again = BoostedScorer.from_bytes(scorer.to_bytes(), COLUMNS)
    assert (again.raw(rows) == raw).all()
    assert (again.contributions(rows) == parts).all()
    assert again.fingerprint() == scorer.fingerprint()


def test_what_is_not_to_be_read_is_not_read() -> None:
    scorer, rows, labels = _fit(unread="day")
    parts = scorer.contributions(rows)
    assert not parts[:, scorer.names.index("day")].any()
    assert scorer.base + parts.sum(axis=1) == pytest.approx(scorer.raw(rows), abs=1e-6)
    assert roc_auc_score(labels, scorer.raw(rows)) > 0.7


def test_tables_survive_without_a_level() -> None:
    rates = LevelRates({"city": {MISSING: 0.1, OTHER: 0.2}})
    assert rates.read(_cells("city 1"))[0, 0] == pytest.approx(0.2)
