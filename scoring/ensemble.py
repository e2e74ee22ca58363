"""Several fitted scorers behind one: a weighted mean, or one for each segment. Exact reasons, because their members' are exact."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol, Self

import numpy as np

from scoring.boosted import BoostedScorer
from scoring.columns import Column, FloatArray, Row
from scoring.linear import LinearScorer


class FittedScorer(Protocol):
    """A scorer that training made: it can be stored, and its columns carry their weights."""

    @property
    def source(self) -> str:
        """ "model"."""
        ...

    @property
    def family(self) -> str:
        """How it is stored: a name of `read_scorer`."""
        ...

    @property
    def columns(self) -> tuple[Column, ...]:
        """What it reads."""
        ...

    @property
    def base(self) -> float:
        """Log-odds before any contribution."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of `contributions`."""
        ...

    def raw(self, rows: Sequence[Row]) -> FloatArray:
        """Log-odds before calibration, shape (rows,)."""
        ...

    def contributions(self, rows: Sequence[Row]) -> FloatArray:
        """Shape (rows, names); with `base` each row sums to its raw value within 1e-6."""
        ...

    def with_columns(self, columns: Sequence[Column]) -> FittedScorer:
        """The same scorer, its columns told differently (weighed)."""
        ...

    def to_bytes(self) -> bytes:
        """For `read_scorer`."""
        ...

    def fingerprint(self) -> bytes:
        """Equal for equally trained scorers."""
        ...


class EnsembleScorer:
    """The weighted mean of its members' log-odds. Members read the same columns; weights sum to 1."""

    source: Final = "model"
    family: Final = "ensemble"

    def __init__(self, members: Sequence[tuple[float, FittedScorer]]) -> None:
        self.members = tuple(members)
        self.columns = self.members[0][1].columns
        self.names = self.members[0][1].names

    @property
    def base(self) -> float:
        """The weighted mean of the members' bases."""
        return sum(weight * member.base for weight, member in self.members)

    def raw(self, rows: Sequence[Row]) -> FloatArray:
        """Log-odds of each row, shape (rows,)."""
        return np.asarray(sum(weight * member.raw(rows) for weight, member in self.members), dtype=np.float64)

    def contributions(self, rows: Sequence[Row]) -> FloatArray:
        """The weighted mean of the members' contributions, shape (rows, names)."""
        return np.asarray(sum(weight * member.contributions(rows) for weight, member in self.members), dtype=np.float64)

    def with_columns(self, columns: Sequence[Column]) -> EnsembleScorer:
        """The same scorer, its columns told differently (weighed)."""
        return EnsembleScorer([(weight, member.with_columns(columns)) for weight, member in self.members])

    def to_bytes(self) -> bytes:
        """JSON that holds the members."""
        return json.dumps([[weight, member.family, _text(member)] for weight, member in self.members]).encode()

    def fingerprint(self) -> bytes:
        """Equal for equally trained scorers."""
        return b"|".join(f"{weight}:".encode() + member.fingerprint() for weight, member in self.members)

    @classmethod
    def from_bytes(cls, blob: bytes, columns: Sequence[Column], threads: int = 1) -> Self:
        """The scorer written by `to_bytes`. Raises ValueError."""
        return cls([(float(weight), _member(family, text, columns, threads)) for weight, family, text in _read_json(blob)])


class SegmentScorer:
    """One scorer for each level of a column that has leads enough, and one for the rest."""

    source: Final = "model"
    family: Final = "segments"

    def __init__(self, column: str, segments: Mapping[str, FittedScorer], rest: FittedScorer) -> None:
        self.column, self.segments, self.rest = column, dict(segments), rest
        self.columns = rest.columns
        self.names = rest.names
        self.base = rest.base

    def raw(self, rows: Sequence[Row]) -> FloatArray:
        """Log-odds of each row, shape (rows,)."""
        found = np.empty(len(rows))
        for scorer, places in self._route(rows):
            found[places] = scorer.raw([rows[place] for place in places])
        return found

    def contributions(self, rows: Sequence[Row]) -> FloatArray:
        """Shape (rows, names). What sets a segment's base apart from the rest's is owed to the segment's column."""
        found = np.empty((len(rows), len(self.names)))
        owner = self.names.index(self.column)
        for scorer, places in self._route(rows):
            parts = scorer.contributions([rows[place] for place in places])
            parts[:, owner] += scorer.base - self.base
            found[places] = parts
        return found

    def _route(self, rows: Sequence[Row]) -> list[tuple[FittedScorer, list[int]]]:
        places: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            level = str(row[self.column])
            places.setdefault(level if level in self.segments else "", []).append(place)
        return [(self.segments.get(level, self.rest), chosen) for level, chosen in places.items()]

    def with_columns(self, columns: Sequence[Column]) -> SegmentScorer:
        """The same scorer, its columns told differently (weighed)."""
        told = {level: scorer.with_columns(columns) for level, scorer in self.segments.items()}
        return SegmentScorer(self.column, told, self.rest.with_columns(columns))

    def to_bytes(self) -> bytes:
        """JSON that holds the segments' scorers."""
        told = [[level, scorer.family, _text(scorer)] for level, scorer in self.segments.items()]
        return json.dumps([self.column, told, [self.rest.family, _text(self.rest)]]).encode()

    def fingerprint(self) -> bytes:
        """Equal for equally trained scorers."""
        parts = [level.encode() + b":" + scorer.fingerprint() for level, scorer in sorted(self.segments.items())]
        return b"|".join([self.column.encode(), *parts, self.rest.fingerprint()])

    @classmethod
    def from_bytes(cls, blob: bytes, columns: Sequence[Column], threads: int = 1) -> Self:
        """The scorer written by `to_bytes`. Raises ValueError."""
        column, told, (family, text) = _read_json(blob)
        segments = {level: _member(kind, stored, columns, threads) for level, kind, stored in told}
        return cls(column, segments, _member(family, text, columns, threads))


def read_scorer(family: str, blob: bytes, columns: Sequence[Column], threads: int = 1) -> FittedScorer:
    """The scorer of this family written by its `to_bytes`. Raises ValueError when the bytes or the family are no model of ours."""
    if family == LinearScorer.family:
        return LinearScorer.from_bytes(blob, columns)
    known = {kind.family: kind for kind in (BoostedScorer, EnsembleScorer, SegmentScorer)}
    if family not in known:
        raise ValueError(f"there is no model family {family!r}")
    return known[family].from_bytes(blob, columns, threads)


def weigh(scorer: FittedScorer, rows: Sequence[Row]) -> FittedScorer:
    """The same scorer, its columns weighed by their share of all mean absolute contributions to these rows."""
    means = dict(zip(scorer.names, np.abs(scorer.contributions(rows)).mean(axis=0), strict=True))
    total = sum(means.values()) or 1.0
    return scorer.with_columns([replace(column, weight=float(means[column.name] / total)) for column in scorer.columns])


def _text(scorer: FittedScorer) -> str:
    return base64.b64encode(scorer.to_bytes()).decode()


def _member(family: str, text: str, columns: Sequence[Column], threads: int) -> FittedScorer:
    return read_scorer(family, base64.b64decode(text), columns, threads)


def _read_json(blob: bytes) -> list:  # type: ignore[type-arg]  # its parts are checked where they are read
    try:
        told = json.loads(blob)
    except ValueError as error:
        raise ValueError("the model file is not an ensemble") from error
    if not isinstance(told, list) or not told:
        raise ValueError("the model file is not an ensemble")
    return told
