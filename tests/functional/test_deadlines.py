"""Deadlines by real clock processes: they fire within five seconds of their time, once, with two clocks and through a kill. And
what waits, on both databases."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from connector.bootstrap import House, open_house
from connector.clock import to_ms
from connector.pipeline.allocate import allocate
from connector.pipeline.evaluate import evaluate
from connector.pipeline.sla import sweep_clocks
from connector.pipeline.waiting import allocate_in_turn
from connector.settings import read_settings
from connector.storage.models import Timer
from leads.enums import ChangeKind
from leads.records import LeadChange, RepRecord

LEADS, WITHIN_S = 8, 5.0
TERMS = "remind_minutes = 500\naccept_minutes = 1000\nreroute = true\n"
POLICY = "".join(f"[sla.{tier}]\n{TERMS}" for tier in "abcd") + '[teams.sales]\nreps = ["*"]\n'


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs_postgres)])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "policy.toml").write_text(POLICY, encoding="utf-8")
    told = {
        "LEADSWITCH_HOME": str(tmp_path / "var"),
        "LEADSWITCH_POLICY": str(tmp_path / "policy.toml"),
        "LEADSWITCH_REDIS_URL": "redis://127.0.0.1:1/0",  # nobody: the clock needs no doorbell
    }
    if request.param == "postgresql":
        told["LEADSWITCH_DATABASE_URL"] = request.getfixturevalue("postgres_url")
    return told


@pytest.fixture
def house(environment: dict[str, str]) -> Iterator[House]:
    built = open_house(read_settings(environment), migrate=True)
    names = ("Ada", "Ben", "Cleo")
    built.reps.sync("crm", [RepRecord(str(place), f"{name}@x.example", name, True) for place, name in enumerate(names)])
    yield built
    built.close()


@pytest.fixture
def start_clock(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts `leadswitch clock` processes; none is left behind."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "connector", "clock"]
        with (tmp_path / f"clock{len(started)}.log").open("wb") as log:
            started.append(subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()


def give_out(house: House) -> list[int]:
    leads = []
    for number in range(LEADS):
        fields = {"email": f"p{number}@corp.example", "last_name": f"P{number}"}
        at = house.clock.now() - timedelta(minutes=1)
        change = LeadChange(f"e{number}", str(number), at, ChangeKind.CREATED, fields=fields)
        leads.append(house.leads.apply("crm", change, live=True).lead_id)
        evaluate(house, leads[-1])
        allocate(house, leads[-1])
    return leads


def move_up(house: House, stage: str, seconds: float) -> None:
    """Let the clocks of a stage be due one after the other, the first in so many seconds: as if their minutes had passed."""
    first = house.clock.now() + timedelta(seconds=seconds)
    with house.db.transaction():
        for place, row in enumerate(Timer.select().where((Timer.stage == stage) & (Timer.state == "pending")).order_by(Timer.id)):
            Timer.update(due_at=first + timedelta(milliseconds=250 * place)).where(Timer.id == row.id).execute()


def fired(house: House, stage: str) -> list[float]:
    """How late each clock of a stage fired, in seconds."""
    with house.db.connected():
        rows = Timer.select().where((Timer.stage == stage) & (Timer.state == "fired") & Timer.result.is_null(False))
        return [(to_ms(row.done_at) - to_ms(row.due_at)) / 1000 for row in rows]


def actions(house: House, action: str) -> int:
    return sum(entry.action == action for entry in house.audit.entries(limit=1000))


def test_deadlines_fire_in_time_with_two_clocks_and_after_a_kill(
    house: House, start_clock: Callable[[], subprocess.Popen[bytes]], eventually: Callable[..., object]
) -> None:
    leads = give_out(house)
    clocks = [start_clock(), start_clock()]
    eventually(lambda: house.cells.get("lease:clock"), 60, "a clock that leads")
    move_up(house, "remind", 2.0)
    eventually(lambda: len(fired(house, "remind")) == LEADS, 60, "all reminders")
    assert max(fired(house, "remind")) < WITHIN_S
    assert min(fired(house, "remind")) >= 0
    assert actions(house, "sla.reminded") == LEADS

    leader = str(house.cells.get("lease:clock")).rpartition(":")[2]
    move_up(house, "accept", 1.0)
    victim = next(clock for clock in clocks if str(clock.pid) == leader)
    victim.send_signal(signal.SIGKILL)
    eventually(lambda: len(fired(house, "accept")) >= LEADS, 90, "all deadlines")
    assert max(fired(house, "accept")) < WITHIN_S
    history = [[held.closed_as for held in house.decisions.history(lead)] for lead in leads]
    assert history == [["missed", None]] * LEADS, "each went to somebody else, once"
    assert actions(house, "sla.rerouted") == LEADS


def test_what_came_due_while_no_clock_ran_fires_at_the_next_start(
    house: House, start_clock: Callable[[], subprocess.Popen[bytes]], eventually: Callable[..., object]
) -> None:
    give_out(house)
    move_up(house, "remind", -3600.0)
    start_clock()
    eventually(lambda: len(fired(house, "remind")) == LEADS, 60, "all reminders")
    assert actions(house, "sla.reminded") == LEADS


def test_a_clock_passes_over_leads_that_another_works_on(house: House) -> None:
    """On PostgreSQL the sweep goes on with the others meanwhile; SQLite has one writer at a time, and nothing to pass over."""
    leads = give_out(house)
    move_up(house, "remind", -60.0)
    if not house.db.is_sqlite:
        with house.db.transaction(), ThreadPoolExecutor(1) as elsewhere:  # a thread has a connection of its own
            for lead in leads[:3]:
                house.leads.lock(lead)
            assert elsewhere.submit(sweep_clocks, house).result(60) == LEADS - 3
    sweep_clocks(house)
    assert actions(house, "sla.reminded") == LEADS


def test_those_that_wait_are_tried_before_a_fresh_lead(house: House) -> None:
    for rep in house.reps.all():
        house.reps.set(rep.id, {"capacity": 0})
    waits, fresh = give_out(house)[:2]
    house.reps.set("1", {"capacity": 1})
    with house.db.transaction():
        house.waiting.take_off(fresh)
        house.db.run("UPDATE waiting SET try_at = try_at - 1000")  # so that the try in vain was not just now
    allocate_in_turn(house, fresh)
    assert house.decisions.open_assignment(waits) is not None
    assert house.decisions.open_assignment(fresh) is None
