"""Who holds the roster waits for no lead."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector import commands
from connector.commands import Actor
from connector.pipeline import backfill
from connector.pipeline.deliver import HANDLERS
from connector.ports import BackfillPage
from leads.enums import EngagementKind, Role
from tests.unit.connector.pipeline.scripted import CRM, Desk, act, change, open_desk

pytestmark = pytest.mark.needs_postgres
WAITING = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def desk(tmp_path: Path, postgres_url: str) -> Iterator[Desk]:
    made = open_desk(tmp_path, database_url=postgres_url)
    yield made
    made.house.close()
    HANDLERS.clear()


@pytest.fixture
def leads(desk: Desk) -> list[int]:
    """Two leads that the engine gave out."""
    for number in "12":
        desk.tell(CRM, change(number, email=f"p{number}@corp.example", last_name=number))
    desk.run()
    desk.clock.move(60)
    return [desk.lead(number) for number in "12"]


def other_owner(desk: Desk, lead: int) -> str:
    stored = desk.house.leads.get(lead)
    assert stored is not None
    return "102" if stored.owner_id != "3" else "101"


def waits(desk: Desk) -> bool:
    """Whether some transaction waits for a lock."""
    with desk.house.db.connected():
        desk.house.db.run("SELECT pg_stat_clear_snapshot()")
        return bool(desk.house.db.run(WAITING).fetchone()[0])


def delivery(desk: Desk, *order: str) -> Callable[[], None]:
    said = [change(number, desk.clock.now(), owner_id=other_owner(desk, desk.lead(number))) for number in order]
    inbox_id = desk.store(CRM, said)
    return lambda: desk.work(inbox_id)


def chunk(desk: Desk, *order: str) -> Callable[[], None]:
    said = [change(number, desk.clock.now(), owner_id=other_owner(desk, desk.lead(number))) for number in order]

    def apply() -> None:
        backfill.take_page(desk.house, CRM, BackfillPage(said, [], {}, None), live=True)

    return apply


@pytest.mark.parametrize("many", [delivery, chunk])
def test_many_leads_at_once_and_a_decision_about_the_last_of_them(
    desk: Desk, leads: list[int], many: Callable[..., Callable[[], None]], eventually: Callable[..., Any]
) -> None:
    """The one holds a lead and wants the roster; the other is about both leads, and wants that lead after it has decided."""
    house, held = desk.house, threading.Event()
    wanted = {lead: house.reps.for_owner(CRM, other_owner(desk, lead)).id for lead in leads}
    apply = many(desk, "1", "2")

    def decide() -> None:
        with house.db.transaction():
            assert house.leads.lock(leads[1]) is not None
            held.set()
            eventually(lambda: waits(desk))
            house.decisions.lock_roster()

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(decide)
        held.wait(30)
        other = pool.submit(apply)
        one.result(60)
        other.result(60)
    assert {lead: _owner(desk, lead) for lead in leads} == wanted


def test_deliveries_about_two_leads_in_opposite_order_both_come_through(desk: Desk, leads: list[int]) -> None:
    jobs = [delivery(desk, *order) for order in (("1", "2"), ("2", "1")) for _ in range(4)]
    wanted = {lead: desk.house.reps.for_owner(CRM, other_owner(desk, lead)).id for lead in leads}
    with ThreadPoolExecutor(len(jobs)) as pool:
        for job in [pool.submit(job) for job in jobs]:
            job.result(60)
    assert {lead: _owner(desk, lead) for lead in leads} == wanted
    with desk.house.db.connected():
        assert desk.house.db.run("SELECT COUNT(*) FROM inbox WHERE state <> 'done' OR attempts > 0").fetchone() == (0,)


def test_a_rep_who_is_back_is_noted_after_the_roster_is_held(desk: Desk, leads: list[int], eventually: Callable[..., Any]) -> None:
    """The one claims, and is back by it; the other decides for them, and notes their newest lead."""
    house, held = desk.house, threading.Event()
    house.reps.set("1", {"silent_since": desk.clock.now().isoformat()})
    with house.db.transaction():
        for lead in leads:
            house.decisions.close(lead, desk.clock.now(), "undone")
            house.leads.set_owner(lead, None, pinned=False)

    def decide() -> None:
        with house.db.transaction():
            house.decisions.lock_roster()
            held.set()
            eventually(lambda: waits(desk))
            house.reps.touch("1", desk.clock.now() + timedelta(seconds=1))

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(decide)
        held.wait(30)
        other = pool.submit(commands.claim, house, leads[0], Actor("slack", "U1", Role.REP, "1"))
        one.result(60)
        assert other.result(60).ok
    rep = house.reps.get("1")
    assert rep is not None
    assert "silent_since" not in rep.settings


def test_a_call_and_a_change_of_owner_in_one_delivery(desk: Desk, leads: list[int], eventually: Callable[..., Any]) -> None:
    house, held = desk.house, threading.Event()
    first = _owner(desk, leads[0])
    assert first is not None
    house.reps.set(first, {"silent_since": desk.clock.now().isoformat()})
    said = [
        act(None, desk.clock.now(), EngagementKind.CALL_ANSWERED, external_id="1"),
        change("2", desk.clock.now(), owner_id=other_owner(desk, leads[1])),
    ]
    inbox_id = desk.store(CRM, said)

    def decide() -> None:
        with house.db.transaction():
            house.decisions.lock_roster()
            held.set()
            eventually(lambda: waits(desk))
            house.reps.touch(first, desk.clock.now() + timedelta(seconds=1))

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(decide)
        held.wait(30)
        other = pool.submit(desk.work, inbox_id)
        one.result(60)
        other.result(60)
    assert desk.states(inbox_id) == ["applied", "applied"]
    rep = house.reps.get(first)
    assert rep is not None
    assert "silent_since" not in rep.settings


def _owner(desk: Desk, lead: int) -> str | None:
    stored = desk.house.leads.get(lead)
    assert stored is not None
    return stored.owner_id
