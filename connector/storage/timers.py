"""The clocks of the SLA as rows, and first contacts: they outlive every process, and each fires once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from connector.clock import Clock, to_ms
from connector.storage.db import Database
from connector.storage.models import FirstContact as ContactRow
from connector.storage.models import Timer as Row
from connector.storage.spelled import first, insert, rows, set_where


@dataclass(frozen=True, slots=True)
class Timer:
    """One clock of an assignment. `stage` is remind, alert, accept or contact."""

    id: int
    lead_id: int
    assignment_id: int
    stage: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class FirstContact:
    """The first human touch of a lead. `seconds` since it was made; `business_minutes` of whoever held it then."""

    lead_id: int
    rep_id: str | None
    at: datetime
    how: str
    seconds: float
    business_minutes: float | None


class Timers:
    """The repository of clocks and first contacts. Callers that write hold the transaction and the lead's lock."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    def start(self, lead_id: int, assignment_id: int, moments: Mapping[str, datetime]) -> None:
        """Start the clocks of a new assignment: stage → when it is due."""
        for stage, due_at in moments.items():
            told = {"lead_id": lead_id, "assignment_id": assignment_id, "stage": stage, "due_at": due_at}
            insert(self._db, Row, told, unless="(assignment_id, stage) DO NOTHING")

    def again(self, timer: Timer, due_at: datetime) -> None:
        """Let a clock that fired in vain run once more."""
        set_where(self._db, Row, {"state": "pending", "due_at": due_at}, "id = ?", timer.id)

    def put_off(self, timer: Timer, due_at: datetime) -> None:
        """Let a clock that could not be carried out run a while longer."""
        set_where(self._db, Row, {"due_at": due_at}, "id = ? AND state = 'pending'", timer.id)

    def stand_still(self, assignment_id: int, later: Callable[[datetime], datetime]) -> None:
        """Move the clocks of an assignment that run to the moments that `later` gives for when they are due."""
        for row in rows(self._db, Row, "WHERE assignment_id = ? AND state = 'pending'", assignment_id):
            moved = {"due_at": later(row.due_at), "moved_from": row.due_at}
            set_where(self._db, Row, moved, "id = ? AND state = 'pending'", row.id)

    def is_worked_on(self, timer: Timer) -> bool:
        """Whether somebody else holds the clock's lead now; if not, it is locked until the end of the caller's transaction. Always
        false on SQLite, where one writes at a time."""
        if self._db.is_sqlite:
            return False
        return self._db.run("SELECT id FROM lead WHERE id = ? FOR UPDATE SKIP LOCKED", timer.lead_id).fetchone() is None

    def due(self, limit: int) -> list[Timer]:
        """Clocks whose time has come, the oldest first."""
        now = to_ms(self._clock.now())
        found = rows(self._db, Row, "WHERE state = 'pending' AND due_at <= ? ORDER BY due_at, id LIMIT ?", now, limit)
        return [_timer(row) for row in found]

    def void_met(self) -> int:
        """Settle at once all due clocks that have nothing left to do: the lead was accepted, spoken to, given on or has ended. Most
        are, and thousands may be due in the first minute of a working day. Clocks that another process works on are passed over."""
        now = to_ms(self._clock.now())
        over = "" if self._db.is_sqlite else " FOR UPDATE OF t SKIP LOCKED"
        open_still = (
            "SELECT 1 FROM assignment a JOIN lead l ON l.id = a.lead_id WHERE a.id = t.assignment_id AND a.closed_at IS NULL"
            " AND a.contacted_at IS NULL AND (t.stage = 'contact' OR a.accepted_at IS NULL) AND l.outcome NOT IN ('won', 'lost')"
        )
        met = f"SELECT t.id FROM timer t WHERE t.state = 'pending' AND t.due_at <= ? AND NOT EXISTS ({open_still}){over}"  # noqa: S608
        settled = f"UPDATE timer SET state = 'void', result = 'void', done_at = ? WHERE state = 'pending' AND id IN ({met})"  # noqa: S608
        with self._db.transaction():
            return int(self._db.run(settled, now, now).rowcount)

    def claim(self, timer: Timer) -> bool:
        """Take a due clock within the caller's transaction; false when another clock process was quicker, or it was put off."""
        now = to_ms(self._clock.now())
        taken = "UPDATE timer SET state = 'fired', done_at = ? WHERE id = ? AND state = 'pending' AND due_at <= ? RETURNING id"
        return self._db.run(taken, now, timer.id, now).fetchone() is not None

    def settle(self, timer: Timer, result: str) -> None:
        """Note what came of a clock that was taken: what it did, or that nothing was left to do ("void")."""
        state = "void" if result == "void" else "fired"
        set_where(self._db, Row, {"state": state, "result": result[:24]}, "id = ? AND state = 'fired'", timer.id)

    def of_lead(self, lead_id: int) -> list[tuple[str, datetime, str, str | None]]:
        """(stage, due, state, result) of every clock of a lead, in order."""
        found = rows(self._db, Row, "WHERE lead_id = ? ORDER BY due_at, id", lead_id)
        return [(row.stage, row.due_at, row.state, row.result) for row in found]

    def running(self, assignment_id: int) -> dict[str, datetime]:
        """Stage → due of the clocks of one assignment that run still, the soonest first."""
        found = rows(self._db, Row, "WHERE assignment_id = ? AND state = 'pending' ORDER BY due_at, id", assignment_id)
        return {row.stage: row.due_at for row in found}

    # -- first contacts

    def note_contact(self, contact: FirstContact) -> bool:
        """Keep the first human touch; of two the earlier one stands. True when it is news."""
        known = first(self._db, ContactRow, "WHERE lead_id = ?", contact.lead_id)
        if known is not None and known.at <= contact.at:
            return False
        told = {
            "rep_id": int(contact.rep_id) if contact.rep_id else None,
            "at": contact.at,
            "how": contact.how,
            "seconds": contact.seconds,
            "business_minutes": contact.business_minutes,
        }
        if known is not None:
            set_where(self._db, ContactRow, told, "lead_id = ?", contact.lead_id)
            return True
        return bool(insert(self._db, ContactRow, {"lead_id": contact.lead_id, **told}, unless="(lead_id) DO NOTHING"))

    def forget_contact(self, lead_id: int, at: datetime) -> None:
        """The first touch that was noted for this moment was none after all."""
        with self._db.connected():
            self._db.run("DELETE FROM first_contact WHERE lead_id = ? AND at = ?", lead_id, to_ms(at))

    def contact(self, lead_id: int) -> FirstContact | None:
        """The first human touch of a lead, or of one that was merged into it, when there was one."""
        same = "lead_id = ? OR lead_id IN (SELECT id FROM lead WHERE merged_into = ?)"
        row = first(self._db, ContactRow, f"WHERE {same} ORDER BY at", lead_id, lead_id)
        if row is None:
            return None
        rep_id = str(row.rep_id) if row.rep_id is not None else None
        return FirstContact(row.lead_id, rep_id, row.at, row.how, row.seconds, row.business_minutes)

    def speeds(self) -> dict[str, list[float]]:
        """Seconds to the first contact of the last thousand leads that had one, by rep."""
        speeds: dict[str, list[float]] = {}
        for row in rows(self._db, ContactRow, "WHERE rep_id IS NOT NULL ORDER BY id DESC LIMIT 1000"):
            speeds.setdefault(str(row.rep_id), []).append(row.seconds)
        return speeds


def _timer(row: Row) -> Timer:
    return Timer(row.id, row.lead_id, row.assignment_id, row.stage, row.due_at)
