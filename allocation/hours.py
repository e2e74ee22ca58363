"""Working time: a week of local hours, public holidays, and the calendar made of both. DST-safe, because the week is local."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Spans = tuple[tuple[int, int], ...]  # minutes of the local day, end exclusive, at most 1440
Week = tuple[Spans, ...]  # seven of them, Monday first

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES: Final = 1440
ALWAYS: Final[Week] = (((0, DAY_MINUTES),),) * 7
_SPAN = re.compile(r"^(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})$")


def parse_week(table: Mapping[str, str]) -> Week:
    """Read `{"mon-fri": "09:00-12:30, 13:30-18:00", "sat": "22:00-02:00"}`; a span over midnight runs into the next day.

    Days that are not named are free. Raises ValueError with one clear line.
    """
    minutes: list[list[tuple[int, int]]] = [[] for _ in DAYS]
    for days, text in table.items():
        for day in _days(days):
            for begin, end in _spans(text):
                if begin < end:
                    minutes[day].append((begin, end))
                else:
                    minutes[day].append((begin, DAY_MINUTES))
                    minutes[(day + 1) % 7].append((0, end))
    return tuple(_merged(spans) for spans in minutes)


def _days(text: str) -> list[int]:
    first, _, last = (part.strip().lower() for part in text.partition("-"))
    last = last or first
    if first not in DAYS or last not in DAYS:
        raise ValueError(f'"{text}" is not a day; write {", ".join(DAYS)} or a range such as "mon-fri"')
    begin, end = DAYS.index(first), DAYS.index(last)
    return [day % 7 for day in range(begin, end + 1 if end >= begin else end + 8)]


def _spans(text: str) -> Iterator[tuple[int, int]]:
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = _SPAN.match(part)
        if not found:
            raise ValueError(f'"{part}" is not a span of hours; write for example "09:00-17:30"')
        hour1, minute1, hour2, minute2 = map(int, found.groups())
        begin, end = hour1 * 60 + minute1, hour2 * 60 + minute2
        if max(begin, end) > DAY_MINUTES or max(minute1, minute2) > 59 or begin == end:
            raise ValueError(f'"{part}" is not a span of hours within a day')
        yield begin, end


def _merged(spans: list[tuple[int, int]]) -> Spans:
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return tuple(merged)


@lru_cache(maxsize=512)
def zone_of(name: str) -> ZoneInfo:
    """The IANA zone. Raises ValueError when it does not exist."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f'"{name}" is not a time zone; write for example "Europe/Berlin"') from error


@lru_cache(maxsize=1)
def holiday_countries() -> Mapping[str, tuple[str, ...]]:
    """ISO 3166 country codes whose public holidays are known, each with its regions."""
    import holidays  # slow to load, and only a policy that names a country needs it

    return {code: tuple(regions) for code, regions in holidays.list_supported_countries().items()}


def holiday_region(country: str, region: str) -> str:
    """The region as its calendar writes it, whatever the case of its letters; one that is not known stays as it is."""
    return next((known for known in holiday_countries().get(country, ()) if known.lower() == region.lower()), region)


def check_holiday_place(country: str, region: str | None) -> str | None:
    """What is wrong with a holiday country and region, in one line, or None."""
    known = holiday_countries()
    if country not in known:
        return f'there is no holiday calendar for country "{country}"; write an ISO 3166 code such as "DE"'
    if region and holiday_region(country, region) not in known[country]:
        regions = ", ".join(known[country]) or "none"
        return f'country {country} has no region "{region}" in its holiday calendar (known: {regions})'
    return None


@lru_cache(maxsize=2048)
def holiday_dates(country: str, region: str | None, year: int) -> frozenset[date]:
    """Public holidays of a year. An unknown country has none and an unknown region has its country's: `check_holiday_place`
    is where those are reported."""
    regions = holiday_countries().get(country)
    if regions is None:
        return frozenset()
    region = holiday_region(country, region) if region else None
    import holidays

    return frozenset(holidays.country_holidays(country, subdiv=region if region in regions else None, years=year))


@dataclass(frozen=True, slots=True)
class Calendar:
    """When somebody works: local hours in a zone, less the public holidays of a place. `week` None means always."""

    zone: str = "UTC"
    week: Week | None = None
    country: str | None = None
    region: str | None = None

    def over(self, other: Calendar) -> Calendar:
        """This calendar, and `other`'s where it says nothing; an empty zone is none."""
        return Calendar(
            self.zone or other.zone,
            other.week if self.week is None else self.week,
            self.country or other.country,
            self.region if self.country else other.region,
        )

    def is_holiday(self, day: date) -> bool:
        """Whether `day` (local) is a public holiday of the place."""
        return self.country is not None and day in holiday_dates(self.country, self.region, day.year)

    def spans(self, day: date) -> Spans:
        """The working spans of a local day in minutes; none on a holiday."""
        if self.is_holiday(day):
            return ()
        return (self.week or ALWAYS)[day.weekday()]

    def is_open(self, at: datetime) -> bool:
        """Whether the moment `at` (aware) is working time."""
        local = at.astimezone(zone_of(self.zone))
        minute = local.hour * 60 + local.minute
        return any(begin <= minute < end for begin, end in self.spans(local.date()))

    def openings(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The working spans that touch [start, end), in UTC and in order.

        Local hours are turned into UTC one by one, so a day with a clock change has its true length.
        """
        zone = zone_of(self.zone)
        day, last = start.astimezone(zone).date(), end.astimezone(zone).date()
        while day <= last:
            for begin, finish in self.spans(day):
                opens, closes = _utc(day, begin, zone), _utc(day, finish, zone)
                if opens < closes and closes > start and opens < end:
                    yield opens, closes
            day += timedelta(days=1)


def _utc(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """A local wall-clock minute in UTC. A wall time skipped by a clock change counts as the moment of the change or after."""
    if minute == DAY_MINUTES:
        day, minute = day + timedelta(days=1), 0
    return datetime.combine(day, time(minute // 60, minute % 60), zone).astimezone(UTC)
