"""Columns of many levels as numbers: each level is told by how often its past leads were won (target statistics).

Splitting hundreds of levels one by one needs as many trees and finds little; CatBoost's own target statistics take ten times as
long and have no exact reasons. A level's number is the log-odds of its leads, drawn towards those of all leads (Micci-Barreca
2001). What a lead's own outcome adds must not come back to it: leads that are trained on get theirs from other stretches of time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scoring.columns import MISSING, OTHER, Column, FloatArray, Matrix

#: A column of up to so many levels is split level by level.
FEW_LEVELS: Final = 40
#: Neighbours in time are in one fold; so are the looks at one lead.
FOLDS: Final = 10
#: A level's rate is drawn to the common rate as by so many leads.
PRIOR: Final = 10.0


def of_many_levels(columns: Sequence[Column]) -> list[int]:
    """The places, among the categorical columns, of those that become numbers."""
    words = Matrix(columns).categorical
    return [place for place, column in enumerate(words) if len(column.levels) > FEW_LEVELS]


class LevelRates:
    """The log-odds of each level, by column: `tables[name][level]`, with entries for missing and for every other level."""

    def __init__(self, tables: Mapping[str, Mapping[str, float]]) -> None:
        self.tables = tables
        self._codes = [({level.encode(): odds for level, odds in table.items()}, table[OTHER]) for table in tables.values()]

    def read(self, levels: NDArray[np.object_]) -> NDArray[np.float32]:
        """Numbers of levels (rows, columns of many levels) as `Matrix` gives them, in the same shape."""
        told = np.empty(levels.shape, dtype=np.float32)
        for place, (codes, other) in enumerate(self._codes):
            told[:, place] = [codes.get(level, other) for level in levels[:, place].tolist()]
        return told


def learn_level_rates(
    columns: Sequence[Column], levels: NDArray[np.object_], labels: FloatArray, weights: FloatArray
) -> tuple[LevelRates, NDArray[np.float32]]:
    """The tables of these leads, and the leads' own numbers out of fold (rows, columns).

    `columns` have many levels, `levels` (rows, columns) are theirs as `Matrix` gives them, `labels` are 0 and 1 in order of time.
    """
    folds = np.arange(len(labels)) * FOLDS // max(1, len(labels))
    tables: dict[str, dict[str, float]] = {}
    own = np.empty(levels.shape, dtype=np.float32)
    for place, column in enumerate(columns):
        names = [*column.levels, MISSING, OTHER]
        numbers = {name.encode(): number for number, name in enumerate(names)}
        codes = np.array([numbers[level] for level in levels[:, place].tolist()], dtype=np.int64)
        cells, size = folds * len(names) + codes, FOLDS * len(names)
        seen = np.bincount(cells, weights, size).reshape(FOLDS, -1)
        won = np.bincount(cells, weights * labels, size).reshape(FOLDS, -1)
        outside = _log_odds(won.sum(axis=0) - won, seen.sum(axis=0) - seen)
        own[:, place] = outside[folds, codes]
        tables[column.name] = dict(zip(names, _log_odds(won.sum(axis=0), seen.sum(axis=0)).tolist(), strict=True))
    return LevelRates(tables), own


def _log_odds(won: FloatArray, seen: FloatArray) -> FloatArray:
    """Of each level, drawn to the rate of all levels in the last axis; that rate itself is kept within one lead of 0 and 1."""
    total = seen.sum(axis=-1, keepdims=True)
    base = (won.sum(axis=-1, keepdims=True) + 0.5) / (total + 1.0)
    rate = (won + PRIOR * base) / (seen + PRIOR)
    return np.asarray(np.log(rate / (1.0 - rate)))
