"""Look-alikes: the past leads that stood most like this one, and how they ended.

A past lead is kept as it stood at several of its looks (see `landmarks`), so that a lead of three days is held against leads of
about three days. Nearness weighs each feature as the served model does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import BallTree

from leads.past import PastLook
from scoring.catalogue import CATALOGUE
from scoring.columns import Row

#: Numbers are cut this many spreads from the median, so that one absurd value does not decide who is alike.
FARTHEST: Final = 3.0
#: Features that tell when the work was done rather than who the lead is.
IGNORED: Final = frozenset({"season_month", "quarter_end_days", "created_weekday", "created_hour", "created_day"})
#: Two looks of one lead may stand side by side: so many times more are asked for than wanted.
SPARE: Final = 4


@dataclass(frozen=True, slots=True)
class LookAlike:
    """A past look beside a lead. `similarity` is 1 for equals and near 0 for two leads picked at random."""

    look: PastLook
    similarity: float

    @property
    def days_to_outcome(self) -> float:
        """Days from the moment at which it stood so to its end."""
        return max(0.0, (self.look.ended_at - self.look.as_of).total_seconds() / 86_400.0)


@dataclass(frozen=True, slots=True)
class _Scale:
    """How a numeric feature is laid on a line: median, spread and weight."""

    name: str
    middle: float
    spread: float
    weight: float


@dataclass(slots=True)
class PastLeads:
    """An index over past looks. Immutable once built; building takes a second for ten thousand looks."""

    looks: Sequence[PastLook]
    weights: Mapping[str, float]
    _scales: list[_Scale] = field(init=False)
    _levels: dict[tuple[str, str], tuple[int, float]] = field(init=False)
    _words: list[str] = field(init=False)
    _index: BallTree | None = field(init=False)
    _typical: float = field(init=False)

    def __post_init__(self) -> None:
        filled = {name for look in self.looks for name, value in look.features.items() if value is not None}
        names = [name for name in CATALOGUE if name in filled and name not in IGNORED and self.weights.get(name, 0.0) > 0]
        numeric = [name for name in names if CATALOGUE[name].type == "numeric"]
        self._scales = [_scale(name, self.looks, self.weights[name]) for name in numeric]
        self._words = [name for name in names if CATALOGUE[name].type != "numeric"]
        self._levels = {}
        for name in self._words:
            for level in sorted({str(value) for look in self.looks if (value := look.features.get(name)) is not None}):
                # Half of the squared distance falls on each of the two levels that differ.
                self._levels[name, level] = (len(self._levels), float(np.sqrt(self.weights[name] / 2)))
        placed = self.place([look.features for look in self.looks])
        # A tree, not brute force: that one starts a thread a core for each question, which a busy machine pays for dearly.
        self._index = BallTree(placed) if len(placed) else None
        self._typical = _typical_distance(placed)

    def place(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """The rows as points: each number twice (its place and whether it is missing), each level once."""
        width = 2 * len(self._scales)
        points = np.zeros((len(rows), width + len(self._levels)), dtype=np.float32)
        for place, row in enumerate(rows):
            line = points[place]
            for at, scale in enumerate(self._scales):
                value = row.get(scale.name)
                if value is None:
                    line[2 * at + 1] = scale.weight
                else:
                    line[2 * at] = scale.weight * min(FARTHEST, max(-FARTHEST, (float(value) - scale.middle) / scale.spread))
            for name in self._words:
                known = self._levels.get((name, str(row.get(name))))
                if known is not None:
                    line[width + known[0]] = known[1]
        return points

    def nearest(self, rows: Sequence[Row], count: int = 5) -> list[tuple[LookAlike, ...]]:
        """For each row up to `count` past leads, nearest first, each once."""
        if self._index is None or not rows:
            return [()] * len(rows)
        distances, places = self._index.query(self.place(rows), min(len(self.looks), count * SPARE))
        return [self._each_once(near, at, count) for near, at in zip(distances.tolist(), places.tolist(), strict=True)]

    def _each_once(self, distances: Sequence[float], places: Sequence[int], count: int) -> tuple[LookAlike, ...]:
        found: dict[int, LookAlike] = {}
        # Of equally near looks the newer is told: its world is ours.
        order = sorted(
            zip(distances, places, strict=True), key=lambda one: (round(one[0], 6), -self.looks[one[1]].as_of.timestamp())
        )
        for distance, place in order:
            look = self.looks[place]
            if look.lead_id not in found:
                found[look.lead_id] = LookAlike(look, round(max(0.0, 1.0 - distance / self._typical), 3))
        return tuple(list(found.values())[:count])


def _scale(name: str, looks: Sequence[PastLook], weight: float) -> _Scale:
    """The median and the interquartile range; a feature that hardly ever differs from its median is spread by its deviation."""
    known = np.array([float(value) for look in looks if (value := look.features.get(name)) is not None])
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
    spread = float(high - low) or float(known.std()) or 1.0
    return _Scale(name, float(middle), spread, float(np.sqrt(weight)))


def _typical_distance(points: NDArray[np.float32]) -> float:
    """The median distance between looks that have nothing to do with each other: each and the one half the list away."""
    if len(points) < 2:
        return 1.0
    apart = np.linalg.norm(points - np.roll(points, len(points) // 2, axis=0), axis=1)
    return float(np.median(apart)) or 1.0


def weigh(weights: Mapping[str, float]) -> dict[str, float]:
    """The model's weights of canonical features; equal ones where there is no model, or it rests on the tenant's columns alone."""
    known: dict[str, float] = {name: weight for name, weight in weights.items() if name in CATALOGUE and weight > 0}
    return known or dict.fromkeys(CATALOGUE, 1.0 / len(CATALOGUE))
