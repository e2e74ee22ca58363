"""The fact worth asking for: by what the model, or the rules, gain from it; never one that is known, refused, or not askable."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leads.fields import CANONICAL, NOT_FEATURES
from leads.records import FieldValue
from scoring.bundle import Bundle
from scoring.columns import Column
from scoring.next_fact import QUESTIONS, next_fact, rank_facts, rank_version
from scoring.training import train
from tests.unit.scoring.examples import make_past


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return train(make_past(300), seed=5)


def weighed(bundle: Bundle, **weights: float) -> Bundle:
    columns = tuple(Column(name.replace("__", "."), "numeric", weight=weight) for name, weight in weights.items())
    return replace(bundle, columns=columns, beats_rules=True)


def test_by_the_rules_before_there_is_a_model() -> None:
    # mean size of the points: mentions .5, .5, .6, .6 halved: 1.1; title and head count share (.36+.06+.24+.54+.84)/5 = .408;
    # size (.2+0+.3+.4+.3)/5 = .24; address (.3+.3+.3)/3 = .3, and a third of (.1+.2)/2 = .15; phone .25. In all 2.448.
    ranked = {one.field: one.gain for one in rank_facts(None)}
    assert ranked["message"] == pytest.approx(1.1 / 2.448, abs=1e-4)
    assert ranked["email"] == pytest.approx((0.3 + 0.05) / 2.448, abs=1e-4)
    assert ranked["title"] == pytest.approx(0.204 / 2.448, abs=1e-4)
    assert ranked["phone"] == pytest.approx(0.25 / 2.448, abs=1e-4)
    assert list(ranked)[:2] == ["message", "email"]
    assert rank_version(None) == "rules-1"


def test_by_the_model_where_one_scores(bundle: Bundle) -> None:
    # seniority reads the title alone; the kind of address the e-mail; maturity head count and revenue, which may not be asked for
    model = weighed(bundle, title_seniority=0.3, email_kind=0.25, company_maturity=0.2, page_views_7d=0.15, extra__Plan=0.1)
    assert [(one.field, one.gain) for one in rank_facts(model)] == [("title", 0.3), ("email", 0.25), ("employees", 0.1)]
    assert rank_version(model) == model.version
    assert rank_facts(replace(model, beats_rules=False)) == rank_facts(None), "a model that does not score asks nothing"


def test_what_is_known_or_refused_is_not_asked_again(bundle: Bundle) -> None:
    model = weighed(bundle, title_seniority=0.3, email_kind=0.25, has_phone=0.2)

    def asked(**facts: FieldValue) -> str | None:
        found = next_fact(facts, model)
        return found.field if found else None

    assert asked() == "title"
    assert asked(title="Select") == "title", "a drop-down nobody answered"
    assert asked(title="  ") == "title"
    assert asked(title="CEO") == "email"
    assert asked(title="Prefer not to say") == "email", "an answer, too"
    assert asked(title="CEO", email_consent="no") is None, "who wants no mail is not asked for a number"
    assert asked(title="CEO", email="ada@firm.example") == "phone"
    assert asked(title="CEO", email="ada@firm.example", phone="+493012345") is None


def test_nothing_private_is_asked_and_every_question_is_of_a_field_there_is() -> None:
    assert set(QUESTIONS) <= CANONICAL - NOT_FEATURES
    assert not set(QUESTIONS) & {"income_bracket", "age_range", "family", "credit_band", "employment", "revenue", "email_consent"}
