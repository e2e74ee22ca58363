"""Tasks, notes and deals of a person: made once, found again by our marker.

Source: Pipedrive's reference of /api/v2/activities (due times are UTC; a person is a participant), /v1/notes, /api/v2/deals and
/api/v2/leads/{id}/convert/deal (runs in its own time: the answer is a number to ask after). Activities and notes have no custom
fields: their marker is the last line of their text.
"""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from connector.adapters.pipedrive import words
from connector.adapters.pipedrive.calls import PipedriveCalls
from connector.adapters.pipedrive.fields import FieldBook
from connector.errors import Fatal, Retriable, Skippable
from connector.http import Unsure
from connector.ports import DealWrite, NoteWrite, TaskWrite, Written

#: Activities and notes of one person that are looked through for a marker: the newest.
LOOKED_AT: Final = 500
CONVERSION_PAUSE_S, CONVERSION_TRIES = 1.0, 10


def mark(text: str, marker: str) -> str:
    """The text as HTML, with our marker as its last line."""
    return f"{html.escape(text, quote=False)}<br>[leadswitch {marker}]"


def marker_of(text: object) -> str | None:
    """The marker in the text of an activity or a note."""
    found = re.search(r"\[leadswitch ([^\]\s]+)\]", str(text or ""))
    return found.group(1) if found else None


class _Doubts:
    """Markers whose making was not answered for: looked up before the next try."""

    def __init__(self) -> None:
        self._markers: set[str] = set()
        self._lock = threading.Lock()

    def hold(self, marker: str) -> bool:
        with self._lock:
            return marker in self._markers

    def settle(self, marker: str) -> None:
        with self._lock:
            self._markers.discard(marker)

    def make(self, calls: PipedriveCalls, path: str, body: Mapping[str, Any], marker: str) -> Mapping[str, Any]:
        """One call that makes something; its result. Raises `Unsure` when it may have."""
        try:
            answer = calls.call("POST", path, body=body, idempotent=False)
        except Unsure:
            with self._lock:
                self._markers.add(marker)
            raise
        made: Mapping[str, Any] = answer.get("data") or {}
        if "id" not in made:
            raise Unsure("Pipedrive made something and does not say what.")
        return made


class TaskWriter:
    """Activities of the type task. Safe to share between threads."""

    def __init__(self, calls: PipedriveCalls) -> None:
        self._calls, self._doubts = calls, _Doubts()

    def write(self, write: TaskWrite, in_doubt: bool) -> Written:
        """Make it, or bring the owner and due date of the one that is there up to date."""
        if write.made_as is not None:
            return self._move(write, self._by_id(write.made_as))
        if in_doubt or self._doubts.hold(write.marker):
            there = self._find(write)
            self._doubts.settle(write.marker)
            if there is not None:
                return self._move(write, there)
        body = {
            "subject": write.subject,
            "type": "task",
            "owner_id": _number(write.owner_id),
            **_due(write.due_at),
            "participants": [{"person_id": _number(write.external_id), "primary": True}],
            "note": mark(write.body, write.marker),
        }
        made = self._doubts.make(self._calls, "/api/v2/activities", body, write.marker)
        return Written(True, (), str(made["id"]))

    def _by_id(self, activity: str) -> Mapping[str, Any] | None:
        if not activity.isdecimal():
            return None
        answer = self._calls.call("GET", "/api/v2/activities", params={"ids": activity})
        return next((one for one in answer.get("data") or () if not one.get("is_deleted")), None)

    def _find(self, write: TaskWrite) -> Mapping[str, Any] | None:
        asked = {"person_id": write.external_id, "sort_by": "add_time", "sort_direction": "desc", "limit": LOOKED_AT}
        answer = self._calls.call("GET", "/api/v2/activities", params=asked)
        return next((one for one in answer.get("data") or () if marker_of(one.get("note")) == write.marker), None)

    def _move(self, write: TaskWrite, present: Mapping[str, Any] | None) -> Written:
        """One that a person finished or deleted is left alone."""
        if present is None:
            return Written(False, error=Skippable("The task is not in Pipedrive any more."))
        task = str(present["id"])
        body: dict[str, Any] = {}
        changed = []
        if not present.get("done"):
            if str(present.get("owner_id")) != write.owner_id:
                body["owner_id"] = _number(write.owner_id)
                changed.append("owner_id")
            if (present.get("due_date"), str(present.get("due_time") or "")[:5]) != tuple(_due(write.due_at).values()):
                body |= _due(write.due_at)
                changed.append("due_at")
        if body:
            self._calls.call("PATCH", f"/api/v2/activities/{task}", body=body)
        return Written(True, tuple(changed), task)


class NoteWriter:
    """Notes on persons. Safe to share between threads."""

    def __init__(self, calls: PipedriveCalls) -> None:
        self._calls, self._doubts = calls, _Doubts()

    def write(self, write: NoteWrite, in_doubt: bool) -> Written:
        """Make it, unless it is there."""
        if in_doubt or self._doubts.hold(write.marker):
            there = self._find(write)
            self._doubts.settle(write.marker)
            if there is not None:
                return Written(True, (), there)
        body = {"content": mark(write.body, write.marker), "person_id": _number(write.external_id)}
        return Written(True, (), str(self._doubts.make(self._calls, "/v1/notes", body, write.marker)["id"]))

    def _find(self, write: NoteWrite) -> str | None:
        asked = {"person_id": write.external_id, "sort": "add_time DESC", "limit": LOOKED_AT}
        answer = self._calls.call("GET", "/v1/notes", params=asked)
        notes = answer.get("data") or ()
        return next((str(one["id"]) for one in notes if marker_of(one.get("content")) == write.marker), None)


class DealWriter:
    """Deals with persons: an open Lead of the person is converted, else a deal is made. Safe to share between threads."""

    def __init__(self, calls: PipedriveCalls, book: FieldBook, connection: str) -> None:
        self._calls, self._book, self._connection, self._doubts = calls, book, connection, _Doubts()

    def write(self, write: DealWrite, in_doubt: bool) -> Written:
        """Make it once. A person with an open deal of this marker, or one that a Lead was converted into, is left as it is; in
        doubt, the latter may be our own conversion that was cut short, and is finished."""
        (marker,) = self._book.named("deal", self._connection, words.MARKER)
        wanted: dict[str, Any] = {"title": write.title, "custom_fields": {marker.key: write.marker}}
        if write.owner_id:
            wanted["owner_id"] = _number(write.owner_id)
        if write.amount is not None:
            wanted["value"] = float(write.amount)
            wanted |= {"currency": write.currency} if write.currency else {}
        there, marked = self._present(write, marker.key)
        if there is not None:
            if in_doubt and not marked:
                self._calls.call("PATCH", f"/api/v2/deals/{there}", body=wanted)
            return Written(True, (), there)
        if (lead := self._open_lead(write.external_id)) is not None:
            deal = self._convert(lead)
            try:
                self._calls.call("PATCH", f"/api/v2/deals/{deal}", body=wanted)
            except Retriable as error:
                raise Unsure(f"Pipedrive converted the Lead, and then: {error}") from None
            return Written(True, ("deal",), deal)
        body = {**wanted, "person_id": _number(write.external_id)}
        return Written(True, ("deal",), str(self._doubts.make(self._calls, "/api/v2/deals", body, write.marker)["id"]))

    def _present(self, write: DealWrite, key: str) -> tuple[str | None, bool]:
        """(the open deal of this marker, else one that a Lead became; whether it holds a marker)."""
        asked = {"person_id": write.external_id, "status": "open", "include_fields": "source_lead_id", "limit": LOOKED_AT}
        converted: tuple[str | None, bool] = None, False
        for deal in self._calls.call("GET", "/api/v2/deals", params=asked).get("data") or ():
            held = (deal.get("custom_fields") or {}).get(key)
            held = held.get("value") if isinstance(held, dict) else held
            if held == write.marker:
                return str(deal["id"]), True
            if deal.get("source_lead_id"):
                converted = str(deal["id"]), bool(held)
        return converted

    def _open_lead(self, person: str) -> str | None:
        answer = self._calls.call("GET", "/v1/leads", params={"person_id": _number(person), "limit": 100})
        leads = [one for one in answer.get("data") or () if not one.get("is_archived")]
        return str(max(leads, key=lambda one: str(one.get("update_time")))["id"]) if leads else None

    def _convert(self, lead: str) -> str:
        """The deal that a Lead became."""
        path = f"/api/v2/leads/{lead}/convert"
        started = self._calls.call("POST", f"{path}/deal", body={}, idempotent=False)
        conversion = str((started.get("data") or {}).get("conversion_id"))
        for _ in range(CONVERSION_TRIES):
            state = self._calls.call("GET", f"{path}/status/{conversion}").get("data") or {}
            if state.get("status") == "completed" and state.get("deal_id"):
                return str(state["deal_id"])
            if state.get("status") in ("failed", "rejected"):
                raise Fatal(f"Pipedrive did not convert the Lead ({state['status']}).")
            self._calls.sleep(CONVERSION_PAUSE_S)
        raise Unsure("Pipedrive has not finished converting the Lead.", 30.0)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise Fatal("An id is not one of Pipedrive's.")
    return int(text)


def _due(moment: datetime) -> dict[str, str]:
    """Date and time of a deadline. Pipedrive keeps minutes."""
    at = moment.astimezone(UTC)
    return {"due_date": at.strftime("%Y-%m-%d"), "due_time": at.strftime("%H:%M")}
