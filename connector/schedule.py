"""The clock process: what must happen again and again. Any number may run; the one that holds the lease acts.

It rings doorbells for rows whose bell was missed or whose moment has come (digests, retries), and seals the audit trail. It does
no work of the pipeline itself, so a slow CRM or a long training never holds it up.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from connector.errors import LeadswitchError

if TYPE_CHECKING:
    from connector.bootstrap import House

log = structlog.get_logger(__name__)

LEASE = "lease:clock"
LEASE_S = 10.0
TICK_S = 0.25


@dataclass
class Chore:
    """One thing to do every so many seconds."""

    name: str
    every_s: float
    call: Callable[[], object]
    due: float = 0.0


def chores(house: House) -> list[Chore]:
    """All of them, soonest first."""
    from connector.pipeline.sweep import Sweeper

    return [Chore("sweep", 0.5, Sweeper(house).sweep), Chore("seal", 2.0, house.audit.seal)]


class Schedule:
    """Runs chores when they are due, as long as this process holds the lease."""

    def __init__(self, house: House, work: Sequence[Chore], holder: str, steady: Callable[[], float] = time.monotonic) -> None:
        self._house, self._work, self._holder, self._steady = house, work, holder, steady
        self._leads_until = 0.0
        self._leading = False

    def tick(self) -> int:
        """Run every chore that is due; returns how many ran. A chore that fails is logged and tried again when next due."""
        if not self._hold_lease():
            return 0
        ran = 0
        for chore in self._work:
            if self._steady() < chore.due:
                continue
            try:
                chore.call()
            except LeadswitchError as error:
                log.warning("chore failed", chore=chore.name, error=str(error))
            except Exception:  # one broken chore must not stop the others, and the next turn may go well
                log.exception("chore broke", chore=chore.name)
            chore.due = self._steady() + chore.every_s
            ran += 1
        return ran

    def _hold_lease(self) -> bool:
        """Renew the lease in the last two thirds of its time; between, what was renewed stands."""
        now = self._steady()
        if now < self._leads_until - LEASE_S * 2 / 3:
            return True
        try:
            held = self._house.cells.lease(LEASE, self._holder, LEASE_S)
        except LeadswitchError as error:
            log.warning("no lease", error=str(error))
            held = False
        self._leads_until = now + LEASE_S if held else 0.0
        if held != self._leading:
            self._leading = held
            log.info("clock leads" if held else "another clock leads", holder=self._holder)
        return held


def main() -> None:
    """Run until SIGTERM or Ctrl-C. Raises `Configuration` for wrong settings."""
    from connector.bootstrap import open_house
    from connector.logs import set_up_logs
    from connector.settings import read_settings

    settings = read_settings()
    set_up_logs(settings.log_level)
    house = open_house(settings)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    schedule = Schedule(house, chores(house), f"{socket.gethostname()}:{os.getpid()}")
    log.info("clock started")
    while not stop.is_set():
        schedule.tick()
        stop.wait(TICK_S)
    house.close()
    log.info("clock stopped")
