"""Existing leads from a CSV file: streamed, mapped by a small TOML file, one bad row at a time set aside with its reason."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from connector.bootstrap import House
from connector.errors import Configuration
from connector.pipeline import ownership
from connector.pipeline.consent import is_barred
from connector.pipeline.normalise import normalise
from connector.spreadsheets import CsvFile, ErrorFile
from leads.enums import ChangeKind, ChangeOrigin, Outcome
from leads.fields import CANONICAL
from leads.records import FieldValue, LeadChange

log = structlog.get_logger(__name__)

CHUNK = 200
#: Rows of a file without dates are laid this far apart, in the order of the `order` column, ending at the time of the import.
SPACING = timedelta(minutes=10)

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class ImportMap:
    """Which column is which. `extra` are the tenant's own columns; `missing` are texts that mean "not answered"."""

    connection: str
    external_id: str
    fields: Mapping[str, str] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    created_at: str | None = None
    order: str | None = None
    outcome: str | None = None
    won: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset({""})


@dataclass(frozen=True, slots=True)
class ImportReport:
    """`errors_file` holds each row that was set aside, with its line and reason."""

    rows: int
    created: int
    changed: int
    failed: int
    errors_file: str | None


def read_mapping(path: Path, connection: str | None = None) -> ImportMap:
    """Read a map file. Raises `Configuration` naming the key that is wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise Configuration(f"{path}: {error}.", "Mend the map file; see docs/importing.md.") from None
    known = {"connection", "external_id", "created_at", "order", "missing", "fields", "extra", "outcome"}
    if unknown := sorted(set(table) - known):
        raise Configuration(f"{path}: {unknown[0]}: unknown key.", f"Known: {', '.join(sorted(known))}.")
    fields = table.get("fields", {})
    if wrong := sorted(set(fields) - CANONICAL):
        raise Configuration(f"{path}: fields.{wrong[0]}: no such field.", f"Known: {', '.join(sorted(CANONICAL))}.")
    if not isinstance(table.get("external_id"), str):
        raise Configuration(f"{path}: external_id: missing.", "Name the column that identifies a lead.")
    outcome = table.get("outcome", {})
    return ImportMap(
        connection=connection or table.get("connection") or "import",
        external_id=table["external_id"],
        fields=fields,
        extra=tuple(table.get("extra", ())),
        created_at=table.get("created_at"),
        order=table.get("order"),
        outcome=outcome.get("column"),
        won=_texts(outcome.get("won", ())),
        lost=_texts(outcome.get("lost", ())),
        missing=_texts(table.get("missing", ("",))) | {""},
    )


def run(house: House, file: Path, mapping: ImportMap, progress: Progress | None = None) -> ImportReport:
    """Take in every row of a CSV or CSV.gz. Raises `Configuration` when a mapped column is not there."""
    size = max(file.stat().st_size, 1)
    places = _places(file, mapping)
    errors = ErrorFile.beside(file)
    started = house.clock.now()
    rows = created = changed = failed = 0
    with CsvFile(file) as (raw, text):
        reader = csv.DictReader(text)
        _check_columns(reader.fieldnames or (), mapping, file)
        chunk: list[tuple[LeadChange, Outcome]] = []
        for line, row in enumerate(reader, start=2):
            rows += 1
            try:
                chunk.append(_read_row(row, mapping, started, places))
            except ValueError as error:
                failed += 1
                errors.add(line, str(error), row)
            if len(chunk) >= CHUNK:
                made, moved = _store(house, mapping.connection, chunk)
                created, changed, chunk = created + made, changed + moved, []
                if progress:
                    progress(min(raw.tell() / size, 1.0), f"{rows} rows")
        made, moved = _store(house, mapping.connection, chunk)
        created, changed = created + made, changed + moved
    errors.close()
    if progress:
        progress(1.0, f"{rows} rows")
    log.info("imported", rows=rows, created=created, failed=failed)
    return ImportReport(rows, created, changed, failed, str(errors.path) if failed else None)


def _store(house: House, connection: str, chunk: list[tuple[LeadChange, Outcome]]) -> tuple[int, int]:
    """One transaction; returns (made, changed)."""
    made = moved = 0
    with house.db.transaction():
        house.leads.hold(
            token for change, _ in chunk for token in house.leads.tokens(connection, change.external_id, change.fields)
        )
        for change, outcome in chunk:
            if is_barred(house, connection, change):
                continue
            applied = house.leads.apply(connection, change, live=False)
            house.leads.known_elsewhere_as(applied.lead_id, change.external_id)
            made += int(applied.created)
            moved += int(not applied.created and bool(applied.fields))
            if outcome in (Outcome.WON, Outcome.LOST):
                ended = house.leads.settle if applied.created else partial(ownership.end, house)
                ended(applied.lead_id, outcome, change.occurred_at + SPACING)
    return made, moved


def _read_row(
    row: Mapping[str | None, Any], mapping: ImportMap, started: datetime, places: Mapping[str, int]
) -> tuple[LeadChange, Outcome]:
    if None in row:
        raise ValueError("more cells than headings")
    if any(value is None for value in row.values()):
        raise ValueError("fewer cells than headings")

    def cell(column: str) -> FieldValue:
        text = str(row[column]).strip()
        return None if text in mapping.missing else text

    external_id = cell(mapping.external_id)
    if external_id is None:
        raise ValueError(f"{mapping.external_id} is empty")
    created = _created(cell(mapping.created_at)) if mapping.created_at else None
    if created is None:
        created = started - SPACING * (len(places) - places.get(str(external_id), 0) + 1)
    change = LeadChange(
        event_key=f"import:{external_id}",
        external_id=str(external_id),
        occurred_at=created,
        kind=ChangeKind.CREATED,
        origin=ChangeOrigin.MACHINE,
        fields={name: cell(column) for name, column in mapping.fields.items()},
        extra={column: _number(cell(column)) for column in mapping.extra},
        created_at=created,
    )
    if mapping.outcome is None:
        return normalise(change), Outcome.OPEN
    word = cell(mapping.outcome)
    if word is not None and str(word) not in mapping.won | mapping.lost and (mapping.won or mapping.lost):
        raise ValueError(f"{mapping.outcome} holds a word that is neither won nor lost")
    outcome = Outcome.WON if str(word) in mapping.won else Outcome.LOST if str(word) in mapping.lost else Outcome.OPEN
    return replace(normalise(change), extra=change.extra), outcome


def _places(file: Path, mapping: ImportMap) -> dict[str, int]:
    """The place of each row by the `order` column (numbers as numbers), or by position, when the file has no dates."""
    if mapping.created_at:
        return {}
    with CsvFile(file) as (_, text):
        reader = csv.DictReader(text)
        _check_columns(reader.fieldnames or (), mapping, file)
        keys = [
            ((row.get(mapping.order) or "") if mapping.order else "", str(row.get(mapping.external_id) or "").strip())
            for row in reader
        ]
    if mapping.order:
        keys.sort(key=lambda key: (0, float(key[0]), "") if _is_number(key[0]) else (1, 0.0, key[0]))
    return {external_id: place for place, (_, external_id) in enumerate(keys)}


def _check_columns(headings: Any, mapping: ImportMap, file: Path) -> None:
    duplicated = sorted({name for name in headings if list(headings).count(name) > 1})
    if duplicated:
        raise Configuration(f"{file.name}: the heading {duplicated[0]!r} stands twice.", "Rename one of them.")
    wanted = [mapping.external_id, mapping.created_at, mapping.order, mapping.outcome, *mapping.fields.values(), *mapping.extra]
    missing = [column for column in wanted if column is not None and column not in headings]
    if missing:
        raise Configuration(f"{file.name} has no column {missing[0]!r}.", "Mend the map file or the file's headings.")


def _created(value: FieldValue) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("the date of creation is not written as YYYY-MM-DD or ISO 8601") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(value: FieldValue) -> FieldValue:
    """A number where the text is one, so that a numeric column is numeric."""
    if isinstance(value, str) and _is_number(value):
        number = float(value)
        return int(number) if number.is_integer() and abs(number) < 1e15 else number
    return value


def _is_number(text: str) -> bool:
    try:
        return float(text) not in (float("inf"), float("-inf")) and float(text) == float(text)
    except ValueError:
        return False


def _texts(values: Any) -> frozenset[str]:
    return frozenset(str(value) for value in ([values] if isinstance(values, str | int) else values))
