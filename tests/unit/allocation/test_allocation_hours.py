"""Working time: weeks as text, zones, holidays, and the two days a year on which a clock changes."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from allocation.hours import ALWAYS, Calendar, check_holiday_place, parse_week, zone_of

BERLIN = Calendar("Europe/Berlin", parse_week({"mon-fri": "09:00-17:00"}))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


def test_a_week_is_read_day_by_day() -> None:
    week = parse_week({"mon-wed": "09:00-12:00, 13:00-17:00", "sat": "10:00-12:00"})
    assert week[0] == week[2] == ((540, 720), (780, 1020))
    assert week[3] == ()
    assert week[5] == ((600, 720),)


def test_a_span_over_midnight_runs_into_the_next_day() -> None:
    week = parse_week({"sun": "22:00-06:00"})
    assert week[6] == ((1320, 1440),)
    assert week[0] == ((0, 360),)


def test_days_may_wrap_around_the_week() -> None:
    week = parse_week({"sat-mon": "09:00-10:00"})
    assert [bool(spans) for spans in week] == [True, False, False, False, False, True, True]


@pytest.mark.parametrize("table", [{"mo": "09:00-17:00"}, {"mon": "nine to five"}, {"mon": "09:00-25:00"}, {"mon": "09:00-09:00"}])
def test_a_wrong_week_is_refused(table: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"write|within a day"):
        parse_week(table)


def test_hours_follow_the_local_clock_over_a_change() -> None:
    # Germany leaves summer time on 2026-10-25: nine o'clock moves from 07:00 to 08:00 UTC.
    assert BERLIN.is_open(utc(2026, 10, 23, 7, 0))
    assert not BERLIN.is_open(utc(2026, 10, 26, 7, 59))
    assert BERLIN.is_open(utc(2026, 10, 26, 8, 0))
    assert not BERLIN.is_open(utc(2026, 10, 26, 16, 0))


def test_a_day_with_a_clock_change_has_its_true_length() -> None:
    always = Calendar("Europe/Berlin", ALWAYS)

    def length(day: date) -> float:
        start = datetime.combine(day, datetime.min.time(), zone_of("Europe/Berlin"))
        end = datetime.combine(date.fromordinal(day.toordinal() + 1), datetime.min.time(), zone_of("Europe/Berlin"))
        return sum(
            (closes - opens).total_seconds() / 3600 for opens, closes in always.openings(start.astimezone(UTC), end.astimezone(UTC))
        )

    assert length(date(2026, 3, 29)) == 23
    assert length(date(2026, 10, 25)) == 25
    assert length(date(2026, 6, 1)) == 24


def test_public_holidays_are_those_of_the_region() -> None:
    epiphany = utc(2026, 1, 6, 10, 0)  # a Tuesday; a holiday in Bavaria, not in Berlin
    week = parse_week({"mon-fri": "09:00-17:00"})
    assert not Calendar("Europe/Berlin", week, "DE", "BY").is_open(epiphany)
    assert Calendar("Europe/Berlin", week, "DE", "BE").is_open(epiphany)
    assert not Calendar("Europe/Berlin", week, "DE").is_open(utc(2025, 10, 3, 10, 0))


def test_a_holiday_place_that_does_not_exist_is_named() -> None:
    assert check_holiday_place("DE", "BY") is None
    assert '"GERMANY"' in (check_holiday_place("GERMANY", None) or "")
    assert "BY" in (check_holiday_place("DE", "XX") or "")


def test_a_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="Europe/Berln"):
        zone_of("Europe/Berln")
