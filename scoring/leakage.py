"""The leakage guard: columns that tell the outcome because they were filled in after it, by who knew it, or by another scorer.

It looks at numbers alone and at no words, so that it works in any language and for any CRM. How strongly a column goes with the
outcome does not tell leaks from good columns; how it does so over levels and over time does:

- *near-pure levels*: many leads stand in levels that nearly all won or nearly all lost. Honest columns have such levels, but few
  leads in them. "Missing" is a level: a field filled only for the won is found so;
- *both ends*: levels that nearly all won and levels that nearly all lost in one column: somebody wrote down a judgement;
- *filled by runs*: filled for nearly all leads of one stretch of time, for hardly any of another, and again: no form does that,
  another program's run does;
- *what only time fills in*: worth much for older leads and nothing for the newest, which have not lived through it yet. A random
  split shows a gain, a split by time a loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from leads.records import FieldValue
from scoring.calibration import squash
from scoring.columns import Column, FloatArray
from scoring.intervals import wilson

IntArray = NDArray[np.int64]

#: A level or a bin of fewer rows is no evidence by itself.
LEVEL_ROWS: Final = 30
#: Part of the rows that must lie in near-pure levels before a column is named.
PURE_SHARE: Final = 0.05
#: A level is near-pure when, beyond doubt, the rarer outcome is this many times rarer in it than in all rows.
PURITY: Final = 8.0
#: Numbers are looked at in bins of at least so many rows, ten bins at most.
BIN_ROWS: Final = 100
MOST_BINS: Final = 10

#: Both ends: how pure the levels at an end are together, how many rows make a level, and how sure it must differ from all rows.
END_PURITY: Final = 4.0
END_ROWS: Final = 20
END_SURE: Final = 3.3

#: Time is looked at in so many stretches, and only where each has so many rows.
STRETCHES: Final = 10
STRETCH_ROWS: Final = 100
#: How far the share of filled rows must fall and rise again, or rise and fall.
FILL_SWING: Final = 0.5
#: Two columns are filled together when they are both filled or both missing in all but this share of rows.
TOGETHER: Final = 0.005

#: A column's gain in log loss over the base rate, in nats a row, that is worth asking whether it lasts.
GAIN_WORTH: Final = 0.02
#: The share of its usual gain below which the newest stretch has none.
GAIN_LEFT: Final = 0.1
#: A column of which the date alone tells so much is a calendar: its levels come and go with time, which says nothing of leaks.
CALENDAR: Final = 0.25
#: Rows that a level's rate is drawn towards the common rate by.
PRIOR: Final = 6.0


@dataclass(frozen=True, slots=True)
class Coded:
    """One column, each row as the number of its level or bin; `missing` is the number that stands for no value."""

    column: Column
    codes: IntArray
    names: tuple[str, ...]
    missing: int

    @property
    def filled(self) -> NDArray[np.bool_]:
        """Which rows hold a value."""
        return np.asarray(self.codes != self.missing)


def find_leaks(values: Mapping[Column, Sequence[FieldValue]], labels: FloatArray, ordered: bool = True) -> dict[str, str]:
    """The evidence against each column that leaks, by the column's name.

    `values` are the read values (rows,) of each column, oldest first, `labels` the outcomes 0/1 (rows,) beside them. What
    time shows is asked only of rows that are `ordered`.
    """
    coded = [_code(column, read) for column, read in values.items()]
    found: dict[str, str] = {}
    for one in coded:
        why = _near_pure(one, labels) or _both_ends(one, labels)
        if why is None and ordered:
            why = _by_runs(one) or _only_time(one, labels)
        if why is not None:
            found[one.column.name] = why
    runs = [one for one in coded if ordered and one.column.name in found and _by_runs(one)]
    for one in coded:
        beside = next((run for run in runs if np.mean(run.filled != one.filled) <= TOGETHER), None)
        if one.column.name not in found and beside is not None:
            found[one.column.name] = "likely written by another program: filled for the same leads as a column that comes and goes"
    return found


def _code(column: Column, read: Sequence[FieldValue]) -> Coded:
    if column.type == "categorical":
        words = ["" if value is None else str(value) for value in read]
        names, codes = np.unique(np.array(words, dtype=object).astype(str), return_inverse=True)
        missing = int(np.flatnonzero(names == "")[0]) if (names == "").any() else -1
        return Coded(column, codes.astype(np.int64), tuple("missing" if not name else str(name) for name in names), missing)
    numbers = np.array([np.nan if value is None else float(value) for value in read])
    known = numbers[~np.isnan(numbers)]
    parts = min(MOST_BINS, max(2, len(numbers) // BIN_ROWS))
    edges = np.unique(np.quantile(known, np.linspace(0, 1, parts + 1)[1:-1])) if len(known) else np.empty(0)
    bounds = ["-∞", *(f"{edge:g}" for edge in edges), "∞"]
    names_of_bins = [f"{low} to {high}" for low, high in pairwise(bounds)]
    missing = len(names_of_bins)
    codes = np.where(np.isnan(numbers), missing, np.searchsorted(edges, np.nan_to_num(numbers), side="right"))
    return Coded(column, codes.astype(np.int64), (*names_of_bins, "missing"), missing)


def _count(coded: Coded, labels: FloatArray) -> tuple[IntArray, IntArray]:
    """(rows, won) of each level."""
    rows = np.bincount(coded.codes, minlength=len(coded.names))
    won = np.bincount(coded.codes, weights=labels, minlength=len(coded.names))
    return rows.astype(np.int64), won.astype(np.int64)


def _near_pure(coded: Coded, labels: FloatArray) -> str | None:
    base = float(labels.mean())
    rows, won = _count(coded, labels)
    pure = []
    for level in np.flatnonzero(rows >= LEVEL_ROWS):
        low, high = wilson(int(won[level]), int(rows[level]))
        if high < base / PURITY or low > 1 - (1 - base) / PURITY:
            pure.append(int(level))
    if not pure or rows[pure].sum() < PURE_SHARE * len(labels):
        return None
    worst = max(pure, key=lambda level: rows[level])
    told, rate = f"{rows[worst]} leads with “{coded.names[worst]}”", won[worst] / rows[worst]
    return f"likely filled in after the outcome: {told} converted at {rate:.0%}, all leads at {base:.0%}"


def _both_ends(coded: Coded, labels: FloatArray) -> str | None:
    """A number that rises with the chance to the ends is a good column; words that nearly all won and others that did not, no."""
    if coded.column.type != "categorical":
        return None
    base = float(labels.mean())
    rows, won = _count(coded, labels)
    ends: dict[bool, list[int]] = {True: [], False: []}
    for level in np.flatnonzero(rows >= END_ROWS):
        low, high = wilson(int(won[level]), int(rows[level]), END_SURE)
        rate = won[level] / rows[level]
        if high < base and rate < base / END_PURITY:
            ends[False].append(int(level))
        elif low > base and rate > 1 - (1 - base) / END_PURITY:
            ends[True].append(int(level))
    if not ends[True] or not ends[False]:
        return None
    top, bottom = ((int(rows[end].sum()), int(won[end].sum())) for end in (ends[True], ends[False]))
    if wilson(top[1], top[0])[0] <= 1 - (1 - base) / END_PURITY or wilson(bottom[1], bottom[0])[1] >= base / END_PURITY:
        return None
    return (
        f"likely a judgement by somebody who knew: {top[0]} leads converted at {top[1] / top[0]:.0%} and {bottom[0]} at "
        f"{bottom[1] / bottom[0]:.0%} by its value, all leads at {base:.0%}"
    )


def _stretch(rows: int) -> IntArray | None:
    """The stretch of time of each row, or None when there are too few rows."""
    return np.arange(rows) * STRETCHES // rows if rows >= STRETCHES * STRETCH_ROWS else None


def _by_runs(coded: Coded) -> str | None:
    stretch = _stretch(len(coded.codes))
    if stretch is None:
        return None
    share = np.bincount(stretch, weights=coded.filled) / np.bincount(stretch)
    swings = []
    for place in range(1, STRETCHES - 1):
        inside, before, after = float(share[place]), share[:place], share[place + 1 :]
        full, empty = float(min(before.max(), after.max())), float(max(before.min(), after.min()))
        swings += [(full - inside, full, inside), (inside - empty, empty, inside)]
    swing, outside, inside = max(swings)
    if swing < FILL_SWING:
        return None
    return (
        f"likely written by another program: filled for {inside:.0%} of the leads of one stretch of time and for {outside:.0%} "
        "before or after"
    )


def _only_time(coded: Coded, labels: FloatArray) -> str | None:
    stretch = _stretch(len(labels))
    if stretch is None or _tells_date(coded) > CALENDAR:
        return None
    gains = [_gain(coded, labels, stretch < place, stretch == place) for place in range(1, STRETCHES)]
    if any(gain is None for gain in gains):
        return None
    usual, newest = float(np.median([gain for gain in gains[:-1] if gain is not None])), gains[-1]
    if newest is None or usual < GAIN_WORTH or newest > GAIN_LEFT * usual:
        return None
    return (
        f"likely filled in as time goes by: it gains {usual:.3f} in log loss on leads of earlier times and {newest:.3f} on the "
        "newest, which have not lived through it yet"
    )


def _gain(coded: Coded, labels: FloatArray, past: NDArray[np.bool_], later: NDArray[np.bool_]) -> float | None:
    """The gain in log loss, in nats a row, of the past's level rates on later rows over their base rate.

    Log-odds are moved so that the later rows' mean is met: a change of the common rate is no fault of the column.
    """
    known, base = labels[past].mean(), labels[later].mean()
    if not 0 < known < 1 or not 0 < base < 1:
        return None
    levels = len(coded.names)
    rows = np.bincount(coded.codes[past], minlength=levels)
    won = np.bincount(coded.codes[past], weights=labels[past], minlength=levels)
    rate = (won + PRIOR * known) / (rows + PRIOR)
    raw = np.log(rate / (1 - rate))[coded.codes[later]]
    chance = squash(raw)
    for _ in range(30):
        chance = squash(raw)
        raw = raw + np.clip((base - chance.mean()) / (chance * (1 - chance)).mean(), -2.0, 2.0)
    loss = -np.mean(np.log(np.where(labels[later] > 0, chance, 1 - chance)))
    return float(-(base * np.log(base) + (1 - base) * np.log(1 - base)) - loss)


def _tells_date(coded: Coded) -> float:
    """The share of a column's entropy that the moment of creation explains, 0 to 1."""
    parts = min(50, max(2, len(coded.codes) // 40))
    place = np.arange(len(coded.codes)) * parts // len(coded.codes)
    whole = _entropy(np.bincount(coded.codes, minlength=len(coded.names)))
    if whole <= 0:
        return 1.0
    within = np.mean([_entropy(np.bincount(coded.codes[place == part], minlength=len(coded.names))) for part in range(parts)])
    return float(1.0 - within / whole)


def _entropy(counts: IntArray) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())
