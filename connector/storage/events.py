"""Which events of which connection had their effect: the unique key behind "once"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connector.clock import Clock, to_ms
from connector.storage.db import Database, marks
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
            seen = f"SELECT event_key FROM inbound_event WHERE connection = ? AND event_key IN ({marks(by_key)})"  # noqa: S608
            known = {key for (key,) in self._db.run(seen, connection, *by_key)} if by_key else set()
        kept = {id(event) for key, event in by_key.items() if key not in known}
        return [event for event in events if id(event) in kept]

    def take(self, connection: str, inbox_id: int, events: Sequence[InboundEvent]) -> list[InboundEvent]:
        """Take the events' keys within the caller's transaction; returns those that no other delivery took first."""
        now = self._clock.now()
        won: set[str] = set()
        in_order = sorted(events, key=lambda event: event.event_key)  # so that no two deliveries wait for each other in a circle
        for start in range(0, len(events), TAKEN_AT_ONCE):
            part = in_order[start : start + TAKEN_AT_ONCE]
            rows = ", ".join(["(?, ?, ?, 'applied', ?)"] * len(part))
            values = [
                value
                for event in part
                for value in (connection, event.event_key[:KEY_LENGTH], inbox_id, to_ms(getattr(event, "occurred_at", now)))
            ]
            take = f"INSERT INTO inbound_event (connection, event_key, inbox_id, state, occurred_at) VALUES {rows}"  # noqa: S608
            won |= {key for (key,) in self._db.run(f"{take} ON CONFLICT DO NOTHING RETURNING event_key", *values).fetchall()}
        return [event for event in events if event.event_key[:KEY_LENGTH] in won]

    def settle(self, connection: str, ended: Mapping[str, Seen]) -> None:
        """Say how the taken events ended, by key."""
        alike: dict[Seen, list[str]] = {}
        for key, seen in ended.items():
            alike.setdefault(seen, []).append(key[:KEY_LENGTH])
        for seen, keys in alike.items():
            ended_so = (
                f"UPDATE inbound_event SET state = ?, lead_id = ?, note = ? WHERE connection = ? AND event_key IN ({marks(keys)})"  # noqa: S608
            )
            self._db.run(ended_so, seen.state, seen.lead_id, seen.note, connection, *keys)

    def trace_of(self, lead_id: int) -> str | None:
        """The trace id of the newest delivery that spoke of a lead."""
        newest = "SELECT inbox.trace_id FROM inbound_event JOIN inbox ON inbox.id = inbox_id WHERE lead_id = ?"
        with self._db.connected():
            row = self._db.run(f"{newest} ORDER BY inbound_event.id DESC LIMIT 1", lead_id).fetchone()
            return str(row[0]) if row else None

    def of_inbox(self, inbox_id: int) -> list[tuple[str, str, str | None]]:
        """(key, state, note) of each event of a delivery."""
        with self._db.connected():
            return [(row.event_key, row.state, row.note) for row in Row.select().where(Row.inbox_id == inbox_id).order_by(Row.id)]
