"""A house for tests, ours and those of other people's adapters: a fresh SQLite file, a clock that stands, a queue that records."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import redis
from dramatiq.brokers.stub import StubBroker

from connector.bootstrap import House
from connector.budget import LocalBudget
from connector.live import LiveLayer
from connector.live_memory import LiveMemory
from connector.queue import Doorbell
from connector.settings import Settings
from connector.storage.db import Database
from connector.vault import Vault

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TEST_KEYS: Mapping[str, bytes] = {"test": bytes(range(32))}


class StandingClock:
    """A clock that moves only when it is told to."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.move(seconds)

    def move(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.moment += timedelta(seconds=seconds)


class NoChance(random.Random):
    """Always draws high, so that no lead is given out at random in a test that does not ask for it."""

    def random(self) -> float:
        return 0.999


class RecordingBell(Doorbell):
    """Notes what was rung for, so that a test can carry it out in any order it likes."""

    def __init__(self) -> None:
        super().__init__(StubBroker())
        self.rung: list[tuple[str, tuple[Any, ...]]] = []

    def _ring(self, queue: str, actor: str, *args: object, delay_s: float = 0.0) -> None:
        if not (delay_s and actor == "ingest"):  # put back until later, which the test lets come
            self.rung.append((actor, args))


def house(folder: Path, *, database_url: str | None = None, clock: StandingClock | None = None, **settings: Any) -> House:
    """A house on a fresh database, migrated; `settings` are keys of `leadswitch.toml`."""
    url = database_url or f"sqlite:///{folder / 'test.db'}"
    made = Settings.model_validate({"home": folder, "database_url": url, **settings})
    db = Database(url)
    db.migrate()
    nowhere = "redis://127.0.0.1:1/0"
    built = House(made, clock or StandingClock(), db, Vault(TEST_KEYS), nowhere, nowhere, NoChance())
    built.__dict__["queue"] = RecordingBell()
    built.__dict__["live"] = LiveLayer(cast(redis.Redis, LiveMemory()))
    built.__dict__["budget"] = LocalBudget(lambda: built.clock.now().timestamp())
    return built


def run_bells(built: House) -> int:
    """Carry out everything that was rung for, and what that rings for, until it is quiet; returns how many bells."""
    from connector.pipeline.deliver import deliver
    from connector.pipeline.enrich import enrich
    from connector.pipeline.evaluate import evaluate
    from connector.pipeline.ingest import ingest
    from connector.pipeline.waiting import allocate_in_turn

    jobs: Mapping[str, Any] = {"ingest": ingest, "evaluate": evaluate, "evaluate_first": evaluate, "allocate": allocate_in_turn}
    jobs = {**jobs, "enrich": enrich}
    bell = cast(RecordingBell, built.queue)
    count = 0
    while bell.rung:
        actor, args = bell.rung.pop(0)
        count += 1
        if actor.startswith("deliver:"):
            deliver(built, str(args[0]))
        elif actor in jobs:
            jobs[actor](built, *args)
    return count
