"""Deadlines in business time: so many working minutes after a moment on somebody's calendar. DST-safe."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from allocation.hours import Calendar
from allocation.terms import Sla

#: A calendar without a working minute in so long will not have one: somebody set it wrong.
LOOK_AHEAD: Final = timedelta(days=3 * 366)


def due_at(start: datetime, minutes: float, calendar: Calendar) -> datetime:
    """The moment (UTC) when `minutes` of working time have passed since `start` (aware).

    Nought minutes after a moment outside working time is the next opening. Raises ValueError when the calendar never opens.
    """
    left = timedelta(minutes=minutes)
    for opens, closes in calendar.openings(start, start + LOOK_AHEAD):
        begin = max(opens, start)
        if begin + left < closes or (left and begin + left == closes):
            return begin + left
        left -= closes - begin
    raise ValueError("this calendar has no working time left to count; check its hours and holidays")


def business_minutes(start: datetime, end: datetime, calendar: Calendar) -> float:
    """Working minutes between two aware moments; nought when `end` is not after `start`."""
    total = timedelta()
    for opens, closes in calendar.openings(start, end):
        total += max(timedelta(), min(closes, end) - max(opens, start))
    return total.total_seconds() / 60


@dataclass(frozen=True, slots=True)
class Deadlines:
    """The clocks of one assignment as moments in UTC; None where the policy sets none."""

    remind_at: datetime | None = None
    alert_at: datetime | None = None
    accept_by: datetime | None = None
    contact_by: datetime | None = None


def deadlines(assigned_at: datetime, terms: Sla, calendar: Calendar) -> Deadlines:
    """When to remind, to alert the manager, and by when to accept and to make contact. All count from the assignment."""

    def after(minutes: float | None) -> datetime | None:
        return None if minutes is None else due_at(assigned_at, minutes, calendar)

    return Deadlines(
        after(terms.remind_minutes), after(terms.alert_minutes), after(terms.accept_minutes), after(terms.contact_minutes)
    )
