"""Scores grow old although nothing happens: ages, recencies and seasons move on. Once a day the leads in work are scored again."""

from __future__ import annotations

from datetime import timedelta

from connector.bootstrap import House

#: A score older than this is of yesterday.
STALE = timedelta(hours=24)


def find_stale(house: House, limit: int) -> list[int]:
    """Open leads in work whose score is a day old."""
    return house.stages.stale(house.clock.now() - STALE, limit)


def ring_refresh(house: House) -> bool:
    """Ask the slow workers to refresh them, when there are any; the clock asks again while some are left."""
    due = bool(find_stale(house, 1))
    if due:
        house.queue.ring_slow("refresh", 0)
    return due
