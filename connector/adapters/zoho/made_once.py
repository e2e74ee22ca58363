"""Tasks, notes and deals of a lead: made once, found again by our marker. A deal is made by converting the lead.

Source: Zoho's references of Tasks (a due day, no hour; `$se_module` names the module of What_Id), Notes and "Convert lead" (a
second conversion is refused with ID_ALREADY_CONVERTED).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, timedelta
from typing import Any, Final

from connector.adapters.zoho import words
from connector.adapters.zoho.batches import Row, send_rows
from connector.adapters.zoho.calls import PAGE, ZohoCalls, code_error, rows_of
from connector.adapters.zoho.records import is_converted
from connector.errors import LeadswitchError, Skippable
from connector.http import Unsure
from connector.ports import DealWrite, NoteWrite, TaskWrite, Written

#: A deal needs a closing day, which nobody knows yet.
CLOSES_IN: Final = timedelta(days=30)
NOTE_TITLE: Final = "Leadswitch"


class Doubts:
    """Markers whose making was not answered for: looked up before the next try."""

    def __init__(self) -> None:
        self._markers: set[str] = set()
        self._lock = threading.Lock()

    def among(self, markers: Sequence[str]) -> list[str]:
        with self._lock:
            return [one for one in markers if one in self._markers]

    def settle(self, markers: Sequence[str]) -> None:
        with self._lock:
            self._markers.difference_update(markers)

    def make(self, calls: ZohoCalls, module: str, rows: Sequence[Row], markers: Mapping[int, str]) -> dict[int, Written]:
        """Send rows that make something. Raises only when nothing was done, `Unsure` when that is not certain."""
        try:
            done = send_rows(calls, "POST", module, rows, idempotent=False)
        except Unsure:
            self._add(markers.values())
            raise
        self._add(markers[index] for index, _ in rows if isinstance(done[index].error, Unsure))
        return done

    def _add(self, markers: Any) -> None:
        with self._lock:
            self._markers.update(markers)


class TaskWriter:
    """Tasks on leads. Safe to share between threads."""

    def __init__(self, calls: ZohoCalls) -> None:
        self._calls, self._doubts = calls, Doubts()

    def write(self, tasks: Sequence[tuple[int, TaskWrite]], in_doubt: bool) -> dict[int, Written]:
        """Index → result: made, or owner and due day brought up to date."""
        fresh = [write.marker for _, write in tasks if write.made_as is None]
        doubtful = fresh if in_doubt else self._doubts.among(fresh)
        found = self._calls.among(f"id, {words.MARKER}", "Tasks", words.MARKER, doubtful)
        there = {str(one.get(words.MARKER)): str(one["id"]) for one in found}
        self._doubts.settle(doubtful)
        there |= {write.marker: write.made_as for _, write in tasks if write.made_as is not None}
        done = self._move([(index, write, there[write.marker]) for index, write in tasks if write.marker in there])
        new = [(index, write) for index, write in tasks if index not in done]
        if not new:
            return done
        rows = [(index, _task(write)) for index, write in new]
        return done | self._doubts.make(self._calls, "Tasks", rows, {index: write.marker for index, write in new})

    def _move(self, tasks: Sequence[tuple[int, TaskWrite, str]]) -> dict[int, Written]:
        """Tasks that exist. One that a person finished or deleted is left alone."""
        if not tasks:
            return {}
        ids = ",".join(dict.fromkeys(task for _, _, task in tasks if task.isdecimal()))
        asked = {"ids": ids, "fields": "Owner,Due_Date,Status"}
        records = self._calls.call("GET", "Tasks", params=asked).get("data") or () if ids else ()
        present = {str(record["id"]): record for record in records}
        done: dict[int, Written] = {}
        rows: list[Row] = []
        changed: dict[int, tuple[str, ...]] = {}
        for index, write, task in tasks:
            if task not in present:
                done[index] = Written(False, error=Skippable("The task is not in Zoho any more."))
                continue
            wanted = _task_differences(write, present[task])
            if wanted:
                rows.append((index, {"id": task, **{name: value for name, value, _ in wanted}}))
                changed[index] = tuple(canonical for _, _, canonical in wanted)
            else:
                done[index] = Written(True, (), task)
        for index, result in send_rows(self._calls, "PUT", "Tasks", rows, idempotent=True).items():
            done[index] = Written(result.ok, changed[index] if result.ok else (), result.receipt, result.error)
        return done


def _task(write: TaskWrite) -> dict[str, Any]:
    return {
        "Subject": write.subject,
        "Description": write.body,
        "Due_Date": _due(write),
        "Status": "Not Started",
        "Priority": words.PRIORITIES[write.priority],
        "Owner": {"id": write.owner_id},
        "What_Id": {"id": write.external_id},
        "$se_module": "Leads",
        words.MARKER: write.marker,
    }


def _task_differences(write: TaskWrite, present: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    """(field, value, our name) of what is not yet as wanted."""
    if present.get("Status") == "Completed":
        return []
    wanted: list[tuple[str, Any, str]] = []
    if words.read_lookup(present.get("Owner")) != write.owner_id:
        wanted.append(("Owner", {"id": write.owner_id}, "owner_id"))
    if present.get("Due_Date") != _due(write):
        wanted.append(("Due_Date", _due(write), "due_at"))
    return wanted


def _due(write: TaskWrite) -> str:
    """The day of the deadline in UTC: Zoho's tasks know no hour."""
    return write.due_at.astimezone(UTC).date().isoformat()


class NoteWriter:
    """Notes on leads. Safe to share between threads."""

    def __init__(self, calls: ZohoCalls) -> None:
        self._calls, self._doubts = calls, Doubts()

    def write(self, notes: Sequence[tuple[int, NoteWrite]], in_doubt: bool) -> dict[int, Written]:
        """Index → result: made, unless it is there. Notes have no fields of ours: the marker is the last line."""
        done: dict[int, Written] = {}
        for index, write in notes:
            if in_doubt or self._doubts.among([write.marker]):
                there = self._find(write)
                self._doubts.settle([write.marker])
                if there is not None:
                    done[index] = Written(True, (), there)
        new = [(index, write) for index, write in notes if index not in done]
        if not new:
            return done
        rows = [(index, _note(write)) for index, write in new]
        return done | self._doubts.make(self._calls, "Notes", rows, {index: write.marker for index, write in new})

    def _find(self, write: NoteWrite) -> str | None:
        if not write.external_id.isdecimal():
            return None
        asked = {"fields": "Note_Content", "per_page": PAGE, "sort_by": "Created_Time", "sort_order": "desc"}
        answer = self._calls.call("GET", f"Leads/{write.external_id}/Notes", params=asked)
        line = f"[leadswitch {write.marker}]"
        return next((str(one["id"]) for one in answer.get("data") or () if line in str(one.get("Note_Content"))), None)


def _note(write: NoteWrite) -> dict[str, Any]:
    return {
        "Note_Title": NOTE_TITLE,
        "Note_Content": f"{write.body}\n[leadswitch {write.marker}]",
        "Parent_Id": {"module": {"api_name": "Leads"}, "id": write.external_id},
    }


class DealWriter:
    """Converts leads. Safe to share between threads. `today` tells the day, `stage` is the first one of a deal."""

    def __init__(self, calls: ZohoCalls, today: Callable[[], date], stage: str) -> None:
        self._calls, self._today, self._stage = calls, today, stage

    def write(self, deals: Sequence[tuple[int, DealWrite]]) -> dict[int, Written]:
        """Index → result. Zoho converts one lead a call, and each once: nothing else needs to remember it."""
        done: dict[int, Written] = {}
        for index, write in deals:
            try:
                done[index] = self._convert(write)
            except LeadswitchError as error:  # also when unsure: the lead itself tells at the next try
                done[index] = Written(False, error=error)
        return done

    def _convert(self, write: DealWrite) -> Written:
        lead = self._lead(write.external_id)
        if is_converted(lead):
            return Written(True, (), words.read_lookup(lead.get("Converted_Deal")) or write.external_id)
        deal: dict[str, Any] = {
            "Deal_Name": write.title,
            "Closing_Date": (self._today() + CLOSES_IN).isoformat(),
            "Stage": self._stage,
        }
        if write.amount is not None:
            deal["Amount"] = float(write.amount)
        wanted: dict[str, Any] = {"overwrite": False, "notify_lead_owner": False, "notify_new_entity_owner": False, "Deals": deal}
        if write.owner_id:
            wanted["assign_to"] = {"id": write.owner_id}
        path = f"Leads/{write.external_id}/actions/convert"
        (row,) = rows_of(self._calls.call("POST", path, body={"data": [wanted]}, idempotent=False), 1)
        if row.get("status", "success") != "success":
            raise code_error(row, "to convert the lead")
        made = words.read_lookup((row.get("details") or row).get("Deals"))
        return Written(True, ("deal",), made or write.external_id)

    def _lead(self, lead: str) -> Mapping[str, Any]:
        if not re.fullmatch(r"\d{1,30}", lead):
            raise Skippable("Zoho has no such lead.")
        asked = {"ids": lead, "fields": "Converted__s,Converted_Deal", "converted": "both"}
        found = self._calls.call("GET", "Leads", params=asked).get("data") or ()
        if not found:
            raise Skippable("Zoho has no such lead.")
        record: Mapping[str, Any] = found[0]
        return record
