"""The linear scorer: a ridge-regularised logistic regression whose columns are tables, so that its reasons are exact.

A number counts by its standardised value (the logarithm where it is skewed), by the tenth of leads it falls into, and by whether it
is missing; a level counts for itself. Unlike trees it goes on where it has seen nothing, which helps an ensemble on later leads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Self

import numpy as np

from scoring.columns import MISSING, OTHER, Column, FloatArray, Matrix, Row

#: Inverse strength of the ridge.
STRENGTH: Final = 0.03
#: A number is taken as its logarithm when the third standardised moment passes this.
SKEWED: Final = 1.0
BINS: Final = 10
#: Standardised numbers beyond this say no more.
FARTHEST: Final = 5.0


@dataclass(frozen=True, slots=True)
class NumberTable:
    """How one number counts: `slope` a standard deviation from `centre`, `steps` by bin between `edges`, `missing` when unknown."""

    logarithm: bool
    centre: float
    scale: float
    edges: tuple[float, ...]
    slope: float = 0.0
    steps: tuple[float, ...] = ()
    missing: float = 0.0
    mean: float = 0.0

    def design(self, numbers: FloatArray) -> FloatArray:
        """Shape (rows, 1 + bins + 1): standardised value, bins, missing."""
        unknown = np.isnan(numbers)
        known = np.where(unknown, 0.0, numbers)
        bent = np.sign(known) * np.log1p(np.abs(known)) if self.logarithm else known
        straight = np.where(unknown, 0.0, np.clip((bent - self.centre) / self.scale, -FARTHEST, FARTHEST))
        bins = np.eye(len(self.edges) + 1)[np.searchsorted(self.edges, known, side="right")]
        bins[unknown] = 0.0
        return np.column_stack([straight, bins, unknown])

    def points(self, numbers: FloatArray) -> FloatArray:
        """Log-odds of each number against the mean lead, shape (rows,)."""
        return np.asarray(self.design(numbers) @ np.array([self.slope, *self.steps, self.missing]) - self.mean)


@dataclass(frozen=True, slots=True)
class LevelTable:
    """The points of each level, of missing and of every other one."""

    points_of: Mapping[str, float]
    mean: float = 0.0

    def points(self, levels: Sequence[bytes]) -> FloatArray:
        """Log-odds of each level against the mean lead, shape (rows,)."""
        other = self.points_of.get(OTHER, 0.0)
        return np.array([self.points_of.get(level.decode(), other) for level in levels]) - self.mean


class LinearScorer:
    """A fitted linear model over `columns`. Raw values are log-odds before calibration."""

    source: Final = "model"
    family: Final = "linear"

    def __init__(self, columns: Sequence[Column], base: float, tables: Mapping[str, NumberTable | LevelTable]) -> None:
        self.columns = tuple(columns)
        self.base = base
        self._tables = tables
        self._matrix = Matrix(self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """The order of the columns in `contributions`."""
        return self._matrix.names

    def raw(self, rows: Sequence[Row]) -> FloatArray:
        """Log-odds of each row, shape (rows,)."""
        return np.asarray(self.base + self.contributions(rows).sum(axis=1), dtype=np.float64)

    def contributions(self, rows: Sequence[Row]) -> FloatArray:
        """SHAP values of a linear model: points against the mean training lead, shape (rows, names)."""
        numbers, levels = self._matrix.fill(rows)
        found = np.empty((len(rows), len(self.names)))
        for place, name in enumerate(self.names):
            table = self._tables[name]
            if isinstance(table, NumberTable):
                found[:, place] = table.points(numbers[:, place].astype(np.float64))
            else:
                found[:, place] = table.points(levels[:, place - numbers.shape[1]].tolist())
        return found

    def with_columns(self, columns: Sequence[Column]) -> LinearScorer:
        """The same scorer, its columns told differently (weighed)."""
        return LinearScorer(columns, self.base, self._tables)

    def to_bytes(self) -> bytes:
        """JSON."""
        tables = {name: [type(table).__name__, asdict(table)] for name, table in self._tables.items()}
        return json.dumps({"base": self.base, "tables": tables}, sort_keys=True).encode()

    fingerprint = to_bytes

    @classmethod
    def from_bytes(cls, blob: bytes, columns: Sequence[Column]) -> Self:
        """The scorer written by `to_bytes`. Raises ValueError when the bytes are no model."""
        try:
            told = json.loads(blob)
            tables = {name: _read_table(kind, fields) for name, (kind, fields) in told["tables"].items()}
            return cls(columns, float(told["base"]), tables)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError("the model file is not a linear model") from error

    @classmethod
    def fit(
        cls, rows: Sequence[Row], labels: FloatArray, weights: FloatArray, columns: Sequence[Column], strength: float = STRENGTH
    ) -> Self:
        """Fit the points. `labels` are 0 and 1, `weights` say how much each row counts."""
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits

        matrix = Matrix(columns)
        numbers, levels = matrix.fill(rows)
        blank: dict[str, NumberTable | list[str]] = {}
        parts = []
        for place, column in enumerate(matrix.numeric):
            values = numbers[:, place].astype(np.float64)
            table = _lay_out(values)
            blank[column.name] = table
            parts.append(table.design(values))
        for place, column in enumerate(matrix.categorical):
            known = [*column.levels, MISSING, OTHER]
            blank[column.name] = known
            codes = {level.encode(): number for number, level in enumerate(known)}
            parts.append(np.eye(len(known))[[codes[level] for level in levels[:, place]]])
        design = np.column_stack(parts)
        spread = design.std(axis=0)
        spread[spread == 0] = 1.0
        scaled = (design / spread).astype(np.float32)  # half the time, and far finer than what the leads can tell
        with threadpool_limits(1, "blas"):  # products this small cost twenty times the processor time when threads share them
            model = LogisticRegression(C=strength, max_iter=500).fit(scaled, labels, sample_weight=weights)
        points = model.coef_[0].astype(np.float64) / spread
        means = np.average(design, axis=0, weights=weights)
        return cls(columns, float(model.intercept_[0] + means @ points), _fill_tables(blank, points, means))


def _lay_out(values: FloatArray) -> NumberTable:
    """The table of a number before its points are known."""
    known = values[~np.isnan(values)]
    if not len(known):
        return NumberTable(False, 0.0, 1.0, ())
    spread = known.std() or 1.0
    skew = float(np.mean(((known - known.mean()) / spread) ** 3))
    logarithm = abs(skew) > SKEWED
    bent = np.sign(known) * np.log1p(np.abs(known)) if logarithm else known
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
    return NumberTable(logarithm, float(np.median(bent)), float(bent.std()) or 1.0, tuple(edges.tolist()))


def _fill_tables(
    blank: Mapping[str, NumberTable | list[str]], points: FloatArray, means: FloatArray
) -> dict[str, NumberTable | LevelTable]:
    tables: dict[str, NumberTable | LevelTable] = {}
    start = 0
    for name, table in blank.items():
        size = len(table) if isinstance(table, list) else len(table.edges) + 3
        mine, middle = points[start : start + size], float(means[start : start + size] @ points[start : start + size])
        start += size
        if isinstance(table, list):
            tables[name] = LevelTable(dict(zip(table, mine.tolist(), strict=True)), middle)
        else:
            tables[name] = replace(
                table, slope=float(mine[0]), steps=tuple(mine[1:-1].tolist()), missing=float(mine[-1]), mean=middle
            )
    return tables


def _read_table(kind: str, fields: Mapping[str, Any]) -> NumberTable | LevelTable:
    if kind == "LevelTable":
        return LevelTable(fields["points_of"], fields["mean"])
    return NumberTable(**{**fields, "edges": tuple(fields["edges"]), "steps": tuple(fields["steps"])})
