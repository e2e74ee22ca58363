"""Rows go in and out through the fields of their table, as with peewee's own queries."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from pathlib import Path

import pytest

from connector import testing
from connector.bootstrap import House
from connector.storage.models import Effect, Lead, Rotation
from connector.storage.spelled import first, insert, rows, save, set_where, upsert
from connector.testing import NOON


@pytest.fixture
def home(tmp_path: Path) -> House:
    return testing.house(tmp_path)


def _lead(home: House, external_id: str) -> int:
    made = {"connection": "crm", "external_id": external_id, "created_at": NOON, "data_key": b"k", "touched_at": NOON}
    return insert(home.db, Lead, {**made, "facts": {"title": "Ä"}, "routable": True})


def test_what_is_inserted_reads_as_peewee_reads_it(home: House) -> None:
    with home.db.transaction():
        lead_id = _lead(home, "1")
    ours, theirs = first(home.db, Lead, "WHERE id = ?", lead_id), Lead.get_by_id(lead_id)
    assert ours is not None
    assert ours.__data__ == theirs.__data__
    assert (ours.created_at, ours.facts, ours.routable, ours.pinned, ours.version) == (NOON, {"title": "Ä"}, True, False, 1)


def test_an_unknown_column_is_named(home: House) -> None:
    with pytest.raises(TypeError, match="no nickname"):
        insert(home.db, Lead, {"nickname": "x"})


def test_a_row_that_stands_is_left_alone_only_where_that_is_said(home: House) -> None:
    asked = {"kind": "crm_lead", "destination": "crm", "subject": "lead:1", "due_at": NOON, "created_at": NOON}
    assert insert(home.db, Effect, asked, unless="DO NOTHING") > 0
    assert insert(home.db, Effect, asked, unless="DO NOTHING") == 0
    with pytest.raises(Exception, match="UNIQUE"):
        insert(home.db, Effect, asked)


def test_an_upsert_gives_the_new_values_to_the_row_that_stands(home: House) -> None:
    for state in ({"a": 1}, {"b": 2}):
        upsert(home.db, Rotation, {"line": "x", "state": state}, key=("line",))
    assert [row.state for row in rows(home.db, Rotation, "WHERE line = ?", "x")] == [{"b": 2}]


def test_columns_are_set_where_the_condition_holds(home: House) -> None:
    one, two = _lead(home, "1"), _lead(home, "2")
    assert set_where(home.db, Lead, {"touched_at": NOON + timedelta(hours=1), "facts": {"n": 1}}, "id = ?", one) == 1
    moved = [(row.facts, row.touched_at > NOON) for row in rows(home.db, Lead, "ORDER BY id")]
    assert moved == [({"n": 1}, True), ({"title": "Ä"}, False)]
    row = first(home.db, Lead, "WHERE id = ?", two)
    assert row is not None
    row.version, row.pinned = 7, True
    save(home.db, row)
    assert [(row.version, row.pinned) for row in rows(home.db, Lead, "ORDER BY id")] == [(1, False), (7, True)]


def test_a_savepoint_fails_alone(home: House) -> None:
    with home.db.transaction():
        kept = _lead(home, "1")
        with contextlib.suppress(RuntimeError), home.db.savepoint():
            _lead(home, "2")
            raise RuntimeError
    assert [row.id for row in rows(home.db, Lead, "")] == [kept]
