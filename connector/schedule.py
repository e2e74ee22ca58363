"""The clock process: what must happen again and again. Any number may run; the one that holds the lease acts, and all of them carry
out deadlines.

It rings doorbells for rows whose bell was missed or whose moment has come (digests, retries), carries out deadlines, drains the
waiting list and seals the audit trail. It touches nothing but the database, so a slow CRM or a long training never holds it up.
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
    """One thing to do every so many seconds. `everywhere`: every clock does it and not only the one that leads, because what it
    takes it takes once, and cannot wait until the lease of a killed clock has lapsed."""

    name: str
    every_s: float
    call: Callable[[], object]
    everywhere: bool = False
    due: float = 0.0


def chores(house: House) -> list[Chore]:
    """All of them, soonest first."""
    from connector.feeds import FeedReader
    from connector.pipeline.enrich import forget_enriched
    from connector.pipeline.homes import HomeWatch
    from connector.pipeline.leaderboard import ask_leaderboard
    from connector.pipeline.leavers import release_leads
    from connector.pipeline.old_scores import forget_old_scores
    from connector.pipeline.pickup import ring_pickup
    from connector.pipeline.reconcile import ring_due
    from connector.pipeline.sla import sweep_clocks
    from connector.pipeline.stale import ring_refresh
    from connector.pipeline.sweep import Sweeper
    from connector.pipeline.waiting import Drain

    wanted = house.settings.pickup
    return [
        *([Chore("pickup", wanted.every_s, lambda: ring_pickup(house))] if wanted else []),
        Chore("deadlines", 0.5, lambda: sweep_clocks(house), everywhere=True),
        Chore("sweep", 0.5, Sweeper(house).sweep),
        Chore("waiting", 1.0, Drain(house).turn),
        Chore("homes", 1.0, HomeWatch(house).turn),
        Chore("seal", 2.0, house.audit.seal),
        Chore("leaderboard", 30.0, lambda: ask_leaderboard(house)),
        Chore("feeds", 60.0, FeedReader(house).turn),
        Chore("look-alikes", 3600.0, lambda: house.queue.ring_slow("look_alikes", 0)),
        Chore("old scores", 600.0, lambda: forget_old_scores(house)),
        Chore("upkeep", 3600.0, lambda: house.queue.ring_slow("upkeep", 0)),
        Chore("reconcile", 30.0, lambda: ring_due(house)),
        Chore("enriched", 3600.0, lambda: forget_enriched(house)),
        Chore("refresh", 600.0, lambda: ring_refresh(house)),
        Chore("leavers", 15.0, lambda: release_leads(house)),
    ]


class Schedule:
    """Runs chores when they are due: all of them as long as this process holds the lease, else those of every clock."""

    def __init__(self, house: House, work: Sequence[Chore], holder: str, steady: Callable[[], float] = time.monotonic) -> None:
        self._house, self._work, self._holder, self._steady = house, work, holder, steady
        self._leads_until = 0.0
        self._leading = False

    def tick(self) -> int:
        """Run every chore that is due; returns how many ran. A chore that fails is logged and tried again when next due."""
        leads = self._hold_lease()
        ran = 0
        for chore in self._work:
            if self._steady() < chore.due or not (leads or chore.everywhere):
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
