"""The tenant's own columns: what they are, and which must stay out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from leads.records import FieldValue, LeadHistory
from scoring.columns import EXTRA, MAX_LEVELS, Column, FloatArray
from scoring.evaluation import wilson
from scoring.features.timeline import to_number, to_word

#: A column is numeric when so many of its filled values read as numbers.
NUMERIC_SHARE: Final = 0.98
#: Words that differ in so many filled rows name the lead (an id, a name, free text) and say nothing of the next one.
UNIQUE_SHARE: Final = 0.5
UNIQUE_NUMBER_SHARE: Final = 0.99
#: All but so few rows alike is a constant.
CONSTANT_SHARE: Final = 0.999
#: Part of the rows that must lie in near-pure levels before a column is taken for the outcome in disguise.
LEAK_SHARE: Final = 0.05
#: A level is near-pure when, beyond doubt, the rarer outcome is this many times rarer in it than in all rows.
PURITY: Final = 8.0
LEAK_MIN_ROWS: Final = 30
#: Numbers are looked at in bins of at least so many rows, ten bins at most.
BIN_ROWS: Final = 100
MOST_BINS: Final = 10
FEWEST_IN_LEVEL: Final = 5


@dataclass(frozen=True, slots=True)
class Dropped:
    """A column left out, and the evidence in words."""

    column: str
    why: str


def infer_extras(histories: Sequence[LeadHistory], labels: FloatArray) -> tuple[list[Column], list[Dropped]]:
    """The tenant's columns fit for training, with their types, and those left out with the reason.

    `histories` oldest first, `labels` 0 and 1 beside them; only training rows may be given, so that the holdout stays unseen.
    """
    kept, dropped = [], []
    for name in sorted({name for history in histories for name in history.extra}):
        values = [history.extra.get(name) for history in histories]
        column = _infer(name, values)
        why = column if isinstance(column, str) else _find_leak(column, values, labels)
        if why is None and isinstance(column, Column):
            kept.append(column)
        else:
            dropped.append(Dropped(name, str(why)))
    return kept, dropped


def _infer(name: str, values: Sequence[FieldValue]) -> Column | str:
    """The column, or why it cannot be one."""
    words = [word for value in values if (word := to_word(value)) is not None]
    if not words:
        return "empty"
    counts = Counter(words)
    common = max(counts.most_common(1)[0][1], len(values) - len(words))
    if common >= CONSTANT_SHARE * len(values):
        return "constant: all but a few rows hold the same value"
    numbers = [number for word in words if (number := to_number(word)) is not None]
    if len(numbers) >= NUMERIC_SHARE * len(words):
        if _is_serial(numbers, len(counts)):
            return f"an id or a counter: {len(counts)} different whole numbers in {len(words)} rows"
        return Column(EXTRA + name, "numeric", typical=float(np.median(numbers)))
    if len(words) >= LEAK_MIN_ROWS and len(counts) >= UNIQUE_SHARE * len(words):
        return f"an id or free text: {len(counts)} different values in {len(words)} rows"
    return Column(EXTRA + name, "categorical", levels=pick_levels(words))


def pick_levels(words: Sequence[str]) -> tuple[str, ...]:
    """The levels frequent enough to learn from, most frequent first, at most MAX_LEVELS."""
    common = Counter(words).most_common(MAX_LEVELS)
    return tuple(level for level, count in common if count >= FEWEST_IN_LEVEL)


def _is_serial(numbers: Sequence[float], different: int) -> bool:
    """Whole numbers, hardly one twice, most with equally many digits: an id."""
    if len(numbers) < LEAK_MIN_ROWS or different < UNIQUE_NUMBER_SHARE * len(numbers):
        return False
    if any(number != int(number) for number in numbers):
        return False
    digits = Counter(len(str(abs(int(number)))) for number in numbers)
    return digits.most_common(1)[0][1] >= 0.9 * len(numbers)


def _find_leak(column: Column, values: Sequence[FieldValue], labels: FloatArray) -> str | None:
    """The evidence that a column tells the outcome, or None.

    Honest columns have pure levels too, but few rows in them. The column is named when near-pure levels hold many rows.
    """
    groups = _group(column, values)
    base = float(labels.mean())
    pure_rows, worst = 0, ("", 0, 0.0)
    for level in sorted(set(groups)):
        chosen = np.array([group == level for group in groups])
        rows, won = int(chosen.sum()), int(labels[chosen].sum())
        if rows < LEAK_MIN_ROWS:
            continue
        low, high = wilson(won, rows)
        if high < base / PURITY or low > 1 - (1 - base) / PURITY:
            pure_rows += rows
            if rows > worst[1]:
                worst = (level, rows, won / rows)
    if pure_rows < LEAK_SHARE * len(values):
        return None
    level, rows, rate = worst
    return f"likely filled in after the outcome: {rows} leads with “{level}” converted at {rate:.0%}, all leads at {base:.0%}"


def _group(column: Column, values: Sequence[FieldValue]) -> list[str]:
    """The level, or the bin of a number, of each row."""
    read = [column.read(value) for value in values]
    if column.type == "categorical":
        return ["missing" if value is None else str(value) for value in read]
    numbers = np.array([np.nan if value is None else float(value) for value in read])
    edges = np.unique(np.nanquantile(numbers, np.linspace(0, 1, min(MOST_BINS, max(2, len(values) // BIN_ROWS)) + 1)[1:-1]))
    bins = np.searchsorted(edges, numbers, side="right")
    bounds = ["-∞", *(f"{edge:g}" for edge in edges), "∞"]
    return [
        "missing" if np.isnan(number) else f"{bounds[place]} to {bounds[place + 1]}"
        for number, place in zip(numbers, bins, strict=True)
    ]
