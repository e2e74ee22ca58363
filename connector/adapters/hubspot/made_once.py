"""Objects on contacts that are made once: tasks, notes and deals. Each carries our marker, by which it is found again.

Sources: HubSpot's guides "Notes" (`hs_timestamp` is required), "Deals" (`dealname` and `dealstage`) and "Associations" (types 204
task to contact, 202 note to contact, 3 deal to contact).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

from connector.adapters.hubspot import words
from connector.adapters.hubspot.batches import Batch, Row, record_id, send_rows
from connector.adapters.hubspot.calls import HubSpotCalls
from connector.http import Unsure
from connector.ports import DealWrite, NoteWrite, Written

Kind = Literal["tasks", "notes", "deals"]
TO_CONTACT: Final[Mapping[Kind, int]] = {"tasks": 204, "notes": 202, "deals": 3}


class MadeOnce:
    """Makes the objects of one kind for one connection. Safe to share between threads."""

    def __init__(self, calls: HubSpotCalls, kind: Kind) -> None:
        self._calls, self._kind = calls, kind
        self._unsure: set[str] = set()  # markers whose making was not answered for: looked up before the next try

    def known(self, markers: Sequence[str], in_doubt: bool) -> dict[str, str]:
        """marker → id of those that are there already. Only what may have been made is looked for."""
        doubtful = [marker for marker in markers if in_doubt or marker in self._unsure]
        there = self._find(doubtful) if doubtful else {}
        self._unsure.difference_update(doubtful)
        return there

    def make(self, rows: Sequence[Row]) -> dict[int, Written]:
        """Index → result. Raises only when nothing was done, `Unsure` when that is not certain."""
        try:
            done = send_rows(rows, Batch(self._create, _trace_id, _marker, self._made_already))
        except Unsure:
            self._unsure.update(_trace_id(row) for _, row in rows)
            raise
        self._unsure.update(_trace_id(row) for index, row in rows if isinstance(done[index].error, Unsure))
        return done

    def write(self, rows: Sequence[Row], in_doubt: bool) -> dict[int, Written]:
        """Make those that are not there yet; the others are left as they are."""
        there = self.known([_trace_id(row) for _, row in rows], in_doubt)
        done = {index: Written(True, (), there[_trace_id(row)]) for index, row in rows if _trace_id(row) in there}
        return done | self.make([row for row in rows if row[0] not in done])

    def _create(self, inputs: Sequence[dict[str, Any]]) -> Any:
        path = self._calls.path("objects", f"{self._kind}/batch/create")
        return self._calls.call("POST", path, body={"inputs": list(inputs)}, idempotent=False)

    def _made_already(self, rows: Sequence[Row]) -> dict[int, Written]:
        """Those of a refused batch that were made nevertheless, before HubSpot came to the bad one."""
        there = self._find([_trace_id(row) for _, row in rows])
        return {index: Written(True, (), there[_trace_id(row)]) for index, row in rows if _trace_id(row) in there}

    def _find(self, markers: Sequence[str]) -> dict[str, str]:
        """marker → id of those that HubSpot has. Its search index lags some seconds; a lapsed lease lasts longer."""
        body = {
            "filterGroups": [{"filters": [{"propertyName": words.MARKER, "operator": "IN", "values": list(markers)}]}],
            "properties": [words.MARKER],
            "limit": 100,
        }
        answer = self._calls.call("POST", self._calls.path("objects", f"{self._kind}/search"), body=body)
        found = {_marker(one): record_id(one) for one in answer.get("results", [])}
        return {marker: found[marker] for marker in markers if marker in found}


def row_of(kind: Kind, marker: str, contact_id: str, properties: Mapping[str, str]) -> dict[str, Any]:
    """One input of a batch create, on its contact and with its marker."""
    link = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": TO_CONTACT[kind]}
    return {
        "objectWriteTraceId": marker,
        "properties": {**properties, words.MARKER: marker},
        "associations": [{"to": {"id": contact_id}, "types": [link]}],
    }


def note_row(write: NoteWrite, now: datetime) -> dict[str, Any]:
    """A note, dated now: that is its place on the contact's timeline."""
    return row_of("notes", write.marker, write.external_id, {"hs_timestamp": in_iso(now), "hs_note_body": write.body})


def deal_row(write: DealWrite, stage: str, pipeline: str) -> dict[str, Any]:
    """A deal in the first stage of the tenant's pipeline."""
    wanted = {
        "dealname": write.title,
        "dealstage": stage,
        "pipeline": pipeline,
        "hubspot_owner_id": write.owner_id,
        "amount": None if write.amount is None else str(write.amount),
        "deal_currency_code": write.currency,
    }
    return row_of("deals", write.marker, write.external_id, {name: value for name, value in wanted.items() if value})


def in_iso(moment: datetime) -> str:
    """A moment as HubSpot's REST API writes it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trace_id(row: Mapping[str, Any]) -> str:
    return str(row["objectWriteTraceId"])


def _marker(result: Mapping[str, Any]) -> str:
    return str((result.get("properties") or {}).get(words.MARKER) or result.get("objectWriteTraceId"))
