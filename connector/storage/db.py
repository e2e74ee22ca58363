"""The database behind everything: SQLite (WAL) by default, PostgreSQL in production, the same code on both."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sized
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import peewee
from playhouse.migrations import Runner
from playhouse.pool import MaxConnectionsExceeded, PooledPostgresqlDatabase, PooledSqliteDatabase

from connector.errors import Configuration, Retriable
from connector.storage.models import PROXY
from connector.storage.turns import Turns

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MS = 15_000
POOL = 40
#: How long a thread waits for a connection when all are taken.
POOL_WAIT_S = 10


class Database:
    """One database. Connections belong to threads; `transaction()` opens what it needs and closes what it opened."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.raw = _connect(url)
        self.is_sqlite = isinstance(self.raw, peewee.SqliteDatabase)
        self._depth = threading.local()
        self._turns = Turns(_sqlite_path(url).with_suffix(".turns")) if self.is_sqlite else None
        PROXY.initialize(self.raw)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A transaction in this thread; a nested one joins the outer. On SQLite it takes the write lock at once.

        Raises `Retriable` when the database is locked or out of reach.
        """
        if self.raw.in_transaction():
            yield
            return
        with self.turn(), self.connected():
            try:
                with self.raw.atomic():
                    yield
            except peewee.OperationalError as error:
                raise Retriable(f"The database did not answer ({type(error).__name__}).") from error

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part of this thread's transaction that can fail alone: what it did is taken back, the rest stands.

        Raises `Retriable` when the database is locked or out of reach.
        """
        try:
            with self.raw.savepoint():
                yield
        except peewee.OperationalError as error:
            raise Retriable(f"The database did not answer ({type(error).__name__}).") from error

    def turn(self) -> AbstractContextManager[None]:
        """The turn at writing, on SQLite; PostgreSQL needs none. See `connector.storage.turns`."""
        return self._turns.take() if self._turns else nullcontext()

    @contextmanager
    def connected(self) -> Iterator[None]:
        """A connection for reading in this thread, returned to the pool by whoever opened it."""
        depth = getattr(self._depth, "value", 0)
        if depth == 0:
            try:
                self.raw.connect(reuse_if_open=True)
            except (peewee.OperationalError, MaxConnectionsExceeded) as error:
                raise Retriable("The database is out of reach.", 1.0) from error
        self._depth.value = depth + 1
        try:
            yield
        finally:
            self._depth.value = depth
            if depth == 0:
                self.raw.close()

    def run(self, statement: str, *values: Any) -> Any:
        """Run one statement with `?` for its values, as the driver wants it; returns the driver's cursor.

        For the few statements that every event runs: peewee builds a statement's text anew each time, which takes ten to thirty
        times as long as SQLite needs to carry it out (380 µs against 11 µs for one row by its id).
        """
        return self.raw.execute_sql(self.spelled(statement), values)

    def spelled(self, statement: str) -> str:
        """A statement with the driver's own mark for a value."""
        return statement if self.is_sqlite else statement.replace("?", "%s")

    def after_commit(self, call: Callable[[], Any]) -> None:
        """Run `call` once the outermost transaction of this thread is on disk; at once when there is none."""
        self.raw.after_commit(call)

    def locked(self, query: Any) -> Any:
        """The query with its rows locked until the end of the transaction. SQLite holds the whole file already."""
        return query if self.is_sqlite else query.for_update()

    def migrate(self) -> list[str]:
        """Bring the schema up to date; returns the names of what was applied. Safe when several processes start at once."""
        with self.connected(), self.raw.atomic():
            if not self.is_sqlite:
                self.raw.execute_sql("SELECT pg_advisory_xact_lock(727272)")
            return list(Runner(self.raw, str(MIGRATIONS)).up())

    def pending_migrations(self) -> list[str]:
        """Names of migrations that are not applied yet."""
        with self.connected():
            runner = Runner(self.raw, str(MIGRATIONS))
            applied = set(runner.applied())
            return [migration.name for migration in runner.migrations() if migration.name not in applied]

    def close(self) -> None:
        """Close every pooled connection."""
        self.raw.close_all()
        if self._turns:
            self._turns.close()


def is_there(url: str) -> bool:
    """Whether the database may be there already: an SQLite file that exists, or any server."""
    return not url.startswith("sqlite:") or _sqlite_path(url).exists()


def marks(values: Sized) -> str:
    """As many marks as there are values: "?, ?, ?"."""
    return ", ".join("?" * len(values))


def tuples(query: Any) -> list[tuple[Any, ...]]:
    """The rows of a query as plain tuples."""
    return list(query.tuples())


def _sqlite_path(url: str) -> Path:
    """The file of sqlite:///relative.db or sqlite:////absolute.db."""
    return Path(unquote(urlsplit(url).path[1:]))


def _connect(url: str) -> Any:
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = _sqlite_path(url)
        path.parent.mkdir(parents=True, exist_ok=True)
        return PooledSqliteDatabase(
            str(path),
            max_connections=POOL,
            timeout=POOL_WAIT_S,
            lock_type="IMMEDIATE",
            pragmas={
                "journal_mode": "wal",
                "synchronous": "full",  # an acknowledged delivery survives a power cut
                "busy_timeout": BUSY_MS,
                "cache_size": -16_000,
                "foreign_keys": 1,
            },
            check_same_thread=False,
        )
    if parts.scheme in ("postgresql", "postgres"):
        options = dict(parse_qsl(parts.query))
        return PooledPostgresqlDatabase(
            parts.path.lstrip("/") or "leadswitch",
            max_connections=POOL,
            stale_timeout=300,
            timeout=POOL_WAIT_S,
            prefer_psycopg3=True,
            user=unquote(parts.username or "postgres"),
            password=unquote(parts.password) if parts.password else None,
            host=parts.hostname,
            port=parts.port or 5432,
            **options,
        )
    raise Configuration(
        f"LEADSWITCH_DATABASE_URL has the scheme {parts.scheme!r}.", "Use sqlite:///path or postgresql://host/name."
    )
