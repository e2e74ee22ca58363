"""Which events of which connection had their effect: the unique key behind "once"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.clock import Clock
from connector.storage.db import Database
from connector.storage.models import InboundEvent as Row
from leads.records import InboundEvent

KEY_LENGTH = 120


@dataclass(frozen=True, slots=True)
class Seen:
    """How an event ended: applied, echo, unknown, refused, ignored."""

    state: str
    lead_id: int | None = None
    note: str | None = None


class Events:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    def fresh(self, connection: str, events: Sequence[InboundEvent]) -> list[InboundEvent]:
        """The events that had no effect yet, each key once, in the given order."""
        by_key = {event.event_key[:KEY_LENGTH]: event for event in reversed(events)}
        with self._db.connected():
            rows = Row.select(Row.event_key).where((Row.connection == connection) & Row.event_key.in_(list(by_key)))
            known = {row.event_key for row in rows}
        kept = {id(event) for key, event in by_key.items() if key not in known}
        return [event for event in events if id(event) in kept]

    def note(
        self, connection: str, event_key: str, inbox_id: int, state: str, *, at: datetime | None = None, note: str | None = None
    ) -> bool:
        """Take the event's key; false when another delivery took it first."""
        query = Row.insert(
            connection=connection,
            event_key=event_key[:KEY_LENGTH],
            inbox_id=inbox_id,
            state=state,
            note=note,
            occurred_at=at or self._clock.now(),
        )
        return bool(query.on_conflict_ignore().as_rowcount().execute())

    def settle(self, connection: str, event_key: str, seen: Seen) -> None:
        """Say how the event ended."""
        Row.update({Row.state: seen.state, Row.lead_id: seen.lead_id, Row.note: seen.note}).where(
            (Row.connection == connection) & (Row.event_key == event_key[:KEY_LENGTH])
        ).execute()

    def of_inbox(self, inbox_id: int) -> list[tuple[str, str, str | None]]:
        """(key, state, note) of each event of a delivery."""
        with self._db.connected():
            return [(row.event_key, row.state, row.note) for row in Row.select().where(Row.inbox_id == inbox_id).order_by(Row.id)]
