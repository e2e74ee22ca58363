"""How long does it take to score stored leads again: reading their histories, features, model, reasons, and storing the scores?

A made-up base is laid down: people of the sandbox's world with their dated acts, sealed as they are in life. A model is trained on
part of it. Then 1,000 leads, and the whole base, are scored again as `leadswitch rescore` does it. The baseline reads, scores and
stores the same leads one by one, with the same model, in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random

import structlog

from connector import testing
from connector.adapters.hubspot.words import read_properties
from connector.bootstrap import House
from connector.clock import from_ms, to_ms
from connector.models.shelf import ModelShelf
from connector.pipeline.rescore import BATCH, rescore, rescore_base
from connector.pipeline.training import run as train_on_base
from connector.sandbox.world.history import DAY_MS, PastContact, draw_history
from connector.storage.models import Engagement, Lead
from connector.storage.spelled import insert_many
from leads.enums import EngagementKind
from leads.fields import PERSONAL
from scoring.scorer import score

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
RUNS = 5
CHUNK = 1_000
ONE_BY_ONE = 200
#: Acts of the world → engagement kinds.
KINDS = {
    "send": EngagementKind.EMAIL_SENT,
    "open": EngagementKind.EMAIL_OPENED,
    "click": EngagementKind.EMAIL_CLICKED,
    "visit": EngagementKind.PAGE_VIEWED,
    "form": EngagementKind.FORM_SUBMITTED,
    "reply": EngagementKind.EMAIL_REPLIED,
    "meeting": EngagementKind.MEETING_BOOKED,
    "bounce": EngagementKind.EMAIL_BOUNCED,
    "unsubscribe": EngagementKind.UNSUBSCRIBED,
}


def lay_down(house: House, count: int) -> None:
    """Store so many past leads with their acts."""
    past: Iterator[PastContact] = iter(draw_history(7, count, to_ms(NOW), ("1", "2", "3")))
    number = 0
    while part := list(islice(past, CHUNK)):
        leads, acts = [], []
        for contact in part:
            number += 1
            leads.append(_lead(house, number, contact))
            acts += _acts(number, contact)
        with house.db.transaction():
            insert_many(house.db, Lead, leads)
            insert_many(house.db, Engagement, acts)


def _lead(house: House, number: int, contact: PastContact) -> dict[str, object]:
    fields, _ = read_properties(contact.person.properties)
    key = house.vault.new_data_key()
    created = from_ms(contact.created_ms)
    return {
        "connection": "bench",
        "external_id": str(number),
        "created_at": created,
        "data_key": key,
        "sealed": house.vault.person(key).seal_json({name: value for name, value in fields.items() if name in PERSONAL}),
        "facts": {name: value for name, value in fields.items() if name not in PERSONAL},
        "field_times": dict.fromkeys(fields, contact.created_ms),
        "outcome": contact.outcome,
        "outcome_at": None if contact.outcome == "open" else created + timedelta(days=40),
        "touched_at": created,
    }


def _acts(number: int, contact: PastContact) -> list[dict[str, object]]:
    return [
        {
            "lead_id": number,
            "connection": "bench",
            "event_key": f"{number}.{place}",
            "kind": KINDS[act.kind].value,
            "occurred_at": contact.created_ms + round(act.after * DAY_MS),
            "properties": {"path": "/pricing"} if act.kind == "visit" else {},
        }
        for place, act in enumerate(contact.acts)
        if act.kind in KINDS
    ]


def one_by_one(house: House, lead_ids: Sequence[int]) -> None:
    """The baseline: each lead read, scored and stored alone."""
    for lead_id in lead_ids:
        history = house.histories.at(lead_id, house.clock.now())
        if history is not None:
            answer = score([history], house.models.champion())[0]
            with house.db.transaction():
                house.scores.add(lead_id, 1, answer)


def seconds(call: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    """Measure, print, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--leads", type=int, default=100_000, help="size of the base")
    parser.add_argument("--database", help="URL of an empty database; by default an SQLite file of its own")
    wanted = parser.parse_args()
    structlog.configure(processors=[_drop])
    with tempfile.TemporaryDirectory() as folder:
        clock = testing.StandingClock(NOW)
        house = testing.house(Path(folder), database_url=wanted.database, clock=clock)
        laid = seconds(lambda: lay_down(house, wanted.leads))
        acts = house.db.run("SELECT COUNT(*) FROM engagement").fetchone()[0]
        print(f"{wanted.leads} leads with {acts / wanted.leads:.1f} acts each laid down in {laid:.0f} s")
        _train(house)
        figures = measure(house, wanted.leads)
        house.close()
    print(json.dumps(figures))


def _train(house: House) -> None:
    """A model of the ended ones among 1,500 leads, so that the bench does not spend its time on learning."""
    house.db.run("UPDATE lead SET outcome = 'open' WHERE id > 1500")
    took = seconds(lambda: train_on_base(house))
    house.__dict__["models"] = ModelShelf(house.model_versions, house.settings.models_path, house.clock)
    bundle = house.models.champion()
    serves = "it scores" if bundle is not None and bundle.beats_rules else "the rules score"
    print(f"a model trained in {took:.0f} s; {serves}")


def measure(house: House, leads: int) -> dict[str, float | int]:
    """The figures, with readable lines on the way."""
    ids = Random(7).sample(range(1, leads + 1), min(1_000, leads))
    batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
    rescore(house, batches[:1])  # the first call warms what every process warms once
    runs = [seconds(lambda: rescore(house, batches)) for _ in range(RUNS)]
    per_thousand = statistics.median(runs) * 1_000 / len(ids)
    alone = ids[:ONE_BY_ONE]
    one = seconds(lambda: one_by_one(house, alone)) * 1_000 / len(alone)
    print(f"1,000 leads again: median {per_thousand:.3f} s, best {min(runs):.3f} s; one by one {one:.3f} s")
    began = os.times()
    whole = seconds(lambda: rescore_base(house))
    ended = os.times()
    cpu = ended.user + ended.system - began.user - began.system
    per_100k = whole * 100_000 / leads
    print(f"{leads} leads again: {whole:.1f} s ({cpu:.1f} s of processor time)")
    return {
        "rescore_1000_s": round(per_thousand, 4),
        "rescore_1000_best_s": round(min(runs) * 1_000 / len(ids), 4),
        "rescore_100k_s": round(per_100k, 2),
        "rescored": leads,
        "rescore_cpu_s": round(cpu, 2),
        "one_by_one_1000_s": round(one, 4),
        "speedup": round(one / per_thousand, 2),
    }


def _drop(*_: object) -> str:
    raise structlog.DropEvent


if __name__ == "__main__":
    main()
