"""An export of any CRM, as nobody prepared it: which column is the outcome, the order, an id; and the leads that come of it."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from connector.errors import Configuration
from connector.spreadsheets import CsvFile
from leads.enums import Outcome
from leads.records import FieldValue, LabelledHistory, LeadHistory
from scoring.extras import looks_serial
from scoring.facts import to_number, to_word

#: Words for the two outcomes, when nobody says which is which.
WON_WORDS: Final = frozenset({"1", "1.0", "yes", "y", "true", "t", "won", "closed won", "converted", "success", "customer"})
LOST_WORDS: Final = frozenset({"0", "0.0", "no", "n", "false", "f", "lost", "closed lost", "not converted", "failure", "none"})
#: Leads of a file without dates are laid so far apart, ending now.
SPACING: Final = timedelta(minutes=10)
#: How a date may be written. A column of dates is written in one way.
DATE_FORMATS: Final = (
    *("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%z"),
    *("%Y/%m/%d", "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"),
    *("%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%b %d, %Y", "%d-%b-%Y"),
)
#: A column holds dates when so many of its filled cells read as such.
DATE_SHARE: Final = 0.98
#: A column must be filled for so many leads to give their order.
ORDER_SHARE: Final = 0.99
#: Stands for the order of the rows themselves.
AS_IT_STANDS: Final = "#"


@dataclass(frozen=True, slots=True)
class Export:
    """A file's rows by column: `cells[heading]` are all its cells, top to bottom."""

    name: str
    cells: Mapping[str, Sequence[str | None]]
    rows: int


@dataclass(frozen=True, slots=True)
class Roles:
    """What the columns are. `order` gives the order of creation, `dates` are the columns that hold dates and how they are written.

    `ids` are never read. `notes` say what was inferred, for a person to check.
    """

    target: str
    won: frozenset[str]
    lost: frozenset[str]
    order: str | None
    dates: Mapping[str, str]
    ids: tuple[str, ...]
    columns: tuple[str, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def dated(self) -> bool:
        """Whether the order comes from dates."""
        return self.order in self.dates


def read_export(file: Path) -> Export:
    """Read a whole CSV or CSV.gz. Raises `Configuration` with what is wrong, and where."""
    with CsvFile(file) as (_, text):
        reader = csv.reader(text, strict=True)
        headings = [heading.strip() for heading in next(reader, [])]
        if headings and not headings[-1]:
            headings = headings[:-1]  # a comma at the end of each line
        _check_headings(headings, file.name)
        cells: list[list[str | None]] = [[] for _ in headings]
        for row in reader:
            if not row:
                continue
            if len(row) < len(headings) or any(cell.strip() for cell in row[len(headings) :]):
                raise Configuration(
                    f"{file.name}, line {reader.line_num}: {len(row)} cells under {len(headings)} headings.", "Mend the line."
                )
            for place, column in enumerate(cells):
                column.append(to_word(row[place]))
    return Export(file.name, dict(zip(headings, cells, strict=True)), len(cells[0]))


def _check_headings(headings: Sequence[str], name: str) -> None:
    if not headings:
        raise Configuration(f"{name} is empty.", "Put the names of the columns in its first row.")
    if len(headings) == 1 and any(mark in headings[0] for mark in ";\t|"):
        raise Configuration(f"{name} is not separated by commas.", "Save it as CSV with commas.")
    for heading, count in Counter(headings).items():
        if not heading:
            raise Configuration(f"{name}: a column has no heading.", "Name it, or take it out.")
        if count > 1:
            raise Configuration(f"{name}: the heading {heading!r} stands twice.", "Rename one of them.")


def infer_roles(export: Export, target: str, *, won: str | None = None, order: str | None = None) -> Roles:
    """What each column is. `won` is the target's value for a won lead, `order` the column that rises with creation ("#": the rows).

    Raises `Configuration` naming the column that cannot be what it should be.
    """
    for column in (target, *([order] if order and order != AS_IT_STANDS else [])):
        if column not in export.cells:
            raise Configuration(f"{export.name} has no column {column!r}.", f"It has: {', '.join(export.cells)}.")
    yes, no = _read_outcomes(export, target, won)
    notes = []
    dates: dict[str, str] = {}
    ids = []
    for name, cells in export.cells.items():
        if name == target:
            continue
        written = _date_format(name, cells, export.name)
        if written is not None:
            dates[name] = written
        elif looks_serial([cell for cell in cells if cell is not None]):
            ids.append(name)
    if order is None:
        order = _find_order(export, dates, ids)
        notes.append(
            f"order: {order}, found by its values"
            if order
            else "order: none found, so any fifth of the leads stands for the newest"
        )
    return Roles(
        target=target,
        won=yes,
        lost=no,
        order=order,
        dates=dates,
        ids=tuple(ids),
        columns=tuple(name for name in export.cells if name not in {target, order, *dates, *ids}),
        notes=tuple(notes),
    )


def _read_outcomes(export: Export, target: str, won: str | None) -> tuple[frozenset[str], frozenset[str]]:
    values = Counter(cell for cell in export.cells[target] if cell is not None)
    if len(values) < 2:
        only = next(iter(values), None)
        told = f"holds {only!r} alone" if only is not None else "is empty"
        raise Configuration(f"{target}: the column {told}; training needs won and lost leads.", "Name the column of the outcome.")
    if won is not None:
        if won not in values:
            raise Configuration(f"{target}: no lead has the value {won!r}.", f"It has: {', '.join(list(values)[:10])}.")
        return frozenset({won}), frozenset(values) - {won}
    yes = frozenset(value for value in values if value.lower() in WON_WORDS)
    no = frozenset(value for value in values if value.lower() in LOST_WORDS)
    strange = [value for value in values if value not in yes | no]
    if strange:
        raise Configuration(
            f"{target}: {strange[0]!r} is neither won nor lost.", "Say which value means won: --won VALUE (all others are lost)."
        )
    if not yes or not no:
        raise Configuration(f"{target}: all its values mean {'won' if yes else 'lost'}.", "Say which one means won: --won VALUE.")
    return yes, no


def _date_format(name: str, cells: Sequence[str | None], file: str) -> str | None:
    """How the column's dates are written; None when it holds none. Raises `Configuration` when they are written in several ways."""
    filled = [cell for cell in cells if cell is not None]
    looked_at = filled[:: max(1, len(filled) // 500)]
    if not looked_at or not any(mark in looked_at[0] for mark in "-/. ") or to_number(looked_at[0]) is not None:
        return None
    read_by = {written: sum(_read_date(cell, written) is not None for cell in looked_at) for written in DATE_FORMATS}
    best = max(read_by, key=lambda written: read_by[written])
    if read_by[best] >= DATE_SHARE * len(looked_at):
        return best
    if read_by[best] and all(any(_read_date(cell, written) for written in DATE_FORMATS) for cell in looked_at):
        odd = next(cell for cell in looked_at if _read_date(cell, best) is None)
        good = next(cell for cell in looked_at if _read_date(cell, best) is not None)
        raise Configuration(
            f"{file}: {name} holds dates written in several ways, such as {good!r} and {odd!r}.", "Write them as YYYY-MM-DD."
        )
    return None


def _read_date(text: str, written: str) -> datetime | None:
    try:
        moment = datetime.strptime(text, written)  # noqa: DTZ007  # the line below makes it aware
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _find_order(export: Export, dates: Mapping[str, str], ids: Sequence[str]) -> str | None:
    """The column that tells when a lead came in: the earliest of the dates, else a number that rises or falls with the rows."""
    full = [name for name in dates if sum(cell is not None for cell in export.cells[name]) >= ORDER_SHARE * export.rows]
    if full:
        means = {name: _mean_day(export.cells[name], dates[name]) for name in full}
        return min(full, key=lambda name: means[name])
    for name in ids:
        numbers = [to_number(cell) for cell in export.cells[name]]
        known = [number for number in numbers if number is not None]
        if len(known) == export.rows and _goes_one_way(known):
            return name
    return None


def _mean_day(cells: Sequence[str | None], written: str) -> float:
    days = [moment.timestamp() for cell in cells[:2_000] if cell is not None and (moment := _read_date(cell, written))]
    return sum(days) / max(1, len(days))


def _goes_one_way(numbers: Sequence[float]) -> bool:
    """Whether nearly all steps from row to row rise, or nearly all fall."""
    rises = sum(later > earlier for earlier, later in pairwise(numbers))
    return rises <= 0.05 * len(numbers) or rises >= 0.95 * (len(numbers) - 1)


def to_examples(export: Export, roles: Roles, now: datetime) -> list[LabelledHistory]:
    """The leads whose outcome is known, oldest first. Raises `Configuration` when the order cannot be read."""
    outcomes = [_outcome(cell, roles) for cell in export.cells[roles.target]]
    places = [place for place, outcome in enumerate(outcomes) if outcome is not Outcome.OPEN]
    moments = _moments(export, roles, places, now)
    columns = {name: export.cells[name] for name in roles.columns}
    past = []
    for number, place in enumerate(sorted(places, key=lambda place: (moments[place], place))):
        extra: dict[str, FieldValue] = {name: cells[place] for name, cells in columns.items()}
        past.append(LabelledHistory(LeadHistory(number, moments[place], moments[place], {}, (), extra), outcomes[place]))
    return past


def _outcome(cell: str | None, roles: Roles) -> Outcome:
    if cell is None:
        return Outcome.OPEN
    return Outcome.WON if cell in roles.won else Outcome.LOST


def _moments(export: Export, roles: Roles, places: Sequence[int], now: datetime) -> dict[int, datetime]:
    """When each lead came in: by its date, else by its place in the order, as if they had come at even steps until now."""
    if roles.order in roles.dates:
        cells, written = export.cells[str(roles.order)], roles.dates[str(roles.order)]
        read = {place: _read_date(cells[place] or "", written) for place in places}
        if late := next((place for place, moment in read.items() if moment is None), None):
            raise Configuration(f"{export.name}: {roles.order} of row {late + 2} is no date: {cells[late]!r}.", "Mend the cell.")
        return {place: moment for place, moment in read.items() if moment is not None}
    keys: dict[int, tuple[float, str]] = {place: (float(place), "") for place in places}
    if roles.order and roles.order != AS_IT_STANDS:
        keys = {place: _order_key(export.cells[roles.order][place]) for place in places}
    ranks = {place: rank for rank, place in enumerate(sorted(places, key=lambda place: (*keys[place], place)))}
    return {place: now - SPACING * (len(places) - rank) for place, rank in ranks.items()}


def _order_key(cell: str | None) -> tuple[float, str]:
    number = to_number(cell)
    return (number, "") if number is not None else (float("inf"), cell or "")
