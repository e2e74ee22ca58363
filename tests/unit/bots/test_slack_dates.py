"""Dates in words, in the zone of whoever types them."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.slack.dates import read_days, read_moment

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
#: A Wednesday, 15:00 in Berlin, 09:00 in New York.
NOW = datetime(2026, 11, 18, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("until Monday", "2026-11-23T00:00"),
        ("wednesday", "2026-11-25T00:00"),
        ("next friday", "2026-11-27T00:00"),
        ("next week", "2026-11-23T00:00"),
        ("3pm tomorrow", "2026-11-19T15:00"),
        ("tomorrow at 9", "2026-11-19T09:00"),
        ("tomorrow at 9:30am", "2026-11-19T09:30"),
        ("friday noon", "2026-11-20T12:00"),
        ("for 2 hours", "2026-11-18T17:00"),
        ("30m", "2026-11-18T15:30"),
        ("an hour", "2026-11-18T16:00"),
        ("in 3 days", "2026-11-21T15:00"),
        ("17:45", "2026-11-18T17:45"),
        ("9am", "2026-11-19T09:00"),
        ("24 Dec", "2026-12-24T00:00"),
        ("december 24th at 10:00", "2026-12-24T10:00"),
        ("3 March", "2027-03-03T00:00"),
        ("2026-12-01", "2026-12-01T00:00"),
        ("tonight", "2026-11-18T20:00"),
        ("12am tomorrow", "2026-11-19T00:00"),
    ],
)
def test_moments(text: str, meant: str) -> None:
    assert read_moment(text, NOW, BERLIN).astimezone(BERLIN).strftime("%Y-%m-%dT%H:%M") == meant


def test_the_same_words_mean_another_moment_in_another_zone() -> None:
    assert read_moment("3pm tomorrow", NOW, NEW_YORK) == datetime(2026, 11, 19, 20, 0, tzinfo=UTC)
    assert read_moment("tomorrow", NOW, NEW_YORK, time(9)) == datetime(2026, 11, 19, 14, 0, tzinfo=UTC)


def test_an_hour_that_summer_time_skips_is_an_hour_later() -> None:
    march = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
    assert read_moment("2:30 tomorrow", march, BERLIN).astimezone(BERLIN).hour == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("someday", "cannot read"),
        ("", "cannot read"),
        ("25:00", "no such time"),
        ("31 Feb", "no such day"),
        ("2020-01-01", "over already"),
        ("today", "over already"),
        ("2099-01-01", "two years"),
        ("12/24", "cannot read"),
        ("13pm tomorrow", "no such time"),
    ],
)
def test_what_cannot_be_meant_is_told_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_moment(text, NOW, BERLIN)


@given(st.text(max_size=60))
def test_any_text_is_a_moment_to_come_or_a_sentence(text: str) -> None:
    try:
        moment = read_moment(text, NOW, BERLIN)
    except ValueError as error:
        assert str(error).endswith(".")
    else:
        assert moment > NOW
        assert moment.tzinfo is UTC or moment.utcoffset() is not None


@pytest.mark.parametrize(
    ("text", "first", "end"),
    [
        ("tomorrow", "2026-11-19", "2026-11-20"),
        ("monday to wednesday", "2026-11-23", "2026-11-26"),
        ("24 Dec - 2 Jan", "2026-12-24", "2027-01-03"),
        ("from 2026-12-01 to 2026-12-05", "2026-12-01", "2026-12-06"),
        ("next week", "2026-11-23", "2026-11-30"),
        ("today", "2026-11-18", "2026-11-19"),
    ],
)
def test_spans_of_days(text: str, first: str, end: str) -> None:
    begins, ends = read_days(text, NOW, BERLIN)
    assert begins.astimezone(BERLIN).isoformat()[:16] == f"{first}T00:00"
    assert ends.astimezone(BERLIN).isoformat()[:16] == f"{end}T00:00"


@pytest.mark.parametrize("text", ["2026-12-05 to 2026-12-01", "monday to tuesday to friday", "to", "sometime"])
def test_spans_that_cannot_be(text: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        read_days(text, NOW, BERLIN)
