"""The records of the CRM: values with their history, associations, and who is told of a change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connector.sandbox.hubspot import schema
from connector.sandbox.world.team import Member, reps

HISTORY_KEPT = {"contacts": 45}  # HubSpot keeps 45 values of a contact property, 20 of others
ASSOCIATION_TYPES = {
    ("contacts", "companies"): 279,
    ("companies", "contacts"): 280,
    ("contacts", "tasks"): 203,
    ("tasks", "contacts"): 204,
    ("contacts", "deals"): 4,
    ("deals", "contacts"): 3,
    ("contacts", "notes"): 201,
    ("notes", "contacts"): 202,
    ("deals", "companies"): 341,
    ("companies", "deals"): 342,
}


class Refused(Exception):
    """A request HubSpot answers with an error. `category` is HubSpot's word for it."""

    def __init__(self, status: int, category: str, message: str, errors: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.status, self.category, self.message, self.errors = status, category, message, errors or []


def iso(milliseconds: int) -> str:
    """HubSpot's REST form of a moment."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"


def to_milliseconds(text: str) -> int:
    """Milliseconds of a moment given as such or in ISO form. Raises ValueError."""
    if text.lstrip("-").isdigit():
        return int(text)
    moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


@dataclass
class Record:
    """One object. `history` has the newest value last: (milliseconds, value, source type, source id)."""

    id: str
    kind: str
    created: int
    updated: int
    history: dict[str, list[tuple[int, str, str, str]]] = field(default_factory=dict)
    archived: bool = False
    seen: int = 0  # the number of the last change, for readers who want only what is new

    def value(self, name: str) -> str | None:
        if name == "hs_object_id":
            return self.id
        if name in ("createdate", "hs_createdate"):
            return iso(self.created)
        if name in ("lastmodifieddate", "hs_lastmodifieddate"):
            return iso(self.updated)
        entries = self.history.get(name)
        return entries[-1][1] if entries and entries[-1][1] != "" else None


@dataclass(frozen=True)
class Change:
    """A change as webhooks tell of it. `name` is None for the making of the record."""

    record: Record
    name: str | None
    value: str
    at: int
    source: str
    source_id: str


@dataclass
class Store:
    """All objects of the account. `on_change` hears of every change of a contact."""

    on_change: Callable[[Change], None] = lambda change: None
    clock: Callable[[], float] = time.time
    objects: dict[str, dict[str, Record]] = field(default_factory=lambda: {kind: {} for kind in schema.built_in()})
    properties: dict[str, dict[str, dict[str, Any]]] = field(default_factory=schema.built_in)
    links: dict[tuple[str, str], dict[tuple[str, str], list[int]]] = field(default_factory=dict)
    owners: tuple[Member, ...] = field(default_factory=reps)
    emails: dict[str, str] = field(default_factory=dict)
    backward_moves: int = 0
    changes: int = 0
    next_id: int = 101

    def now_ms(self) -> int:
        return round(self.clock() * 1000)

    def kind_of(self, word: str) -> str:
        """`contacts`, `contact` or `0-1` → contacts. Raises Refused."""
        kind = schema.TYPE_IDS.get(word) or schema.SINGULAR.get(word) or word
        if kind not in self.objects:
            raise Refused(400, "VALIDATION_ERROR", f"Unable to infer object type from: {word}")
        return kind

    def get(self, kind: str, record_id: str) -> Record | None:
        record = self.objects[kind].get(str(record_id))
        return None if record is None or record.archived else record

    def create(self, kind: str, values: Mapping[str, Any], source: str, source_id: str, at: int | None = None) -> Record:
        """Make a record. `at` back-dates it (milliseconds). Raises Refused (400 bad value, 409 known e-mail address)."""
        clean = self.check(kind, values)
        at = self.now_ms() if at is None else at
        email = (clean.get("email") or "").strip().lower() if kind == "contacts" else ""
        if email and email in self.emails:
            raise Refused(409, "CONFLICT", f"Contact already exists. Existing ID: {self.emails[email]}")
        record = Record(str(self.next_id), kind, at, at)
        self.next_id += 1
        self.objects[kind][record.id] = record
        self._tell(Change(record, None, "", at, source, source_id))
        self._apply(record, clean, source, source_id, at)
        return record

    def update(self, record: Record, values: Mapping[str, Any], source: str, source_id: str, at: int | None = None) -> None:
        """Change a record; values that are equal already change nothing. Raises Refused."""
        self._apply(record, self.check(record.kind, values), source, source_id, self.now_ms() if at is None else at)

    def _apply(self, record: Record, values: Mapping[str, str], source: str, source_id: str, at: int) -> None:
        for name, value in values.items():
            old = record.value(name)
            if value == (old or "") or (name == "lifecyclestage" and self._goes_back(old, value)):
                continue
            record.history.setdefault(name, []).append((at, value, source, source_id))
            if name == "email" and record.kind == "contacts":
                self.emails.pop((old or "").lower(), None)
                self.emails[value.strip().lower()] = record.id
            self._tell(Change(record, name, value, at, source, source_id))
        record.updated = max(record.updated, at)

    def _goes_back(self, old: str | None, new: str) -> bool:
        """HubSpot keeps the later lifecycle stage unless the property is emptied first."""
        back = old in schema.STAGES and new in schema.STAGES and schema.STAGES.index(new) < schema.STAGES.index(old)
        self.backward_moves += back
        return back

    def _tell(self, change: Change) -> None:
        self.changes += 1
        change.record.seen = self.changes
        self.on_change(change)

    def archive(self, record: Record) -> None:
        record.archived = True
        self.emails.pop((record.value("email") or "").lower(), None)

    def check(self, kind: str, values: Mapping[str, Any]) -> dict[str, str]:
        """The values as text, or Refused naming every one that HubSpot would not take."""
        faults = [fault for name, value in values.items() if (fault := self._fault(kind, name, value))]
        if faults:
            raise Refused(400, "VALIDATION_ERROR", f"Property values were not valid: {faults}", faults)
        return {name: "" if value is None else str(value) for name, value in values.items()}

    def _fault(self, kind: str, name: str, value: Any) -> dict[str, Any] | None:
        known = self.properties[kind].get(name)
        code, words = "", ""
        if known is None:
            code, words = "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'
        elif name in schema.READ_ONLY:
            code, words = "READ_ONLY_VALUE", f'"{name}" is a read only property'
        elif value is not None and not isinstance(value, str):
            code, words = "INVALID_TYPE", f"{name} must be a string"
        elif value:
            code, words = self._bad_value(known, value)
        return {"isValid": False, "message": words, "error": code, "name": name} if code else None

    def _bad_value(self, known: Mapping[str, Any], value: str) -> tuple[str, str]:
        allowed = {option["value"] for option in known["options"]}
        if known["name"] == "hubspot_owner_id" and value not in {owner.owner_id for owner in self.owners}:
            return "INVALID_OWNER_ID", f"{value} was not a valid owner id"
        if allowed and value not in allowed:
            return "INVALID_OPTION", f"{value} was not one of the allowed options"
        try:
            if known["type"] == "number":
                float(value)
            elif known["type"] == "datetime":
                to_milliseconds(value)
        except ValueError:
            return (
                "INVALID_NUMBER" if known["type"] == "number" else "INVALID_DATE"
            ), f"{value[:40]} was not a valid {known['type']}"
        if len(value) > 65_536:
            return "INVALID_LENGTH", "too long"
        return "", ""

    def link(self, a: tuple[str, str], b: tuple[str, str], type_id: int | None = None) -> None:
        """Associate two (kind, id), both ways. Raises Refused when one is missing."""
        for kind, record_id in (a, b):
            if self.get(kind, record_id) is None:
                raise Refused(400, "VALIDATION_ERROR", f"No {kind} with ID {record_id} exists")
        there = type_id or ASSOCIATION_TYPES.get((a[0], b[0]), 0)
        self.links.setdefault(a, {}).setdefault(b, []).append(there)
        self.links.setdefault(b, {}).setdefault(a, []).append(ASSOCIATION_TYPES.get((b[0], a[0]), 0))

    def linked(self, a: tuple[str, str], kind: str) -> list[tuple[str, list[int]]]:
        """The ids of that kind associated with `a`, and the types of each association."""
        return [(record_id, sorted(set(types))) for (other, record_id), types in self.links.get(a, {}).items() if other == kind]

    def to_json(self, record: Record, names: Iterable[str], with_history: Iterable[str] = ()) -> dict[str, Any]:
        """The record in HubSpot's REST form; properties nobody set are null, unknown ones left out."""
        stamp = "lastmodifieddate" if record.kind == "contacts" else "hs_lastmodifieddate"
        made = "createdate" if record.kind == "contacts" else "hs_createdate"
        known = self.properties[record.kind]
        shown = dict.fromkeys((*names, made, stamp, "hs_object_id"))
        answer: dict[str, Any] = {
            "id": record.id,
            "properties": {name: self._rest_value(record, name) for name in shown if name in known},
            "createdAt": iso(record.created),
            "updatedAt": iso(record.updated),
            "archived": record.archived,
        }
        histories = [name for name in with_history if name in known]
        if histories:
            answer["propertiesWithHistory"] = {name: self._history(record, name) for name in histories}
        return answer

    def _rest_value(self, record: Record, name: str) -> str | None:
        value = record.value(name)
        if value and self.properties[record.kind][name]["type"] == "datetime":
            return iso(to_milliseconds(value))
        return value

    def _history(self, record: Record, name: str) -> list[dict[str, Any]]:
        dated = self.properties[record.kind][name]["type"] == "datetime"
        kept = record.history.get(name, [])[-HISTORY_KEPT.get(record.kind, 20) :]
        return [
            {
                "value": iso(to_milliseconds(value)) if dated and value else value,
                "timestamp": iso(at),
                "sourceType": source,
                "sourceId": by,
            }
            for at, value, source, by in reversed(kept)
        ]
