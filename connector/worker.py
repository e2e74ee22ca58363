"""The worker process: one Dramatiq worker a group of queues, so that a hung CRM or a slow LLM delays no alert.

Each group has a broker object of its own: Dramatiq keeps its middleware and heartbeats by broker.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping

import dramatiq
import structlog
from dramatiq import Worker

from connector.actors import declare, load
from connector.bootstrap import House, open_house
from connector.logs import set_up_logs
from connector.queue import (
    ALLOCATE,
    COMMAND,
    ENRICH,
    FIRST,
    NEW,
    NOTIFY,
    PLAYBOOKS,
    RECONCILE,
    SCORE,
    SLOW,
    make_broker,
    notify_queue,
)
from connector.settings import Settings, read_settings

log = structlog.get_logger(__name__)

#: An idle consumer asks its queue at least this often; it bounds what a quiet queue adds to a lead's way. Asking takes processor
#: time of its own, so the queues that nobody waits for are asked less.
WAITED_FOR_MS, PATIENT_MS = 100, 500


def groups(house: House) -> Mapping[str, tuple[frozenset[str], int, int]]:
    """name → (queues, threads, milliseconds between two looks at an idle queue)."""
    threads = house.settings.worker_threads
    found = {
        "pipeline": (frozenset({NEW, FIRST, SCORE, ALLOCATE}), threads, WAITED_FOR_MS),
        "commands": (frozenset({COMMAND}), 1, WAITED_FOR_MS),
        "alerts": (frozenset({NOTIFY}), 2, WAITED_FOR_MS),
        "slow": (frozenset({SLOW}), 1, PATIENT_MS),
        "playbooks": (frozenset({PLAYBOOKS}), 1, PATIENT_MS),
        "reconcile": (frozenset({RECONCILE}), 1, PATIENT_MS),
    }
    if house.settings.enrichment.url:
        found["enrich"] = (frozenset({ENRICH}), 2, WAITED_FOR_MS)
    for connection in house.crm_connections():
        found[f"crm {connection}"] = (frozenset({notify_queue(connection)}), 1, PATIENT_MS)
    for outlet in house.outlets():
        found[f"outlet {outlet}"] = (frozenset({notify_queue(outlet)}), 1, PATIENT_MS)
    return found


def start(house: House) -> list[Worker]:
    """Start every group; returns the running workers."""
    if house.slack_configured:
        load("bots.slack.notifier:register")(house)
    workers = []
    for name, (queues, threads, idle_ms) in groups(house).items():
        broker = make_broker(house.broker_url)
        dramatiq.set_broker(broker)
        declare(broker, house)
        worker = Worker(broker, queues=set(queues), worker_threads=threads, worker_timeout=idle_ms)
        worker.start()
        workers.append(worker)
        log.info("worker group started", group=name, queues=sorted(queues), threads=threads)
    return workers


def main(settings: Settings | None = None) -> None:
    """Run until SIGTERM or SIGINT, then finish what is in hand."""
    settings = settings or read_settings()
    set_up_logs(settings.log_level)
    house = open_house(settings)
    house.models.champion()  # load before the first lead waits for it
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    workers = start(house)
    log.info("worker ready")
    stop.wait()
    stopping = [threading.Thread(target=worker.stop, kwargs={"timeout": 20_000}) for worker in workers]
    for thread in stopping:
        thread.start()
    for thread in stopping:
        thread.join()
    house.close()


if __name__ == "__main__":
    main()
