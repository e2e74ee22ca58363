"""The live layer: twelve features that are whole counts of acts by the clock hour, so that one event is one increment.

They are worked out from anything that counts by the hour: a `Timeline` read from the database, or `Buckets` kept elsewhere between
events. Both give the same numbers, because a window begins with a clock hour and not in the middle of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Protocol

from leads.enums import EngagementKind as Kind
from leads.records import FieldValue
from scoring.features.timeline import Timeline, hour_of

WEEK: Final = 7 * 24
MONTH: Final = 30 * 24


class Counts(Protocol):
    """Anything that counts acts by the clock hour, as of a moment of its own."""

    def count_hours(self, *kinds: Kind, hours: int) -> int:
        """Acts of these kinds within the last `hours` clock hours, the present one included."""
        ...


class Buckets:
    """Acts by (kind, clock hour), as `Timeline.hourly` gives them, seen from `as_of`."""

    def __init__(self, buckets: Mapping[tuple[Kind, int], int], as_of: datetime) -> None:
        self._buckets = buckets
        self._now = hour_of(as_of.timestamp())

    def count_hours(self, *kinds: Kind, hours: int) -> int:
        return sum(count for (kind, hour), count in self._buckets.items() if kind in kinds and hour > self._now - hours)


def _of(hours: int, *kinds: Kind) -> Callable[[Counts], int]:
    return lambda counts: counts.count_hours(*kinds, hours=hours)


def _received(counts: Counts) -> int:
    """The larger of delivered and sent, because sources tell one, the other or both."""
    return max(counts.count_hours(kind, hours=MONTH) for kind in (Kind.EMAIL_DELIVERED, Kind.EMAIL_SENT))


LIVE: Final[Mapping[str, Callable[[Counts], int]]] = {
    "opens_7d": _of(WEEK, Kind.EMAIL_OPENED),
    "opens_30d": _of(MONTH, Kind.EMAIL_OPENED),
    "clicks_7d": _of(WEEK, Kind.EMAIL_CLICKED),
    "clicks_30d": _of(MONTH, Kind.EMAIL_CLICKED),
    "replies_30d": _of(MONTH, Kind.EMAIL_REPLIED, Kind.MESSAGE_RECEIVED),
    "emails_received_30d": _received,
    "bounces_30d": _of(MONTH, Kind.EMAIL_BOUNCED, Kind.EMAIL_DROPPED),
    "page_views_7d": _of(WEEK, Kind.PAGE_VIEWED),
    "page_views_30d": _of(MONTH, Kind.PAGE_VIEWED),
    "forms_30d": _of(MONTH, Kind.FORM_SUBMITTED),
    "meetings_booked_30d": _of(MONTH, Kind.MEETING_BOOKED),
    "calls_answered_30d": _of(MONTH, Kind.CALL_ANSWERED),
}


def counter(name: str, kinds: tuple[Kind, ...], days: float | None) -> Callable[[Timeline], FieldValue]:
    """What a counting feature computes: by the clock hour when it is one of the twelve, else to the millisecond."""
    if name in LIVE:
        return LIVE[name]
    return lambda line: line.count(*kinds, days=days)


def live_values(counts: Counts) -> dict[str, int]:
    """The twelve features, by name."""
    return {name: count(counts) for name, count in LIVE.items()}
