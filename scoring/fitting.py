"""The recipe of a model: columns, shape, scorer, calibration and cuts from a stretch of past leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from leads.records import FieldValue
from scoring.boosted import BoostedScorer, Recipe
from scoring.calibration import Calibration, fit_calibration
from scoring.catalogue import CATALOGUE
from scoring.choice import JUDGE_ROWS, Shape, Trial, choose_shape, find_segments
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
    fifth does), `dated` whether the moment of creation means anything. `recipe` is of the trees, None where their number of leads
    says it.
    """

    seed: int
    threads: int = 2
    left_out: frozenset[str] = field(default_factory=frozenset)
    ordered: bool = True
    dated: bool = True
    recipe: Recipe | None = None


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
#: Members that were fitted to the same leads before, by kind and names of columns.
Known = dict[tuple[str, tuple[str, ...]], FittedScorer]


def fit(past: Past, plan: Plan, tell: Tell, shape: Shape | None = None, older: FittedScorer | None = None) -> Fitted:
    """Choose a shape (unless one is given), calibrate and cut on leads that the scorers behind it had not seen, then fit it to all.

    `older` is the scorer of the given shape that this recipe has fitted to the older part of these leads, where there is one.
    `tell` is told the finished share. Raises NotEnough.
    """
    stages = _lay_stages(past, plan.ordered)
    labels = np.concatenate([newer.labels for _, newer in stages])
    shape, raw, trials = _judge(stages, labels, plan, shape, older, lambda share: tell(0.6 * share))
    calibration = fit_calibration(raw, labels)
    cuts = learn_cuts(calibration.probability(raw), labels)
    newest = stages[-1][1]
    learned, past = past.learn()
    columns, dropped = pick_columns(past, plan)
    scorer = grow(past, columns, shape, plan, lambda share: tell(0.6 + 0.35 * share))
    scorer = weigh(scorer, newest.taught(learned).rows(only_extra(columns))[-WEIGH_ROWS:])
    tell(1.0)
    return Fitted(scorer, calibration, cuts, dropped, learned, shape, trials)


def _lay_stages(past: Past, ordered: bool) -> list[tuple[Past, Past]]:
    """Older leads and the newer ones that judge a scorer of them, each lead of these once.

    With an order, the newest fifth comes in halves, each after all that is older: so a model that is trained again from time to
    time meets new leads. One that is old when it is judged would be corrected for a staleness that the served one has not.
    """
    older, newer = past.split(ordered)
    learned, older = older.learn()
    newer = newer.taught(learned)
    if not ordered or len(newer.starts) < JUDGE_ROWS:
        return [(older, newer.one_each())]
    middle = newer.starts[len(newer.starts) // 2]
    first, second = newer.take(np.arange(middle)), newer.take(np.arange(middle, len(newer.labels)))
    return [(older, first.one_each()), (older.followed_by(first), second.one_each())]


def _judge(
    stages: Sequence[tuple[Past, Past]], labels: FloatArray, plan: Plan, shape: Shape | None, first: FittedScorer | None, tell: Tell
) -> tuple[Shape, FloatArray, tuple[Trial, ...]]:
    """The shape, the log-odds of the newer leads of all stages by scorers of the older ones, and what was tried."""
    columns, _ = pick_columns(stages[0][0], plan)
    rows = [newer.rows(only_extra(columns)) for _, newer in stages]
    steps = 0
    known: list[Known] = [{} for _ in stages]

    def try_out(wanted: Shape) -> FloatArray:
        nonlocal steps
        found = []
        for stage, (older, _) in enumerate(stages):
            start, steps = 1 - 0.75**steps, steps + 1
            given = first if stage == 0 and shape else None
            scorer = given or grow(older, columns, wanted, plan, _part_of(tell, start, 0.25 * (1 - start)), known[stage])
            found.append(scorer.raw(rows[stage]))
        return np.concatenate(found)

    if shape is not None:
        return shape, try_out(shape), ()
    words = [column.name for column in columns if column.type == "categorical"]
    segments = find_segments(words, stages[0][0].rows(only_extra(columns)))
    return choose_shape(try_out, labels, segments, arrival=plan.dated and ARRIVAL in {one.name for one in columns})


def _part_of(tell: Tell, start: float, width: float) -> Tell:
    return lambda share: tell(start + width * share)


def grow(past: Past, columns: Sequence[Column], shape: Shape, plan: Plan, tell: Tell, known: Known | None = None) -> FittedScorer:
    """Fit a scorer of this shape to these leads. What was fitted to them undivided is taken from `known`, and kept there."""
    chosen = [column for column in columns if column.name != ARRIVAL or shape.arrival]
    if not chosen:
        raise NotEnough("Nothing differs between the leads: every feature and column is constant or empty.")
    rows = past.rows(only_extra(chosen))
    whole = _grow_one(rows, past.labels, past.weights, chosen, shape, plan, tell, {} if known is None else known)
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
            segments[level] = _grow_one(part, mine, past.weights[places], chosen, shape, plan, lambda share: None, {})
    return SegmentScorer(shape.segment, segments, whole) if segments else whole


def _grow_one(
    rows: Sequence[Mapping[str, FieldValue]],
    labels: FloatArray,
    weights: FloatArray,
    columns: Sequence[Column],
    shape: Shape,
    plan: Plan,
    tell: Tell,
    known: Known,
) -> FittedScorer:
    def trees(unread: str | None) -> FittedScorer:
        return BoostedScorer.fit(
            rows, labels, weights, columns, seed=plan.seed, threads=plan.threads, progress=tell, recipe=plan.recipe, unread=unread
        )

    undated = ARRIVAL if shape.arrival else None
    wanted: list[tuple[float, str, Callable[[], FittedScorer]]] = [
        ((1.0 - shape.linear) * (1.0 - shape.arrival), f"trees without {undated}", lambda: trees(undated)),
        ((1.0 - shape.linear) * shape.arrival, "trees", lambda: trees(None)),
        (shape.linear, "line", lambda: LinearScorer.fit(rows, labels, weights, columns)),
    ]
    members: list[tuple[float, FittedScorer]] = []
    for weight, kind, fit_member in wanted:
        if weight:
            key = (kind, tuple(column.name for column in columns))
            if key not in known:
                known[key] = fit_member()
            members.append((weight, known[key]))
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
