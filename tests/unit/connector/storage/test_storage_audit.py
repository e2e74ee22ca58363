"""The audit is written once, chained by hash, and tells when somebody meddled with it."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import peewee
import pytest

from connector.bootstrap import House
from connector.storage.audit import SEGMENT
from connector.storage.models import Audit


def fill(house: House, rows: int = 5) -> None:
    for number in range(rows):
        house.audit.add("cli:me", "rep.set", f"rep:{number}", reason="because", detail={"before": number})


def test_the_chain_holds_and_goes_on_where_it_stopped(house: House) -> None:
    fill(house)
    assert house.audit.verify() == (0, None)
    assert house.audit.seal() == 5
    fill(house, 3)
    assert house.audit.seal() == 3
    assert house.audit.seal() == 0
    assert house.audit.verify() == (8, None)
    newest = next(iter(house.audit.entries()))
    assert (newest.action, newest.actor, newest.subject, newest.reason, newest.sealed) == (
        "rep.set",
        "cli:me",
        "rep:2",
        "because",
        True,
    )


def test_a_long_trail_is_sealed_in_segments(house: House) -> None:
    with house.db.transaction():
        fill(house, SEGMENT + 5)
    assert (house.audit.seal(), house.audit.seal()) == (SEGMENT, 5)
    assert house.audit.verify() == (SEGMENT + 5, None)


def test_sealers_at_once_make_one_chain(house: House) -> None:
    fill(house, 30)
    with ThreadPoolExecutor(6) as pool:
        counts = [one.result() for one in [pool.submit(house.audit.seal) for _ in range(6)]]
    assert sum(counts) == 30
    assert house.audit.verify() == (30, None)


@pytest.mark.parametrize(
    "statement", ["UPDATE audit SET actor = 'x' WHERE id = 2", "UPDATE audit SET hash = NULL", "DELETE FROM audit"]
)
def test_the_database_refuses_to_change_what_is_sealed(house: House, statement: str) -> None:
    fill(house)
    house.audit.seal()
    with house.db.connected(), pytest.raises(peewee.DatabaseError, match="append-only"):
        house.db.raw.execute_sql(statement)
    assert house.audit.verify() == (5, None)


def disarm(house: House) -> None:
    """Somebody with the database's own rights takes the guards away."""
    for trigger in ("audit_no_update", "audit_no_delete"):
        house.db.raw.execute_sql(f"DROP TRIGGER {trigger}" + ("" if house.db.is_sqlite else " ON audit"))


@pytest.mark.parametrize(
    "change",
    [
        {Audit.actor: "somebody else"},
        {Audit.reason: None},
        {Audit.at: 1},
        {Audit.subject: "rep:9"},
        {Audit.lead_id: 7},
        {Audit.detail: b"x"},
        {Audit.detail: None},
        {Audit.hash: "0" * 64},
        {Audit.seq: 99},
    ],
    ids=lambda change: next(iter(change)).name,
)
def test_meddling_behind_the_guards_is_found_where_it_was_done(house: House, change: dict[Any, Any]) -> None:
    fill(house)
    house.audit.seal()
    with house.db.connected():
        disarm(house)
        Audit.update(change).where(Audit.id == 3).execute()
    assert house.audit.verify() == (2, 3 if Audit.seq not in change else 4)


def test_a_row_taken_out_is_missed(house: House) -> None:
    fill(house)
    house.audit.seal()
    with house.db.connected():
        disarm(house)
        Audit.delete().where(Audit.id == 3).execute()
    assert house.audit.verify() == (2, 4)


def test_an_act_that_was_rolled_back_leaves_no_entry(house: House) -> None:
    with contextlib.suppress(KeyError), house.db.transaction():
        fill(house)
        raise KeyError
    assert list(house.audit.entries()) == []
