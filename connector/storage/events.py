"""Which events of which connection had their effect: the unique key behind "once"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector.clock import Clock
from connector.storage.db import Database
from connector.storage.models import InboundEvent as Row
from leads.records import InboundEvent

KEY_LENGTH = 120
TAKEN_AT_ONCE = 100


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

    def take(self, connection: str, inbox_id: int, events: Sequence[InboundEvent]) -> list[InboundEvent]:
        """Take the events' keys within the caller's transaction; returns those that no other delivery took first."""
        now = self._clock.now()
        won: set[str] = set()
        in_order = sorted(events, key=lambda event: event.event_key)  # so that no two deliveries wait for each other in a circle
        for start in range(0, len(events), TAKEN_AT_ONCE):
            rows = [
                {
                    "connection": connection,
                    "event_key": event.event_key[:KEY_LENGTH],
                    "inbox_id": inbox_id,
                    "state": "applied",
                    "occurred_at": getattr(event, "occurred_at", now),
                }
                for event in in_order[start : start + TAKEN_AT_ONCE]
            ]
            query = Row.insert_many(rows).on_conflict_ignore().returning(Row.event_key)
            won |= {row.event_key for row in query.execute()}
        return [event for event in events if event.event_key[:KEY_LENGTH] in won]

    def settle(self, connection: str, ended: Mapping[str, Seen]) -> None:
        """Say how the taken events ended, by key."""
        alike: dict[Seen, list[str]] = {}
        for key, seen in ended.items():
            alike.setdefault(seen, []).append(key[:KEY_LENGTH])
        for seen, keys in alike.items():
            Row.update({Row.state: seen.state, Row.lead_id: seen.lead_id, Row.note: seen.note}).where(
                (Row.connection == connection) & Row.event_key.in_(keys)
            ).execute()

    def of_inbox(self, inbox_id: int) -> list[tuple[str, str, str | None]]:
        """(key, state, note) of each event of a delivery."""
        with self._db.connected():
            return [(row.event_key, row.state, row.note) for row in Row.select().where(Row.inbox_id == inbox_id).order_by(Row.id)]
