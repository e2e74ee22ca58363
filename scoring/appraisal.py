"""The whole answer about a lead: its score, and everything that can be said from the score, the history and the past."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from leads.enums import Tier
from leads.records import FieldValue, LeadHistory
from leads.results import Reason, Score
from scoring.calibration import Calibration
from scoring.catalogue import CATALOGUE
from scoring.columns import Row
from scoring.counterfactual import Lift, Rescore, find_lift
from scoring.ensemble import EnsembleScorer, FittedScorer, SegmentScorer
from scoring.facts import expect_value
from scoring.features import build_many
from scoring.features.feature import Group
from scoring.next_fact import NextFact, next_fact
from scoring.next_step import BestTime, NextStep, best_time, recommend
from scoring.rules import RULES
from scoring.scorer import score as score_histories
from scoring.similar import LookAlike, PastLeads
from scoring.timeline import Timeline

if TYPE_CHECKING:
    from scoring.bundle import Bundle

TREND_DAYS: Final = 7
#: Look-alikes that are shown, and those from which the next step is read.
SHOWN: Final = 5
ASKED: Final = 25
FRESH_HOURS: Final = 24.0
#: Features that the priority reads.
PRIORITY: Final = frozenset({"hours_since_act", "lead_age_days", "hand_raised_7d"})
#: Features that rest on facts of the lead alone, and not on the one fact that a step may change: neither acts nor time move them.
SETTLED: Final = frozenset(
    name
    for name, feature in CATALOGUE.items()
    if re.fullmatch(r"facts\.\w+(, (else )?facts\.\w+)*", feature.source) and "phone" not in feature.source
)


@dataclass(frozen=True, slots=True)
class Member:
    """One part of what scored and the log-odds it brought in. Weights sum to 1, contributions to the raw score."""

    name: str
    weight: float
    contribution: float


@dataclass(frozen=True, slots=True)
class Appraisal:
    """A score with all that is told beside it.

    `fit` and `intent` are scores 0–100: what the lead would score if only who it is, or only what it does and when, spoke and the
    rest were average. They are None without reasons. `trend` is in points. `expected_value` is in the tenant's currency, None where
    the size of the deal is not known. The rest is None or empty unless it was asked for.
    """

    score: Score
    priority: int
    fit: int | None = None
    intent: int | None = None
    members: tuple[Member, ...] = ()
    trend: int | None = None
    look_alikes: tuple[LookAlike, ...] = ()
    next_step: NextStep | None = None
    best_time: BestTime | None = None
    lift: Lift | None = None
    ask_next: NextFact | None = None
    expected_value: float | None = None

    @property
    def raising(self) -> tuple[Reason, ...]:
        """The reasons that raised the score, strongest first."""
        return tuple(reason for reason in self.score.reasons if reason.contribution > 0)

    @property
    def lowering(self) -> tuple[Reason, ...]:
        """The reasons that lowered it, strongest first."""
        return tuple(reason for reason in self.score.reasons if reason.contribution < 0)


def appraise(
    histories: Sequence[LeadHistory],
    bundle: Bundle | None,
    *,
    reasons: bool = True,
    past: PastLeads | None = None,
    whole: bool = False,
    rows: Sequence[Row] | None = None,
) -> list[Appraisal]:
    """Score each history and say what follows from it, in the order given.

    `whole` adds the trend, the look-alikes in `past`, the next step, the best time, the lift and the fact to ask for; it costs
    about ten times as much as the score alone. `rows` are the features of each history, where they are at hand (see
    `read_features`).
    """
    rows = rows if rows is not None else read_features(histories, bundle)
    scores = score_histories(histories, bundle, reasons=reasons, rows=rows)
    model = bundle if scores and scores[0].source == "model" else None
    calibration = model.calibration if model else Calibration()
    told = [
        Appraisal(score, prioritise(score), expected_value=expect_value(score.probability, history.facts.get("deal_amount")))
        for score, history in zip(scores, histories, strict=True)
    ]
    if reasons and histories:
        parts = _members(model.scorer if model else None, scores)
        told = [_apart(one, calibration, part) for one, part in zip(told, parts, strict=True)]
    return _complete(told, histories, bundle, past) if whole else told


def read_features(histories: Sequence[LeadHistory], bundle: Bundle | None) -> list[dict[str, FieldValue]]:
    """The features that answers rest on; those that the model does not read are left out, which saves much of the work."""
    if bundle is None or not bundle.beats_rules:
        return build_many(histories)
    return build_many(histories, bundle.learned, wanted={column.name for column in bundle.columns} | PRIORITY)


def _complete(
    told: Sequence[Appraisal], histories: Sequence[LeadHistory], bundle: Bundle | None, past: PastLeads | None
) -> list[Appraisal]:
    """What takes further scoring and the past."""
    alike = past.nearest([one.score.features for one in told], ASKED) if past else [()] * len(told)
    answers = []
    for one, history, near in zip(told, histories, alike, strict=True):
        line = Timeline(history)
        rescore = _rescorer(one.score, bundle)
        step = recommend(line, near)
        answers.append(
            replace(
                one,
                trend=_trend(history, one.score, rescore),
                look_alikes=near[:SHOWN],
                next_step=step,
                best_time=best_time(line, near, step.action),
                lift=find_lift(line, history, one.score, rescore),
                ask_next=next_fact(history.facts, bundle),
            )
        )
    return answers


def _rescorer(told: Score, bundle: Bundle | None) -> Rescore:
    """Scores the same lead with other acts or at another moment, without computing again what neither can change."""
    model = bundle if bundle is not None and bundle.beats_rules else None
    read = {column.name for column in model.columns} if model else set(RULES)
    settled = {name: told.features.get(name) for name in CATALOGUE if name in SETTLED or name not in read}

    def rescore(changed: Sequence[LeadHistory]) -> Sequence[Score]:
        return score_histories(changed, bundle, reasons=False, known=settled)

    return rescore


def _trend(history: LeadHistory, told: Score, rescore: Rescore) -> int | None:
    """Points against a week ago: the same facts and the same model, without what was done since. None for a younger lead."""
    before = history.as_of - timedelta(days=TREND_DAYS)
    if before < history.created_at:
        return None
    acts = tuple(act for act in history.engagements if act.occurred_at <= before)
    [then] = rescore([replace(history, as_of=before, engagements=acts)])
    return told.score - then.score


def _members(scorer: FittedScorer | None, scores: Sequence[Score]) -> list[tuple[Member, ...]]:
    """What brought in how much of each raw score: the ensemble's members, those of the lead's segment, or the scorer itself."""
    if isinstance(scorer, SegmentScorer):
        return [_members(scorer.segments.get(str(score.features[scorer.column]), scorer.rest), [score])[0] for score in scores]
    if isinstance(scorer, EnsembleScorer):
        rows = [score.features for score in scores]
        raws = [(member.family, weight, (weight * member.raw(rows)).tolist()) for weight, member in scorer.members]
        return [tuple(Member(name, weight, raw[place]) for name, weight, raw in raws) for place in range(len(rows))]
    name = scorer.family if scorer is not None else "rules"
    return [(Member(name, 1.0, score.raw),) for score in scores]


def _apart(one: Appraisal, calibration: Calibration, members: tuple[Member, ...]) -> Appraisal:
    """Fit and intent, with the members of what scored."""
    fit = intent = 0.0
    for name, points in one.score.contributions.items():
        feature = CATALOGUE.get(name)
        if feature is None or feature.group is Group.FIRMOGRAPHIC:  # a tenant's own column says who the lead is
            fit += points
        else:
            intent += points
    chances = calibration.probability(np.array([one.score.base + fit, one.score.base + intent]))
    return replace(one, fit=round(100 * float(chances[0])), intent=round(100 * float(chances[1])), members=members)


def prioritise(score: Score) -> int:
    """In which order to work: 1 now, 2 today, 3 this week, 4 when there is time.

    1: tier A that acted or came in within a day, or got in touch this week. 2: other tier A, and tier B that did so.
    3: other tier B, and tier C that did so. 4: the rest.
    """
    hours, days = score.features.get("hours_since_act"), score.features.get("lead_age_days")
    fresh = (isinstance(hours, int | float) and hours <= FRESH_HOURS) or (
        isinstance(days, int | float) and days * 24 <= FRESH_HOURS
    )
    hot = fresh or bool(score.features.get("hand_raised_7d"))
    place = {Tier.A: 2, Tier.B: 3, Tier.C: 4}.get(score.tier, 4)
    return place - int(hot and score.tier in (Tier.A, Tier.B, Tier.C))
