"""Work that was given up, until a person replays or drops it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.clock import Clock
from connector.storage.db import Database
from connector.storage.models import DeadLetter as Row


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`origin` is "inbox", "effect" or "lead", `reference` the id of that row, `error` one line without personal data."""

    id: int
    origin: str
    reference: int
    queue: str
    error: str
    created_at: datetime
    state: str


class DeadLetters:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    def add(self, origin: str, reference: int, queue: str, error: str) -> None:
        with self._db.transaction():
            Row.insert(origin=origin, reference=reference, queue=queue, error=error[:500], created_at=self._clock.now()).execute()

    def get(self, letter_id: int) -> DeadLetter | None:
        with self._db.connected():
            row = Row.get_or_none(Row.id == letter_id)
            return _letter(row) if row else None

    def all(self, state: str = "open", limit: int = 200) -> Sequence[DeadLetter]:
        with self._db.connected():
            return [_letter(row) for row in Row.select().where(Row.state == state).order_by(Row.id.desc()).limit(limit)]

    def count(self) -> int:
        with self._db.connected():
            return int(Row.select().where(Row.state == "open").count())

    def mark(self, letter_id: int, state: str) -> bool:
        """Close an open letter as replayed or dropped; false when it was not open."""
        with self._db.transaction():
            return bool(Row.update({Row.state: state}).where((Row.id == letter_id) & (Row.state == "open")).execute())


def _letter(row: Row) -> DeadLetter:
    return DeadLetter(row.id, row.origin, row.reference, row.queue, row.error, row.created_at, row.state)
