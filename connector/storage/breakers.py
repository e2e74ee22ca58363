"""A circuit breaker for each receiver: one that does not answer is left alone for a while, and what is meant for it waits.

Three tries of a row are soon had while a CRM is down for an hour. After some calls in a row that nobody answered the breaker opens:
nothing is sent until a pause is over, then one row tries whether the receiver is back. The pause doubles up to five minutes. What
waits meanwhile has had no try. The state is shared by all processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from connector.clock import Clock, from_ms, to_ms
from connector.storage.cells import Cells

log = structlog.get_logger(__name__)

#: Calls in a row that failed until a breaker opens. More than the tries of one row, so that a row that is itself at fault ends as a
#: dead letter and opens nothing.
FAILURES: Final = 5
PAUSE_S: Final = 30.0
LONGEST_PAUSE_S: Final = 300.0
#: More than lead to the longest pause; without a bound the number outgrows a float within days.
MOST_DOUBLINGS: Final = 10


@dataclass(frozen=True, slots=True)
class Breaker:
    """`failures` in a row; open while `opens_at` (when a row may try again) is set."""

    failures: int = 0
    opens_at: datetime | None = None
    since: datetime | None = None
    error: str = ""


class Breakers:
    """The breakers by destination of the outbox."""

    def __init__(self, cells: Cells, clock: Clock) -> None:
        self._cells, self._clock = cells, clock

    def of(self, destination: str) -> Breaker:
        """How a receiver's breaker stands."""
        told = self._cells.get(_cell(destination))
        if not told:
            return Breaker()
        opens_at, since = (from_ms(told[name]) if told[name] else None for name in ("opens_at", "since"))
        return Breaker(told["failures"], opens_at, since, told["error"])

    def bars(self, breaker: Breaker) -> bool:
        """Whether nothing may be sent now."""
        return breaker.opens_at is not None and self._clock.now() < breaker.opens_at

    def worked(self, destination: str) -> None:
        """A call was answered."""
        before = self.of(destination)
        if before.failures:
            self._cells.drop(_cell(destination))
            if before.opens_at:
                log.info("receiver answers again", destination=destination)

    def failed(self, destination: str, error: Exception) -> Breaker:
        """Nobody answered a call; returns how the breaker stands now."""
        known, now = self.of(destination), self._clock.now()
        if self.bars(known):  # a call that was under way when the breaker opened: the same silence, not one more
            return known
        failures = known.failures + 1
        opens_at = None
        if failures >= FAILURES:
            pause = min(PAUSE_S * 2 ** min(failures - FAILURES, MOST_DOUBLINGS), LONGEST_PAUSE_S)
            opens_at = now + timedelta(seconds=pause)
        found = Breaker(failures, opens_at, known.since or now, str(error))
        stands = {"failures": failures, "opens_at": to_ms(opens_at) if opens_at else None, "since": to_ms(found.since or now)}
        self._cells.set(_cell(destination), {**stands, "error": found.error})
        if opens_at and known.opens_at is None:
            log.error("receiver does not answer: breaker open", destination=destination, error=found.error)
        return found


def _cell(destination: str) -> str:
    return f"breaker:{destination}"
