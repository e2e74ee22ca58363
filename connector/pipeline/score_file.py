"""Score the rows of a CSV file, whatever its size: read as it comes, scored some hundred at a time, given on at once."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

from connector.appraise import Answer
from connector.errors import Configuration
from connector.pipeline.import_map import ImportMap
from connector.pipeline.normalise import normalise
from leads.enums import ChangeKind
from leads.fields import CANONICAL
from leads.records import FieldValue, LeadChange, LeadHistory

if TYPE_CHECKING:
    from connector.bootstrap import House

CHUNK: Final = 250
#: What is added to each row. The prefix keeps them apart from the file's own columns.
PREFIX: Final = "leadswitch_"
ADDED: Final = (
    "score",
    "probability",
    "tier",
    "priority",
    "confidence",
    "fit",
    "intent",
    "expected_value",
    "raised_by",
    "lowered_by",
    "model_version",
    "source",
    "error",
)
CREATED: Final = "created_at"
NUMBERS: Final = ("employees", "revenue", "deal_amount")
#: Longer files have no longer records; a quote that is never closed must not eat memory.
LONGEST_CELL: Final = 131_072


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One row of the file: its line, its cells, and the answer or the reason why there is none."""

    line: int
    cells: Sequence[str]
    answer: Answer | None
    error: str = ""

    def added(self) -> list[object]:
        """The cells of `ADDED`."""
        if self.answer is None:
            return [*[""] * (len(ADDED) - 1), self.error]
        told = self.answer.appraisal
        score = told.score
        return [
            score.score,
            f"{score.probability:.6f}",
            score.tier.value.upper(),
            told.priority,
            score.confidence,
            told.fit,
            told.intent,
            "" if told.expected_value is None else f"{told.expected_value:.2f}",
            "; ".join(reason.text for reason in told.raising),
            "; ".join(reason.text for reason in told.lowering),
            score.model_version,
            self.answer.source,
            "",
        ]


class LeadSheet:
    """A CSV of leads. Reading the headings is the first thing done.

    Headings that are canonical fields (in any case, with spaces or underscores) are read as such; all others are the tenant's own
    columns. With `mapping` the headings it names are the fields, and all others are the tenant's own.
    """

    def __init__(self, lines: Iterable[str], mapping: ImportMap | None = None) -> None:
        """Raises `Configuration` when there are no headings or one stands twice."""
        self._reader = csv.reader(lines, strict=True)
        self.headings = next(self._reader, [])
        if not any(heading.strip() for heading in self.headings):
            raise Configuration("The file has no headings.", "Put the names of the columns in its first row.")
        doubled = sorted({heading for heading in self.headings if self.headings.count(heading) > 1})
        if doubled:
            raise Configuration(f"The heading {doubled[0]!r} stands twice.", "Rename one of them.")
        self._missing = mapping.missing if mapping else frozenset({""})
        self._fields, self._created = self._read_headings(mapping)

    def _read_headings(self, mapping: ImportMap | None) -> tuple[dict[int, str], int | None]:
        """The field that each place holds, and the place of the date of creation."""
        if mapping is not None:
            wanted = [*mapping.fields.values(), *([mapping.created_at] if mapping.created_at else [])]
            if absent := [column for column in wanted if column not in self.headings]:
                raise Configuration(f"The file has no column {absent[0]!r}.", "Mend the map file or the file's headings.")
            fields = {self.headings.index(column): name for name, column in mapping.fields.items()}
            return fields, self.headings.index(mapping.created_at) if mapping.created_at else None
        names = {place: heading.strip().lower().replace(" ", "_") for place, heading in enumerate(self.headings)}
        created = next((place for place, name in names.items() if name == CREATED), None)
        return {place: name for place, name in names.items() if name in CANONICAL}, created

    def histories(self, now: datetime) -> Iterator[tuple[int, Sequence[str], LeadHistory | str]]:
        """(line, cells, the lead as of now or why it cannot be read) of each row."""
        for cells in self._reader:
            if not cells:
                continue
            try:
                yield self._reader.line_num, cells, self._read(cells, now)
            except ValueError as error:
                yield self._reader.line_num, cells, str(error)

    def _read(self, cells: Sequence[str], now: datetime) -> LeadHistory:
        if len(cells) != len(self.headings):
            raise ValueError(f"{'more' if len(cells) > len(self.headings) else 'fewer'} cells than headings")
        texts = [None if cell.strip() in self._missing else cell.strip() for cell in cells]
        fields: dict[str, FieldValue] = {name: texts[place] for place, name in self._fields.items()}
        for name in NUMBERS:
            fields |= {name: _number(name, str(fields[name]))} if fields.get(name) is not None else {}
        extra = {heading: texts[place] for place, heading in enumerate(self.headings)}
        change = normalise(LeadChange("", "", now, ChangeKind.CREATED, fields=fields, extra=extra))
        created = _moment(texts[self._created]) if self._created is not None and texts[self._created] else now
        return LeadHistory(0, min(created, now), now, change.fields, (), extra)


def score_rows(house: House, sheet: LeadSheet) -> Iterator[ScoredRow]:
    """Every row with its answer, in the order of the file. Raises `csv.Error` when it is none."""
    csv.field_size_limit(LONGEST_CELL)
    rows = sheet.histories(house.clock.now())
    while chunk := list(islice(rows, CHUNK)):
        answers = iter(house.appraiser.many([one for _, _, one in chunk if isinstance(one, LeadHistory)]))
        for line, cells, one in chunk:
            if isinstance(one, LeadHistory):
                yield ScoredRow(line, cells, next(answers))
            else:
                yield ScoredRow(line, cells, None, one)


def out_headings(sheet: LeadSheet) -> list[str]:
    """The file's own headings and the added ones."""
    return [*sheet.headings, *(PREFIX + name for name in ADDED)]


def _number(name: str, text: str) -> FieldValue:
    try:
        return float(text.replace(",", "").replace(" ", ""))
    except ValueError:
        raise ValueError(f"{name} is not a number") from None


def _moment(text: str | None) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise ValueError("created_at is not written as YYYY-MM-DD or ISO 8601") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
