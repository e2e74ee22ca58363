"""The durable inbox: many waiting requests share one commit.

A flush to disk takes longer than anything else on the way in, so one writer thread commits whatever gathered while the commit
before it ran, and only then are those requests acknowledged. On SQLite the commit flushes the write-ahead log
(`synchronous=full`), on PostgreSQL it is a normal commit. The doorbell is rung from a thread of its own: a slow or missing
broker never holds up an acknowledgement, and the clock sweeps what was not rung.
"""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import peewee
import structlog

from connector.clock import to_ms
from connector.errors import Retriable
from connector.ports import Delivery
from connector.storage.db import Database
from connector.vault import Vault

log = structlog.get_logger(__name__)

BATCH_ROWS = 512
WAITING_LIMIT = 4096
WAITING_BYTES = 64 * 1024 * 1024
#: How long the writer waits for SQLite's write lock before its batch is refused and the vendors are asked to come again.
BUSY_MS = 4000
#: How long a request waits for its commit, whatever holds it up. What is stored after all is a repeat when it comes again.
PATIENCE_S = 5.0
#: Arrivals kept for the doorbell while the broker is slow; beyond it they are left to the clock.
UNRUNG_LIMIT = 20_000
#: Under load the doorbell is rung for what gathers in this time: a message an id would cost more than the intake itself.
RING_PAUSE_S = 0.05
ENVELOPE_CONTEXT = b"inbox"

COLUMNS = "connection, delivery_key, received_at, signed, envelope, trace_id, due_at, state, attempts"
FIELDS = 7  # of them that differ from row to row


class StoreDown(Retriable):
    """The delivery was not stored. Whoever sent it is asked to send it again."""


class IntakeFull(StoreDown):
    """More requests wait for the store than it can soon take."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The outcome of one submission. `id` is the inbox row, None for a repeat of one that was stored before."""

    id: int | None
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Arrival:
    """A row that is on disk and wants working off."""

    id: int
    connection: str
    trace_id: str


Ring = Callable[[Sequence[Arrival]], None]
Observe = Callable[[int, float], None]


def seal_delivery(vault: Vault, delivery: Delivery) -> bytes:
    """The whole request as one sealed envelope, laid out as HTTP does: request line, headers, an empty line, the raw body."""
    lines = [f"{delivery.method} {delivery.url}", *(f"{name}:{value}" for name, value in delivery.headers.items()), "\n"]
    return vault.seal("\n".join(lines).encode() + delivery.body, ENVELOPE_CONTEXT)


def open_delivery(vault: Vault, envelope: bytes, received_at: datetime) -> Delivery:
    """The request again. Raises what `Vault.open` raises."""
    head, _, body = vault.open(envelope, ENVELOPE_CONTEXT).partition(b"\n\n")
    request, *lines = head.decode().split("\n")
    method, _, url = request.partition(" ")
    headers = {name: value for name, _, value in (line.partition(":") for line in lines)}
    return Delivery(method=method, url=url, headers=headers, body=body, received_at=received_at)


@lru_cache(maxsize=BATCH_ROWS)
def _insert(rows: int, mark: str) -> str:
    row = f"({', '.join([mark] * FIELDS)}, 'pending', 0)"
    return f"INSERT INTO inbox ({COLUMNS}) VALUES {', '.join([row] * rows)} ON CONFLICT (connection, delivery_key) DO NOTHING"  # noqa: S608


def _insert_sqlite(raw: Any, rows: int, values: list[Any]) -> list[tuple[int, str, str]]:
    """Insert and commit; returns id, connection and key of the rows that are new.

    One statement outside of a transaction is one of its own, flush and all. Python's sqlite3 gives up the interpreter lock at every
    call and at every row it fetches, and then queues for it behind the busy event loop: so there is one call, and rows are fetched
    as one JSON value. SQLite numbers the rows of one statement consecutively.
    """
    cursor = raw.execute_sql(_insert(rows, "?"), values)
    new, last = cursor.rowcount, cursor.lastrowid
    if new == rows:
        keys = zip(values[::FIELDS], values[1::FIELDS], strict=True)
        return [(row_id, connection, key) for row_id, (connection, key) in enumerate(keys, last - new + 1)]
    if new == 0:
        return []
    select = "SELECT json_group_array(json_array(id, connection, delivery_key)) FROM inbox WHERE id > ? AND id <= ?"
    fresh: list[tuple[int, str, str]] = json.loads(raw.execute_sql(select, (last - new, last)).fetchone()[0])
    return fresh


def _insert_postgresql(raw: Any, rows: int, values: list[Any]) -> list[tuple[int, str, str]]:
    """Insert and commit; returns id, connection and key of the rows that are new."""
    fresh: list[tuple[int, str, str]] = raw.execute_sql(
        _insert(rows, "%s") + " RETURNING id, connection, delivery_key", values
    ).fetchall()
    return fresh


@dataclass(slots=True)
class _Waiting:
    """One request between its verification and its acknowledgement."""

    values: tuple[Any, ...]
    future: asyncio.Future[Stored]
    outcome: Stored | Exception | None = None


class InboxWriter:
    """One thread, one connection, one commit for all who wait. `submit` belongs to the event loop that called `start`."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        ring: Ring,
        *,
        observe: Observe | None = None,
        batch_rows: int = BATCH_ROWS,
        waiting_limit: int = WAITING_LIMIT,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._database = database
        self._vault = vault
        self._observe = observe
        self._batch_rows = batch_rows
        self._waiting_limit = waiting_limit
        self._patience_s = patience_s
        self._gathered: list[_Waiting] = []
        self._committing = False
        self._batches: queue.SimpleQueue[list[_Waiting] | None] = queue.SimpleQueue()
        self._bell = _Bell(ring)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # kept: asking for the running one is a system call each time
        self._failure: str | None = None
        self.waiting = 0
        self._waiting_bytes = 0
        self._late: asyncio.TimerHandle | None = None

    @property
    def failure(self) -> str | None:
        """Why the writer cannot store at this moment, or None when its last commit went well."""
        return self._failure if self.running else "The inbox writer is not running."

    @property
    def running(self) -> bool:
        """Whether the writer's thread lives."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the threads. Call it on the event loop that will submit."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, args=(self._loop,), name="inbox-writer", daemon=True)
        self._bell.start()
        self._thread.start()

    async def stop(self) -> None:
        """Commit what still waits, ring for it, and end the threads."""
        if self._thread is None:
            return
        while self.waiting:
            await asyncio.sleep(0.005)
        self._batches.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._bell.stop)

    async def submit(self, connection: str, delivery_key: str, delivery: Delivery, signed: bool, trace_id: str) -> Stored:
        """Store one delivery; returns once it is on disk. Raises `StoreDown` (`IntakeFull` under too much load)."""
        loop = self._loop
        if loop is None or not self.running:
            raise StoreDown("The inbox writer is not running.", 5.0)
        if self.waiting >= self._waiting_limit or self._waiting_bytes + len(delivery.body) > WAITING_BYTES:
            raise IntakeFull("Too many deliveries are waiting for the store.", 1.0)
        moment = to_ms(delivery.received_at)
        envelope = seal_delivery(self._vault, delivery)
        values = (connection, delivery_key, moment, signed, envelope, trace_id, moment)
        waiting = _Waiting(values, loop.create_future())
        self.waiting += 1
        self._waiting_bytes += len(envelope)
        self._gathered.append(waiting)
        if len(self._gathered) == 1 and not self._committing:
            loop.call_soon(self._hand_over)  # after whatever else is ready in this turn of the loop
        return await waiting.future

    def _hand_over(self) -> None:
        """On the event loop: give the writer what has gathered, unless it is at work; it is asked again when it is done."""
        if self._gathered and not self._committing:
            self._committing = True
            batch = self._gathered[: self._batch_rows]
            self._batches.put(batch)
            del self._gathered[: self._batch_rows]
            if self._loop is not None:
                self._late = self._loop.call_later(self._patience_s, self._refuse_late, batch)

    def _refuse_late(self, batch: list[_Waiting]) -> None:
        """On the event loop: the commit takes too long; ask everybody who waits for it, or behind it, to come again."""
        self._failure = "A commit takes too long."
        log.error("inbox commit is late", rows=len(batch), behind=len(self._gathered))
        for waiting in [*batch, *self._gathered]:
            if not waiting.future.done():
                waiting.future.set_exception(StoreDown(self._failure, 5.0))
        if self._loop is not None:
            self._late = self._loop.call_later(self._patience_s, self._refuse_late, batch)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while (batch := self._batches.get()) is not None:
            started = time.perf_counter()
            self._store(batch)
            if self._observe is not None:
                self._observe(len(batch), time.perf_counter() - started)
            loop.call_soon_threadsafe(self._committed, batch)
        self._disconnect()

    def _store(self, batch: list[_Waiting]) -> None:
        """Commit the batch and note everybody's outcome. One row that the database refuses spoils no other."""
        try:
            self._commit(batch)
        except (peewee.OperationalError, peewee.InterfaceError, peewee.InternalError) as error:
            self._failure = f"The database did not take a commit ({type(error).__name__})."
            log.error("inbox commit failed", error=type(error).__name__, rows=len(batch))
            self._disconnect()
            for waiting in batch:
                waiting.outcome = StoreDown(self._failure, 5.0)
        except Exception as error:  # whatever a driver raises about a value must not end the thread
            if len(batch) > 1:
                for waiting in batch:
                    self._store([waiting])
            else:
                log.error("inbox row refused", connection=batch[0].values[0], error=type(error).__name__)
                batch[0].outcome = StoreDown("The database refused the delivery.", 60.0)

    def _commit(self, batch: list[_Waiting]) -> None:
        raw = self._database.raw
        if raw.is_closed():
            raw.connect()
            if self._database.is_sqlite:
                raw.execute_sql(f"PRAGMA busy_timeout = {BUSY_MS}")
        insert = _insert_sqlite if self._database.is_sqlite else _insert_postgresql
        with self._database.turn():
            rows = insert(raw, len(batch), [value for waiting in batch for value in waiting.values])
        fresh = {(connection, key): row_id for row_id, connection, key in rows}
        self._failure = None
        arrivals = []
        for waiting in batch:
            row_id = fresh.pop(waiting.values[:2], None)  # of equal ones in a batch, the first is the new one
            waiting.outcome = Stored(row_id, row_id is None)
            if row_id is not None:
                arrivals.append(Arrival(row_id, waiting.values[0], waiting.values[5]))
        if arrivals:
            self._bell.put(arrivals)

    def _disconnect(self) -> None:
        """Drop the connection, so that the next batch begins with a new one."""
        self._database.raw.manual_close()

    def _committed(self, batch: list[_Waiting]) -> None:
        """On the event loop: wake everybody of a batch, and hand over what gathered meanwhile."""
        self._committing = False
        if self._late is not None:
            self._late.cancel()
        self.waiting -= len(batch)
        for waiting in batch:
            self._waiting_bytes -= len(waiting.values[4])
            if waiting.future.done():  # the client went away
                continue
            if isinstance(waiting.outcome, Stored):
                waiting.future.set_result(waiting.outcome)
            else:
                waiting.future.set_exception(waiting.outcome or StoreDown("The delivery was not stored.", 5.0))
        if self._gathered and self._loop is not None:
            self._loop.call_soon(self._hand_over)


class _Bell:
    """Rings for committed rows from a thread of its own: at once for the first, then for all that gathered in a short pause."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._queue: queue.SimpleQueue[list[Arrival] | None] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inbox-doorbell", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._queue.put(None)
        self._thread.join()

    def put(self, arrivals: list[Arrival]) -> None:
        if self._queue.qsize() < UNRUNG_LIMIT:
            self._queue.put(arrivals)

    def _run(self) -> None:
        going = True
        while going:
            arrivals, going = self._gather()
            if arrivals:
                try:
                    self._ring(arrivals)
                except Exception as error:  # the rows are safe and the clock sweeps them; the bell must go on ringing
                    log.error("doorbell failed", error=type(error).__name__, rows=len(arrivals))
            self._ending.wait(RING_PAUSE_S)

    def _gather(self) -> tuple[list[Arrival], bool]:
        """Everything that wants ringing for, blocking for the first. False when the bell is to end."""
        arrivals: list[Arrival] = []
        some = self._queue.get()
        while some is not None:
            arrivals.extend(some)
            try:
                some = self._queue.get_nowait()
            except queue.Empty:
                return arrivals, True
        return arrivals, False
