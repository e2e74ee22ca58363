"""Training from a tenant's own history: split by time, fit, calibrate, cut, measure, compare with the rules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np

from leads.enums import Outcome
from leads.records import FieldValue, LabelledHistory, LeadHistory
from scoring import rules
from scoring.boosted import BoostedScorer
from scoring.bundle import Bundle, name_version
from scoring.calibration import Calibration, fit_calibration, squash
from scoring.card import write_card
from scoring.catalogue import CATALOGUE
from scoring.columns import Column, FloatArray, add_extra, only_extra
from scoring.evaluation import measure
from scoring.extras import Dropped, infer_extras, pick_levels
from scoring.features import build
from scoring.tiers import Cuts, learn_cuts

#: The newest fifth is the holdout; the newest fifth of what is older calibrates.
NEWEST_SHARE: Final = 0.2
#: Features are told of after so many leads.
TELL_EVERY: Final = 1_000
MIN_LABELS: Final = 50
MIN_EACH: Final = 10
#: Mean contributions are taken over at most so many rows.
WEIGH_ROWS: Final = 2_000

Progress = Callable[[float, str], None]


class NotEnough(ValueError):
    """There is too little history to learn from; one line says what is short."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A scorer over `columns`, its calibration and its cuts, and the tenant's columns that were left out."""

    scorer: BoostedScorer
    columns: tuple[Column, ...]
    calibration: Calibration
    cuts: Cuts
    dropped: tuple[Dropped, ...]


@dataclass(frozen=True, slots=True)
class _Past:
    """Leads in order of creation, each once or at several ages, with canonical features and outcomes 0/1.

    `starts` are the places of the first row of each lead.
    """

    histories: Sequence[LeadHistory]
    features: Sequence[dict[str, FieldValue]]
    labels: FloatArray
    starts: tuple[int, ...]

    @property
    def days(self) -> float:
        """Days from the first to the last creation."""
        return (self.histories[-1].created_at - self.histories[0].created_at).total_seconds() / 86_400.0

    @property
    def weights(self) -> FloatArray:
        """A weight for each row; those of one lead sum to 1."""
        looks = np.diff([*self.starts, len(self.labels)])
        return np.repeat(1.0 / looks, looks)

    def split(self) -> tuple[_Past, _Past]:
        """The older leads and the newest fifth, no lead on both sides."""
        cut = round(len(self.starts) * (1 - NEWEST_SHARE))
        place = self.starts[cut]
        older = _Past(self.histories[:place], self.features[:place], self.labels[:place], self.starts[:cut])
        later = tuple(start - place for start in self.starts[cut:])
        return older, _Past(self.histories[place:], self.features[place:], self.labels[place:], later)

    def one_each(self) -> _Past:
        """Each lead at one of its ages, taken in turn, so that rows stand for themselves."""
        stops = (*self.starts[1:], len(self.labels))
        chosen = [start + turn % (stop - start) for turn, (start, stop) in enumerate(zip(self.starts, stops, strict=True))]
        histories = [self.histories[place] for place in chosen]
        return _Past(histories, [self.features[place] for place in chosen], self.labels[chosen], tuple(range(len(chosen))))

    def rows(self, extra: Sequence[Column]) -> list[dict[str, FieldValue]]:
        """Features joined by these columns of the tenant's."""
        return [add_extra(row, history, extra) for row, history in zip(self.features, self.histories, strict=True)]


def train(
    examples: Sequence[LabelledHistory],
    *,
    seed: int,
    threads: int = 2,
    progress: Progress | None = None,
    min_labels: int = MIN_LABELS,
) -> Bundle:
    """Train on won and lost leads; open ones are left aside. A lead may come at several ages (see `landmarks`).

    One recipe runs twice: on the oldest 80%, to be measured on the newest 20%, and then on all leads, to be served. The recipe
    grows trees on the older 80% of what it is given, calibrates and cuts tiers on the rest, and grows the trees again on all of
    it. The same examples, seed and thread count give the same version. `progress` is told (finished share, what is being done).

    Raises NotEnough with one line.
    """
    tell = progress or (lambda share, what: None)
    past = _read(examples, min_labels, _within(tell, 0.0, 0.2))
    older, holdout = past.split()
    measured = _fit(older, seed, threads, _within(tell, 0.2, 0.55), f"Measuring on the newest {len(holdout.starts)} leads")
    metrics = _measure(measured, holdout)
    served = _fit(past, seed, threads, _within(tell, 0.55, 1.0), f"Training on {len(past.starts)} leads")
    newest = past.histories[-1].created_at
    bundle = Bundle(
        version=name_version(served.scorer, served.calibration, served.cuts, newest.date().isoformat()),
        columns=served.columns,
        scorer=served.scorer,
        calibration=served.calibration,
        cuts=served.cuts,
        labels=len(past.starts),
        beats_rules=metrics["brier"] < metrics["rules"]["brier"],
        metrics=metrics,
        card="",
    )
    tell(1.0, "Done")
    return replace(
        bundle, card=write_card(bundle, served.dropped, (past.histories[0].created_at, holdout.histories[0].created_at, newest))
    )


def _read(examples: Sequence[LabelledHistory], min_labels: int, tell: Progress) -> _Past:
    """Ended leads in order of creation, with their features. Raises NotEnough."""
    ended = [example for example in examples if example.outcome in (Outcome.WON, Outcome.LOST)]
    ended.sort(key=lambda example: (*_lead(example.history), example.history.as_of))
    histories = [example.history for example in ended]
    starts = tuple(place for place, history in enumerate(histories) if not place or _lead(history) != _lead(histories[place - 1]))
    labels = np.array([float(example.outcome is Outcome.WON) for example in ended])
    features: list[dict[str, FieldValue]] = [{}] * len(histories)
    past = _Past(histories, features, labels, starts)
    _check(past, min_labels)
    for place, history in enumerate(histories):
        if place % TELL_EVERY == 0:
            tell(place / len(histories), f"Building features of {len(starts)} leads")
        features[place] = build(history)
    return past


def _lead(history: LeadHistory) -> tuple[datetime, int]:
    return history.created_at, history.lead_id


def _check(past: _Past, min_labels: int) -> None:
    ends = past.labels[list(past.starts)]
    rows, won = len(ends), int(ends.sum())
    if rows < min_labels:
        raise NotEnough(f"Training needs at least {min_labels} leads that were won or lost; there are {rows}.")
    for count, name in ((won, "won"), (rows - won, "lost")):
        if count < MIN_EACH:
            raise NotEnough(f"Training needs at least {MIN_EACH} {name} leads; there are {count}.")
    older, holdout = past.split()
    for stretch, name in zip((*older.split(), holdout), ("oldest", "middle", "newest"), strict=True):
        share = stretch.labels.mean()
        if share in (0.0, 1.0):
            ending = "won" if share else "lost"
            raise NotEnough(
                f"All {len(stretch.starts)} {name} leads were {ending}; training needs both outcomes in each stretch of time."
            )


def _fit(past: _Past, seed: int, threads: int, tell: Progress, what: str) -> Fitted:
    """The recipe. Calibration and cuts come from leads that the trees behind them had not seen."""
    older, newer = past.split()
    newer = newer.one_each()
    tell(0.0, what)
    first, columns, _ = _grow(older, seed, threads, lambda share: tell(0.45 * share, what))
    raw = first.raw(newer.rows(only_extra(columns)))
    calibration = fit_calibration(raw, newer.labels)
    cuts = learn_cuts(calibration.probability(raw), newer.labels)
    scorer, columns, dropped = _grow(past, seed, threads, lambda share: tell(0.45 + 0.5 * share, what))
    scorer = scorer.weigh(newer.rows(only_extra(columns))[-WEIGH_ROWS:])
    tell(1.0, what)
    return Fitted(scorer, scorer.columns, calibration, cuts, dropped)


def _grow(
    past: _Past, seed: int, threads: int, tell: Callable[[float], None]
) -> tuple[BoostedScorer, tuple[Column, ...], tuple[Dropped, ...]]:
    """Choose the columns and fit the trees, looking at these leads alone."""
    leads = past.one_each()
    extra, dropped = infer_extras(leads.histories, leads.labels)
    columns = (*_pick_columns(past), *extra)
    if not columns:
        raise NotEnough("Nothing differs between the leads: every feature and column is constant or empty.")
    scorer = BoostedScorer.fit(past.rows(extra), past.labels, past.weights, columns, seed=seed, threads=threads, progress=tell)
    return scorer, columns, tuple(dropped)


def _pick_columns(past: _Past) -> list[Column]:
    """Every canonical feature that varies, with its levels or its median."""
    columns = []
    for feature in CATALOGUE.values():
        values = [row[feature.name] for row in past.features]
        if len(set(values)) < 2 or past.days < feature.needs_days:
            continue
        known = [value for value in values if value is not None]
        if feature.type == "numeric":
            columns.append(Column(feature.name, "numeric", typical=float(np.median([float(value) for value in known]))))
        else:
            columns.append(Column(feature.name, "categorical", levels=pick_levels([str(value) for value in known])))
    return columns


def _measure(fitted: Fitted, holdout: _Past) -> dict[str, Any]:
    """Figures of the fitted model and of the rules on the same holdout."""
    holdout = holdout.one_each()
    rows = holdout.rows(only_extra(fitted.columns))
    metrics = measure(fitted.calibration.probability(fitted.scorer.raw(rows)), holdout.labels, fitted.cuts)
    metrics["rules"] = measure(squash(rules.RulesScorer().raw(rows)), holdout.labels, rules.CUTS)
    metrics["tier_a_reachable"] = fitted.cuts.reachable
    return metrics


def _within(tell: Progress, start: float, stop: float) -> Progress:
    """A progress that fills one stretch of the whole."""
    return lambda share, what: tell(start + (stop - start) * share, what)
