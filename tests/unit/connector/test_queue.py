"""The doorbell: ids only, never an error, and every job it rings for is one that a worker knows."""

from __future__ import annotations

from pathlib import Path

import pytest
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker

from connector.actors import declare
from connector.errors import Configuration
from connector.queue import MOST_ROWS_A_MESSAGE, ROWS_A_MESSAGE, Doorbell, make_broker
from connector.worker import groups
from tests.unit.connector.pipeline.scripted import CRM, open_desk


class Listening(StubBroker):
    """Remembers what was enqueued."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[str, str, tuple[object, ...], int | None]] = []

    def enqueue(self, message, *, delay=None):  # type: ignore[no-untyped-def]
        self.heard.append((message.queue_name, message.actor_name, tuple(message.args), delay))
        return super().enqueue(message, delay=delay)


def ring_everything(bell: Doorbell) -> None:
    bell.ring_new(list(range(ROWS_A_MESSAGE + 1)))
    bell.ring_command([1, 2])
    bell.ring_score(3)
    bell.ring_allocate(3)
    bell.ring_deliver("slack")
    bell.ring_deliver(CRM, delay_s=1.5)
    bell.ring_slow("rationale", 4)
    bell.ring_reconcile(CRM)
    bell.ring_enrich(3)


def test_every_bell_has_a_queue_that_a_worker_listens_to_and_a_job_behind_it(tmp_path: Path) -> None:
    desk = open_desk(tmp_path, enrichment={"url": "https://enrich.example"})
    try:
        worker = StubBroker()
        declare(worker, desk.house)
        listened = {queue for group in groups(desk.house).values() for queue in group[0]}
        bell = Doorbell(Listening())
        ring_everything(bell)
        heard = bell.broker.heard  # type: ignore[attr-defined]
        assert {queue for queue, _, _, _ in heard} <= listened
        for queue, actor, _, _ in heard:
            assert worker.get_actor(actor).queue_name == queue
        assert listened == {queue for queue in worker.get_declared_queues() if not queue.endswith((".DQ", ".XQ"))}
    finally:
        desk.house.close()


def test_a_message_holds_numbers_and_names_of_destinations_and_few_rows() -> None:
    bell = Doorbell(Listening())
    ring_everything(bell)
    heard = bell.broker.heard  # type: ignore[attr-defined]
    assert [len(args[0]) for _, actor, args, _ in heard if actor == "ingest"] == [ROWS_A_MESSAGE, 1]
    assert [args for _, actor, args, _ in heard if actor == "handle_command"] == [([1],), ([2],)], "one click holds up no other"
    assert [delay for _, actor, _, delay in heard if actor == f"deliver:{CRM}"] == [1500]
    bell.ring_new([])
    assert len(bell.broker.heard) == len(heard)  # type: ignore[attr-defined]


def test_thousands_at_once_are_rung_for_in_larger_handfuls_and_nobody_is_left_out() -> None:
    bell = Doorbell(Listening())
    bell.ring_new(list(range(2_000)))
    handfuls = [list(args[0]) for _, _, args, _ in bell.broker.heard]  # type: ignore[attr-defined]
    assert [row for handful in handfuls for row in handful] == list(range(2_000))
    assert ROWS_A_MESSAGE < max(map(len, handfuls)) <= MOST_ROWS_A_MESSAGE


def test_a_broker_that_is_down_is_counted_and_stops_nobody() -> None:
    bell = Doorbell(make_broker("unix:///nowhere/at/all.sock"))
    ring_everything(bell)
    assert bell.missed == 11
    assert not bell.reachable()


@pytest.mark.parametrize(
    ("url", "kind"),
    [("redis://127.0.0.1:1/0", RedisBroker), ("unix:///x.sock", RedisBroker), ("amqp://127.0.0.1:1/", RabbitmqBroker)],
)
def test_a_broker_for_each_address(url: str, kind: type) -> None:
    assert isinstance(make_broker(url), kind)


@pytest.mark.parametrize("url", ["", "http://x", "kafka://x"])
def test_an_address_we_do_not_speak_says_which_we_do(url: str) -> None:
    with pytest.raises(Configuration, match="redis://"):
        make_broker(url)
