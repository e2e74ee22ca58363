"""Nothing about a person reaches a log, whatever goes wrong; what an engineer needs does."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import dramatiq
import pytest
import structlog
from dramatiq.brokers.stub import StubBroker

from connector import logs
from connector.actors import declare
from connector.pipeline.deliver import HANDLERS
from connector.queue import NEW
from tests.unit.connector.pipeline.scripted import CRM, MAIL, act, change, open_desk

EMAIL, NAME = "zebulon@marker-corp.example", "Zebulon-Marker"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Everything that a process with our log settings would write on stderr."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    logs.set_up_logs("debug")
    monkeypatch.setattr(structlog.get_config()["logger_factory"], "_file", stream)
    structlog.configure(cache_logger_on_first_use=False)
    yield stream.getvalue
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_line_is_json_with_what_was_bound(written: Callable[[], str]) -> None:
    with structlog.contextvars.bound_contextvars(trace_id="t1"):
        structlog.get_logger("x").info("lead scored", lead_id=7, email=EMAIL, payload={"a": NAME})
    line = json.loads(written().splitlines()[-1])
    assert (line["event"], line["trace_id"], line["lead_id"], line["level"]) == ("lead scored", "t1", 7, "info")
    assert EMAIL not in written()
    assert NAME not in written()


def test_an_exception_shows_where_and_not_what(written: Callable[[], str]) -> None:
    def trip(email: str) -> None:
        raise ValueError(f"no such person: {email}") from KeyError(NAME)

    try:
        trip(EMAIL)
    except ValueError:
        structlog.get_logger("x").exception("effect failed")
    line = json.loads(written().splitlines()[-1])
    assert "ValueError" in line["exception"]
    assert "trip" in line["exception"]
    assert Path(__file__).name in line["exception"]
    assert EMAIL not in written()
    assert NAME not in written()


def test_other_peoples_loggers_are_held_to_it_too(written: Callable[[], str]) -> None:
    try:
        raise ValueError(EMAIL)
    except ValueError:
        logging.getLogger("dramatiq.worker").exception("Failed to process message %r with unhandled exception.", {"args": [1]})
    assert "ValueError" in written()
    assert EMAIL not in written()
    json.loads(written().splitlines()[-1])


def test_a_journey_with_every_kind_of_failure_leaves_no_trace_of_the_person(tmp_path: Path, written: Callable[[], str]) -> None:
    desk = open_desk(tmp_path)
    try:
        desk.slack.fails = [KeyError(EMAIL)] * 3
        desk.crm.fails = [ValueError(NAME)] * 2
        desk.tell(CRM, change("1", email=EMAIL, first_name=NAME, last_name=NAME, company=NAME, title="CEO", message=NAME))
        desk.tell(MAIL, act(EMAIL, text=NAME), act("not an address " + NAME))
        desk.work(desk.store(CRM, ValueError(f"{EMAIL} {NAME}")))
        for _ in range(5):
            desk.run()
            desk.house.queue.ring_deliver(CRM)
            desk.house.queue.ring_deliver("slack")
            desk.clock.move(600)
    finally:
        desk.house.close()
        HANDLERS.clear()
    said = written()
    assert said.count("\n") > 10
    for mark in (EMAIL, NAME, "marker-corp"):
        assert mark not in said


def test_what_a_failed_job_leaves_in_the_queue_names_nobody(tmp_path: Path, written: Callable[[], str]) -> None:
    """Dramatiq keeps the text of a traceback in the message that it will try again."""
    desk = open_desk(tmp_path)
    broker = StubBroker(middleware=[dramatiq.middleware.Retries(min_backoff=1, max_backoff=1)])
    kept: list[bytes] = []
    try:
        declare(broker, desk.house)
        desk.house.inbox.read = lambda ids: (_ for _ in ()).throw(ValueError(EMAIL))  # type: ignore[method-assign]
        enqueue = broker.enqueue

        def listen(message: dramatiq.Message[None], *, delay: int | None = None) -> dramatiq.Message[None]:
            kept.append(message.encode())
            return enqueue(message, delay=delay)

        broker.enqueue = listen  # type: ignore[method-assign]
        worker = dramatiq.Worker(broker, worker_timeout=10, worker_threads=1)
        worker.start()
        broker.get_actor("ingest").send([1])
        broker.join(NEW, timeout=10_000, fail_fast=False)
        worker.stop()
    finally:
        desk.house.close()
        HANDLERS.clear()
    assert len(kept) > 1, "it was tried again"
    assert EMAIL.encode() not in b"".join(kept)
    assert EMAIL not in written()
