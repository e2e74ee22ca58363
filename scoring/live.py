"""The live layer: twelve features that are whole counts of acts by the clock hour, so that one event is one increment.

They are worked out from anything that counts by the hour: histories read from the database, or `Buckets` kept elsewhere between
events. Both give the same numbers, because a window begins with a clock hour and not in the middle of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from leads.enums import EngagementKind as Kind
from scoring.timeline import hour_of

WEEK: Final = 7 * 24
MONTH: Final = 30 * 24


@dataclass(frozen=True, slots=True)
class LiveCount:
    """How many acts within the last clock hours: of the groups of kinds the one that has most, since sources of e-mail tell of
    deliveries, of sendings or of both."""

    hours: int
    groups: tuple[tuple[Kind, ...], ...]


def _of(hours: int, *kinds: Kind) -> LiveCount:
    return LiveCount(hours, (kinds,))


LIVE: Final[Mapping[str, LiveCount]] = {
    "opens_7d": _of(WEEK, Kind.EMAIL_OPENED),
    "opens_30d": _of(MONTH, Kind.EMAIL_OPENED),
    "clicks_7d": _of(WEEK, Kind.EMAIL_CLICKED),
    "clicks_30d": _of(MONTH, Kind.EMAIL_CLICKED),
    "replies_30d": _of(MONTH, Kind.EMAIL_REPLIED, Kind.MESSAGE_RECEIVED),
    "emails_received_30d": LiveCount(MONTH, ((Kind.EMAIL_DELIVERED,), (Kind.EMAIL_SENT,))),
    "bounces_30d": _of(MONTH, Kind.EMAIL_BOUNCED, Kind.EMAIL_DROPPED),
    "page_views_7d": _of(WEEK, Kind.PAGE_VIEWED),
    "page_views_30d": _of(MONTH, Kind.PAGE_VIEWED),
    "forms_30d": _of(MONTH, Kind.FORM_SUBMITTED),
    "meetings_booked_30d": _of(MONTH, Kind.MEETING_BOOKED),
    "calls_answered_30d": _of(MONTH, Kind.CALL_ANSWERED),
}


class Buckets:
    """Acts by (kind, clock hour), as `Timeline.hourly` gives them, seen from `as_of`."""

    def __init__(self, buckets: Mapping[tuple[Kind, int], int], as_of: datetime) -> None:
        self._buckets = buckets
        self._now = hour_of(as_of.timestamp())

    def count_hours(self, *kinds: Kind, hours: int) -> int:
        """Acts of these kinds within the last `hours` clock hours, the present one included."""
        return sum(count for (kind, hour), count in self._buckets.items() if kind in kinds and hour > self._now - hours)


def live_values(buckets: Buckets) -> dict[str, int]:
    """The twelve features, by name."""
    return {name: max(buckets.count_hours(*kinds, hours=of.hours) for kinds in of.groups) for name, of in LIVE.items()}
