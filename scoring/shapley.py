"""Exact SHAP values of oblivious trees by table: what each leaf owes to each column is worked out once, then looked up.

A leaf of an oblivious tree is reached by one path, so its SHAP values do not depend on the row beyond that (path-dependent
TreeSHAP, Lundberg et al. 2018, which is what CatBoost computes row by row). Looking them up takes a twentieth of the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from math import factorial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from scoring.columns import FloatArray

#: Rows looked up at once, so that the work stays in the cache.
CHUNK: Final = 100


class LeafTables:
    """The tables of one model.

    `trees` and `bias` are CatBoost's JSON export; `numbers` and `levels` are the columns, numbered from 0, behind the model's
    float and its categorical features.
    """

    def __init__(self, trees: Sequence[Mapping[str, Any]], bias: float, numbers: Sequence[int], levels: Sequence[int]) -> None:
        columns = len(numbers) + len(levels)
        deepest = max(len(tree["splits"] or ()) for tree in trees)
        self.base = bias
        self._columns = columns
        self._owed = np.zeros((len(trees), 2**deepest, deepest))
        # A place beyond the columns takes what trees with fewer players leave empty.
        self._players = np.full((len(trees), deepest), columns)
        patterns = []
        for number, tree in enumerate(trees):
            owners = [_owner(split, numbers, levels) for split in tree["splits"] or ()]
            distinct = list(dict.fromkeys(owners))
            self._players[number, : len(distinct)] = distinct
            patterns.append(tuple(distinct.index(owner) for owner in owners))
        for depth in sorted({len(pattern) for pattern in patterns}):
            self._fill(trees, [number for number, pattern in enumerate(patterns) if len(pattern) == depth], patterns)

    def _fill(self, trees: Sequence[Mapping[str, Any]], numbers: Sequence[int], patterns: Sequence[tuple[int, ...]]) -> None:
        """The tables of these trees, all of one depth."""
        values = np.array([trees[number]["leaf_values"] for number in numbers], dtype=np.float64)
        weights = np.array([trees[number]["leaf_weights"] for number in numbers], dtype=np.float64)
        known = _expect(values, weights)
        self.base += float(known[0, :, 0].sum())
        for place, number in enumerate(numbers):
            shares = _shares(patterns[number])  # players × masks
            self._owed[number, : known.shape[2], : len(shares)] = (shares @ known[:, place]).T

    def look_up(self, leaves: NDArray[np.uint32]) -> FloatArray:
        """SHAP values (rows, columns) of the leaves (rows, trees) that rows fall into."""
        found = np.empty((len(leaves), self._columns))
        trees = np.arange(len(self._owed))
        for start in range(0, len(leaves), CHUNK):
            part = leaves[start : start + CHUNK]
            owed = self._owed[trees, part]
            width = self._columns + 1
            places = self._players + width * np.arange(len(part))[:, None, None]
            sums = np.bincount(places.ravel(), weights=owed.ravel(), minlength=width * len(part))
            found[start : start + CHUNK] = sums.reshape(len(part), width)[:, :-1]
        return found


def _owner(split: Mapping[str, Any], numbers: Sequence[int], levels: Sequence[int]) -> int:
    """The column that a split asks about."""
    if split["split_type"] == "FloatFeature":
        return numbers[int(split["float_feature_index"])]
    if split["split_type"] == "OneHotFeature":
        return levels[int(split["cat_feature_index"])]
    raise ValueError(f"a tree asks about a {split['split_type']}, which has no exact table")


def _expect(values: FloatArray, weights: FloatArray) -> FloatArray:
    """The expected value of each leaf's tree when only some of its splits are known.

    `values` and `weights` are (trees, leaves), where bit i of a leaf's number answers split i and the last split is the root. The
    answer is (masks, trees, leaves): bit i of a mask says that split i is known, the others are averaged by training weight.
    """
    trees, leaves = values.shape
    depth = leaves.bit_length() - 1
    shape = (trees, *(2,) * depth)
    below = [weights.reshape(shape)]  # weight of the subtree under each answer to split i, the splits before i summed out
    for split in range(depth - 1):
        below.append(below[-1].sum(axis=depth - split, keepdims=True))
    known = np.empty((leaves, trees, leaves))
    for mask in range(leaves):
        expected = values.reshape(shape)
        for split in range(depth):
            if not mask >> split & 1:
                axis, weight = depth - split, below[split]
                total = weight.sum(axis=axis, keepdims=True)
                mean = (expected * weight).sum(axis=axis, keepdims=True)
                # A subtree that no training row reached has the value 0, as its leaves do.
                expected = np.divide(mean, total, out=np.zeros_like(mean), where=np.broadcast_to(total > 0, mean.shape))
        known[mask] = np.broadcast_to(expected, shape).reshape(trees, leaves)
    return known


@lru_cache(maxsize=512)
def _shares(pattern: tuple[int, ...]) -> FloatArray:
    """How expected values by mask add up to the Shapley value of each player: (players, masks).

    `pattern` names the player of each split; a player is a column, which may own several splits of one tree.
    """
    count = max(pattern, default=-1) + 1
    masks = [sum(1 << split for split, owner in enumerate(pattern) if owner == player) for player in range(count)]
    shares = np.zeros((count, 2 ** len(pattern)))
    for player in range(count):
        others = [mask for other, mask in enumerate(masks) if other != player]
        for size in range(count):
            weight = factorial(size) * factorial(count - size - 1) / factorial(count)
            for coalition in combinations(others, size):
                shares[player, sum(coalition) | masks[player]] += weight
                shares[player, sum(coalition)] -= weight
    return shares
