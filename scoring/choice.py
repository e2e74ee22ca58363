"""Which model: trees alone, with the day of creation, with a linear member, or one a segment. The plainest that nothing beats.

Something is added only when it is measurably better on newer leads that none of the candidates has seen: its mean gain in log loss
must be worth having and stand clear of chance (paired, by lead).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from scoring.calibration import fit_platt
from scoring.columns import FloatArray, Row
from scoring.ensemble import FittedScorer

#: A gain below this, in nats a lead, is not worth another member.
WORTH: Final = 0.001
#: How many standard errors a gain must stand clear of nought (5% of chance, one side).
SURE: Final = 1.64
#: With fewer leads to judge by, nothing is added to the trees.
JUDGE_ROWS: Final = 100
LINEAR_WEIGHTS: Final = (0.15, 0.3, 0.5, 0.75, 1.0)
#: A segment with fewer leads has no model of its own.
SEGMENT_ROWS: Final = 300
MOST_SEGMENTS: Final = 8
#: So many columns are tried as segments, those that divide most evenly first.
SEGMENT_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """Which model, apart from what it learned. `linear` is the weight of the linear member, `segment` the column that divides."""

    arrival: bool = False
    linear: float = 0.0
    segment: str | None = None

    def tell(self) -> str:
        """In words, for the model card."""
        kind = "a linear model" if self.linear == 1.0 else "boosted trees"
        if 0.0 < self.linear < 1.0:
            kind = f"an ensemble of boosted trees ({1 - self.linear:.0%}) and a linear model ({self.linear:.0%})"
        if self.segment:
            kind += f", one for each {self.segment}"
        return kind + (", with the day of creation" if self.arrival else "")


@dataclass(frozen=True, slots=True)
class Trial:
    """What was tried: the gain in log loss, in nats a lead, its standard error, and whether it was kept."""

    name: str
    gain: float
    error: float
    kept: bool


def lead_losses(raw: FloatArray, labels: FloatArray) -> FloatArray:
    """The log loss of each lead after Platt scaling learned on the other half of them, shape (rows,)."""
    odd = np.arange(len(raw)) % 2 == 1
    chance = np.empty(len(raw))
    for seen in (odd, ~odd):
        chance[~seen] = fit_platt(raw[seen], labels[seen]).probability(raw[~seen])
    chance = np.clip(chance, 1e-6, 1 - 1e-6)
    return np.asarray(-np.log(np.where(labels > 0, chance, 1 - chance)))


def judge(name: str, raw: FloatArray, best: FloatArray, labels: FloatArray) -> Trial:
    """Whether `raw` is measurably better than `best` on these leads."""
    gains = lead_losses(best, labels) - lead_losses(raw, labels)
    gain, error = float(gains.mean()), float(gains.std() / np.sqrt(len(gains)))
    return Trial(name, gain, error, gain > max(WORTH, SURE * error))


#: Fits a shape on the older leads and answers with their scorer and the log-odds of the newer ones.
Fit = Callable[[Shape], tuple[FittedScorer, FloatArray]]


def choose_shape(
    fit: Fit, rows: Sequence[Row], labels: FloatArray, segments: Sequence[str], *, arrival: bool = True
) -> tuple[Shape, FloatArray, tuple[Trial, ...]]:
    """The shape, the log-odds it gives the newer leads, and what was tried.

    `rows` and `labels` are the newer leads that judge, `segments` the categorical columns that may divide the older ones, `arrival`
    whether the day of creation may be asked at all.
    """
    shape = Shape()
    best = fit(shape)[1]
    trials: list[Trial] = []
    if len(labels) < JUDGE_ROWS:
        return shape, best, ()
    if arrival:
        raw = fit(replace(shape, arrival=True))[1]
        trials.append(judge("day of creation", raw, best, labels))
        if trials[-1].kept:
            shape, best = replace(shape, arrival=True), raw
    line = fit(replace(shape, linear=1.0))[1]
    weight = _pick_weight(best, line, labels)
    mixed = (1 - weight) * best + weight * line
    trials.append(judge(f"linear member ({weight:.0%})", mixed, best, labels))
    if trials[-1].kept:
        shape, best = replace(shape, linear=weight), mixed
    for column in segments[:SEGMENT_TRIES]:
        for divided in dict.fromkeys((replace(shape, segment=column, linear=1.0), replace(shape, segment=column))):
            raw = fit(divided)[1]
            trials.append(judge(f"{'a linear model' if divided.linear == 1.0 else 'a model'} for each {column}", raw, best, labels))
            if trials[-1].kept:
                return divided, raw, tuple(trials)
    return shape, best, tuple(trials)


def _pick_weight(trees: FloatArray, line: FloatArray, labels: FloatArray) -> float:
    """The weight of the linear member that loses least."""
    losses = {weight: float(lead_losses((1 - weight) * trees + weight * line, labels).mean()) for weight in LINEAR_WEIGHTS}
    return min(losses, key=lambda weight: (losses[weight], weight))


def find_segments(names: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Columns that divide these leads into two to eight parts with enough in each of two at least, most even first."""
    fit_for = []
    for name in names:
        counts = Counter(str(row[name]) for row in rows if row[name] is not None)
        large = [count for count in counts.values() if count >= SEGMENT_ROWS]
        if len(large) >= 2 and len(counts) <= MOST_SEGMENTS:
            fit_for.append((max(large) / len(rows), name))
    return [name for _, name in sorted(fit_for)]
