"""Acts that no person does at such a rate: each verdict against one worked out by hand, and what holds for all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leads.enums import EngagementKind
from leads.records import Engagement, LeadHistory
from scoring.features import build
from scoring.noise import COMMON_FENCE, LEAST_FENCE, MOST_AT_ONCE
from scoring.timeline import Timeline, aside, newest
from tests.unit.scoring.examples import NOW, K, act, lead, viewed


def seconds(kind: EngagementKind, *moments: float, **more: object) -> list[Engagement]:
    """Acts so many seconds after a moment two hours before NOW."""
    start = NOW - timedelta(hours=2)
    return [Engagement(kind, start + timedelta(seconds=one), **more) for one in moments]  # type: ignore[arg-type]


def days(kind: EngagementKind, *numbers: int) -> list[Engagement]:
    """So many acts on each of the days before today and, last, today: five minutes apart, from midnight on."""
    midnight = NOW.replace(hour=0)
    return [
        Engagement(kind, midnight - timedelta(days=len(numbers) - 1 - day) + timedelta(minutes=5 * number))
        for day, many in enumerate(numbers)
        for number in range(many)
    ]


def gone(history: LeadHistory) -> int:
    return sum(len(one.places) for one in aside(history))


# -- at once


def test_hundreds_of_page_views_within_a_minute_count_nothing() -> None:
    burst = seconds(K.PAGE_VIEWED, *(number * 0.1 for number in range(300)))
    history = lead(*burst, viewed("/pricing", 3))
    [found] = aside(history)
    assert found.why == "300 page views at once, more than a person manages"
    assert set(found.places) == set(range(1, 301)), "the one of three days ago is not among them"
    features = build(history)
    assert (features["page_views_7d"], features["visits_30d"], features["content_weight_30d"]) == (1, 1, 1)
    assert len(Timeline(history).acts) == 1


@pytest.mark.parametrize(("kind", "most"), MOST_AT_ONCE.items())
def test_as_many_as_a_person_manages_count_and_one_more_takes_all(kind: EngagementKind, most: int) -> None:
    within = [number * 59.0 / most for number in range(most + 1)]
    assert gone(lead(*seconds(kind, *within[:-1]))) == 0
    assert gone(lead(*seconds(kind, *within))) == most + 1
    minute = [number * 60.0 / most for number in range(most + 1)]  # the last comes when the minute is over
    assert gone(lead(*seconds(kind, *minute))) == 0


def test_bursts_apart_are_told_apart_and_what_is_between_them_counts() -> None:
    views = [*range(31), 600, *range(1200, 1240)]
    found = aside(lead(*seconds(K.PAGE_VIEWED, *views)))
    assert [len(one.places) for one in found] == [31, 40]
    assert 31 not in {place for one in found for place in one.places}


def test_a_long_burst_is_one() -> None:
    found = aside(lead(*seconds(K.PAGE_VIEWED, *range(150))))  # one a second, for two and a half minutes
    assert [len(one.places) for one in found] == [150]


def test_other_kinds_are_not_drawn_in_and_machines_are_not_looked_at() -> None:
    burst = seconds(K.PAGE_VIEWED, *range(40))
    form = seconds(K.FORM_SUBMITTED, 20.5)
    assert build(lead(*burst, *form))["forms_30d"] == 1
    assert gone(lead(*seconds(K.PAGE_VIEWED, *range(40), machine=True))) == 0
    assert gone(lead(*seconds(K.EMAIL_DELIVERED, *range(40)))) == 0, "what servers do is no behaviour"


# -- out of line with one's own days


def test_a_day_far_beyond_ones_own_quartiles_counts_up_to_the_fence() -> None:
    # 4, 6, 6, 8, 8, 10, 10, 12 in eight days: the quartiles are 6 and 10, the fence is 10 + 3 * (10 - 6) = 22, and never below 25
    history = lead(*days(K.PAGE_VIEWED, 4, 6, 6, 8, 8, 10, 10, 12, 40), age_days=20)
    [found] = aside(history)
    assert len(found.places) == 40 - LEAST_FENCE
    assert found.why == "15 of 40 page views on 10 March 2026, beyond 25 a day"
    assert build(history)["page_views_30d"] == 64 + LEAST_FENCE


def test_the_fence_is_where_the_quartiles_put_it() -> None:
    # 10 to 22 in seven days: the quartiles are 13 and 19, the fence 19 + 3 * 6 = 37
    before = (10, 12, 14, 16, 18, 20, 22)
    assert gone(lead(*days(K.EMAIL_OPENED, *before, 37))) == 0
    assert gone(lead(*days(K.EMAIL_OPENED, *before, 38))) == 1
    assert gone(lead(*days(K.EMAIL_OPENED, *before[1:], 38))) == 0, "six days are too few to go by"


def test_without_days_to_go_by_there_is_one_fence_for_all() -> None:
    acts = [Engagement(K.PAGE_VIEWED, NOW.replace(hour=0) + timedelta(minutes=3 * n)) for n in range(COMMON_FENCE + 5)]
    assert gone(lead(*acts[:COMMON_FENCE])) == 0
    assert gone(lead(*acts)) == 5


def test_forms_and_meetings_have_no_fence() -> None:
    assert gone(lead(*days(K.FORM_SUBMITTED, *[1] * 8, 40))) == 0
    assert gone(lead(*days(K.MEETING_BOOKED, *[1] * 8, 40))) == 0


# -- what holds for all

ACTS = st.lists(
    st.tuples(st.sampled_from([K.PAGE_VIEWED, K.FORM_SUBMITTED, K.EMAIL_OPENED]), st.integers(0, 14 * 24), st.integers(0, 40)),
    max_size=12,
)


@given(ACTS, st.integers(0, 14 * 24), st.randoms(use_true_random=False))
def test_a_look_back_finds_what_was_known_then(runs: list[tuple[EngagementKind, int, int]], hours: int, order: object) -> None:
    """`runs` are (kind, hours ago, how many, a second apart). What came since changes no verdict, nor does the order of arrival."""
    acts = [
        Engagement(kind, NOW - timedelta(hours=ago) + timedelta(seconds=number))
        for kind, ago, many in runs
        for number in range(many)
        if ago
    ]
    order.shuffle(acts)  # type: ignore[attr-defined]
    now = lead(*acts)
    then = replace(now, as_of=NOW - timedelta(hours=hours, minutes=30))
    whole = newest(now)
    known = {id(whole[place]) for one in aside(now) for place in one.places}
    found = [newest(then)[place] for one in aside(then) for place in one.places]
    assert {id(one) for one in found} == {id(one) for one in newest(then)} & known
    alone = replace(then, engagements=tuple(one for one in acts if one.occurred_at <= then.as_of))
    assert build(then) == build(alone)


# -- visits


def test_a_session_that_the_source_names_is_a_visit_however_long_its_pauses_are() -> None:
    def page(session: str, minutes: float) -> Engagement:
        return act(K.PAGE_VIEWED, hours=minutes / 60, properties={"session": session})

    assert build(lead(page("a", 200), page("a", 120), page("b", 110), page("a", 100)))["visits_30d"] == 2
    # a session of the script, then views of another source: 20 minutes later is the same visit, 50 minutes later another
    assert build(lead(page("a", 200), viewed("/x", minutes=180), viewed("/y", minutes=130)))["visits_30d"] == 2
