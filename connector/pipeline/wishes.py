"""When and about what a rep wants to hear from us: quiet hours, the hour of the digest, what is muted. Hours are the rep's own,
in the rep's zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from allocation.hours import zone_of

if TYPE_CHECKING:
    from connector.bootstrap import House
    from connector.storage.reps import StoredRep

#: What a rep may mute, and what happens instead. A hot lead cannot be muted.
MUTES: Final = {
    "warm": "Direct messages about warm leads (they go into the digest)",
    "digest": "The digest (its leads stay in the queue here)",
    "leaderboard": "My name on the leaderboard",
}
NO_QUIET: Final = "none"
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def parse_hour(text: str) -> time:
    """The time of day "HH:MM". Raises `ValueError`."""
    hour, colon, minute = text.strip().partition(":")
    if not (colon and hour.isdecimal() and minute.isdecimal() and len(minute) == 2 and int(hour) < 24 and int(minute) < 60):
        raise ValueError(f'"{text}" is not a time of day; write for example "09:00"')
    return time(int(hour), int(minute))


def parse_quiet(text: str) -> tuple[time, time] | None:
    """Quiet hours "20:00-08:00", which may pass midnight; None for "none" or nothing. Raises `ValueError`."""
    if text.strip().lower() in ("", NO_QUIET):
        return None
    begin, dash, end = text.partition("-")
    if not dash:
        raise ValueError(f'"{text}" are no quiet hours; write for example "20:00-08:00", or "none"')
    hours = parse_hour(begin), parse_hour(end)
    if hours[0] == hours[1]:
        raise ValueError("quiet hours must end at another hour than they begin")
    return hours


def parse_weekly(text: str) -> tuple[int, time]:
    """The weekday (0 is Monday) and time of day of "mon 09:00". Raises `ValueError`."""
    day, _, hour = text.strip().lower().partition(" ")
    if day not in WEEKDAYS:
        raise ValueError(f'"{text}" is not a moment of the week; write for example "mon 09:00"')
    return WEEKDAYS.index(day), parse_hour(hour)


@dataclass(frozen=True, slots=True)
class Wishes:
    """One rep's wishes. `quiet` are the hours in which nothing is sent, of the day in `zone`."""

    zone: ZoneInfo
    quiet: tuple[time, time] | None
    digest_at: time
    mutes: frozenset[str]

    def quiet_until(self, at: datetime) -> datetime | None:
        """When the quiet hours that hold at this moment end; None outside of them."""
        if self.quiet is None:
            return None
        begin, end = self.quiet
        today = at.astimezone(self.zone).date()
        for first in (today - timedelta(days=1), today):
            last = first if begin < end else first + timedelta(days=1)
            if _moment(first, begin, self.zone) <= at < (over := _moment(last, end, self.zone)):
                return over
        return None

    def next_digest(self, at: datetime) -> datetime:
        """The next moment of the digest, after `at`."""
        today = at.astimezone(self.zone).date()
        days = (_moment(today + timedelta(days=ahead), self.digest_at, self.zone) for ahead in range(3))
        return next(moment for moment in days if moment > at)


def _moment(day: date, hour: time, zone: ZoneInfo) -> datetime:
    """That hour of a day, in UTC. An hour that the change to summer time skips is the one an hour later."""
    return datetime.combine(day, hour, zone).astimezone(UTC)


def wishes_of(house: House, rep: StoredRep) -> Wishes:
    """What a rep set, else what the settings say."""
    slack, chosen = house.settings.slack, rep.settings
    return Wishes(
        zone_of(str(chosen.get("timezone") or house.policy.calendar.zone)),
        parse_quiet(str(chosen.get("quiet_hours", slack.quiet_hours))),
        parse_hour(str(chosen.get("digest_at", slack.digest_at))),
        frozenset(chosen.get("mutes") or ()),
    )


def check_wish(name: str, value: Any) -> None:
    """Raise `ValueError` with one line when a rep may not wish for this."""
    if name == "quiet_hours":
        parse_quiet(value)
    elif name == "digest_at":
        parse_hour(value)
    elif name == "mutes" and (unknown := [one for one in value if one not in MUTES]):
        raise ValueError(f"cannot mute {unknown[0]!r}; there are {', '.join(MUTES)}")
