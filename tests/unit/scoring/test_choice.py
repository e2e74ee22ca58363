"""Planted pasts: what is added to the trees where it truly helps, and nothing where it does not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest

from leads.enums import Outcome
from leads.records import FieldValue, LabelledHistory, LeadHistory
from scoring.choice import judge, lead_losses
from scoring.columns import only_extra
from scoring.ensemble import EnsembleScorer, FittedScorer, SegmentScorer, read_scorer
from scoring.fitting import Fitted, Plan, fit
from scoring.past import Past, read_past

START = datetime(2025, 1, 1, tzinfo=UTC)
ROWS = 3_000
Make = Callable[[np.random.Generator, int], tuple[dict[str, FieldValue], float]]


@cache
def plant(make: Make) -> Past:
    """Past leads whose columns and true log-odds `make` gives for each place in time."""
    random = np.random.default_rng(5)
    past = []
    for place in range(ROWS):
        extra, odds = make(random, place)
        won = random.random() < 1 / (1 + np.exp(-odds))
        moment = START + timedelta(hours=place)
        past.append(LabelledHistory(LeadHistory(place, moment, moment, {}, (), extra), Outcome.WON if won else Outcome.LOST))
    return read_past(past, 50, lambda share, what: None, canonical=False)


def line(random: np.random.Generator, place: int) -> tuple[dict[str, FieldValue], float]:
    """Many small straight effects: what a linear model is made for."""
    values = random.normal(size=20)
    return {f"x{number}": float(value) for number, value in enumerate(values)}, float(values.sum() * 1.0)


def steps(random: np.random.Generator, place: int) -> tuple[dict[str, FieldValue], float]:
    """Two numbers that matter only together, which trees see and a line does not; nothing changes with time."""
    one, two = random.normal(size=2)
    return {"a": float(one), "b": float(two)}, 2.5 if (one > 0) == (two > 0) else -2.5


def drift(random: np.random.Generator, place: int) -> tuple[dict[str, FieldValue], float]:
    """What a level is worth turns round half way."""
    level = int(random.integers(0, 2))
    return {"a": f"a{level}", "b": float(random.normal())}, (2.0 if level else -2.0) * (1 if place < ROWS / 2 else -1)


def turned(random: np.random.Generator, place: int) -> tuple[dict[str, FieldValue], float]:
    """Two segments in which forty columns mean the opposite."""
    values, segment = random.normal(size=40), int(random.integers(0, 2))
    extra: dict[str, FieldValue] = {f"x{number}": float(value) for number, value in enumerate(values)}
    return {**extra, "team": f"team {segment}"}, float(values.sum() * (1.5 if segment else -1.5))


@cache
def fitted(make: Make) -> Fitted:
    return fit(plant(make), Plan(seed=3, threads=1), lambda share: None)


def test_a_linear_member_is_kept_where_it_helps() -> None:
    one = fitted(line)
    assert one.shape.linear > 0
    assert one.shape.arrival == 0
    assert any(trial.kept and trial.gain > 0.01 for trial in one.trials)


def test_nothing_is_kept_where_nothing_helps() -> None:
    one = fitted(steps)
    assert (one.shape.linear, one.shape.segment, one.shape.arrival) == (0.0, None, 0.0)
    assert one.trials
    assert not any(trial.kept for trial in one.trials)


def test_the_day_of_creation_is_kept_where_meanings_change() -> None:
    assert fitted(drift).shape.arrival > 0


def test_a_model_for_each_segment_is_kept_where_segments_differ() -> None:
    one = fitted(turned)
    assert one.shape.segment == "extra.team"
    assert isinstance(one.scorer, SegmentScorer)


@pytest.mark.parametrize("make", [line, turned])
def test_reasons_are_exact_and_storing_changes_nothing(make: Make) -> None:
    past, one = plant(make), fitted(make)
    rows = past.rows(only_extra(one.columns))[:200]
    scorer: FittedScorer = one.scorer
    assert isinstance(scorer, EnsembleScorer | SegmentScorer) or scorer.family == "linear"
    raw = scorer.raw(rows)
    assert scorer.base + scorer.contributions(rows).sum(axis=1) == pytest.approx(raw, abs=1e-6)
    again = read_scorer(scorer.family, scorer.to_bytes(), scorer.columns)
    assert again.raw(rows) == pytest.approx(raw, abs=1e-12)
    assert again.fingerprint() == scorer.fingerprint()


def test_a_gain_of_some_stretches_that_others_lose_is_not_taken() -> None:
    random = np.random.default_rng(2)
    labels = (random.random(4_000) < 0.4).astype(float)
    side = np.where(labels > 0, 1.0, -1.0)
    best = 0.5 * side + random.normal(size=4_000)
    helps = np.repeat([1.5, -0.2, -0.2, 1.5, -0.2, -0.2, -0.2, -0.2], 500)
    trial = judge("comes and goes", best + helps * side, best, labels)
    by_lead = lead_losses(best, labels) - lead_losses(best + helps * side, labels)
    assert trial.gain == pytest.approx(by_lead.mean())
    assert trial.gain > 5 * by_lead.std() / np.sqrt(len(labels))  # as if every lead stood for itself
    assert not trial.kept
    assert judge("stays", best + helps.mean() * side, best, labels).kept


def test_chance_is_not_taken_for_a_gain() -> None:
    random = np.random.default_rng(1)
    labels = (random.random(600) < 0.4).astype(float)
    best = np.where(labels > 0, 0.5, -0.5) + random.normal(size=600)
    assert not judge("noise", best + random.normal(0, 0.05, 600), best, labels).kept
    assert judge("knows more", best + np.where(labels > 0, 0.5, -0.5), best, labels).kept


@pytest.mark.parametrize("blob", [b"", b"{}", b"not json", b'[["x"]]'])
@pytest.mark.parametrize("family", ["ensemble", "segments", "linear", "trees", "oracle"])
def test_what_is_no_model_is_refused(family: str, blob: bytes) -> None:
    with pytest.raises(ValueError, match=r"model|ensemble|segments|unpack|JSON|char"):
        read_scorer(family, blob, ())
