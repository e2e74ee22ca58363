"""How many rows a second does an import take in: parsing, normalising, identity by name and by likeness, sealing and storing?

A file of made-up people is written (about eight at a company, one in a hundred there again misspelt, one in a hundred a bad row),
and imported into an SQLite file by a process of its own, whose peak memory is read from the operating system: once with a tenth of
the rows, once with all, so that memory which grows with the file would show. The baseline takes rows of the same kind in one by
one, as any other change is, in the same run.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from bench.people import HEADINGS, people
from connector import testing
from connector.bootstrap import House
from connector.pipeline.identity import join_near
from connector.pipeline.import_map import ImportMap
from connector.pipeline.importing import run
from connector.pipeline.normalise import normalise
from leads.enums import ChangeKind
from leads.records import LeadChange

ONE_BY_ONE = 2_000
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
FIELDS = ("email", "phone", "first_name", "last_name", "company", "title", "country", "industry", "source")
MAP = ImportMap(
    connection="bench",
    external_id="id",
    fields={name: name for name in FIELDS},
    extra=("visits",),
    created_at="created",
    outcome="outcome",
    won=frozenset({"won"}),
    lost=frozenset({"lost"}),
)


def write_file(path: Path, rows: int) -> None:
    """A CSV of so many people."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        out = csv.writer(handle)
        out.writerow(HEADINGS)
        out.writerows(people(Random(7), rows, NOW))


def import_alone(rows: int, keep: Path | None = None) -> dict[str, float]:
    """Import in this process, into a fresh SQLite file; seconds by the wall and of the processor, and the peak of memory.

    `keep` is an empty folder in which the base is left for `bench.identity --base`.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "people.csv"
        write_file(file, rows)
        house = testing.house(keep or Path(folder) / "home", clock=testing.StandingClock(NOW))
        began, cpu = time.perf_counter(), time.process_time()
        report = run(house, file, MAP)
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        made = house.leads.count()
        house.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "rows": report.rows,
        "leads": made,
        "merged": report.created - made,
        "failed": report.failed,
        "s": took,
        "cpu_s": cpu,
        "peak_mb": peak,
    }


def in_a_process(rows: int, keep: str | None = None) -> dict[str, float]:
    """`import_alone` in a process of its own."""
    command = [sys.executable, "-m", "bench.csv_import", "--alone", str(rows), *(["--keep", keep] if keep else [])]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def one_by_one(rows: int) -> float:
    """The baseline: rows a second when each is a change of its own."""
    with tempfile.TemporaryDirectory() as folder:
        house = testing.house(Path(folder), clock=testing.StandingClock(NOW))
        changes = list(_changes(rows))
        began = time.perf_counter()
        for start in range(0, len(changes), 200):
            with house.db.transaction():
                for change in changes[start : start + 200]:
                    _take(house, change)
        took = time.perf_counter() - began
        house.close()
    return rows / took


def _changes(rows: int) -> Iterator[LeadChange]:
    for number, cells in enumerate(people(Random(11), rows, NOW, bad=0.0)):
        row = dict(zip(HEADINGS, cells, strict=True))
        at = NOW - timedelta(minutes=number)
        fields = {name: row[name] or None for name in FIELDS}
        yield LeadChange(f"k{number}", row["id"], at, ChangeKind.CREATED, fields=fields, created_at=at)


def _take(house: House, change: LeadChange) -> None:
    join_near(house, house.leads.apply("bench", normalise(change), live=False))


def main() -> None:
    """Measure, print, and end with one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the large file")
    parser.add_argument("--keep", help="an empty folder in which the large base is left, for bench.identity --base")
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.alone:
        print(json.dumps(import_alone(wanted.alone, Path(wanted.keep) if wanted.keep else None)))
        return
    slow = one_by_one(ONE_BY_ONE)
    print(f"one by one: {slow:.0f} rows a second")
    tenth, whole = in_a_process(wanted.rows // 10), in_a_process(wanted.rows, wanted.keep)
    for part in (tenth, whole):
        each = part["cpu_s"] / part["rows"] * 1e6
        print(
            f"{part['rows']:.0f} rows, {part['leads']:.0f} leads, {part['merged']:.0f} merged, {part['failed']:.0f} set aside: "
            f"{part['s']:.1f} s ({each:.0f} µs of processor time a row), at most {part['peak_mb']:.0f} MB"
        )
    figures = {
        "rows_per_s": round(whole["rows"] / whole["s"]),
        "rows_per_cpu_s": round(whole["rows"] / whole["cpu_s"]),
        "peak_mb_100k": round(tenth["peak_mb"], 1),
        "peak_mb_1m": round(whole["peak_mb"], 1),
        "rows": whole["rows"],
        "one_by_one_rows_per_s": round(slow),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
