"""Probabilities mean what they say, and never turn the order of leads round."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression
from sklearn.linear_model import LogisticRegression

from scoring.calibration import Calibration, fit_calibration, fit_isotonic, fit_platt, squash


def _sample(rows: int, slope: float, offset: float, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    raw = random.normal(0, 2, rows)
    return raw, (random.random(rows) < squash(slope * raw + offset)).astype(float)


def test_platt_finds_the_scale_of_overconfident_odds() -> None:
    raw, labels = _sample(20_000, 0.5, -0.7)
    found = fit_platt(raw, labels)
    reference = LogisticRegression(C=1e9).fit(raw[:, None], labels)
    assert found.slope == pytest.approx(reference.coef_[0, 0], abs=0.01)
    assert found.offset == pytest.approx(reference.intercept_[0], abs=0.01)
    assert found.slope == pytest.approx(0.5, abs=0.03)
    assert found.method == "platt"


def test_platt_stays_finite_and_rising_on_hard_slices() -> None:
    apart = fit_platt(np.array([-3.0, -2.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    turned = fit_platt(np.array([-3.0, -2.0, 2.0, 3.0]), np.array([1.0, 1.0, 0.0, 0.0]))
    for found in (apart, turned):
        assert np.isfinite([found.slope, found.offset]).all()
        assert found.slope > 0


def test_isotonic_pools_as_the_reference_does() -> None:
    raw, labels = _sample(500, 1.0, 0.0)
    order = np.argsort(raw)
    means = isotonic_regression(labels[order])
    blocks = {value: int((means == value).sum()) for value in np.unique(means)}
    found = fit_isotonic(raw, labels)
    assert [value for _, value in found.knots] == pytest.approx(
        sorted((value * rows + 0.5) / (rows + 1) for value, rows in blocks.items()), abs=0.05
    )
    assert len(found.knots) == len(blocks)
    assert found.method == "isotonic"


def test_the_step_function_is_taken_only_where_it_is_better() -> None:
    raw, labels = _sample(4_000, 0.8, 0.1)
    assert fit_calibration(raw, labels).method == "platt"
    random = np.random.default_rng(8)
    steps = np.where(raw < -1, 0.02, np.where(raw < 1.5, 0.5, 0.55))  # nothing like a logistic curve
    stepped = (random.random(4_000) < steps).astype(float)
    found = fit_calibration(raw, stepped)
    assert found.method == "isotonic"
    assert found.probability(np.array([-3.0, 0.0]))[0] < 0.06
    assert found.probability(np.array([0.0]))[0] == pytest.approx(0.5, abs=0.05)
    assert fit_calibration(raw[:500], stepped[:500]).method == "platt"  # too few rows for steps


def test_nothing_is_corrected_where_the_correction_of_one_stretch_harms_the_next() -> None:
    raw, _ = _sample(4_000, 1.0, 0.0)
    random = np.random.default_rng(9)
    offset = np.repeat([0.8, -0.8, 0.8, -0.8], 1_000)  # off by as much either way, in turns
    wandering = (random.random(4_000) < squash(raw + offset)).astype(float)
    assert fit_calibration(raw, wandering).method == "none"
    steady = (random.random(4_000) < squash(raw + 0.8)).astype(float)
    assert fit_calibration(raw, steady).offset == pytest.approx(0.8, abs=0.2)
    assert fit_calibration(raw[:900], wandering[:900]).method == "platt"  # too few rows to tell


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.floats(-30, 30), st.booleans()), min_size=2, max_size=60))
def test_order_is_kept_and_probabilities_stay_within_bounds(rows: list[tuple[float, bool]]) -> None:
    raw = np.array([place for place, _ in rows])
    labels = np.array([float(won) for _, won in rows])
    for found in (fit_platt(raw, labels), fit_isotonic(raw, labels)):
        chances = found.probability(np.sort(raw))
        assert ((chances >= 0) & (chances <= 1)).all()
        assert (np.diff(chances) >= -1e-12).all()
        assert Calibration.from_json(json.loads(json.dumps(found.to_json()))) == found
