"""Four worker processes at one lead: a hundred claims and fifty repeated webhooks end in one owner, one CRM write, one task and one
card, and every loser learns who won."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from connector import commands
from connector.bootstrap import House
from connector.commands import Actor
from connector.pipeline.deliver import HANDLERS, deliver
from connector.ports import CrmWrite, LeadWrite, Written
from connector.storage.effects import Effect
from leads.enums import Role
from tests.unit.connector.pipeline import scripted
from tests.unit.connector.pipeline.scripted import CRM, Crm, Desk, Slack, change, open_desk

WORKERS, CLAIMS, REPEATS = 4, 100, 50
REPS = [f"Rep{number:03}" for number in range(CLAIMS)]
POOL = '[teams.sales]\nreps = ["*"]\nmethod = "claim_pool"\n'
EVENTS = [replace(change("1", first_name="Ann", last_name="Lee", title="CEO", email="ann@corp.example"), event_key="the one")]


class Ledger:
    """What all processes sent outside, one line each."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, **told: Any) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._path.read_text(encoding="utf-8").splitlines()] if self._path.exists() else []


class TellingCrm(Crm):
    """A CRM that writes down what it is asked to hold."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger

    def _one(self, write: CrmWrite, in_doubt: bool) -> Written:
        kind = "lead" if isinstance(write, LeadWrite) else "task"
        self._ledger.add(kind=kind, owner=getattr(write, "owner_id", None), again=getattr(write, "made_as", None), doubt=in_doubt)
        return super()._one(write, in_doubt)


class TellingSlack(Slack):
    """A Slack that writes down what it is asked to show."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger

    def deliver(self, house: House, effect: Effect, in_doubt: bool) -> str:
        self._ledger.add(kind="card", to=effect.payload.get("destination"), doubt=in_doubt)
        return super().deliver(house, effect, in_doubt)


def sit_down(folder: Path, url: str) -> Desk:
    """One process's desk on the common database."""
    ledger = Ledger(folder / "ledger.jsonl")
    desk = open_desk(folder / f"desk{os.getpid()}", database_url=url, reps=REPS, worker_threads=1)
    (folder / f"desk{os.getpid()}" / "policy.toml").write_text(POOL, encoding="utf-8")
    desk.crm = TellingCrm(ledger)
    desk.house._clients[CRM] = desk.crm  # type: ignore[assignment]
    for kind in list(HANDLERS):
        HANDLERS[kind] = TellingSlack(ledger)
    return desk


def work(folder: Path, url: str, number: int, lead: int, start: Barrier) -> None:
    """A worker process: its part of the claims and of the repeated webhooks, in turns, and every effect it finds."""
    scripted._numbers = count((number + 1) * 10_000)  # deliveries of this process have keys of their own
    desk = sit_down(folder, url)
    answers = Ledger(folder / "answers.jsonl")
    repeats = [desk.store(CRM, EVENTS) for _ in range(number, REPEATS, WORKERS)]
    start.wait(120)
    for rep in range(number, CLAIMS, WORKERS):
        done = commands.claim(desk.house, lead, Actor("slack", f"U{rep}", Role.REP, str(rep + 1)))
        answers.add(rep=str(rep + 1), ok=done.ok, text=done.text)
        if repeats:
            desk.work(repeats.pop())
        desk.run()
        for destination in (CRM, "slack"):
            deliver(desk.house, destination)
    desk.house.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs_postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Desk, str]]:
    url = f"sqlite:///{tmp_path / 'common.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    desk = sit_down(tmp_path, url)
    yield desk, url
    desk.house.close()
    HANDLERS.clear()


def test_one_owner_one_write_one_task_one_card(place: tuple[Desk, str], tmp_path: Path) -> None:
    desk, url = place
    desk.tell(CRM, *EVENTS)
    desk.run()
    lead = desk.lead("1")
    assert [held.lead_id for held in desk.house.waiting.all()] == [lead]
    before = len(Ledger(tmp_path / "ledger.jsonl").read())
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(WORKERS)
    workers = [context.Process(target=work, args=(tmp_path, url, number, lead, start)) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(240)
    assert [worker.exitcode for worker in workers] == [0] * WORKERS

    answers = Ledger(tmp_path / "answers.jsonl").read()
    (winner,) = [answer for answer in answers if answer["ok"]]
    name = desk.house.reps.names()[winner["rep"]]
    assert len(answers) == CLAIMS
    assert Counter(answer["text"] for answer in answers if not answer["ok"]) == {f"Ann Lee was taken by {name}.": CLAIMS - 1}

    house = desk.house
    assignment, stored = house.decisions.open_assignment(lead), house.leads.get(lead)
    assert assignment is not None
    assert stored is not None
    assert (assignment.rep_id, stored.owner_id, stored.pinned) == (winner["rep"], winner["rep"], True)
    assert house.decisions.open_counts() == {winner["rep"]: 1}
    assert len(house.decisions.history(lead)) == 1
    assert house.waiting.count() == 0
    assert house.leads.count() == 1
    assert house.deadletters.all() == []
    assert house.effects.counts() == {}

    sent = Ledger(tmp_path / "ledger.jsonl").read()[before:]
    owner = house.reps.get(winner["rep"])
    assert owner is not None
    assert [one["owner"] for one in sent if one["kind"] == "lead"] == [owner.external_id]
    assert [(one["owner"], one["again"]) for one in sent if one["kind"] == "task"] == [(owner.external_id, None)]
    cards = Counter(one["to"] for one in sent if one["kind"] == "card")
    assert set(cards.values()) == {1}
    assert not any(one["doubt"] for one in sent)
