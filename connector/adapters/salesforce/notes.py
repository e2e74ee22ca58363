"""Notes on leads, made once. The marker stands in the title, because a note takes no fields of one's own.

Source: Salesforce's Object Reference, "Note" (title of 80 characters, body of 32,000; the body cannot be searched for).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connector.adapters.salesforce import soql
from connector.adapters.salesforce.calls import SalesforceCalls
from connector.adapters.salesforce.ids import long_or_none
from connector.adapters.salesforce.rows import Row, make_once
from connector.ports import NoteWrite, Written

TITLE_LIMIT: Final = 80
BODY_LIMIT: Final = 32_000


class NoteWriter:
    """Writes notes for one connection. Safe to share between threads."""

    def __init__(self, calls: SalesforceCalls) -> None:
        self._calls = calls
        self._unsure: set[str] = set()  # titles whose making was not answered for: looked up before the next try

    def write(self, notes: Sequence[tuple[int, NoteWrite]], people: Mapping[str, str], in_doubt: bool) -> dict[int, Written]:
        """Index → result. `people`: lead id → the lead or contact whose note it is. Raises only when nothing was done."""
        doubtful = [title for _, write in notes if (title := _title(write)) in self._unsure or in_doubt]
        there = self._find(doubtful) if doubtful else {}
        self._unsure.difference_update(doubtful)
        done = {index: Written(True, (), there[title]) for index, write in notes if (title := _title(write)) in there}
        rows: list[Row] = [
            (index, _note(write, people[str(long_or_none(write.external_id))])) for index, write in notes if index not in done
        ]
        return done | make_once(self._calls, "Note", rows, "Title", self._unsure)

    def _find(self, titles: Sequence[str]) -> dict[str, str]:
        query = f"SELECT Id, Title FROM Note WHERE Title IN {soql.any_of(titles)}"  # noqa: S608 - SOQL, quoted
        return {str(one["Title"]): str(one["Id"]) for one in soql.rows(self._calls, query)}


def _title(write: NoteWrite) -> str:
    return f"Leadswitch {write.marker}"[:TITLE_LIMIT]


def _note(write: NoteWrite, person: str) -> dict[str, Any]:
    return {"ParentId": person, "Title": _title(write), "Body": write.body[:BODY_LIMIT]}
