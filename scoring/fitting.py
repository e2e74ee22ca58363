"""The recipe of a model: columns, shape, scorer, calibration and cuts from a stretch of past leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from leads.records import FieldValue
from scoring.boosted import BoostedScorer
from scoring.calibration import Calibration, fit_calibration
from scoring.catalogue import CATALOGUE
from scoring.choice import Shape, Trial, choose_shape, find_segments
from scoring.columns import Column, FloatArray, only_extra
from scoring.ensemble import EnsembleScorer, FittedScorer, SegmentScorer, weigh
from scoring.extras import Dropped, infer_extras, pick_levels
from scoring.features.learned import Learned
from scoring.linear import LinearScorer
from scoring.past import ARRIVAL, NotEnough, Past
from scoring.tiers import Cuts, learn_cuts

#: Mean contributions are taken over at most so many rows.
WEIGH_ROWS: Final = 2_000
#: A segment needs so many rows at least for a model of its own.
MIN_SEGMENT: Final = 100


@dataclass(frozen=True, slots=True)
class Plan:
    """How to train.

    `left_out` names the tenant's columns that stay out. `ordered` tells whether the newest leads judge and calibrate (else any
    fifth does), `dated` whether the moment of creation means anything.
    """

    seed: int
    threads: int = 2
    left_out: frozenset[str] = field(default_factory=frozenset)
    ordered: bool = True
    dated: bool = True


@dataclass(frozen=True, slots=True)
class Fitted:
    """A scorer over `columns`, its calibration and its cuts; the shape that was chosen and what was tried for it."""

    scorer: FittedScorer
    calibration: Calibration
    cuts: Cuts
    dropped: tuple[Dropped, ...]
    learned: Learned
    shape: Shape
    trials: tuple[Trial, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """What the scorer reads."""
        return self.scorer.columns

    def probability(self, past: Past) -> FloatArray:
        """The calibrated probability of each row of these leads, as serving gives it."""
        rows = past.taught(self.learned).rows(only_extra(self.columns))
        return self.calibration.probability(self.scorer.raw(rows))


Tell = Callable[[float], None]


def fit(past: Past, plan: Plan, tell: Tell, shape: Shape | None = None) -> Fitted:
    """Choose a shape (unless one is given), calibrate and cut on leads that the scorer behind it had not seen, then fit it to all.

    `tell` is told the finished share. Raises NotEnough.
    """
    older, newer = past.split(plan.ordered)
    newer = newer.one_each()
    learned, older = older.learn()
    shape, raw, trials = _judge(older, newer.taught(learned), plan, shape, lambda share: tell(0.6 * share))
    calibration = fit_calibration(raw, newer.labels)
    cuts = learn_cuts(calibration.probability(raw), newer.labels)
    learned, past = past.learn()
    columns, dropped = pick_columns(past, plan)
    scorer = grow(past, columns, shape, plan, lambda share: tell(0.6 + 0.35 * share))
    scorer = weigh(scorer, newer.taught(learned).rows(only_extra(columns))[-WEIGH_ROWS:])
    tell(1.0)
    return Fitted(scorer, calibration, cuts, dropped, learned, shape, trials)


def _judge(older: Past, newer: Past, plan: Plan, shape: Shape | None, tell: Tell) -> tuple[Shape, FloatArray, tuple[Trial, ...]]:
    """The shape, the log-odds of the newer leads by a scorer of the older ones, and what was tried."""
    columns, _ = pick_columns(older, plan)
    rows = newer.rows(only_extra(columns))
    steps = 0
    wholes: dict[Shape, FittedScorer] = {}

    def try_out(wanted: Shape) -> tuple[FittedScorer, FloatArray]:
        nonlocal steps
        start, steps = 1 - 0.6**steps, steps + 1
        undivided = wholes.get(replace(wanted, segment=None))
        scorer = grow(older, columns, wanted, plan, lambda share: tell(start + (1 - start) * 0.4 * share), undivided)
        if wanted.segment is None:
            wholes[wanted] = scorer
        return scorer, scorer.raw(rows)

    if shape is not None:
        return shape, try_out(shape)[1], ()
    words = [column.name for column in columns if column.type == "categorical"]
    segments = find_segments(words, older.rows(only_extra(columns)))
    return choose_shape(try_out, rows, newer.labels, segments, arrival=plan.dated and ARRIVAL in {one.name for one in columns})


def grow(
    past: Past, columns: Sequence[Column], shape: Shape, plan: Plan, tell: Tell, undivided: FittedScorer | None = None
) -> FittedScorer:
    """Fit a scorer of this shape to these leads. `undivided` is the same without segments, when it was fitted before."""
    chosen = [column for column in columns if column.name != ARRIVAL or shape.arrival]
    if not chosen:
        raise NotEnough("Nothing differs between the leads: every feature and column is constant or empty.")
    rows = past.rows(only_extra(chosen))
    whole = undivided or _grow_one(rows, past.labels, past.weights, chosen, shape, plan, tell)
    if shape.segment is None:
        return whole
    segments: dict[str, FittedScorer] = {}
    levels = [str(row[shape.segment]) for row in rows]
    column = next(column for column in chosen if column.name == shape.segment)
    for level in column.levels:
        places = np.array([place for place, found in enumerate(levels) if found == level], dtype=np.int64)
        mine = past.labels[places]
        if len(places) >= MIN_SEGMENT and 0 < mine.sum() < len(mine):
            part = [rows[place] for place in places]
            segments[level] = _grow_one(part, mine, past.weights[places], chosen, shape, plan, lambda share: None)
    return SegmentScorer(shape.segment, segments, whole) if segments else whole


def _grow_one(
    rows: Sequence[Mapping[str, FieldValue]],
    labels: FloatArray,
    weights: FloatArray,
    columns: Sequence[Column],
    shape: Shape,
    plan: Plan,
    tell: Tell,
) -> FittedScorer:
    members: list[tuple[float, FittedScorer]] = []
    if shape.linear < 1.0:
        trees = BoostedScorer.fit(rows, labels, weights, columns, seed=plan.seed, threads=plan.threads, progress=tell)
        members.append((1.0 - shape.linear, trees))
    if shape.linear > 0.0:
        members.append((shape.linear, LinearScorer.fit(rows, labels, weights, columns)))
    return members[0][1] if len(members) == 1 else EnsembleScorer(members)


def pick_columns(past: Past, plan: Plan) -> tuple[tuple[Column, ...], tuple[Dropped, ...]]:
    """The columns that vary among these leads, canonical ones first, and the tenant's that were left out with the reason."""
    leads = past.one_each()
    extra, dropped = infer_extras(leads.histories, plan.left_out)
    return (*_canonical(past), *extra), tuple(dropped)


def _canonical(past: Past) -> list[Column]:
    """Every canonical feature that varies, with its levels or its median."""
    columns = []
    for feature in CATALOGUE.values():
        if feature.name not in past.features[0]:
            continue
        values = [row[feature.name] for row in past.features]
        if len(set(values)) < 2 or past.days < feature.needs_days:
            continue
        known = [value for value in values if value is not None]
        if feature.type == "numeric":
            columns.append(Column(feature.name, "numeric", typical=float(np.median([float(value) for value in known]))))
        else:
            columns.append(Column(feature.name, "categorical", levels=pick_levels([str(value) for value in known])))
    return columns
