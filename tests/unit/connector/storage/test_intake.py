"""The inbox writer: what it stores, what it calls a repeat, and what happens when the database, the broker or a client fails."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.ports import Delivery
from connector.storage import intake
from connector.storage.db import Database
from connector.storage.intake import Arrival, InboxWriter, IntakeFull, Stored, StoreDown, open_delivery, seal_delivery
from connector.storage.turns import Turns
from connector.testing import NOON, TEST_KEYS
from connector.vault import Vault

VAULT = Vault(TEST_KEYS)
BODY = b'[{"email": "ada@example.com"}]'


def delivery(body: bytes = BODY) -> Delivery:
    return Delivery("POST", "https://hooks.example.com/webhooks/crm?a=%3F", {"x-signature": "abc"}, body, NOON)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'inbox.db'}")
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def file(tmp_path: Path, database: Database) -> Iterator[sqlite3.Connection]:
    """The database seen from outside."""
    connection = sqlite3.connect(tmp_path / "inbox.db", isolation_level=None)
    yield connection
    connection.close()


class Rung:
    """A doorbell that notes what it is rung for."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []

    def __call__(self, arrivals: Sequence[Arrival]) -> None:
        self.arrivals.extend(arrivals)


@asynccontextmanager
async def writing(
    database: Database, ring: Callable[[Sequence[Arrival]], None] | None = None, **options: Any
) -> AsyncIterator[InboxWriter]:
    writer = InboxWriter(database, VAULT, ring or Rung(), **options)
    writer.start()
    try:
        yield writer
    finally:
        await writer.stop()


async def store(writer: InboxWriter, key: str, connection: str = "crm") -> Stored:
    return await writer.submit(connection, key, delivery(), True, f"trace-{key}")


def run(work: Awaitable[Any]) -> Any:
    async def main() -> Any:
        return await work

    return asyncio.run(main())


def test_a_stored_delivery_can_be_read_again(database: Database, file: sqlite3.Connection) -> None:
    async def work() -> Stored:
        async with writing(database) as writer:
            return await store(writer, "k1")

    stored = run(work())
    row = file.execute(
        "SELECT id, connection, delivery_key, received_at, signed, envelope, trace_id, state, attempts, due_at, error FROM inbox"
    ).fetchone()
    milliseconds = round(NOON.timestamp() * 1000)
    assert row[:5] == (stored.id, "crm", "k1", milliseconds, 1)
    assert row[6:] == ("trace-k1", "pending", 0, milliseconds, None)
    assert open_delivery(VAULT, row[5], NOON) == delivery()
    assert b"ada@example.com" not in row[5]


HEADER_TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x85\xa0"), max_size=20)


@given(
    url=st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=40),
    headers=st.dictionaries(st.text("abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=12), HEADER_TEXT, max_size=5),
    body=st.binary(max_size=60) | st.sampled_from([b"\n", b"\n\n", b"a: b\n\nc", b"\r\n\r\n"]),
)
def test_an_envelope_gives_back_what_was_sealed(url: str, headers: dict[str, str], body: bytes) -> None:
    sealed = Delivery("POST", url, headers, body, NOON)
    assert open_delivery(VAULT, seal_delivery(VAULT, sealed), NOON) == sealed


def test_a_commit_that_takes_too_long_is_refused_and_a_repeat_when_it_comes_again(database: Database) -> None:
    """Somebody else holds the turn at writing; those behind the batch are asked to come again too."""

    async def work() -> tuple[list[Any], str | None, Stored]:
        async with writing(database, patience_s=0.05) as writer:
            with Turns(Path(database.raw.database).with_suffix(".turns")).take():
                first = asyncio.create_task(store(writer, "k1"))
                await asyncio.sleep(0)  # it is handed over; the second gathers behind it
                refused = await asyncio.gather(first, store(writer, "k2"), return_exceptions=True)
                failure = writer.failure
            while writer.waiting:
                await asyncio.sleep(0.001)
            return refused, failure, await store(writer, "k1")

    refused, failure, again = run(work())
    assert [type(one) for one in refused] == [StoreDown, StoreDown]
    assert failure
    assert again.duplicate


def test_a_repeat_is_told_apart_and_rung_for_once(database: Database) -> None:
    rung = Rung()

    async def work() -> list[Stored]:
        async with writing(database, rung) as writer:
            return [await store(writer, "k1"), await store(writer, "k1"), await store(writer, "k1", "other")]

    first, repeat, elsewhere = run(work())
    assert not first.duplicate
    assert repeat == Stored(None, True)
    assert not elsewhere.duplicate
    assert rung.arrivals == [Arrival(first.id, "crm", "trace-k1"), Arrival(elsewhere.id, "other", "trace-k1")]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(waves=st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=12), max_size=4))
def test_of_equal_deliveries_exactly_one_is_new(database: Database, file: sqlite3.Connection, waves: list[list[str]]) -> None:
    file.execute("DELETE FROM inbox")
    rung = Rung()

    async def work() -> list[tuple[str, Stored]]:
        outcomes = []
        async with writing(database, rung) as writer:
            for wave in waves:
                outcomes += zip(wave, await asyncio.gather(*(store(writer, key) for key in wave)), strict=True)
        return outcomes

    outcomes = run(work())
    fresh = {key: stored.id for key, stored in outcomes if not stored.duplicate}
    assert len([stored for _, stored in outcomes if not stored.duplicate]) == len(fresh) == len({key for key, _ in outcomes})
    assert dict(file.execute("SELECT delivery_key, id FROM inbox")) == fresh
    assert sorted(arrival.id for arrival in rung.arrivals) == sorted(fresh.values())


def test_two_web_processes_on_one_file_agree(database: Database, file: sqlite3.Connection, tmp_path: Path) -> None:
    other = Database(f"sqlite:///{tmp_path / 'inbox.db'}")

    async def work() -> list[tuple[str, Stored]]:
        async with writing(database, batch_rows=7) as one, writing(other, batch_rows=5) as two:
            keys = [f"k{number}" for number in range(120)]
            stored = await asyncio.gather(*(store(writer, key) for key in keys for writer in (one, two)))
            return list(zip([key for key in keys for _ in range(2)], stored, strict=True))

    outcomes = run(work())
    other.close()
    fresh = [(key, stored.id) for key, stored in outcomes if not stored.duplicate]
    assert len(fresh) == 120
    assert dict(file.execute("SELECT delivery_key, id FROM inbox")) == dict(fresh)


def test_those_who_wait_together_share_a_commit(database: Database, file: sqlite3.Connection) -> None:
    batches: list[int] = []

    async def work(rows: int) -> None:
        async with writing(database, observe=lambda count, _: batches.append(count), batch_rows=rows) as writer:
            await asyncio.gather(*(store(writer, f"{rows}-{number}") for number in range(40)))

    run(work(512))
    assert batches == [40]
    batches.clear()
    run(work(16))
    assert batches == [16, 16, 8]
    assert file.execute("SELECT count(*) FROM inbox").fetchone() == (80,)


def test_a_database_that_fails_is_told_and_its_return_is_noticed(database: Database, file: sqlite3.Connection) -> None:
    async def work() -> tuple[str | None, str | None]:
        async with writing(database) as writer:
            file.execute("ALTER TABLE inbox RENAME TO away")
            with pytest.raises(StoreDown) as caught:
                await store(writer, "k1")
            assert caught.value.delay_s
            failing = writer.failure
            file.execute("ALTER TABLE away RENAME TO inbox")
            assert (await store(writer, "k1")).duplicate is False
            return failing, writer.failure

    failing, mended = run(work())
    assert failing is not None
    assert "OperationalError" in failing
    assert mended is None


def test_a_row_that_the_database_refuses_spoils_no_other(database: Database, file: sqlite3.Connection) -> None:
    async def work() -> list[Stored | BaseException]:
        async with writing(database) as writer:
            return await asyncio.gather(*(store(writer, key) for key in ("good", "\ud800", "also good")), return_exceptions=True)

    good, bad, also_good = run(work())
    assert isinstance(good, Stored)
    assert isinstance(bad, StoreDown)
    assert isinstance(also_good, Stored)
    assert file.execute("SELECT delivery_key FROM inbox ORDER BY id").fetchall() == [("good",), ("also good",)]


def test_too_many_who_wait_are_sent_away(database: Database, file: sqlite3.Connection) -> None:
    async def work() -> list[Stored]:
        async with writing(database, waiting_limit=5) as writer:
            file.execute("BEGIN IMMEDIATE")  # the writer cannot commit now
            waiting = [asyncio.ensure_future(store(writer, f"k{number}")) for number in range(5)]
            await asyncio.sleep(0)
            with pytest.raises(IntakeFull):
                await store(writer, "one too many")
            file.execute("ROLLBACK")
            return await asyncio.gather(*waiting)

    assert [stored.duplicate for stored in run(work())] == [False] * 5


def test_what_waits_is_bounded_in_bytes_too(database: Database, file: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "WAITING_BYTES", 3_000)

    async def work() -> Stored:
        async with writing(database) as writer:
            file.execute("BEGIN IMMEDIATE")
            first = asyncio.ensure_future(writer.submit("crm", "k1", delivery(b"x" * 2_000), True, "t"))
            await asyncio.sleep(0)
            with pytest.raises(IntakeFull):
                await writer.submit("crm", "k2", delivery(b"x" * 2_000), True, "t")
            file.execute("ROLLBACK")
            await first
            return await writer.submit("crm", "k2", delivery(b"x" * 2_000), True, "t")

    assert run(work()).duplicate is False


def test_a_slow_doorbell_holds_up_no_acknowledgement(database: Database) -> None:
    answered = threading.Event()
    rung: list[int] = []

    def slow_ring(arrivals: Sequence[Arrival]) -> None:
        assert answered.wait(30)
        rung.extend(arrival.id for arrival in arrivals)

    async def work() -> list[int | None]:
        async with writing(database, slow_ring) as writer:
            ids = [(await store(writer, f"k{number}")).id for number in range(3)]
            answered.set()
            return ids

    ids = run(work())
    assert rung == ids


def test_a_doorbell_that_breaks_goes_on_ringing(database: Database) -> None:
    rung: list[int] = []

    def broken_once(arrivals: Sequence[Arrival]) -> None:
        rung.append(len(arrivals))
        if len(rung) == 1:
            raise RuntimeError("no broker")

    async def work() -> None:
        async with writing(database, broken_once) as writer:
            await store(writer, "k1")
            while not rung:
                await asyncio.sleep(0)
            await store(writer, "k2")

    run(work())
    assert rung == [1, 1]


def test_a_client_that_went_away_is_stored_all_the_same(database: Database, file: sqlite3.Connection) -> None:
    async def work() -> Stored:
        async with writing(database) as writer:
            gone = asyncio.ensure_future(store(writer, "gone"))
            await asyncio.sleep(0)
            gone.cancel()
            return await store(writer, "stays")

    assert run(work()).duplicate is False
    assert file.execute("SELECT delivery_key FROM inbox ORDER BY id").fetchall() == [("gone",), ("stays",)]


def test_stopping_commits_what_waits(database: Database, file: sqlite3.Connection) -> None:
    async def work() -> list[Stored]:
        writer = InboxWriter(database, VAULT, Rung(), batch_rows=1)
        writer.start()
        waiting = [asyncio.ensure_future(store(writer, f"k{number}")) for number in range(4)]
        await asyncio.sleep(0)
        await writer.stop()
        assert not writer.running
        with pytest.raises(StoreDown):
            await store(writer, "late")
        return await asyncio.gather(*waiting)

    assert len(run(work())) == 4
    assert file.execute("SELECT count(*) FROM inbox").fetchone() == (4,)


def test_a_writer_that_was_not_started_refuses(database: Database) -> None:
    async def work() -> None:
        writer = InboxWriter(database, VAULT, Rung())
        assert writer.failure
        with pytest.raises(StoreDown):
            await store(writer, "k1")

    run(work())
