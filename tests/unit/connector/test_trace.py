"""One id follows an event through every stage, whoever rings for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dramatiq
import pytest
import structlog
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Callbacks, CurrentMessage, Retries

from connector.actors import declare
from connector.pipeline.deliver import HANDLERS
from connector.queue import ALLOCATE, FIRST, NEW, NOTIFY, SCORE, Doorbell, notify_queue
from tests.unit.connector.pipeline.scripted import CRM, Desk, change, open_desk

STAGES = {"delivery ingested", "lead scored", "lead allocated", "written back", "alert sent"}


@pytest.fixture
def told() -> Iterator[list[Any]]:
    """Every log line as it would be written, with what was bound."""
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        yield lines


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk whose bells are carried out by real actors."""
    made = open_desk(tmp_path)
    broker = StubBroker(middleware=[Retries(), Callbacks(), CurrentMessage()])
    made.house.__dict__["queue"] = Doorbell(broker)
    declare(broker, made.house)
    worker = dramatiq.Worker(broker, worker_timeout=10, worker_threads=1)
    worker.start()
    yield made
    worker.stop()
    made.house.close()
    HANDLERS.clear()


def work_off(desk: Desk) -> None:
    for _ in range(2):  # a stage rings for one that was quiet before
        for queue in (NEW, FIRST, SCORE, ALLOCATE, NOTIFY, notify_queue(CRM)):
            desk.house.queue.broker.join(queue, timeout=20_000)  # type: ignore[call-arg]


def test_each_stage_of_an_event_logs_its_id(desk: Desk, told: list[Any]) -> None:
    hot = {"title": "Chief Executive Officer", "company": "Acme", "message": "We want to buy this week, please call us urgently."}
    ids = [desk.store(CRM, [change(number, email=f"p{number}@acme{number}.example", **hot)]) for number in "12"]
    traces = {stored.trace_id for stored in desk.house.inbox.read(ids)}
    desk.house.queue.ring_new(ids)
    work_off(desk)
    for trace_id in traces:
        assert {line["event"] for line in told if line.get("trace_id") == trace_id} >= STAGES
    assert not [line["event"] for line in told if line["event"] in STAGES and line.get("trace_id") not in traces]


def test_work_whose_bell_was_missed_keeps_the_id_of_its_delivery(desk: Desk, told: list[Any]) -> None:
    stored_id = desk.store(CRM, [change("1", email="p1@acme.example")])
    (stored,) = desk.house.inbox.read([stored_id])
    quiet = desk.house.queue.ring_score
    desk.house.queue.ring_score = lambda lead_id: None  # type: ignore[method-assign]
    desk.work(stored_id)
    desk.house.queue.ring_score = quiet  # type: ignore[method-assign]
    told.clear()
    desk.house.queue.ring_score(desk.lead("1"))
    work_off(desk)
    assert {line.get("trace_id") for line in told if line["event"] in ("lead scored", "lead allocated", "written back")} == {
        stored.trace_id
    }
