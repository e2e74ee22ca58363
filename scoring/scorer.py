"""Scoring: histories in, scores with reasons out. What is served stands behind one protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from leads.records import LeadHistory
from leads.results import Score
from scoring import rules
from scoring.calibration import Calibration
from scoring.columns import Column, FloatArray, Row, add_extra, only_extra
from scoring.explain import tell
from scoring.features import build_many
from scoring.tiers import Cuts

if TYPE_CHECKING:
    from scoring.bundle import Bundle


class Scorer(Protocol):
    """Anything that gives log-odds and says exactly where they come from."""

    @property
    def source(self) -> str:
        """ "model" or "rules"."""
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


_RULES: Final[Scorer] = rules.RulesScorer()
_UNCALIBRATED: Final = Calibration()
#: Rules rest on no outcomes, so their confidence never passes one half.
RULES_CONFIDENCE: Final = 0.5
#: With so many labels a model's confidence is half of what its known columns allow.
HALF_CONFIDENT_LABELS: Final = 50


def score(
    histories: Sequence[LeadHistory],
    bundle: Bundle | None,
    *,
    reasons: bool = True,
    rows: Sequence[Row] | None = None,
    known: Row | None = None,
) -> list[Score]:
    """Score each history at its own `as_of`, in the order given.

    Rules score when `bundle` is None, when its model did not beat them on its holdout, or when it gives what is no probability;
    `Score.source` and `Score.note` say so.
    With `reasons=False` there are neither reasons nor contributions, and one lead takes a few hundred microseconds. `rows` are the
    features of each history where they are at hand, `known` single features that all of these histories have.
    """
    if not histories:
        return []
    model = bundle if bundle is not None and bundle.beats_rules else None
    scorer: Scorer = model.scorer if model else _RULES
    columns = {column.name: column for column in model.columns} if model else {}
    extra = only_extra(columns.values())
    if rows is None:
        rows = build_many(histories, model.learned if model else None, known)
    if extra:
        rows = [add_extra(row, one, extra) for row, one in zip(rows, histories, strict=True)]
    if reasons:
        parts = scorer.contributions(rows)
        raw = scorer.base + parts.sum(axis=1)
    else:
        parts = np.empty((len(rows), 0))
        raw = scorer.raw(rows)
    chances = (model.calibration if model else _UNCALIBRATED).probability(raw)
    if model and not (np.isfinite(raw) & (chances >= 0.0) & (chances <= 1.0)).all():
        by_rules = score(histories, None, reasons=reasons, known=known)
        note = f"The model {model.version} gave a value that is no probability: this score follows the rules."
        return [replace(one, note=note) for one in by_rules]
    served = _Served(scorer, columns, model.cuts if model else rules.CUTS, model, _note(bundle))
    each = zip(histories, rows, raw.tolist(), chances.tolist(), parts, strict=True)
    return [served.answer(*one) for one in each]


def _note(bundle: Bundle | None) -> str | None:
    if bundle is None:
        return rules.NO_MODEL
    if bundle.beats_rules:
        return None
    return f"The model {bundle.version} does not beat the day-one rules yet: this score follows the rules."


class _Served:
    """Puts together the answers of one call."""

    def __init__(self, scorer: Scorer, columns: Mapping[str, Column], cuts: Cuts, model: Bundle | None, note: str | None) -> None:
        self.scorer = scorer
        self.columns = columns
        self.cuts = cuts
        self.note = note
        self.version = model.version if model else rules.VERSION
        weights = {name: column.weight for name, column in columns.items()} or dict.fromkeys(rules.RULES, 1 / len(rules.RULES))
        self.weights = [(name, weight) for name, weight in weights.items() if weight]
        labels = model.labels if model else 0
        self.trust = labels / (labels + HALF_CONFIDENT_LABELS) if model else RULES_CONFIDENCE

    def answer(self, history: LeadHistory, row: Row, raw: float, probability: float, parts: FloatArray) -> Score:
        """One score. `parts` is empty when no reasons are wanted."""
        contributions = dict(zip(self.scorer.names, parts.tolist(), strict=True)) if parts.size else {}
        known = sum([weight for name, weight in self.weights if row[name] is not None])
        return Score(
            as_of=history.as_of,
            probability=probability,
            score=round(100 * probability),
            tier=self.cuts.tier(probability),
            confidence=round(self.trust * min(1.0, known), 3),
            model_version=self.version,
            source=self.scorer.source,
            base=self.scorer.base,
            raw=raw,
            reasons=tell(contributions, row, self.columns) if contributions else (),
            contributions=contributions,
            features=row,
            note=self.note,
        )
