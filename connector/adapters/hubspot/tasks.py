"""Tasks on contacts: made once, found again by our marker, moved to a new owner or due date when that changes.

Sources: HubSpot's guides "Tasks" (properties) and "Associations" (type 204: task to contact).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from connector.adapters.hubspot import words
from connector.adapters.hubspot.batches import Batch, Row, record_id, send_rows
from connector.adapters.hubspot.calls import HubSpotCalls
from connector.errors import Skippable
from connector.http import Unsure
from connector.ports import TaskWrite, Written

TASK_TO_CONTACT: Final = 204
PRESENT: Final = ("hubspot_owner_id", "hs_timestamp", "hs_task_status")


class TaskWriter:
    """Writes tasks for one connection. Safe to share between threads."""

    def __init__(self, calls: HubSpotCalls) -> None:
        self._calls = calls
        self._unsure: set[str] = set()  # markers whose making was not answered for: looked up before the next try

    def write(self, tasks: Sequence[tuple[int, TaskWrite]], in_doubt: bool) -> dict[int, Written]:
        """Index → result. Raises only when nothing was done, `Unsure` when that is not certain."""
        fresh = [write.marker for _, write in tasks if write.made_as is None]
        doubtful = [marker for marker in fresh if in_doubt or marker in self._unsure]
        there = self._find(doubtful) if doubtful else {}
        self._unsure.difference_update(doubtful)
        there |= {write.marker: write.made_as for _, write in tasks if write.made_as is not None}
        done = self._bring_up_to_date([(index, write, there[write.marker]) for index, write in tasks if write.marker in there])
        return done | self._make([(index, write) for index, write in tasks if index not in done])

    def _make(self, tasks: Sequence[tuple[int, TaskWrite]]) -> dict[int, Written]:
        rows = [(index, _task(write)) for index, write in tasks]
        try:
            done = send_rows(rows, Batch(self._create, _trace_id, _marker, self._made_already))
        except Unsure:
            self._unsure.update(_trace_id(row) for _, row in rows)
            raise
        self._unsure.update(_trace_id(row) for index, row in rows if isinstance(done[index].error, Unsure))
        return done

    def _create(self, inputs: Sequence[dict[str, Any]]) -> Any:
        path = self._calls.path("objects", "tasks/batch/create")
        return self._calls.call("POST", path, body={"inputs": list(inputs)}, idempotent=False)

    def _made_already(self, rows: Sequence[Row]) -> dict[int, Written]:
        """Those of a refused batch that were made nevertheless, before HubSpot came to the bad one."""
        there = self._find([_trace_id(row) for _, row in rows])
        return {index: Written(True, (), there[_trace_id(row)]) for index, row in rows if _trace_id(row) in there}

    def _find(self, markers: Sequence[str]) -> dict[str, str]:
        """marker → task id of those that HubSpot has. Its search index lags some seconds; a lapsed lease lasts longer."""
        body = {
            "filterGroups": [{"filters": [{"propertyName": words.MARKER, "operator": "IN", "values": list(markers)}]}],
            "properties": [words.MARKER],
            "limit": 100,
        }
        answer = self._calls.call("POST", self._calls.path("objects", "tasks/search"), body=body)
        found = {_marker(task): record_id(task) for task in answer.get("results", [])}
        return {marker: found[marker] for marker in markers if marker in found}

    def _bring_up_to_date(self, tasks: Sequence[tuple[int, TaskWrite, str]]) -> dict[int, Written]:
        """Owner and due date of tasks that exist. One that a person finished or deleted is left alone."""
        if not tasks:
            return {}
        present = self._read([task_id for _, _, task_id in tasks])
        done: dict[int, Written] = {}
        changed: dict[int, tuple[str, ...]] = {}
        rows: list[Row] = []
        for index, write, task_id in tasks:
            if task_id not in present:
                done[index] = Written(False, error=Skippable("The task is not in HubSpot any more."))
                continue
            wanted = _differences(write, present[task_id])
            if wanted:
                rows.append((index, {"id": task_id, "properties": {name: value for name, value, _ in wanted}}))
                changed[index] = tuple(canonical for _, _, canonical in wanted)
            else:
                done[index] = Written(True, (), task_id)
        for index, result in send_rows(rows, Batch(self._update, record_id, record_id)).items():
            done[index] = Written(result.ok, changed[index] if result.ok else (), result.receipt, result.error)
        return done

    def _read(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        body = {"inputs": [{"id": one} for one in dict.fromkeys(ids)], "properties": list(PRESENT), "propertiesWithHistory": []}
        answer = self._calls.call("POST", self._calls.path("objects", "tasks/batch/read"), body=body)
        return {record_id(record): record.get("properties") or {} for record in answer.get("results", [])}

    def _update(self, inputs: Sequence[dict[str, Any]]) -> Any:
        return self._calls.call("POST", self._calls.path("objects", "tasks/batch/update"), body={"inputs": list(inputs)})


def _trace_id(row: Mapping[str, Any]) -> str:
    return str(row["objectWriteTraceId"])


def _marker(result: Mapping[str, Any]) -> str:
    return str((result.get("properties") or {}).get(words.MARKER) or result.get("objectWriteTraceId"))


def _differences(write: TaskWrite, present: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(HubSpot property, value, our name) of what is not yet as wanted."""
    if present.get("hs_task_status") == "COMPLETED":
        return []
    wanted = []
    if present.get("hubspot_owner_id") != write.owner_id:
        wanted.append(("hubspot_owner_id", write.owner_id, "owner_id"))
    if not _same_moment(present.get("hs_timestamp"), write.due_at):
        wanted.append(("hs_timestamp", _due(write.due_at), "due_at"))
    return wanted


def _same_moment(present: Any, due_at: datetime) -> bool:
    try:
        return abs((words.read_engagement_moment(present) - due_at).total_seconds()) < 1
    except ValueError:
        return False


def _due(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _task(write: TaskWrite) -> dict[str, Any]:
    return {
        "objectWriteTraceId": write.marker,
        "properties": {
            "hs_timestamp": _due(write.due_at),
            "hs_task_subject": write.subject,
            "hs_task_body": write.body,
            "hs_task_status": "NOT_STARTED",
            "hs_task_priority": write.priority.upper(),
            "hs_task_type": "TODO",
            "hubspot_owner_id": write.owner_id,
            words.MARKER: write.marker,
        },
        "associations": [
            {
                "to": {"id": write.external_id},
                "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": TASK_TO_CONTACT}],
            }
        ],
    }
