"""Out-of-office from an iCalendar file: what counts, when it is, and what is kept of it."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from connector.calendars import read_absences

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def calendar(*events: str) -> bytes:
    body = "".join(f"BEGIN:VEVENT\r\nUID:{number}\r\n{event}\r\nEND:VEVENT\r\n" for number, event in enumerate(events))
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\n{body}END:VCALENDAR\r\n".replace("\n\n", "\n").encode()


def spans(*events: str, every: bool = False) -> list[tuple[str, str]]:
    found = read_absences(calendar(*events), NOW, BERLIN, every=every)
    return [(f"{start:%m-%d %H:%M}", f"{end:%m-%d %H:%M}") for start, end in found.intervals]


WHOLE = "DTSTART;VALUE=DATE:20260310\r\nDTEND;VALUE=DATE:20260313"
HOURS = "DTSTART;TZID=Europe/Berlin:20260311T090000\r\nDTEND;TZID=Europe/Berlin:20260311T120000"


@pytest.mark.parametrize(
    ("event", "counts"),
    [
        (f"SUMMARY:Lisbon\r\n{WHOLE}", True),
        (f"SUMMARY:Birthday\r\nTRANSP:TRANSPARENT\r\n{WHOLE}", False),
        (f"SUMMARY:Fair\r\nX-MICROSOFT-CDO-BUSYSTATUS:BUSY\r\n{WHOLE}", False),
        (f"SUMMARY:Dentist\r\nX-MICROSOFT-CDO-BUSYSTATUS:OOF\r\n{HOURS}", True),
        (f"SUMMARY:Team meeting\r\n{HOURS}", False),
        (f"SUMMARY:Out-of-office\r\n{HOURS}", True),
        (f"SUMMARY:URLAUB\r\n{HOURS}", True),
        (f"SUMMARY:Lisbon\r\nSTATUS:CANCELLED\r\n{WHOLE}", False),
        ("SUMMARY:Vacation\r\nDTSTART;VALUE=DATE:20250310\r\nDTEND;VALUE=DATE:20250313", False),
    ],
)
def test_what_counts_as_an_absence(event: str, counts: bool) -> None:
    assert bool(spans(event)) is counts


def test_whole_days_are_days_of_the_reps_zone_through_a_change_of_clocks() -> None:
    assert spans(f"SUMMARY:x\r\n{WHOLE}") == [("03-09 23:00", "03-12 23:00")]
    assert spans("DTSTART;VALUE=DATE:20260328\r\nDTEND;VALUE=DATE:20260331") == [("03-27 23:00", "03-30 22:00")]
    assert spans("DTSTART;VALUE=DATE:20260310") == [("03-09 23:00", "03-10 23:00")]


def test_hours_are_those_of_the_event() -> None:
    oof = "X-MICROSOFT-CDO-BUSYSTATUS:OOF"
    assert spans(f"{oof}\r\n{HOURS}") == [("03-11 08:00", "03-11 11:00")]
    assert spans(f"{oof}\r\nDTSTART:20260311T090000Z\r\nDURATION:PT90M") == [("03-11 09:00", "03-11 10:30")]
    assert spans(f"{oof}\r\nDTSTART:20260311T090000\r\nDTEND:20260311T100000") == [("03-11 08:00", "03-11 09:00")]


def test_a_series_keeps_its_hour_and_its_exceptions_and_has_an_end() -> None:
    series = (
        "SUMMARY:Day off\r\nDTSTART;TZID=Europe/Berlin:20260306T130000\r\nDTEND;TZID=Europe/Berlin:20260306T170000\r\n"
        "RRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=5\r\nEXDATE;TZID=Europe/Berlin:20260313T130000"
    )
    assert [start for start, _ in spans(series)] == ["03-06 12:00", "03-20 12:00", "03-27 12:00", "04-03 11:00"]
    endless = "SUMMARY:Day off\r\nDTSTART;VALUE=DATE:20200103\r\nRRULE:FREQ=WEEKLY;BYDAY=FR"
    assert 50 < len(spans(endless)) < 60


def test_absences_that_meet_are_one_and_every_event_can_count() -> None:
    assert spans(f"SUMMARY:a\r\n{WHOLE}", "SUMMARY:b\r\nDTSTART;VALUE=DATE:20260312\r\nDTEND;VALUE=DATE:20260315") == [
        ("03-09 23:00", "03-14 23:00")
    ]
    assert spans(f"SUMMARY:Team meeting\r\n{HOURS}", every=True) == [("03-11 08:00", "03-11 11:00")]
    assert read_absences(calendar(f"SUMMARY:Team meeting\r\n{HOURS}"), NOW, BERLIN).left_out == 1


@pytest.mark.parametrize(
    "text",
    [b"", b"hello", b"\xff\xfe\x00", b"BEGIN:VCALENDAR\r\n", calendar("DTSTART:yesterday\r\nSUMMARY:Vacation"), b"x" * 1_000_001],
)
def test_what_is_no_calendar_is_said_in_one_line(text: bytes) -> None:
    try:
        found = read_absences(text, NOW, BERLIN)
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        assert found.intervals == ()
