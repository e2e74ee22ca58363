"""What counting features compute: the twelve live ones by the clock hour (see `scoring.live`), the others to the millisecond."""

from __future__ import annotations

from collections.abc import Callable

from leads.enums import EngagementKind as Kind
from scoring.features.timelines import Timelines, Values
from scoring.live import LIVE, LiveCount


def counter(name: str, kinds: tuple[Kind, ...], days: float | None) -> Callable[[Timelines], Values]:
    """How many acts of these kinds within the last `days`, or ever."""
    if name in LIVE:
        return live_counter(LIVE[name])
    return lambda lines: lines.count(*kinds, days=days)


def live_counter(of: LiveCount) -> Callable[[Timelines], Values]:
    """A count of the live layer."""
    if len(of.groups) == 1:
        return lambda lines: lines.count_hours(*of.groups[0], hours=of.hours)
    return lambda lines: list(map(max, *(lines.count_hours(*kinds, hours=of.hours) for kinds in of.groups)))
