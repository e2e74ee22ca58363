"""Tasks on contacts: made once, and moved to a new owner or due date when that changes. Source: HubSpot's guide "Tasks"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.adapters.hubspot import words
from connector.adapters.hubspot.batches import Batch, Row, record_id, send_rows
from connector.adapters.hubspot.calls import HubSpotCalls
from connector.adapters.hubspot.made_once import MadeOnce, in_iso, row_of
from connector.errors import Skippable
from connector.ports import TaskWrite, Written

PRESENT: Final = ("hubspot_owner_id", "hs_timestamp", "hs_task_status")


class TaskWriter:
    """Writes tasks for one connection. Safe to share between threads."""

    def __init__(self, calls: HubSpotCalls) -> None:
        self._calls = calls
        self._made = MadeOnce(calls, "tasks")

    def write(self, tasks: Sequence[tuple[int, TaskWrite]], in_doubt: bool) -> dict[int, Written]:
        """Index → result. Raises only when nothing was done, `Unsure` when that is not certain."""
        fresh = [write.marker for _, write in tasks if write.made_as is None]
        there = self._made.known(fresh, in_doubt)
        there |= {write.marker: write.made_as for _, write in tasks if write.made_as is not None}
        done = self._bring_up_to_date([(index, write, there[write.marker]) for index, write in tasks if write.marker in there])
        return done | self._made.make([(index, _task(write)) for index, write in tasks if index not in done])

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


def _differences(write: TaskWrite, present: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(HubSpot property, value, our name) of what is not yet as wanted."""
    if present.get("hs_task_status") == "COMPLETED":
        return []
    wanted = []
    if present.get("hubspot_owner_id") != write.owner_id:
        wanted.append(("hubspot_owner_id", write.owner_id, "owner_id"))
    if not _same_moment(present.get("hs_timestamp"), write.due_at):
        wanted.append(("hs_timestamp", in_iso(write.due_at), "due_at"))
    return wanted


def _same_moment(present: Any, due_at: datetime) -> bool:
    try:
        return abs((words.read_engagement_moment(present) - due_at).total_seconds()) < 1
    except ValueError:
        return False


def _task(write: TaskWrite) -> dict[str, Any]:
    properties = {
        "hs_timestamp": in_iso(write.due_at),
        "hs_task_subject": write.subject,
        "hs_task_body": write.body,
        "hs_task_status": "NOT_STARTED",
        "hs_task_priority": write.priority.upper(),
        "hs_task_type": "TODO",
        "hubspot_owner_id": write.owner_id,
    }
    return row_of("tasks", write.marker, write.external_id, properties)
