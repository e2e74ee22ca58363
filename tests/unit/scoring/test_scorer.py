"""Serving: rules before a model, exact reasons after, the same answer for whoever owns the lead."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leads.enums import Tier
from leads.fields import CANONICAL
from leads.records import FieldValue, LabelledHistory
from scoring import rules
from scoring.appraisal import appraise
from scoring.bundle import Bundle
from scoring.columns import FloatArray, Row
from scoring.ensemble import FittedScorer
from scoring.explain import topic_of
from scoring.rationale import build_messages
from scoring.scorer import score
from tests.unit.scoring.examples import NOW, K, act, lead, viewed

KEEN = lead(
    act(K.EMAIL_CLICKED, 1),
    act(K.EMAIL_REPLIED, 0.5),
    viewed("/pricing", 0.3),
    act(K.MEETING_BOOKED, 0.2),
    title="CEO",
    email="a@b.example",
)
COLD = lead(act(K.EMAIL_BOUNCED, 5), act(K.UNSUBSCRIBED, 4), title="Student", email="x@gmail.com", age_days=120)


def test_rules_score_before_a_model_exists_and_say_so() -> None:
    keen, cold = score([KEEN, COLD], None)
    assert keen.source == cold.source == "rules"
    assert keen.model_version == rules.VERSION
    assert "No model" in str(keen.note)
    assert (keen.tier, cold.tier) == (Tier.A, Tier.D)
    assert keen.score > 60 > 10 > cold.score
    assert "booked 1 meeting in 30 days" in [reason.text for reason in keen.reasons if reason.contribution > 0]
    assert "unsubscribed from our emails" in [reason.text for reason in cold.reasons if reason.contribution < 0]


def test_contributions_and_base_are_the_raw_score(bundle: Bundle, past: list[LabelledHistory]) -> None:
    histories = [KEEN, COLD, *(example.history for example in past[-40:])]
    plain = score(histories, bundle, reasons=False)
    for full, bare in zip(score(histories, bundle), plain, strict=True):
        assert full.source == "model"
        assert full.base + sum(full.contributions.values()) == pytest.approx(full.raw, abs=1e-6)
        assert full.raw == pytest.approx(bare.raw, abs=1e-6)
        assert full.probability == pytest.approx(bare.probability, abs=1e-6)
        assert (full.tier, full.score, full.base, full.confidence) == (bare.tier, bare.score, bare.base, bare.confidence)
        assert not bare.reasons
        assert not bare.contributions
    for answer in score(histories, None):
        assert answer.base + sum(answer.contributions.values()) == pytest.approx(answer.raw, abs=1e-6)


def test_one_lead_scores_as_it_does_in_a_batch(bundle: Bundle, past: list[LabelledHistory]) -> None:
    histories = [example.history for example in past[:30]]
    for alone, together in zip((score([history], bundle)[0] for history in histories), score(histories, bundle), strict=True):
        assert alone.probability == pytest.approx(together.probability, abs=1e-9)
        assert [reason.text for reason in alone.reasons] == [reason.text for reason in together.reasons]


def test_what_carries_signal_moves_the_score(bundle: Bundle) -> None:
    clicked = (act(K.EMAIL_DELIVERED, 6), act(K.EMAIL_CLICKED, 5), act(K.EMAIL_CLICKED, 4), act(K.EMAIL_CLICKED, 3))
    good = lead(*clicked, title="Director of Sales", age_days=7, extra={"Plan": "Team"})
    poor = lead(act(K.EMAIL_DELIVERED, 6), title="Sales Specialist", age_days=7, extra={"Plan": "Free"})
    high, low = score([good, poor], bundle)
    assert high.probability > low.probability + 0.4
    assert any("click" in reason.text and reason.contribution > 0 for reason in high.reasons)
    assert any(reason.text == "Plan: Free" and reason.contribution < 0 for reason in low.reasons)


def test_reasons_are_few_strong_and_signed(bundle: Bundle, past: list[LabelledHistory]) -> None:
    for answer in score([example.history for example in past], bundle):
        strengths = [abs(reason.contribution) for reason in answer.reasons]
        assert strengths == sorted(strengths, reverse=True)
        assert sum(reason.contribution > 0 for reason in answer.reasons) <= 3
        assert sum(reason.contribution < 0 for reason in answer.reasons) <= 2
        for reason in answer.reasons:
            story = [name for name in answer.contributions if topic_of(name) == topic_of(reason.feature)]
            assert reason.contribution == pytest.approx(sum(answer.contributions[name] for name in story))
            assert reason.value == answer.features[reason.feature]
            assert "_" not in reason.text
            assert "None" not in reason.text


def test_who_owns_a_lead_changes_no_score(bundle: Bundle, past: list[LabelledHistory]) -> None:
    histories = [example.history for example in past[:60]]
    owners = [history.facts["owner_id"] for history in reversed(histories)]
    moved = [replace(history, facts={**history.facts, "owner_id": owner}) for history, owner in zip(histories, owners, strict=True)]
    assert moved != histories
    assert score(moved, bundle) == score(histories, bundle)
    assert score(moved, None) == score(histories, None)


def test_confidence_falls_with_what_is_not_known(bundle: Bundle) -> None:
    full = lead(
        act(K.EMAIL_DELIVERED, 2),
        title="Director",
        source="web",
        employees=9,
        email="a@b.example",
        extra={"Plan": "Team", "Age": 30},
    )
    known, unknown = score([full, lead()], bundle)
    assert 0 < unknown.confidence < known.confidence < 1
    assert score([full], None)[0].confidence < known.confidence


def test_a_model_that_loses_to_the_rules_does_not_score(bundle: Bundle) -> None:
    answer = score([KEEN], replace(bundle, beats_rules=False))[0]
    assert answer.source == "rules"
    assert bundle.version in str(answer.note)
    assert answer.probability == score([KEEN], None)[0].probability


class Broken:
    """A scorer of somebody else's that gives no numbers for some leads."""

    source = "model"
    base = 0.0

    def __init__(self, inside: FittedScorer, value: float) -> None:
        self.names, self.columns, self._value = inside.names, inside.columns, value

    def raw(self, rows: Sequence[Row]) -> FloatArray:
        return np.full(len(rows), self._value)

    def contributions(self, rows: Sequence[Row]) -> FloatArray:
        return np.full((len(rows), len(self.names)), self._value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("reasons", [True, False])
def test_what_is_no_probability_is_not_told(bundle: Bundle, value: float, reasons: bool) -> None:
    broken = replace(bundle, scorer=Broken(bundle.scorer, value))  # type: ignore[arg-type]
    [told] = appraise([KEEN], broken, reasons=reasons, whole=reasons)
    [by_rules] = score([KEEN], None, reasons=reasons)
    assert (told.score.source, told.score.probability, told.score.reasons) == ("rules", by_rules.probability, by_rules.reasons)
    assert f"The model {bundle.version} gave a value that is no probability" in str(told.score.note)


def test_the_expected_value_is_the_probability_of_the_deal(bundle: Bundle) -> None:
    deal = replace(KEEN, facts={**KEEN.facts, "deal_amount": "12000"})
    without, known, odd = appraise([KEEN, deal, replace(KEEN, facts={**KEEN.facts, "deal_amount": "much"})], bundle)
    assert without.expected_value is None
    assert odd.expected_value is None
    assert known.expected_value == pytest.approx(12_000 * known.score.probability, abs=0.005)
    assert known.score.probability == without.score.probability  # the size of the deal is no feature


def test_columns_the_tenant_adds_or_drops_later_do_no_harm(bundle: Bundle) -> None:
    odd = lead(extra={"Plan": "Never seen", "Age": "old", "New column": 7})
    answer = score([odd], bundle)[0]
    assert 0 <= answer.probability <= 1
    assert answer.features["extra.Age"] is None
    assert "extra.New column" not in answer.features
    assert all(reason.feature != "extra.Plan" for reason in answer.reasons)  # the model knows nothing of that level


def test_nothing_in_nothing_out(bundle: Bundle) -> None:
    assert score([], bundle) == []


def test_scores_say_when(bundle: Bundle) -> None:
    assert score([KEEN], bundle)[0].as_of == NOW


def test_serving_imports_no_scikit_learn() -> None:
    program = "import sys, scoring.scorer, scoring.bundle, scoring.rationale, catboost; print('sklearn' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.just("9" * 400)


@settings(deadline=None, max_examples=60)
@given(
    facts=st.dictionaries(st.sampled_from(sorted(CANONICAL)), VALUES, max_size=12),
    extra=st.dictionaries(st.sampled_from(["Plan", "Age", "Other"]), VALUES),
    text=st.none() | st.text(max_size=200),
)
def test_no_value_breaks_scoring(
    bundle: Bundle, facts: dict[str, FieldValue], extra: dict[str, FieldValue], text: str | None
) -> None:
    history = replace(lead(act(K.MESSAGE_RECEIVED, 1, text=text), viewed("", 1)), facts=facts, extra=extra)
    for answer in (*score([history], bundle), *score([history], None)):
        assert 0 <= answer.probability <= 1
        assert isfinite(answer.raw)
        assert json.dumps(dict(answer.features), allow_nan=False)
        assert build_messages(answer, history)
