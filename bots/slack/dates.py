"""Moments and spans of days in words ("until Monday", "3pm tomorrow", "for 2 hours", "24 Dec to 2 Jan"), read in one person's zone.

Pure text work: the moment of asking and the zone come in, moments in UTC come out. `ValueError` carries a sentence for the person.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
UNITS: Final = {"m": 1, "min": 1, "minute": 1, "h": 60, "hr": 60, "hour": 60, "d": 1440, "day": 1440, "w": 10080, "week": 10080}
HOURS: Final = {"noon": time(12), "midnight": time(0), "morning": time(9), "afternoon": time(14), "evening": time(18)}
MIDNIGHT: Final = time(0)
#: Nobody means a moment further away; a slip of the fingers does.
FURTHEST: Final = timedelta(days=2 * 366)

_NOISE = re.compile(r"^(?:until|till|til|by|on|at|from|for|in|the|this)\s+", re.IGNORECASE)
_LASTING = re.compile(r"(\d{1,4}|an?)\s*(m|min|h|hr|d|w|minute|hour|day|week)s?", re.IGNORECASE)
_CLOCK = re.compile(r"(\d{1,2})(?::(\d{2}))?\s*(am|pm)?", re.IGNORECASE)
_TIME = re.compile(
    r"(?:\bat\s+)?\b(\d{1,2}:\d{2}\s*(?:am|pm)?|\d{1,2}\s*(?:am|pm)|noon|midnight|morning|afternoon|evening)\b"
    r"|\bat\s+(\d{1,2})\b",
    re.IGNORECASE,
)
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_DAY_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th|\.)?\s+(?:of\s+)?([a-z]{3,9})\.?(?:,?\s+(\d{4}))?")
_MONTH_DAY = re.compile(r"([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?(?:,?\s+(\d{4}))?")
_SPAN = re.compile(r"\s+(?:to|until|till|through|–|-)\s+|\s*–\s*", re.IGNORECASE)

EXAMPLES: Final = "Write for example `until Monday`, `3pm tomorrow`, `for 2 hours` or `24 Dec`."


def read_moment(text: str, now: datetime, zone: ZoneInfo, day_begins: time = MIDNIGHT) -> datetime:
    """The moment (UTC) that is meant, always after `now`. A day without an hour begins at `day_begins`.

    Raises `ValueError` with a sentence when it cannot be read, or is over or too far away.
    """
    words = _bare(text)
    lasting = _LASTING.fullmatch(words)
    if lasting:
        count = 1 if lasting[1].lower() in ("a", "an") else int(lasting[1])
        return _checked(now + timedelta(minutes=count * UNITS[lasting[2].lower()]), now)
    local = now.astimezone(zone)
    clock = _TIME.search(words)
    hour = _clock(clock[1] or clock[2]) if clock else None
    rest = " ".join((words[: clock.start()] + " " + words[clock.end() :]).split()) if clock else words
    rest = _bare(rest.removesuffix(" at"))
    if not rest and hour is not None:
        moment = _on(local.date(), hour, zone)
        return _checked(moment if moment > now else _on(local.date() + timedelta(days=1), hour, zone), now)
    if rest == "tonight":
        return _checked(_on(local.date(), hour or time(20), zone), now)
    return _checked(_on(_day(rest, local.date()), hour or day_begins, zone), now)


def read_days(text: str, now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first and the end (UTC, the midnight after the last day) of a span of whole days; one day is a span too.

    Raises `ValueError` with a sentence.
    """
    today = now.astimezone(zone).date()
    parts = [_bare(part) for part in _SPAN.split(_bare(text)) if part.strip()]
    if parts == ["next week"]:
        monday = _day("monday", today)
        return _on(monday, MIDNIGHT, zone), _on(monday + timedelta(days=7), MIDNIGHT, zone)
    if not parts or len(parts) > 2:
        raise ValueError(f"I cannot read these days. {EXAMPLES}")
    first = _day(parts[0], today)
    last = _day(parts[1], first) if len(parts) == 2 else first
    if last < first:
        raise ValueError("The last day is before the first.")
    end = _on(last + timedelta(days=1), MIDNIGHT, zone)
    return _on(first, MIDNIGHT, zone), _checked(end, now)


def _bare(text: str) -> str:
    """Lower case, without the small words in front."""
    words = " ".join(text.lower().replace(",", " ").split())
    while (shorter := _NOISE.sub("", words)) != words:
        words = shorter
    return words


def _clock(text: str) -> time:
    if text.lower() in HOURS:
        return HOURS[text.lower()]
    match = _CLOCK.fullmatch(text.strip())
    hour, minute = (int(match[1]), int(match[2] or 0)) if match else (99, 0)
    half = (match[3] or "").lower() if match else ""
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0) if 1 <= hour <= 12 else 99
    if hour > 23 or minute > 59:
        raise ValueError(f"There is no such time of day. {EXAMPLES}")
    return time(hour, minute)


def _day(words: str, today: date) -> date:
    """The day that is meant, seen from `today`. A weekday is the next one; "next Friday" the one of next week."""
    simple = {"today": 0, "tomorrow": 1, "day after tomorrow": 2}
    if words in simple:
        return today + timedelta(days=simple[words])
    following = words.startswith("next ")
    name = words.removeprefix("next ")
    if following and name == "week":
        return today + timedelta(days=7 - today.weekday())
    weekday = next((place for place, day in enumerate(WEEKDAYS) if len(name) >= 3 and day.startswith(name)), None)
    if weekday is not None:
        if following:
            return today + timedelta(days=7 - today.weekday() + weekday)
        return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)
    return _date(words, today)


def _date(words: str, today: date) -> date:
    """A date such as 2026-12-24, 24 Dec or December 24; without a year the next one to come."""
    iso, day_first, month_first = (pattern.fullmatch(words) for pattern in (_ISO, _DAY_MONTH, _MONTH_DAY))
    if iso:
        return _make(int(iso[1]), int(iso[2]), int(iso[3]))
    if not (day_first or month_first):
        raise ValueError(f"I cannot read that date. {EXAMPLES}")
    found = day_first or month_first
    assert found is not None  # noqa: S101 - one of them is
    name, day, year = (found[2], found[1], found[3]) if day_first else (found[1], found[2], found[3])
    if name[:3] not in MONTHS:
        raise ValueError(f"I cannot read that date. {EXAMPLES}")
    month = MONTHS.index(name[:3]) + 1
    if year:
        return _make(int(year), month, int(day))
    meant = _make(today.year, month, int(day))
    return meant if meant >= today else _make(today.year + 1, month, int(day))


def _make(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError(f"There is no such day. {EXAMPLES}") from None


def _on(day: date, hour: time, zone: ZoneInfo) -> datetime:
    """That hour of a day, in UTC; one that the change to summer time skips is the one an hour later."""
    return datetime.combine(day, hour, zone).astimezone(UTC)


def _checked(moment: datetime, now: datetime) -> datetime:
    if moment <= now:
        raise ValueError("That moment is over already.")
    if moment - now > FURTHEST:
        raise ValueError("That is more than two years away.")
    return moment
