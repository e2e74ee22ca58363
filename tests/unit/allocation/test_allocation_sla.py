"""Deadlines in business time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from allocation.hours import Calendar, parse_week
from allocation.sla import business_minutes, deadlines, due_at
from allocation.terms import Sla

OFFICE = Calendar("Europe/Berlin", parse_week({"mon-fri": "09:00-12:00, 13:00-17:00"}), "DE")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")).astimezone(UTC)


@pytest.mark.parametrize(
    ("start", "minutes", "due"),
    [
        ("2026-11-18T10:00", 60, "2026-11-18T11:00"),
        ("2026-11-18T11:30", 60, "2026-11-18T13:30"),  # over lunch
        ("2026-11-18T16:30", 60, "2026-11-19T09:30"),  # over night
        ("2026-11-20T16:30", 60, "2026-11-23T09:30"),  # over the weekend
        ("2026-11-18T05:00", 0, "2026-11-18T09:00"),  # before opening
        ("2026-12-24T16:30", 60, "2026-12-28T09:30"),  # over Christmas, which is Friday and Saturday, and Sunday
        ("2026-10-23T16:30", 60, "2026-10-26T09:30"),  # over the end of summer time
        ("2026-11-18T16:00", 60, "2026-11-18T17:00"),  # due at the very end of the day
    ],
)
def test_due_in_working_time(start: str, minutes: float, due: str) -> None:
    assert due_at(local(start), minutes, OFFICE) == local(due)


def test_the_hour_that_happens_twice_counts_twice() -> None:
    night = Calendar("Europe/Berlin", parse_week({"sun": "01:00-05:00"}))
    start = local("2026-10-25T01:00")
    assert due_at(start, 240, night) == start + timedelta(hours=4)
    assert business_minutes(start, start + timedelta(hours=6), night) == 300


def test_the_hour_that_never_happens_does_not_count() -> None:
    night = Calendar("Europe/Berlin", parse_week({"sun": "01:00-05:00"}))
    start = local("2026-03-29T01:00")
    assert business_minutes(start, start + timedelta(hours=6), night) == 180


def test_a_calendar_that_never_opens_is_an_error_and_not_a_loop() -> None:
    never = Calendar("UTC", ((),) * 7)
    with pytest.raises(ValueError, match="no working time"):
        due_at(local("2026-11-18T10:00"), 5, never)
    assert business_minutes(local("2026-11-18T10:00"), local("2026-11-20T10:00"), never) == 0


moments = st.integers(0, 2 * 365 * 24 * 3600).map(lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))


@settings(deadline=None)
@given(moments, st.integers(1, 3000), st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]))
def test_counting_back_gives_the_same_minutes(start: datetime, minutes: int, zone: str) -> None:
    calendar = Calendar(zone, parse_week({"mon-fri": "08:15-17:45", "sat": "22:00-03:00"}))
    due = due_at(start, minutes, calendar)
    assert due > start
    assert business_minutes(start, due, calendar) == pytest.approx(minutes)


@settings(deadline=None)
@given(moments, st.integers(0, 2000), st.integers(0, 2000))
def test_more_minutes_are_never_due_sooner(start: datetime, one: int, other: int) -> None:
    few, many = sorted((one, other))
    assert due_at(start, few, OFFICE) <= due_at(start, many, OFFICE)


def test_deadlines_of_an_assignment() -> None:
    at = local("2026-11-18T16:50")
    found = deadlines(at, Sla(accept_minutes=15, contact_minutes=60, remind_minutes=5), OFFICE)
    assert found.remind_at == local("2026-11-18T16:55")
    assert found.accept_by == local("2026-11-19T09:05")
    assert found.contact_by == local("2026-11-19T09:50")
    assert found.alert_at is None
