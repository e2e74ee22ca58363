"""Tasks on leads: made once, found again by our marker, moved to a new owner or due date when that changes.

Source: Salesforce's Object Reference, "Task": `ActivityDate` is a day without an hour, so that the hour goes into the reminder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from connector.adapters.salesforce import soql, words
from connector.adapters.salesforce.calls import SalesforceCalls
from connector.adapters.salesforce.ids import is_same, long_or_none
from connector.adapters.salesforce.rows import Row, make_once, update_rows
from connector.errors import Skippable
from connector.ports import TaskWrite, Written

Record = Mapping[str, Any]


class TaskWriter:
    """Writes tasks for one connection. Safe to share between threads."""

    def __init__(self, calls: SalesforceCalls) -> None:
        self._calls = calls
        self._unsure: set[str] = set()  # markers whose making was not answered for: looked up before the next try

    def write(self, tasks: Sequence[tuple[int, TaskWrite]], people: Mapping[str, str], in_doubt: bool) -> dict[int, Written]:
        """Index → result. `people`: lead id → the lead or contact whose task it is. Raises only when nothing was done."""
        doubtful = [w.marker for _, w in tasks if w.made_as is None and (in_doubt or w.marker in self._unsure)]
        there = self._find(doubtful) if doubtful else {}
        self._unsure.difference_update(doubtful)
        there |= {write.marker: write.made_as for _, write in tasks if write.made_as is not None}
        done = self._bring_up_to_date([(index, write, there[write.marker]) for index, write in tasks if write.marker in there])
        rows: list[Row] = [
            (index, _task(write, people[str(long_or_none(write.external_id))])) for index, write in tasks if index not in done
        ]
        return done | make_once(self._calls, "Task", rows, words.MARKER, self._unsure)

    def _find(self, markers: Sequence[str]) -> dict[str, str]:
        """marker → task id of those that Salesforce has."""
        query = f"SELECT Id, {words.MARKER} FROM Task WHERE {words.MARKER} IN {soql.any_of(markers)}"  # noqa: S608 - SOQL, quoted
        return {str(one[words.MARKER]): str(one["Id"]) for one in soql.rows(self._calls, query)}

    def _bring_up_to_date(self, tasks: Sequence[tuple[int, TaskWrite, str]]) -> dict[int, Written]:
        """Owner and due date of tasks that exist. One that a person finished or deleted is left alone."""
        if not tasks:
            return {}
        ids = [one for _, _, task in tasks if (one := long_or_none(task))]
        query = f"SELECT Id, OwnerId, ActivityDate, IsClosed FROM Task WHERE Id IN {soql.any_of(ids)}"  # noqa: S608 - SOQL, quoted
        present = {long_or_none(one["Id"]): one for one in soql.rows(self._calls, query)} if ids else {}
        done: dict[int, Written] = {}
        changed: dict[int, tuple[str, ...]] = {}
        rows: list[Row] = []
        for index, write, task in tasks:
            held = present.get(long_or_none(task))
            if held is None:
                done[index] = Written(False, error=Skippable("The task is not in Salesforce any more."))
                continue
            wanted = {} if held.get("IsClosed") else _differences(write, held)
            changed[index] = tuple(wanted)
            if wanted:
                values = {name: value for part in wanted.values() for name, value in part.items()}
                rows.append((index, {"id": long_or_none(task), **values}))
            else:
                done[index] = Written(True, (), long_or_none(task))
        for index, result in update_rows(self._calls, "Task", rows).items():
            done[index] = Written(result.ok, changed[index] if result.ok else (), result.receipt, result.error)
        return done


def _differences(write: TaskWrite, present: Record) -> dict[str, dict[str, Any]]:
    """Our name → Salesforce's values of what is not yet as wanted."""
    wanted: dict[str, dict[str, Any]] = {}
    if not is_same(write.owner_id, present.get("OwnerId")):
        wanted["owner_id"] = {"OwnerId": write.owner_id}
    due = _due(write)
    if present.get("ActivityDate") != due["ActivityDate"]:
        wanted["due_at"] = due
    return wanted


def _due(write: TaskWrite) -> dict[str, Any]:
    at = write.due_at.astimezone(UTC)
    return {"ActivityDate": at.date().isoformat(), "ReminderDateTime": soql.moment(at), "IsReminderSet": True}


def _task(write: TaskWrite, person: str) -> dict[str, Any]:
    return {
        "Subject": write.subject[:255],
        "Description": write.body,
        "WhoId": person,
        "OwnerId": write.owner_id,
        "Status": "Not Started",
        "Priority": words.PRIORITIES[write.priority],
        words.MARKER: write.marker,
        **_due(write),
    }
