"""Reading out-of-office times from an iCalendar file (RFC 5545), as Outlook, Google and others export it. What is kept is
when somebody is away, never what the appointment is called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final

from dateutil.rrule import rrulestr
from icalendar import Calendar

#: Absences that begin later than this are not taken: a series without an end has no last one.
AHEAD: Final = timedelta(days=400)
#: Absences one calendar may hold.
MOST: Final = 500
BIGGEST: Final = 1_000_000
AWAY_WORDS: Final = (
    "out of office", "ooo", "vacation", "holiday", "annual leave", "parental leave", "sick", "pto", "on leave", "day off",
    "urlaub", "abwesend", "krank", "elternzeit", "congés", "vacances", "vacaciones", "ferie",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Absences:
    """What a calendar said: the absences that are not over, in order and joined where they meet; how many events were none."""

    intervals: tuple[tuple[datetime, datetime], ...]
    left_out: int


def read_absences(text: bytes, now: datetime, zone: tzinfo, *, every: bool = False) -> Absences:
    """The absences in an iCalendar file. Days and times without a zone of their own are in `zone`.

    An event is an absence when it is marked as out of office (Outlook's busy status), or called so, or takes whole days and is not
    marked as free. With `every` all events count that are not free or cancelled: for a calendar kept for absences alone.
    Raises ValueError with one line when the file cannot be read.
    """
    if len(text) > BIGGEST:
        raise ValueError(f"the calendar is larger than {BIGGEST:,} bytes")
    try:
        calendars = Calendar.from_ical(text, multiple=True)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ValueError("this is not an iCalendar file") from error
    if not calendars:
        raise ValueError("there is no calendar in the file")
    found: list[tuple[datetime, datetime]] = []
    left_out = 0
    for event in (event for calendar in calendars for event in calendar.walk("VEVENT")):
        if not _is_absence(event, every):
            left_out += 1
            continue
        try:
            found += [(start, end) for start, end in _occurrences(event, now, zone) if end > now]
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise ValueError("an event of the calendar has dates that cannot be read") from error
    joined = _joined(found)
    if len(joined) > MOST:
        raise ValueError(f"the calendar has more than {MOST} absences")
    return Absences(tuple(joined), left_out)


def _is_absence(event: Any, every: bool) -> bool:
    if str(event.get("STATUS", "")).upper() == "CANCELLED" or "DTSTART" not in event:
        return False
    busy = str(event.get("X-MICROSOFT-CDO-BUSYSTATUS", "")).upper()
    if busy == "OOF":
        return True
    if busy == "FREE" or str(event.get("TRANSP", "")).upper() == "TRANSPARENT":
        return False
    if every:
        return True
    title = str(event.get("SUMMARY", "")).lower()
    categories = event.get("CATEGORIES")
    named = f"{title} {categories.to_ical().decode().lower() if hasattr(categories, 'to_ical') else ''}"
    whole_days = not isinstance(event["DTSTART"].dt, datetime) and busy in ("", "OOF")
    return whole_days or any(word in named.replace("-", " ") for word in AWAY_WORDS)


def _occurrences(event: Any, now: datetime, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
    """Each time of an event, its repetitions until `AHEAD` without those taken out (EXDATE), in UTC.

    Repetitions are counted on the event's own clock, so that nine o'clock stays nine o'clock when the clocks change.
    """
    begins = event["DTSTART"].dt
    start = _local(begins, zone)
    length = _length(event, start, zone, whole_days=not isinstance(begins, datetime))
    if length <= timedelta():
        return
    if "RRULE" not in event:
        yield _span(start, length)
        return
    gone = {_local(one.dt, zone).replace(tzinfo=None) for group in _listed(event.get("EXDATE")) for one in group.dts}
    rule = rrulestr(event["RRULE"].to_ical().decode(), dtstart=start.replace(tzinfo=None), ignoretz=True)
    last = (now + AHEAD).astimezone(start.tzinfo).replace(tzinfo=None)
    first = (now - length - timedelta(days=1)).astimezone(start.tzinfo).replace(tzinfo=None)
    for count, moment in enumerate(rule.xafter(first, inc=True)):
        if moment > last or count > MOST:
            return
        if moment not in gone:
            yield _span(moment.replace(tzinfo=start.tzinfo), length)


def _span(start: datetime, length: timedelta) -> tuple[datetime, datetime]:
    """A whole number of days ends at the same hour of the clock; anything shorter after so much time."""
    if length % timedelta(days=1) == timedelta():
        return start.astimezone(UTC), (start + length).astimezone(UTC)
    begin = start.astimezone(UTC)
    return begin, begin + length


def _length(event: Any, start: datetime, zone: tzinfo, *, whole_days: bool) -> timedelta:
    if "DTEND" in event:
        end = _local(event["DTEND"].dt, zone)
        if whole_days:
            return end.replace(tzinfo=None) - start.replace(tzinfo=None)
        return end.astimezone(UTC) - start.astimezone(UTC)
    if "DURATION" in event:
        return timedelta(seconds=event["DURATION"].dt.total_seconds())
    return timedelta(days=1) if whole_days else timedelta()


def _local(moment: date | datetime, zone: tzinfo) -> datetime:
    if isinstance(moment, datetime):
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return datetime.combine(moment, time(), zone)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _joined(spans: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    joined: list[tuple[datetime, datetime]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
