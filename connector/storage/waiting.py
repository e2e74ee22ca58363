"""The waiting list: leads that nobody could take, and those that wait to be claimed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connector.clock import Clock, to_ms
from connector.storage.db import Database
from connector.storage.models import Waiting as Row
from connector.storage.spelled import first, insert, rows, set_where
from leads.enums import Tier

#: Minutes until the next try of a lead that nobody could take. Whatever capacity returns meanwhile wakes the list at once, so
#: these tries are for what cannot be seen to return.
BACK_OFF_MINUTES: Final = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
#: So long a try in vain holds for those that come after: many fresh leads at once shall not each try the whole list.
JUST_TRIED: Final = timedelta(milliseconds=250)
HEAT: Final = {tier: place for place, tier in enumerate(Tier)}


@dataclass(frozen=True, slots=True)
class Held:
    """One lead on the list. `pool`: it waits to be claimed."""

    lead_id: int
    team: str
    tier: Tier
    pool: bool
    since: datetime
    try_at: datetime
    tries: int


class WaitingList:
    """The repository of the list. Callers that write hold the transaction and the lead's lock."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    def put(self, lead_id: int, team: str, tier: Tier, at: datetime, *, pool: bool = False, by: datetime | None = None) -> None:
        """Put the lead on the list, or note one more try in vain. It keeps its place; `by` is when to try at the latest."""
        known = first(self._db, Row, "WHERE lead_id = ?", lead_id)
        tries = known.tries + 1 if known else 0
        try_at = at + timedelta(minutes=_pause(tries))
        if by is not None and by > at:
            try_at = min(try_at, by)
        told = {"team": team[:120], "heat": HEAT[tier], "pool": pool, "try_at": try_at, "tries": tries}
        if known:
            set_where(self._db, Row, told, "lead_id = ?", lead_id)
        else:
            insert(self._db, Row, {"lead_id": lead_id, "since": at, **told}, unless="(lead_id) DO NOTHING")

    def put_off(self, lead_id: int) -> None:
        """Do not try this lead again for ten minutes."""
        later = self._clock.now() + timedelta(minutes=BACK_OFF_MINUTES[-1])
        set_where(self._db, Row, {"try_at": later}, "lead_id = ?", lead_id)

    def take_off(self, lead_id: int) -> None:
        """The lead has somebody, or nobody is to have it any more."""
        with self._db.connected():
            self._db.run("DELETE FROM waiting WHERE lead_id = ?", lead_id)

    def get(self, lead_id: int) -> Held | None:
        row = first(self._db, Row, "WHERE lead_id = ?", lead_id)
        return _held(row) if row else None

    def all(self, limit: int = 1_000) -> list[Held]:
        """In the order in which they are drained: the hot tier first, then the oldest."""
        return [_held(row) for row in rows(self._db, Row, "ORDER BY heat, since, id LIMIT ?", limit)]

    def any(self) -> bool:
        """Whether anybody waits."""
        with self._db.connected():
            return self._db.run("SELECT 1 FROM waiting LIMIT 1").fetchone() is not None

    def ahead(self, team: str, tier: Tier, limit: int) -> list[int]:
        """The first leads of a team's list that are as hot as `tier` or hotter, without those that were tried in vain just now."""
        asked = "WHERE team = ? AND heat <= ? AND pool = ? ORDER BY heat, since, id LIMIT ?"
        before = self._clock.now() - JUST_TRIED
        found = rows(self._db, Row, asked, team[:120], HEAT[tier], False, limit)
        return [row.lead_id for row in found if row.try_at - timedelta(minutes=_pause(row.tries)) <= before]

    def due(self, limit: int) -> list[int]:
        """Leads whose next try has come, in the order of the list."""
        now = to_ms(self._clock.now())
        return [row.lead_id for row in rows(self._db, Row, "WHERE try_at <= ? ORDER BY heat, since, id LIMIT ?", now, limit)]

    def count(self) -> int:
        with self._db.connected():
            return int(self._db.run("SELECT COUNT(*) FROM waiting").fetchone()[0])


def _pause(tries: int) -> float:
    """Minutes from one try in vain to the next."""
    return BACK_OFF_MINUTES[min(tries, len(BACK_OFF_MINUTES) - 1)]


def _held(row: Row) -> Held:
    return Held(row.lead_id, row.team, list(Tier)[row.heat], row.pool, row.since, row.try_at, row.tries)
