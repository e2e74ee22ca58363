"""A decision with everything that is written for it, on an SQLite file: the part of `bench.allocation` that has a database.

200 reps with settings of their own, who got 6,000 leads in the last week and hold a part of them; a policy of 20 rules; every lead
known and scored. What is timed is the stage itself: locks, roster, ledger, decision, record, assignment, owner, audit, outbox rows,
and the flush to disk. Beside it stands one bare transaction that writes a row as large as the decision's record.

Then many threads want the same leads at once: claims by all reps and repeated jobs of the engine.
"""

from __future__ import annotations

import json
import random
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from connector.bootstrap import House
from connector.clock import to_ms
from connector.commands import Actor, claim
from connector.pipeline.allocate import allocate
from connector.testing import StandingClock
from connector.testing import house as build_house
from leads.enums import ChangeKind, Role, Tier
from leads.records import LeadChange, RepRecord
from leads.results import Score

RIVALS, REPEATS, THREADS = 100, 50, 16


@dataclass(frozen=True)
class Contest:
    """What came of leads that many wanted at once: how many, and how many of them ended with more or fewer owners than one."""

    leads: int
    double_assigned: int


@contextmanager
def open_store(policy: str, at: datetime, reps: int, rng: random.Random) -> Iterator[House]:
    """A house with so many reps and their past week."""
    with tempfile.TemporaryDirectory(prefix="leadswitch-bench-") as folder:
        (Path(folder) / "policy.toml").write_text(policy, encoding="utf-8")
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
        house = build_house(Path(folder), clock=StandingClock(at), policy=str(Path(folder) / "policy.toml"))
        try:
            _hire(house, reps, rng)
            _give_a_past(house, at, reps, rng)
            yield house
        finally:
            house.close()


def _hire(house: House, reps: int, rng: random.Random) -> None:
    zones = ("Europe/Berlin", "Europe/London", "America/New_York", "Asia/Tokyo", "Europe/Madrid")
    house.reps.sync("crm", [RepRecord(str(number), f"r{number}@x.example", f"Rep {number}", True) for number in range(1, reps + 1)])
    for rep in house.reps.all():
        languages = rng.sample(("de", "en", "fr", "es"), 2)
        weight = rng.choice((0.5, 1.0, 1.0, 2.0))
        house.reps.set(rep.id, {"weight": weight, "timezone": rng.choice(zones), "languages": languages, "holidays": "DE"})


def _give_a_past(house: House, at: datetime, reps: int, rng: random.Random) -> None:
    """30 assignments a rep within the last week; two in three have ended."""
    columns = "lead_id, rep_id, decision_id, opened_at, closed_at, closed_as, tier"
    statement = f"INSERT INTO assignment ({columns}) VALUES (?, ?, 0, ?, ?, ?, 'a')"  # noqa: S608 - names only
    with house.db.transaction():
        for number in range(reps * 30):
            opened = to_ms(at - timedelta(minutes=rng.randrange(1, 60 * 24 * 7)))
            ended = rng.random() < 2 / 3
            values = (1_000_000 + number, number % reps + 1, opened, opened + 1 if ended else None, "lost" if ended else None)
            house.db.run(statement, *values)


def add_leads(house: House, count: int, rng: random.Random) -> list[int]:
    """Scored leads that nobody has decided about; their ids."""
    ids = []
    for number in range(count):
        with house.db.transaction():
            fields = {"country": rng.choice(("DE", "FR", "GB")), "language": rng.choice(("de", "en", "fr")), "employees": 5}
            change = LeadChange(f"e{number}", str(rng.getrandbits(60)), house.clock.now(), ChangeKind.CREATED, fields=fields)
            applied = house.leads.apply("crm", change, live=True)
            lead = house.leads.get(applied.lead_id)
            version = lead.version if lead else 1
            score = Score(house.clock.now(), 0.6, 60, Tier.A, 1.0, "bench", "rules", 0.0, 0.4, (), {}, {})
            house.leads.mark_scored(applied.lead_id, version, house.scores.add(applied.lead_id, version, score))
        ids.append(applied.lead_id)
    return ids


def write_bare(house: House) -> None:
    """One transaction with one row as large as a decision's record."""
    with house.db.transaction():
        house.db.run("INSERT INTO cell (name, value) VALUES (?, ?)", f"bench-{random.getrandbits(60)}", _record(house))


def _record(house: House) -> str:
    newest = house.decisions.since(None, 0, 1)
    return json.dumps(newest[0].record) if newest else "{}"


def contend(house: House, leads: int, rng: random.Random) -> Contest:
    """Let 100 claims by different reps and 50 repeated jobs of the engine want each lead at once."""
    reps = [rep.id for rep in house.reps.all()]
    found = [_one_owner(house, lead_id, rng.sample(reps, RIVALS)) for lead_id in add_leads(house, leads, rng)]
    return Contest(leads, found.count(False))


def _one_owner(house: House, lead_id: int, rivals: list[str]) -> bool:
    """Whether the lead was given once, to one rep, and nobody else was told they have it."""
    start = threading.Barrier(THREADS)
    told: list[str] = []

    def act(number: int) -> None:
        if number < THREADS:
            start.wait()
        if number % 3 == 2:
            allocate(house, lead_id)
        elif claim(house, lead_id, Actor("bench", str(number), Role.REP, rivals[number % RIVALS])).ok:
            told.append(rivals[number % RIVALS])

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(act, range(RIVALS + REPEATS)))
    with house.db.connected():
        had = house.db.run("SELECT rep_id, closed_at FROM assignment WHERE lead_id = ?", lead_id).fetchall()
    return len(had) == 1 and had[0][1] is None and set(told) <= {str(had[0][0])}
