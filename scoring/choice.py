"""Which model: trees alone, with trees that know the day of creation, with a linear member, or one a segment; the plainest that
nothing beats.

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

#: A gain below this, in nats a lead, is not worth another member.
WORTH: Final = 0.001
#: How many standard errors a gain must stand clear of nought (5% of chance, one side).
SURE: Final = 1.64
#: Leads of one stretch of time err together: a gain must stand clear of how it differs between so many stretches, too.
STRETCHES: Final = 8
#: With fewer leads to judge by, nothing is added to the trees.
JUDGE_ROWS: Final = 100
LINEAR_WEIGHTS: Final = (0.15, 0.3, 0.5, 0.75, 1.0)
#: Trees that know the day follow drift and chance alike; where they are better, some that do not know it steady them.
ARRIVAL_WEIGHTS: Final = (0.25, 0.5, 0.75)
#: A segment with fewer leads has no model of its own.
SEGMENT_ROWS: Final = 300
MOST_SEGMENTS: Final = 8
#: So many columns are tried as segments, those that divide most evenly first.
SEGMENT_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """Which model, apart from what it learned.

    `arrival` is the share of the trees that know the day of creation, `linear` the weight of the linear member, which knows it when
    any tree does, `segment` the column that divides.
    """

    arrival: float = 0.0
    linear: float = 0.0
    segment: str | None = None

    def tell(self) -> str:
        """In words, for the model card."""
        kind = "a linear model" if self.linear == 1.0 else "boosted trees"
        if 0.0 < self.linear < 1.0:
            kind = f"an ensemble of boosted trees ({1 - self.linear:.0%}) and a linear model ({self.linear:.0%})"
        if self.segment:
            kind += f", one for each {self.segment}"
        return kind + (f", {self.arrival:.0%} of it with the day of creation" if self.arrival else "")


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
    """Whether `raw` is measurably better than `best` on these leads, which are in order of time."""
    gains = lead_losses(best, labels) - lead_losses(raw, labels)
    stretches = [float(part.mean()) for part in np.array_split(gains, STRETCHES)]
    gain = float(gains.mean())
    error = max(float(gains.std() / np.sqrt(len(gains))), float(np.std(stretches, ddof=1) / np.sqrt(STRETCHES)))
    return Trial(name, gain, error, gain > max(WORTH, SURE * error))


#: Fits a shape on older leads and answers with the log-odds of the newer ones.
Fit = Callable[[Shape], FloatArray]


def choose_shape(
    fit: Fit, labels: FloatArray, segments: Sequence[str], *, arrival: bool = True
) -> tuple[Shape, FloatArray, tuple[Trial, ...]]:
    """The shape, the log-odds it gives the newer leads, and what was tried.

    `labels` are of the newer leads, which judge, `segments` the categorical columns that may divide the older ones, `arrival`
    whether the day of creation may be asked at all.
    """
    shape = Shape()
    best = fit(shape)
    trials: list[Trial] = []
    if len(labels) < JUDGE_ROWS:
        return shape, best, ()
    if arrival:
        dated = fit(replace(shape, arrival=1.0))
        trials.append(judge("day of creation", dated, best, labels))
        if trials[-1].kept:
            weight = _pick_weight(best, dated, labels, ARRIVAL_WEIGHTS)
            shape, best = replace(shape, arrival=weight), (1 - weight) * best + weight * dated
    line = fit(replace(shape, linear=1.0))
    weight = _pick_weight(best, line, labels, LINEAR_WEIGHTS)
    mixed = (1 - weight) * best + weight * line
    trials.append(judge(f"linear member ({weight:.0%})", mixed, best, labels))
    if trials[-1].kept:
        shape, best = replace(shape, linear=weight), mixed
    for column in segments[:SEGMENT_TRIES]:
        for divided in dict.fromkeys((replace(shape, segment=column, linear=1.0), replace(shape, segment=column))):
            raw = fit(divided)
            trial = judge(f"{'a linear model' if divided.linear == 1.0 else 'a model'} for each {column}", raw, best, labels)
            trials.append(trial)
            if trial.kept:
                return divided, raw, tuple(trials)
            if divided.linear == 1.0 and not judge("lines apart", raw, line, labels).kept:
                break  # where even lines do not differ between the parts, trees of each have only less to learn from
    return shape, best, tuple(trials)


def _pick_weight(raw: FloatArray, other: FloatArray, labels: FloatArray, weights: Sequence[float]) -> float:
    """The weight of the other that loses least."""
    losses = {weight: float(lead_losses((1 - weight) * raw + weight * other, labels).mean()) for weight in weights}
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
