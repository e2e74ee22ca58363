"""CSV files that somebody leaves in a folder: taken in as `leadswitch import` does, then put away under `done` or `failed`.

The clock looks and rings; a worker reads, one at a time. A file that is still being written is left alone until it has been quiet
for a while, and one that grew while it was read is read again: importing a row twice changes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from connector.bootstrap import House
from connector.errors import Configuration
from connector.pipeline.import_map import ImportMap, read_mapping
from connector.pipeline.importing import ImportReport, run
from connector.settings import PickupSettings
from connector.spreadsheets import ErrorFile

log = structlog.get_logger(__name__)

#: Where files go. What lies in there is not looked at again.
DONE: Final = "done"
FAILED: Final = "failed"
ENDINGS: Final = (".csv", ".csv.gz")
ERRORS: Final = ".errors.csv"
#: So long after its last change a file counts as written.
QUIET: Final = timedelta(seconds=10)
#: One process at a time; the lease of one that died lapses after so long, and the import goes on where it stopped.
LEASE: Final = "lease:pickup"
LEASE_S: Final = 900.0


def ring_pickup(house: House) -> int:
    """Ring for a worker when files are waiting; returns how many are. Raises `Configuration` when the folder cannot be read."""
    wanted = house.settings.pickup
    waiting = len(find_written(wanted, house.clock.now())) if wanted else 0
    if waiting:
        house.queue.ring_slow("pickup", 0)
    return waiting


def pick_up(house: House) -> list[Path]:
    """Take in the files that wait, by name; returns where each now lies. Nothing while another process is at it.

    Raises `Configuration` for a map or a folder that is wrong: then no file is touched.
    """
    wanted = house.settings.pickup
    holder = secrets.token_hex(8)
    if wanted is None or not house.cells.lease(LEASE, holder, LEASE_S):
        return []
    try:
        mapping = read_mapping(Path(wanted.map), wanted.connection)
        found = find_written(wanted, house.clock.now())
        return [put for file in found if (put := _take(house, file, mapping)) is not None]
    except OSError as error:
        raise Configuration(
            f"A file of `pickup` cannot be read or moved ({error.strerror}).", "Mend the folder's rights."
        ) from None
    finally:
        house.cells.release(LEASE, holder)


def find_written(wanted: PickupSettings, now: datetime) -> list[Path]:
    """The CSV files of the folder that nobody writes any more, by name. Raises `Configuration`."""
    try:
        files = [file for file in Path(wanted.folder).iterdir() if _is_wanted(file)]
        return sorted(file for file in files if abs(now.timestamp() - file.stat().st_mtime) >= QUIET.total_seconds())
    except OSError as error:
        raise Configuration(f"The folder of `pickup` cannot be read ({error.strerror}).", "Mend `pickup.folder`.") from None


def _is_wanted(file: Path) -> bool:
    name = file.name.lower()
    return (
        name.endswith(ENDINGS)
        and not name.startswith(".")
        and not name.endswith(ERRORS)
        and file.is_file()
        and not file.is_symlink()
    )


def _take(house: House, file: Path, mapping: ImportMap) -> Path | None:
    """Import one file and put it away; None when it changed meanwhile and stays."""
    before = _mark(file)
    try:
        report = run(house, file, mapping)
        trouble = "No row could be read: see the errors file." if report.rows and report.failed == report.rows else None
    except Configuration as error:
        report, trouble = ImportReport(0, 0, 0, 0, None), str(error)
    if _mark(file) != before:
        log.warning("file changed while it was read", bytes=before[0])
        return None
    now = house.clock.now()
    errors = ErrorFile.beside(file).path
    if errors.exists():
        _put_away(errors, FAILED, now)
    put = _put_away(file, FAILED if trouble else DONE, now)
    if trouble:
        put.with_name(f"{put.name}.reason.txt").write_text(f"{trouble}\n", encoding="utf-8")
        log.error("file not picked up", reason=trouble)
    else:
        log.info("file picked up", **_counts(report))
    return put


def _counts(report: ImportReport) -> dict[str, int]:
    told = asdict(report)
    return {name: told[name] for name in ("rows", "created", "changed", "failed")}


def _mark(file: Path) -> Sequence[int]:
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns


def _put_away(file: Path, folder: str, now: datetime) -> Path:
    """Move a file into a folder beside it, under its own name, or one with the moment before it when that name is taken."""
    place = file.parent / folder
    place.mkdir(exist_ok=True)
    target, number = place / file.name, 0
    while target.exists():
        number += 1
        target = place / f"{now:%Y%m%dT%H%M%SZ}-{number}-{file.name}"
    return file.rename(target)
