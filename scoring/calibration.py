"""From log-odds to a probability that means what it says. Numbers only: serving needs nothing but numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from scoring.columns import FloatArray

#: Below so many rows a step function has too few rows a step.
ISOTONIC_MIN_ROWS: Final = 1_000
#: The gain in log loss, as a share, that makes the step function worth its ties.
ISOTONIC_MIN_GAIN: Final = 0.005
FLOOR: Final = 1e-4
#: Calibration is tried on so many stretches of time, each after learning it on all that is older.
STRETCHES: Final = 4
#: A stretch of fewer rows tells nothing of harm.
CALIBRATE_ROWS: Final = 250
#: It does harm where it loses more than this, in nats a lead, and so many standard errors more than nothing would (5%, one side).
HARM: Final = 0.001
SURE: Final = 1.64


def squash(raw: FloatArray) -> FloatArray:
    """The logistic function, safe for large values."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * raw)), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Platt scaling, `squash(slope * raw + offset)`, or with `knots` a rising line through (raw, probability) points."""

    slope: float = 1.0
    offset: float = 0.0
    knots: tuple[tuple[float, float], ...] = ()

    @property
    def method(self) -> str:
        """ "isotonic", "platt", or "none" where log-odds are left as they are."""
        if self.knots:
            return "isotonic"
        return "none" if self == Calibration() else "platt"

    def probability(self, raw: FloatArray) -> FloatArray:
        """Probabilities within 0 to 1, never falling where raw rises."""
        if self.knots:
            places, values = zip(*self.knots, strict=True)
            return np.asarray(np.interp(raw, places, values), dtype=np.float64)
        return squash(self.slope * raw + self.offset)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers for the bundle."""
        return {"slope": self.slope, "offset": self.offset, "knots": [list(knot) for knot in self.knots]}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Calibration:
        """The calibration written by `to_json`."""
        return cls(float(stored["slope"]), float(stored["offset"]), tuple((float(x), float(y)) for x, y in stored["knots"]))


def fit_platt(raw: FloatArray, labels: FloatArray) -> Calibration:
    """Platt scaling by Newton's method on smoothed targets (Platt 1999; Lin, Lin and Weng 2007).

    The slope is kept positive, so that the order of leads is never turned round.
    """
    won, lost = float(labels.sum()), float(len(labels) - labels.sum())
    target = np.where(labels > 0, (won + 1.0) / (won + 2.0), 1.0 / (lost + 2.0))
    weights = np.array([1.0, 0.0])
    design = np.column_stack([raw, np.ones_like(raw)])
    # A weak pull towards "leave as it is" keeps the step finite when a slice separates perfectly.
    pull = np.diag([1e-3, 1e-3])
    for _ in range(100):
        chance = squash(design @ weights)
        slope = design.T @ (chance - target) + pull @ (weights - np.array([1.0, 0.0]))
        bend = (design * (chance * (1 - chance))[:, None]).T @ design + pull
        step = np.linalg.solve(bend, slope)
        size = float(np.abs(step).max())
        weights = weights - step * min(1.0, 2.0 / max(size, 1e-12))
        if size < 1e-9:
            break
    return Calibration(slope=max(float(weights[0]), 1e-3), offset=float(weights[1]))


def fit_isotonic(raw: FloatArray, labels: FloatArray) -> Calibration:
    """A rising line through the pooled means of neighbouring rows (pool adjacent violators), bounded away from 0 and 1."""
    order = np.argsort(raw, kind="stable")
    blocks: list[list[float]] = []  # mean label, rows, sum of raw
    for place, label in zip(raw[order], labels[order], strict=True):
        blocks.append([float(label), 1.0, float(place)])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            mean, rows, total = blocks.pop()
            last = blocks[-1]
            last[0] = (last[0] * last[1] + mean * rows) / (last[1] + rows)
            last[1] += rows
            last[2] += total
    knots = tuple((total / rows, (mean * rows + 0.5) / (rows + 1.0)) for mean, rows, total in blocks)
    rising = np.maximum.accumulate([min(max(value, FLOOR), 1 - FLOOR) for _, value in knots])
    return Calibration(knots=tuple((place, float(value)) for (place, _), value in zip(knots, rising, strict=True)))


def _losses(chance: FloatArray, labels: FloatArray) -> FloatArray:
    chance = np.clip(chance, FLOOR, 1 - FLOOR)
    return np.asarray(-(labels * np.log(chance) + (1 - labels) * np.log(1 - chance)))


def _log_loss(chance: FloatArray, labels: FloatArray) -> float:
    return float(_losses(chance, labels).mean())


def does_harm(raw: FloatArray, labels: FloatArray) -> bool:
    """Whether what calibration learns of one stretch of time makes the next one's probabilities measurably worse.

    Then rates wander faster than a model trained afresh is wrong, and correcting it carries an old rate forward.
    """
    edges = np.linspace(0, len(raw), STRETCHES + 1).astype(int)
    for start, stop in pairwise(edges[1:]):
        learned = fit_platt(raw[:start], labels[:start])
        later, ends = raw[start:stop], labels[start:stop]
        worse = _losses(learned.probability(later), ends) - _losses(squash(later), ends)
        if worse.mean() > max(HARM, SURE * worse.std() / np.sqrt(len(worse))):
            return True
    return False


def fit_calibration(raw: FloatArray, labels: FloatArray) -> Calibration:
    """Platt scaling of rows in order of time; the step function only where there are rows enough and it is better on halves it did
    not see; nothing where calibration does harm to later rows."""
    if len(raw) >= STRETCHES * CALIBRATE_ROWS and does_harm(raw, labels):
        return Calibration()
    if len(raw) < ISOTONIC_MIN_ROWS:
        return fit_platt(raw, labels)
    odd = np.arange(len(raw)) % 2 == 1
    loss = {"platt": 0.0, "isotonic": 0.0}
    for seen in (odd, ~odd):
        for name, fit in (("platt", fit_platt), ("isotonic", fit_isotonic)):
            loss[name] += _log_loss(fit(raw[seen], labels[seen]).probability(raw[~seen]), labels[~seen])
    better = loss["isotonic"] < loss["platt"] * (1 - ISOTONIC_MIN_GAIN)
    return fit_isotonic(raw, labels) if better else fit_platt(raw, labels)
