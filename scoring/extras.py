"""The tenant's own columns: what they are, and which must stay out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from leads.records import FieldValue, LeadHistory
from scoring.columns import EXTRA, MAX_LEVELS, Column, FloatArray
from scoring.facts import to_number, to_word
from scoring.leakage import find_leaks

#: A column is numeric when so many of its filled values read as numbers.
NUMERIC_SHARE: Final = 0.98
#: Words that differ in so many filled rows name the lead (an id, a name, free text) and say nothing of the next one.
UNIQUE_SHARE: Final = 0.5
UNIQUE_NUMBER_SHARE: Final = 0.99
#: All but so few rows alike is a constant.
CONSTANT_SHARE: Final = 0.999
#: Fewer rows say nothing of what repeats.
MIN_ROWS: Final = 30
FEWEST_IN_LEVEL: Final = 5


@dataclass(frozen=True, slots=True)
class Dropped:
    """A column left out, and the evidence in words."""

    column: str
    why: str


def infer_extras(histories: Sequence[LeadHistory], left_out: frozenset[str] = frozenset()) -> tuple[list[Column], list[Dropped]]:
    """The tenant's columns fit for training, with their types, and those that are not, with the reason.

    `histories` are training leads alone, so that the holdout stays unseen. Columns in `left_out` are passed over.
    """
    kept, dropped = [], []
    for name in sorted({name for history in histories for name in history.extra} - left_out):
        column = _infer(name, [history.extra.get(name) for history in histories])
        if isinstance(column, str):
            dropped.append(Dropped(name, column))
        else:
            kept.append(column)
    return kept, dropped


def find_leaking(
    histories: Sequence[LeadHistory], labels: FloatArray, keep: frozenset[str] = frozenset(), ordered: bool = True
) -> tuple[Dropped, ...]:
    """The tenant's columns that tell the outcome, with the evidence; see `leakage`.

    `histories` oldest first (else not `ordered`), `labels` 0 and 1 beside them. `keep` names columns that a person looked at and
    wants all the same ("*": all of them).
    """
    if "*" in keep:
        return ()
    columns, _ = infer_extras(histories, keep)
    values = {
        column: [column.read(history.extra.get(column.name.removeprefix(EXTRA))) for history in histories] for column in columns
    }
    return tuple(Dropped(name.removeprefix(EXTRA), why) for name, why in sorted(find_leaks(values, labels, ordered).items()))


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
    if len(words) >= MIN_ROWS and len(counts) >= UNIQUE_SHARE * len(words):
        return f"an id or free text: {len(counts)} different values in {len(words)} rows"
    return Column(EXTRA + name, "categorical", levels=pick_levels(words))


def pick_levels(words: Sequence[str]) -> tuple[str, ...]:
    """The levels frequent enough to learn from, most frequent first, at most MAX_LEVELS."""
    common = Counter(words).most_common(MAX_LEVELS)
    return tuple(level for level, count in common if count >= FEWEST_IN_LEVEL)


def looks_serial(words: Sequence[str]) -> bool:
    """Whether these filled cells are an id or a counter: whole numbers, hardly one twice, most with equally many digits."""
    numbers = [number for word in words if (number := to_number(word)) is not None]
    return len(numbers) == len(words) and _is_serial(numbers, len(set(words)))


def _is_serial(numbers: Sequence[float], different: int) -> bool:
    """Whole numbers, hardly one twice, most with equally many digits: an id."""
    if len(numbers) < MIN_ROWS or different < UNIQUE_NUMBER_SHARE * len(numbers):
        return False
    if any(number != int(number) for number in numbers):
        return False
    digits = Counter(len(str(abs(int(number)))) for number in numbers)
    return digits.most_common(1)[0][1] >= 0.9 * len(numbers)
