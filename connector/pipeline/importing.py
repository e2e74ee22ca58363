"""Existing leads from a CSV file: streamed, mapped by a small TOML file, one bad row at a time set aside with its reason.

A run that was cut off goes on where it stopped: how far it came is stored with the rows themselves.
"""

from __future__ import annotations

import csv
import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from connector.bootstrap import House
from connector.errors import Configuration
from connector.likeness import person_of
from connector.pipeline.import_chunk import SPACING, ReadRow, store
from connector.pipeline.import_map import ImportMap
from connector.pipeline.normalise import ID_LENGTH, KEY_LENGTH, normalise_fields, normalise_name
from connector.spreadsheets import CsvFile, ErrorFile, under_headings
from leads.enums import ChangeKind, ChangeOrigin, Outcome
from leads.records import FieldValue, LeadChange

log = structlog.get_logger(__name__)

#: Rows a transaction: few enough that live work is not held up.
CHUNK = 500
#: A lead is not made later than this after now, whatever zone its file was written in.
TO_COME = timedelta(days=1)

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """`errors_file` holds each row that was set aside, with its line and reason. `resumed_at`: so many rows were taken in by an
    earlier run that was cut off; they are counted here too."""

    rows: int
    created: int
    changed: int
    failed: int
    errors_file: str | None
    resumed_at: int = 0


@dataclass(frozen=True, slots=True)
class _Mark:
    """How far a run came, as stored with its rows."""

    started: str
    rows: int = 0
    line: int = 1
    created: int = 0
    changed: int = 0
    failed: int = 0


def run(house: House, file: Path, mapping: ImportMap, progress: Progress | None = None) -> ImportReport:
    """Take in every row of a CSV or CSV.gz. Raises `Configuration` when a mapped column is not there."""
    size = max(file.stat().st_size, 1)
    cell = f"import:{_fingerprint(file, mapping)}"
    known = house.cells.get(cell)
    mark = _Mark(**known) if known else _Mark(house.clock.now().isoformat())
    resumed_at = mark.rows
    with CsvFile(file) as (raw, text), closing(ErrorFile.beside(file)) as errors:
        errors.keep_up_to(mark.line)
        lines = csv.reader(text)
        row = _Row(next(lines, []), mapping, file, datetime.fromisoformat(mark.started), _places(file, mapping))
        chunk: list[ReadRow] = []
        rows, failed = 0, mark.failed
        end = lines.line_num
        for cells in lines:
            line, end = end + 1, lines.line_num  # a quoted cell may hold line breaks: a row is named by the line it begins on
            if not cells:  # a blank line, which is no row
                continue
            rows += 1
            if rows <= resumed_at:
                continue
            try:
                chunk.append(row.read(rows - 1, cells))
            except ValueError as error:
                failed += 1
                errors.add(line, str(error), under_headings(row.headings, cells))
            if (rows - resumed_at) % CHUNK == 0:
                errors.flush()
                mark = _store(house, mapping.connection, chunk, replace(mark, rows=rows, line=line, failed=failed), cell)
                chunk = []
                if progress:
                    progress(min(raw.tell() / size, 1.0), f"{rows} rows")
        mark = _store(house, mapping.connection, chunk, replace(mark, rows=rows, failed=failed), cell)
    house.cells.drop(cell)
    if progress:
        progress(1.0, f"{mark.rows} rows")
    log.info("imported", rows=mark.rows, created=mark.created, failed=mark.failed, resumed_at=resumed_at)
    errors_file = str(errors.path) if mark.failed else None
    return ImportReport(mark.rows, mark.created, mark.changed, mark.failed, errors_file, resumed_at)


def _store(house: House, connection: str, chunk: Sequence[ReadRow], mark: _Mark, cell: str) -> _Mark:
    """The rows and how far they bring the run, in one transaction."""
    with house.db.transaction():
        made, changed = store(house, connection, chunk)
        mark = replace(mark, created=mark.created + made, changed=mark.changed + changed)
        house.cells.set(cell, asdict(mark))
    return mark


def _fingerprint(file: Path, mapping: ImportMap) -> str:
    """What makes a run the same run: every byte of the file, and the map."""
    with file.open("rb") as raw:
        digest = hashlib.file_digest(raw, "sha256")
    meant = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in asdict(mapping).items()}
    digest.update(repr(sorted(meant.items())).encode())
    return digest.hexdigest()[:40]


class _Row:
    """Reads the rows of one file."""

    def __init__(self, headings: Sequence[str], mapping: ImportMap, file: Path, started: datetime, places: _Places | None) -> None:
        _check_columns(headings, mapping, file)
        self.headings, self._map, self._started, self._places = headings, mapping, started, places
        self._column = {name: place for place, name in enumerate(headings)}

    def read(self, number: int, cells: Sequence[str]) -> ReadRow:
        """The row of this number (the first is 0). Raises `ValueError` saying what is wrong with it."""
        if len(cells) != len(self.headings):
            raise ValueError("more cells than headings" if len(cells) > len(self.headings) else "fewer cells than headings")
        mapping = self._map

        def cell(column: str) -> str | None:
            text = cells[self._column[column]].strip()
            return None if text in mapping.missing else text

        external_id = cell(mapping.external_id)
        if external_id is None:
            raise ValueError(f"{mapping.external_id} is empty")
        created = _created(cell(mapping.created_at)) if mapping.created_at else None
        if created is not None and created > self._started + TO_COME:
            raise ValueError(f"{mapping.created_at} is a day to come")
        if created is None:
            before_last = self._places.before_last(number, cell(mapping.order) if mapping.order else None) if self._places else 0
            created = self._started - SPACING * (before_last + 1)
        fields = normalise_fields({name: cell(column) for name, column in mapping.fields.items()})
        change = LeadChange(
            event_key=normalise_name(f"import:{external_id}", KEY_LENGTH),
            external_id=normalise_name(external_id, ID_LENGTH),
            occurred_at=created,
            kind=ChangeKind.CREATED,
            origin=ChangeOrigin.MACHINE,
            fields=fields,
            extra={column: _number(cell(column)) for column in mapping.extra},
            created_at=created,
        )
        return ReadRow(change, self._outcome(cell), person_of(fields))

    def _outcome(self, cell: Callable[[str], str | None]) -> Outcome:
        mapping = self._map
        if mapping.outcome is None:
            return Outcome.OPEN
        word = cell(mapping.outcome)
        if word is not None and word not in mapping.won | mapping.lost and (mapping.won or mapping.lost):
            raise ValueError(f"{mapping.outcome} holds a word that is neither won nor lost")
        text = str(word)
        return Outcome.WON if text in mapping.won else Outcome.LOST if text in mapping.lost else Outcome.OPEN


@dataclass(frozen=True, slots=True)
class _Places:
    """The order of a file's rows in time, when it has no dates: numbers first, then dates, then other texts; eight bytes a row
    but for the last. Without an order column it is the order of the rows, and only their number is kept."""

    rows: int
    numbers: array[float]
    dates: array[float]
    texts: Sequence[str]

    def before_last(self, number: int, order: str | None) -> int:
        """How many places before the last one this row stands."""
        if not self.numbers and not self.dates and not self.texts:
            return self.rows - number
        kind, value = _order(order or "")
        if kind == 0:
            place = bisect_left(self.numbers, value)
        elif kind == 1:
            place = len(self.numbers) + bisect_left(self.dates, value)
        else:
            place = len(self.numbers) + len(self.dates) + bisect_left(self.texts, order or "")
        return self.rows - place


def _places(file: Path, mapping: ImportMap) -> _Places | None:
    """Read the file once for the order of its rows; not at all when every row has a date."""
    if mapping.created_at:
        return None
    numbers, dates, texts, rows = array("d"), array("d"), list[str](), 0
    with CsvFile(file) as (_, text):
        lines = csv.reader(text)
        headings = next(lines, [])
        _check_columns(headings, mapping, file)
        column = headings.index(mapping.order) if mapping.order else None
        for cells in lines:
            rows += bool(cells)
            if column is None or not cells:
                continue
            order = cells[column].strip() if column < len(cells) else ""
            order = "" if order in mapping.missing else order
            kind, value = _order(order)
            texts.append(order) if kind == 2 else (dates if kind else numbers).append(value)
    return _Places(rows, array("d", sorted(numbers)), array("d", sorted(dates)), sorted(texts))


def _order(text: str) -> tuple[int, float]:
    """(0, the number), (1, the moment), or (2, nought) for any other text."""
    if _is_number(text):
        return 0, float(text)
    try:
        return 1, _aware(datetime.fromisoformat(text)).timestamp()
    except ValueError:
        return 2, 0.0


def _check_columns(headings: Sequence[str], mapping: ImportMap, file: Path) -> None:
    duplicated = sorted({name for name in headings if list(headings).count(name) > 1})
    if duplicated:
        raise Configuration(f"{file.name}: the heading {duplicated[0]!r} stands twice.", "Rename one of them.")
    wanted = [mapping.external_id, mapping.created_at, mapping.order, mapping.outcome, *mapping.fields.values(), *mapping.extra]
    missing = [column for column in wanted if column is not None and column not in headings]
    if missing:
        raise Configuration(f"{file.name} has no column {missing[0]!r}.", "Mend the map file or the file's headings.")


def _created(value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        return _aware(datetime.fromisoformat(value))
    except ValueError:
        raise ValueError("the date of creation is not written as YYYY-MM-DD or ISO 8601") from None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(value: str | None) -> FieldValue:
    """A number where the text is one, so that a numeric column is numeric."""
    if value is not None and _is_number(value):
        number = float(value)
        return int(number) if number.is_integer() and abs(number) < 1e15 else number
    return value


def _is_number(text: str) -> bool:
    try:
        return float(text) not in (float("inf"), float("-inf")) and float(text) == float(text)
    except ValueError:
        return False
