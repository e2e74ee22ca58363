"""The smaller tables: tokens, leases, echoes, cards, models, and the database itself."""

from __future__ import annotations

import contextlib
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from connector.bootstrap import House
from connector.errors import Configuration, Retriable
from connector.storage.cards import Card
from connector.storage.db import Database
from connector.storage.models import TABLES, Token
from connector.testing import NOON, StandingClock
from leads.enums import Role


def move(house: House, seconds: float) -> None:
    assert isinstance(house.clock, StandingClock)
    house.clock.move(seconds)


def test_a_token_is_shown_once_checked_and_revoked_for_good(house: House) -> None:
    token, principal = house.tokens.create("crm bridge", Role.INGEST)
    assert house.tokens.check(token) == principal
    assert (principal.name, principal.role) == ("crm bridge", Role.INGEST)
    with house.db.connected():
        assert token not in str([row.__data__ for row in Token.select()])
    for wrong in ("", token[:-1], token + "x", token.upper(), "lsw_", "\x00", "é"):
        assert house.tokens.check(wrong) is None
    assert house.tokens.revoke(principal.id)
    assert not house.tokens.revoke(principal.id)
    assert house.tokens.check(token) is None
    (known,) = house.tokens.all()
    assert known.revoked_at == NOON


def test_tokens_are_long_and_never_alike(house: House) -> None:
    made = {house.tokens.create("x", Role.REP)[0] for _ in range(50)}
    assert len(made) == 50
    assert min(map(len, made)) >= 40


def test_a_lease_has_one_holder_until_it_lapses(house: House) -> None:
    lease = house.cells.lease
    assert lease("clock", "a", 10)
    assert lease("clock", "a", 10)
    assert not lease("clock", "b", 10)
    assert lease("other", "b", 10)
    move(house, 10)
    assert not lease("clock", "b", 10), "to the second it still holds"
    move(house, 0.001)
    assert lease("clock", "b", 10)
    assert not lease("clock", "a", 10)


def test_of_many_who_want_a_lease_one_gets_it(house: House) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda holder: house.cells.lease("clock", str(holder), 10), range(8)))
    assert won.count(True) == 1


def test_cells_keep_values_and_refreshed_tokens_sealed(house: House, tmp_path: Path) -> None:
    house.cells.set("cursor", {"after": 1})
    house.cells.set("cursor", None)
    assert house.cells.get("cursor") is None
    assert house.cells.load("crm") is None
    house.cells.save("crm", {"access_token": "very-secret"})
    house.cells.save("crm", {"access_token": "very-secret-2"})
    assert house.cells.load("crm") == {"access_token": "very-secret-2"}
    house.close()
    assert b"very-secret" not in b"".join(path.read_bytes() for path in tmp_path.glob("test.db*"))


def test_an_echo_is_what_we_wrote_there_lately_and_nothing_else(house: House) -> None:
    house.echoes.note("crm", "1", {"owner_id": "7", "lifecycle_stage": "mql"})
    assert house.echoes.is_echo("crm", "1", {"owner_id": "7"})
    assert house.echoes.is_echo("crm", "1", {"owner_id": 7, "lifecycle_stage": "mql"}), "vendors send numbers as texts and back"
    for other in ({}, {"owner_id": "8"}, {"owner_id": "7", "title": "CEO"}, {"owner_id": None}):
        assert not house.echoes.is_echo("crm", "1", other)
    assert not house.echoes.is_echo("crm", "2", {"owner_id": "7"})
    assert not house.echoes.is_echo("mail", "1", {"owner_id": "7"})
    house.echoes.note("crm", "1", {"owner_id": "8"})
    assert not house.echoes.is_echo("crm", "1", {"owner_id": "7"})
    move(house, timedelta(minutes=31).total_seconds())
    assert not house.echoes.is_echo("crm", "1", {"owner_id": "8"})


def test_a_card_stands_once_a_destination(house: House) -> None:
    house.cards.save(Card(1, "dm:1", "D1", "1.0", "x"))
    house.cards.save(Card(1, "dm:1", "D1", "2.0", "y"))
    house.cards.save(Card(1, "channel:#leads", "C1", "3.0", "x"))
    assert [(card.destination, card.ts) for card in house.cards.of_lead(1)] == [("dm:1", "2.0"), ("channel:#leads", "3.0")]
    house.cards.forget(1, "dm:1")
    assert house.cards.get(1, "dm:1") is None


def test_one_model_is_the_champion(house: House) -> None:
    for version in ("v1", "v2"):
        house.model_versions.add(version, {"auc": 0.9})
    assert house.model_versions.champion() is None
    for version in ("v1", "v2", "v1"):
        house.model_versions.promote(version)
        champion = house.model_versions.champion()
        assert champion is not None
        assert champion.version == version
    with pytest.raises(Configuration, match="v9"):
        house.model_versions.promote("v9")
    assert [record.state for record in house.model_versions.all()] == ["retired", "champion"]


# -- the database


def test_the_migrations_make_the_tables_that_the_code_knows(house: House) -> None:
    with house.db.connected():
        for table in TABLES:
            made = {column.name for column in house.db.raw.get_columns(table._meta.table_name)}
            assert made == {column.column_name for column in table._meta.sorted_fields}
    assert house.db.pending_migrations() == []
    assert house.db.migrate() == []


def test_what_is_rolled_back_rings_no_bell(house: House) -> None:
    rung: list[str] = []
    with contextlib.suppress(KeyError), house.db.transaction():
        house.db.after_commit(lambda: rung.append("outer"))
        raise KeyError
    with house.db.transaction():
        with house.db.transaction():
            house.db.after_commit(lambda: rung.append("inner"))
        assert rung == [], "not before it is on disk"
    assert rung == ["inner"]


def test_a_database_in_use_is_tried_again_later(house: House, tmp_path: Path) -> None:
    house.db.raw.pragma("busy_timeout", 10, permanent=True)
    other = sqlite3.connect(tmp_path / "test.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Retriable), house.db.transaction():
            house.cells.set("x", 1)
    finally:
        other.close()
    house.cells.set("x", 1)


def test_what_is_acknowledged_is_flushed(house: House) -> None:
    fresh = Database(house.db.url)
    try:
        with fresh.connected():
            assert fresh.raw.pragma("synchronous") == 2
            assert fresh.raw.pragma("journal_mode") == "wal"
    finally:
        fresh.close()


def test_more_threads_than_connections_wait_their_turn(house: House) -> None:
    """A web server has more threads than a pool has connections."""
    with ThreadPoolExecutor(80) as pool:
        done = list(pool.map(lambda number: house.cells.set(f"c{number}", number), range(240)))
    assert len(done) == 240


@pytest.mark.parametrize("url", ["mysql://x/y", "", "file.db"])
def test_an_address_of_no_database_we_speak(url: str) -> None:
    with pytest.raises(Configuration, match="sqlite:///"):
        Database(url)
