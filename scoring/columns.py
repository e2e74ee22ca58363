"""The columns a trained model reads: canonical features and the tenant's own columns, with what training learned of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from leads.records import FieldValue, LeadHistory
from scoring.facts import to_number, to_word

FloatArray = NDArray[np.float64]
Row = Mapping[str, FieldValue]

#: Prefix of a tenant's own column in rows, reasons and the bundle.
EXTRA: Final = "extra."
MISSING: Final = "(missing)"
#: Levels that are rare in training or were not seen in it.
OTHER: Final = "(other)"
MAX_LEVELS: Final = 500


@dataclass(frozen=True, slots=True)
class Column:
    """One input of the model.

    `levels` are the categorical levels known from training. `typical` is the median of a numeric one. `weight` is the column's
    share of all mean absolute contributions, so that weights sum to 1.
    """

    name: str
    type: Literal["numeric", "categorical"]
    levels: tuple[str, ...] = ()
    typical: float | None = None
    weight: float = 0.0

    def read(self, value: FieldValue) -> FieldValue:
        """The value as this column's type: a float, a word, or None when it is missing or cannot be read so."""
        return to_number(value) if self.type == "numeric" else to_word(value)


def add_extra(features: Mapping[str, FieldValue], history: LeadHistory, extra: Sequence[Column]) -> dict[str, FieldValue]:
    """Canonical features joined by these columns of the tenant's own, by name."""
    row = dict(features)
    for column in extra:
        row[column.name] = column.read(history.extra.get(column.name[len(EXTRA) :]))
    return row


def only_extra(columns: Iterable[Column]) -> list[Column]:
    """The tenant's own among these columns."""
    return [column for column in columns if column.name.startswith(EXTRA)]


class Matrix:
    """Rows as CatBoost reads them fastest: float32 numbers (missing is NaN) and levels as bytes."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.numeric = [column for column in columns if column.type == "numeric"]
        self.categorical = [column for column in columns if column.type == "categorical"]
        self.names = tuple(column.name for column in (*self.numeric, *self.categorical))
        self._codes = [{level: level.encode() for level in (*column.levels, MISSING)} for column in self.categorical]

    def fill(self, rows: Sequence[Row]) -> tuple[NDArray[np.float32], NDArray[np.object_]]:
        """(rows, numeric columns) of float32 and (rows, categorical columns) of bytes."""
        numbers = np.empty((len(rows), len(self.numeric)))
        levels = np.empty((len(rows), len(self.categorical)), dtype=object)
        for place, column in enumerate(self.numeric):
            numbers[:, place] = [np.nan if (value := row[column.name]) is None else value for row in rows]
        other = OTHER.encode()
        for place, (column, codes) in enumerate(zip(self.categorical, self._codes, strict=True)):
            missing = codes[MISSING]
            levels[:, place] = [missing if (value := row[column.name]) is None else codes.get(str(value), other) for row in rows]
        most = float(np.finfo(np.float32).max)  # an absurd number in a tenant's column is as good as the largest
        return np.clip(numbers, -most, most).astype(np.float32), levels
