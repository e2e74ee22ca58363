"""Medians by segment, for models that cannot read a missing number: what is missing is taken from leads like it.

Trees with native missing values need none of this. A segment is a level of one categorical feature.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from leads.records import FieldValue
from scoring.columns import MISSING, Column, Row

#: A segment with fewer known values has no median of its own.
MIN_KNOWN: Final = 20
SEGMENT: Final = "company_maturity"


@dataclass(frozen=True, slots=True)
class SegmentMedians:
    """`overall` is the median of each numeric column, `by_level` those of each level of `segment`, where enough are known."""

    segment: str
    overall: Mapping[str, float]
    by_level: Mapping[str, Mapping[str, float]]

    @classmethod
    def learn(cls, rows: Sequence[Row], columns: Sequence[Column], segment: str = SEGMENT) -> SegmentMedians:
        """From training rows alone. A column without any known value gets nought."""
        by_level: dict[str, dict[str, float]] = {}
        overall: dict[str, float] = {}
        for name in (column.name for column in columns if column.type == "numeric"):
            known: dict[str, list[float]] = defaultdict(list)
            for row in rows:
                if (value := row.get(name)) is not None:
                    known[_level(row, segment)].append(float(value))
            every = [value for values in known.values() for value in values]
            overall[name] = median(every) if every else 0.0
            for level, values in known.items():
                if len(values) >= MIN_KNOWN:
                    by_level.setdefault(level, {})[name] = median(values)
        return cls(segment, overall, by_level)

    def fill(self, row: Row) -> dict[str, FieldValue]:
        """The row with every missing number filled from its segment, else from all; words stay as they are."""
        near = self.by_level.get(_level(row, self.segment), {})
        return {**row, **{name: near.get(name, usual) for name, usual in self.overall.items() if row.get(name) is None}}


def _level(row: Row, segment: str) -> str:
    value = row.get(segment)
    return MISSING if value is None else str(value)
