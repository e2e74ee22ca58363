"""How long does it take to find out who somebody is among a million people: by what names them exactly, and by likeness?

The base is laid down by the import (`bench.csv_import` measures that). Then people are looked up as a webhook has it done: keyed
tokens of CRM id, address and phone are made and asked for, and for those whom no token names, keyed tokens of name and company,
whose candidates are opened and compared. A third are known by address, a third stand there under another spelling, a third are
strangers. The baseline does what a service without blind indexes would: it opens sealed records one after another until it has the
person; it is measured on a sample and reckoned up.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import structlog

from bench.csv_import import FIELDS, MAP, write_file
from bench.people import HEADINGS, people
from connector import testing
from connector.bootstrap import House
from connector.likeness import blocks, compare, person_of
from connector.pipeline.importing import run
from connector.pipeline.normalise import normalise_fields
from connector.storage.models import Lead
from connector.storage.spelled import rows
from leads.records import FieldValue

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
LOOK_UPS = 3_000
OPENED = 2_000

Fields = dict[str, FieldValue]


def look_up(house: House, fields: Fields) -> tuple[str, int | None]:
    """("exact", "near" or "nobody", lead) of somebody, as ingest goes about it."""
    found = house.leads.find(house.leads.tokens("elsewhere", None, fields))
    if found:
        return "exact", found[0]
    person = person_of(fields)
    tokens = house.namesakes.tokens(blocks(person))
    for lead_id in house.namesakes.candidates(tokens, besides=0):
        lead = house.leads.get(lead_id)
        if lead is not None and compare(person, person_of(lead.fields)).same:
            return "near", lead_id
    return "nobody", None


def whom_to_ask(base: int) -> list[tuple[str, Fields]]:
    """(what should come of it, their fields) of those looked up, in random order."""
    chance, asked = Random(13), list[tuple[str, Fields]]()
    known = people(Random(7), base, NOW)
    each = max(base // LOOK_UPS, 1)
    for number, cells in enumerate(known):
        row = dict(zip(HEADINGS, cells, strict=True))
        if number % each or not row["id"] or not row["email"]:
            continue
        fields: Fields = {name: row[name] or None for name in FIELDS}
        if len(asked) % 3 == 1:
            last = str(row["last_name"])
            fields |= {"email": None, "phone": None, "last_name": last[:-1] + last[-1] * 2}
        elif len(asked) % 3 == 2:
            fields |= {"email": f"stranger{number}@nowhere-{number}.org", "phone": None, "company": f"Nowhere {number}"}
        asked.append((("exact", "near", "nobody")[len(asked) % 3], normalise_fields(fields)))
    chance.shuffle(asked)
    return asked


def opened_one_by_one(house: House) -> float:
    """Seconds to open one sealed record, on average."""
    some = rows(house.db, Lead, "ORDER BY id LIMIT ?", OPENED)
    began = time.perf_counter()
    for row in some:
        house.vault.person(row.data_key).open_json(row.sealed)
    return (time.perf_counter() - began) / len(some)


def main() -> None:
    """Measure, print, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=1_000_000, help="size of the base")
    parser.add_argument("--base", help="a base of so many people that bench.csv_import --keep left")
    wanted = parser.parse_args()
    structlog.configure(processors=[_drop])
    with tempfile.TemporaryDirectory() as folder:
        house = testing.house(Path(wanted.base or folder), clock=testing.StandingClock(NOW))
        began = time.perf_counter()
        if not wanted.base:
            file = Path(folder) / "people.csv"
            write_file(file, wanted.people)
            run(house, file, MAP)
        count = house.leads.count()
        print(f"{count} people laid down in {time.perf_counter() - began:.0f} s")
        took: dict[str, list[float]] = {"exact": [], "near": [], "nobody": []}
        right = 0
        asked = whom_to_ask(wanted.people)
        with house.db.connected():
            for expected, fields in asked:
                start = time.perf_counter()
                how, _ = look_up(house, fields)
                took[expected].append(time.perf_counter() - start)
                right += how == expected
        one = opened_one_by_one(house)
        house.close()
    everyone = sorted(second for seconds in took.values() for second in seconds)
    for what, seconds in took.items():
        seconds.sort()
        print(f"{what}: median {_share(seconds, 0.5):.2f} ms, p99 {_share(seconds, 0.99):.2f} ms ({len(seconds)} look-ups)")
    print(f"opening every record instead: about {one * count / 2:.0f} s a look-up")
    figures = {
        "lookup_p50_ms": round(_share(everyone, 0.5), 3),
        "lookup_p99_ms": round(_share(everyone, 0.99), 3),
        "exact_p99_ms": round(_share(took["exact"], 0.99), 3),
        "near_p99_ms": round(_share(took["near"], 0.99), 3),
        "people": count,
        "as_expected": round(right / len(asked), 4),
        "open_all_s": round(one * count / 2, 1),
    }
    print(json.dumps(figures))


def _share(seconds: list[float], share: float) -> float:
    """This share of sorted times is at most so many milliseconds."""
    return seconds[min(int(len(seconds) * share), len(seconds) - 1)] * 1000


def _drop(*_: object) -> str:
    raise structlog.DropEvent


if __name__ == "__main__":
    main()
