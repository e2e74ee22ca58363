"""The worker's side of the inbox: read what intake stored, and say how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta

from peewee import fn

from connector.clock import Clock, to_ms
from connector.errors import Skippable
from connector.ports import Delivery
from connector.storage.db import Database, marks, tuples
from connector.storage.intake import open_delivery
from connector.storage.models import InboundEvent, Inbox
from connector.vault import Vault


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A row of the inbox, opened."""

    id: int
    connection: str
    signed: bool
    trace_id: str
    state: str
    attempts: int
    error: str | None
    delivery: Delivery


@dataclass
class Request:
    """The row that a person's request came in, while it is carried out."""

    inbox_id: int
    closed: bool = False


#: The request that this thread carries out.
IN_HAND: ContextVar[Request | None] = ContextVar("in_hand", default=None)


class InboxRows:
    """Deliveries waiting for, or done by, the pipeline."""

    def __init__(self, db: Database, vault: Vault, clock: Clock) -> None:
        self._db, self._vault, self._clock = db, vault, clock

    def read(self, ids: Sequence[int]) -> list[StoredDelivery]:
        """The rows with these ids, in order of arrival, whatever their state."""
        with self._db.connected():
            query = self._db.spelled(f"SELECT * FROM inbox WHERE id IN ({marks(ids)}) ORDER BY id")  # noqa: S608 - marks only
            return [self._open(row) for row in Inbox.raw(query, *ids)] if ids else []

    def is_pending(self, inbox_id: int) -> bool:
        """Whether the row still waits. Opens nothing, so that it tells of rows that do not open any more too."""
        with self._db.connected():
            return bool(Inbox.select().where((Inbox.id == inbox_id) & (Inbox.state == "pending")).exists())

    def newest(self, state: str | None = None, connection: str | None = None, limit: int = 50) -> list[StoredDelivery]:
        """The newest rows first."""
        query = Inbox.select().order_by(Inbox.id.desc()).limit(limit)
        if state:
            query = query.where(Inbox.state == state)
        if connection:
            query = query.where(Inbox.connection == connection)
        with self._db.connected():
            return [self._open(row) for row in query]

    def finish(self, inbox_id: int, state: str = "done", error: str | None = None) -> None:
        """Close a row as done or unknown (kept for replay)."""
        with self._db.transaction():
            self._db.run("UPDATE inbox SET state = ?, error = ? WHERE id = ?", state, error, inbox_id)

    @contextmanager
    def in_hand(self, inbox_id: int) -> Iterator[None]:
        """What is done in this block is what this row asks for; see `finish_with_deed`."""
        token = IN_HAND.set(Request(inbox_id))
        try:
            yield
        finally:
            IN_HAND.reset(token)

    def finish_with_deed(self) -> None:
        """Close the row in hand in the transaction of the deed it asks for: whatever stops the worker after that, the deed is not
        done again. Nothing happens to what came by another way. Raises `Skippable`, which takes the deed back, when another
        worker has done it meanwhile."""
        request = IN_HAND.get()
        if request is None or request.closed:
            return
        closed = "UPDATE inbox SET state = 'done', error = NULL WHERE id = ? AND state = 'pending'"
        if not self._db.run(closed, request.inbox_id).rowcount:
            raise Skippable("This was done already.")
        request.closed = True

    def hold_on(self, seconds: float) -> None:
        """Lengthen the claim on the row in hand, in long work; nothing happens to what came by another way."""
        request = IN_HAND.get()
        if request is None or request.closed:
            return
        due = to_ms(self._clock.now() + timedelta(seconds=seconds))
        with self._db.transaction():
            self._db.run("UPDATE inbox SET due_at = ? WHERE id = ? AND state = 'pending'", due, request.inbox_id)

    def claim(self, inbox_id: int, seconds: float) -> bool:
        """Take a pending row that is due for so long; false when another worker has it. It comes due again if the taker dies."""
        now = self._clock.now()
        taken = "UPDATE inbox SET due_at = ? WHERE id = ? AND state = 'pending' AND due_at <= ?"
        with self._db.transaction():
            return bool(self._db.run(taken, to_ms(now + timedelta(seconds=seconds)), inbox_id, to_ms(now)).rowcount)

    def release(self, inbox_id: int) -> None:
        """Give a claimed row back at once."""
        with self._db.transaction():
            self._db.run("UPDATE inbox SET due_at = ? WHERE id = ?", to_ms(self._clock.now()), inbox_id)

    def retry(self, inbox_id: int, delay_s: float, error: str, *, counted: bool = True) -> int:
        """Put a row back for later; returns how many tries it has had."""
        due = self._clock.now() + timedelta(seconds=delay_s)
        with self._db.transaction():
            Inbox.update({Inbox.attempts: Inbox.attempts + int(counted), Inbox.due_at: due, Inbox.error: error[:500]}).where(
                Inbox.id == inbox_id
            ).execute()
            row = Inbox.get_by_id(inbox_id)
            return int(row.attempts)

    def reopen(self, inbox_id: int) -> bool:
        """Make a closed row pending again; events of it that had an effect keep it and will not have it twice."""
        with self._db.transaction():
            InboundEvent.delete().where(
                (InboundEvent.inbox_id == inbox_id) & (InboundEvent.state.in_(["unknown", "refused"]))
            ).execute()
            query = Inbox.update({Inbox.state: "pending", Inbox.attempts: 0, Inbox.due_at: self._clock.now()})
            return bool(query.where((Inbox.id == inbox_id) & (Inbox.state != "pending")).execute())

    def due(self, before_s: float, limit: int) -> list[tuple[int, str]]:
        """(id, connection) of pending rows that were due so many seconds ago: their doorbell was missed."""
        with self._db.connected():
            moment = self._clock.now() - timedelta(seconds=before_s)
            rows = Inbox.select(Inbox.id, Inbox.connection).where((Inbox.state == "pending") & (Inbox.due_at <= moment))
            return [(row.id, row.connection) for row in rows.order_by(Inbox.due_at).limit(limit)]

    def counts(self) -> dict[str, int]:
        """How many rows are in each state that is not done."""
        with self._db.connected():
            return dict(tuples(Inbox.select(Inbox.state, fn.COUNT(Inbox.id)).where(Inbox.state != "done").group_by(Inbox.state)))

    def _open(self, row: Inbox) -> StoredDelivery:
        delivery = open_delivery(self._vault, row.envelope, row.received_at)
        return StoredDelivery(row.id, row.connection, row.signed, row.trace_id, row.state, row.attempts, row.error, delivery)
