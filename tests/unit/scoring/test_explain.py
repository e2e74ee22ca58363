"""Reasons a rep would use: few, plain, and nothing absurd."""

from __future__ import annotations

import pytest

from leads.records import FieldValue
from scoring.catalogue import CATALOGUE
from scoring.columns import Column
from scoring.explain import tell
from scoring.features import build
from tests.unit.scoring.examples import K, act, lead


def words(name: str, points: float, value: FieldValue, column: Column | None = None) -> str | None:
    told = tell({name: points}, {name: value}, {name: column} if column else {})
    return told[0].text if told else None


@pytest.mark.parametrize(
    ("name", "points", "value", "text"),
    [
        ("opens_7d", 0.4, 4, "opened 4 emails this week"),
        ("opens_7d", 0.4, 1, "opened 1 email this week"),
        ("opens_7d", -0.4, 1, "opened only 1 email this week"),
        ("opens_7d", -0.4, 0, "opened no emails this week"),
        ("opens_7d", 0.4, 0, None),  # raised because nothing was opened: absurd
        ("bounces_30d", 0.4, 1, None),
        ("unsubscribed", -0.4, 1, "unsubscribed from our emails"),
        ("unsubscribed", 0.4, 0, None),
        ("country", 0.4, "de", "country is DE"),
        ("country", 0.4, None, None),  # nothing known, nothing told
        ("industry", -0.4, "software", "industry is Software"),
        ("hours_since_act", 0.4, 0.4, "last active 24 minutes ago"),
        ("hours_since_act", -0.4, 24.0 * 20, "last active 20 days ago"),
        ("lead_age_days", 0.4, 0.0, None),
        ("lead_age_days", -0.4, 12.0, "came in 12 days ago"),
        ("title_function", -0.4, "study", "studies or teaches"),
        ("industry", 0.4, "computer_software", "industry is Computer Software"),
        ("activity_kinds_30d", 0.4, 4, "engages in 4 different ways"),
        ("activity_kinds_30d", -0.4, 0, "has not engaged in 30 days"),
        ("message_length", -0.4, 13, None),
        ("employees", 0.4, 1200.0, "company has about 1,200 people"),
        ("engagement_velocity", 0.4, 3.0, "is getting more active this week"),
        ("engagement_velocity", 0.4, 1.0, None),
        ("response_latency_hours", 0.4, 2.0, "answers within 2 hours"),
        ("profile_completeness", 0.4, 0.9, "90% of the profile is filled in"),
        ("created_hour", 0.9, 3, None),  # steadies the model, means nothing to a person
        ("opens_7d", 0.04, 4, None),  # neutral
    ],
)
def test_values_in_a_reps_words(name: str, points: float, value: FieldValue, text: str | None) -> None:
    assert words(name, points, value) == text


def test_a_reason_against_the_usual_is_hidden() -> None:
    usual = Column("opens_7d", "numeric", typical=2.0)
    assert words("opens_7d", -0.4, 5, usual) is None  # hurt by opening more than most
    assert words("opens_7d", 0.4, 1, usual) is None  # helped by opening less than most
    assert words("opens_7d", 0.4, 5, usual) == "opened 5 emails this week"
    assert words("opens_7d", -0.4, 1, usual) == "opened only 1 email this week"


def test_the_tenants_columns_speak_the_tenants_words() -> None:
    spent = Column("extra.Time on site", "numeric", typical=240.0)
    plan = Column("extra.Plan", "categorical", levels=("Team",))
    assert words("extra.Time on site", 0.5, 674.0, spent) == "Time on site is 674, above the usual 240"
    assert words("extra.Time on site", -0.5, 0.0, spent) == "Time on site is 0, below the usual 240"
    assert words("extra.Plan", 0.5, "Team", plan) == "Plan: Team"
    assert words("extra.Plan", 0.5, "Unheard of", plan) is None
    assert words("extra.Plan", -0.5, None, plan) == "no answer to “Plan”"
    assert words("extra.Plan", 0.5, None, plan) is None
    assert len(str(words("extra.Plan", 0.5, "x" * 300, Column("extra.Plan", "categorical", levels=("x" * 300,))))) < 80


def test_a_lead_that_just_came_in_is_not_blamed_for_what_it_has_not_done() -> None:
    points = {"opens_7d": -0.5}
    assert tell(points, {"opens_7d": 0, "lead_age_days": 0.01}, {}) == ()
    assert tell(points, {"opens_7d": 0, "lead_age_days": 3.0}, {})[0].text == "opened no emails this week"


def test_one_story_is_one_reason_with_its_whole_weight() -> None:
    told = tell(
        {"clicks_7d": 0.3, "clicks_30d": 0.4, "click_rate": -0.1, "opens_7d": 0.5},
        {"clicks_7d": 2, "clicks_30d": 3, "click_rate": 0.1, "opens_7d": 4},
        {},
    )
    assert [(reason.feature, round(reason.contribution, 3), reason.text) for reason in told] == [
        ("clicks_30d", 0.6, "clicked 3 email links in 30 days"),
        ("opens_7d", 0.5, "opened 4 emails this week"),
    ]


def test_a_story_that_cancels_out_is_not_told() -> None:
    assert tell({"clicks_7d": 0.5, "clicks_30d": -0.49}, {"clicks_7d": 2, "clicks_30d": 2}, {}) == ()


def test_three_up_and_two_down_at_most() -> None:
    names = [
        "opens_7d",
        "clicks_7d",
        "replies_30d",
        "meetings_booked_30d",
        "videos_30d",
        "region",
        "country",
        "industry",
        "language",
    ]
    row: dict[str, FieldValue] = dict.fromkeys(names[:5], 2) | dict.fromkeys(names[5:], "x")
    points = {name: (1.0 - place / 10) * (1 if place < 5 else -1) for place, name in enumerate(names)}
    told = tell(points, row, {})
    assert [reason.feature for reason in told] == ["opens_7d", "clicks_7d", "replies_30d", "region", "country"]
    assert len(tell(points, row, {}, up=9, down=9)) == len(names)


@pytest.mark.parametrize("points", [0.7, -0.7])
def test_no_feature_speaks_in_code(points: float) -> None:
    """Whatever a feature says of a busy and of an empty lead is plain words."""
    busy = lead(
        *(act(kind, days) for kind in K for days in (1, 2, 9, 12)),
        **{"title": "CEO", "email": "a@gmail.com", "company": "A Ltd", "employees": 12, "revenue": 1e6, "country": "US"},
    )
    for row in (build(busy), build(lead())):
        for name in CATALOGUE:
            text = words(name, points, row[name])
            assert text is None or ("_" not in text and "None" not in text and "nan" not in text and text == text.strip())


@pytest.mark.parametrize(
    ("name", "points", "value", "typical", "told"),
    [
        ("has_phone", 0.4, 0, 0.0, False),  # helped by leaving no number
        ("has_phone", -0.4, 1, 1.0, False),  # hurt by leaving one
        ("has_phone", -0.4, 0, 0.0, True),
        ("opens_7d", -0.4, 2, 2.0, False),  # as many as usual are not "only" two
        ("opens_7d", 0.4, 2, 2.0, True),
        ("interest_decayed", 0.4, 0.99, 1.0, True),  # as usual: neither more nor less
        ("email_kind", 0.4, "disposable", None, False),
        ("email_kind", -0.4, "disposable", None, True),
        ("email_consent", 0.4, "no", None, False),
        ("email_consent", -0.4, "yes", None, False),
    ],
)
def test_what_no_person_would_say_is_not_said(
    name: str, points: float, value: FieldValue, typical: float | None, told: bool
) -> None:
    assert (words(name, points, value, Column(name, "numeric", typical=typical)) is not None) == told
