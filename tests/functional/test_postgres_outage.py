"""PostgreSQL goes away and comes back: what was in hand is tried again, and no dead connection stays in the pool."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from connector.bootstrap import House
from connector.errors import Retriable
from connector.pipeline.deliver import HANDLERS
from tests.unit.connector.pipeline.scripted import CRM, Desk, change, open_desk

pytestmark = pytest.mark.needs_postgres


@pytest.fixture
def desk(tmp_path: Path, postgres_url: str) -> Iterator[Desk]:
    made = open_desk(tmp_path, database_url=postgres_url)
    yield made
    made.house.close()
    HANDLERS.clear()


def cut_all_connections(house: House) -> int:
    """As a restart of the server does."""
    with psycopg.connect(house.db.url, autocommit=True) as server:
        query = (
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        )
        return len(server.execute(query).fetchall())


def test_after_a_restart_of_the_server_each_thread_fails_once_at_most(desk: Desk) -> None:
    house = desk.house
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda number: house.cells.set(f"c{number}", number), range(60)))
        assert cut_all_connections(house) >= 1
        failed = 0
        for number in range(40):
            try:
                pool.submit(house.cells.set, "after", number).result(20)
            except Retriable:
                failed += 1
    assert failed <= 6
    assert house.cells.get("after") == 39


def test_a_connection_cut_in_the_middle_of_a_delivery_loses_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    house = desk.house
    apply, cuts = house.leads.apply, [True]

    def cut_once(*args: object, **named: object) -> object:
        if cuts:
            cuts.pop()
            cut_all_connections(house)
        return apply(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(house.leads, "apply", cut_once)
    inbox_id = desk.store(CRM, [change("1", email="ann@corp.example", title="CEO"), change("2", title="CEO")])
    for _ in range(3):
        desk.work(inbox_id)
        desk.clock.move(600)
    assert house.inbox.counts() == {}
    assert house.leads.count() == 2
    desk.run()
    assert sum(house.decisions.open_counts().values()) == 2


def test_a_server_that_is_away_is_a_retriable_error(tmp_path: Path, postgres_url: str) -> None:
    desk = open_desk(tmp_path, database_url=postgres_url)
    try:
        house = desk.house
        house.db.close()
        house.db.raw.connect_params["port"] = 1
        with pytest.raises(Retriable):
            house.cells.set("x", 1)
        with pytest.raises(Retriable), house.db.transaction():
            pass
    finally:
        desk.house.close()
        HANDLERS.clear()
