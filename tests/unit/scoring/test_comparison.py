"""The families side by side: all are there, their figures have intervals, and the right one wins where the truth is known."""

from __future__ import annotations

import numpy as np

from leads.records import FieldValue
from scoring.columns import Column, FloatArray
from scoring.comparison import FIGURES, compare

COLUMNS = (*(Column(f"x{place}", "numeric") for place in range(6)), Column("team", "categorical", ("a", "b")))


def plant(rows: int, seed: int, straight: bool) -> tuple[list[dict[str, FieldValue]], FloatArray]:
    random = np.random.default_rng(seed)
    made: list[dict[str, FieldValue]] = []
    labels = np.empty(rows)
    for place in range(rows):
        values = random.normal(size=6)
        odds = values.sum() if straight else 3.0 * np.sign(values[0] * values[1])
        labels[place] = random.random() < 1 / (1 + np.exp(-odds))
        numbers: dict[str, FieldValue] = {f"x{number}": float(value) for number, value in enumerate(values)}
        made.append({**numbers, "x5": None if place % 5 == 0 else numbers["x5"], "team": "ab"[place % 2]})
    return made, labels


def test_a_line_wins_where_the_truth_is_straight_and_trees_where_it_is_not() -> None:
    for straight, winners in ((True, {"logistic", "mlp"}), (False, {"catboost", "hist_gradient_boosting"})):
        table = compare(plant(900, 1, straight), plant(400, 2, straight), COLUMNS, seed=1, threads=1)
        families = {"catboost", "hist_gradient_boosting", "mlp", "logistic", "decision_tree", "random_forest", "extra_trees"}
        assert {line["family"] for line in table} == families
        assert table[0]["family"] in winners
        for line in table:
            for name in FIGURES:
                value, low, high = line[name]
                assert low <= high
                assert name == "ece" or low <= value <= high  # a resample is noisier than the leads: its gaps are wider
