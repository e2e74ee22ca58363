"""Leads that their reps put off until a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.clock import Clock
from connector.storage.db import Database
from connector.storage.models import Snooze as Row
from connector.storage.spelled import first, insert, set_where


@dataclass(frozen=True, slots=True)
class Snooze:
    """One open snooze."""

    id: int
    lead_id: int
    rep_id: str
    until: datetime


class Snoozes:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    def begin(self, lead_id: int, rep_id: str, until: datetime, actor: str) -> int:
        """Put the lead off, within the caller's transaction and under the lead's lock; an earlier snooze ends. Returns its id."""
        self.end(lead_id, "replaced")
        put_off = {"lead_id": lead_id, "rep_id": int(rep_id), "until": until, "actor": actor, "at": self._clock.now()}
        return insert(self._db, Row, put_off)

    def open(self, lead_id: int) -> Snooze | None:
        """The snooze that holds now. One whose moment has come holds no more, also before its reminder went out."""
        now = self._clock.now()
        row = first(self._db, Row, "WHERE lead_id = ? AND ended_at IS NULL", lead_id)
        return Snooze(row.id, row.lead_id, str(row.rep_id), row.until) if row and row.until > now else None

    def rep_of(self, snooze_id: int) -> str | None:
        """Who put a lead off by this snooze; None when it ended."""
        row = first(self._db, Row, "WHERE id = ? AND ended_at IS NULL", snooze_id)
        return str(row.rep_id) if row else None

    def end(self, lead_id: int, ended_as: str) -> bool:
        """End the lead's open snooze; false when there was none. If its moment has not come, clocks that stood still are due again
        when they were before."""
        if self.open(lead_id) is not None:
            back = "UPDATE timer SET due_at = moved_from WHERE lead_id = ? AND state = 'pending' AND moved_from IS NOT NULL"
            with self._db.connected():
                self._db.run(back, lead_id)
        ended = {"ended_at": self._clock.now(), "ended_as": ended_as}
        return bool(set_where(self._db, Row, ended, "lead_id = ? AND ended_at IS NULL", lead_id))

    def run_out(self, snooze_id: int) -> bool:
        """The moment has come: end this snooze. False when it was ended or replaced before."""
        ended = {"ended_at": self._clock.now(), "ended_as": "over"}
        return bool(set_where(self._db, Row, ended, "id = ? AND ended_at IS NULL", snooze_id))
