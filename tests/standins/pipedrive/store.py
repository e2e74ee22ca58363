"""What a Pipedrive company holds, and what its webhooks tell of every change."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.testing import StandingClock

COMPANY, OUR_USER, ADMIN = 8087566, 900, 901
REPS = (42, 43, 44)
Record = dict[str, Any]

#: Entity → what a person or a call may set on it.
SETTABLE = {
    "person": {"name", "owner_id", "org_id", "emails", "phones", "label_ids", "job_title", "marketing_status", "custom_fields",
               "postal_address", "first_name", "last_name", "visible_to"},
    "deal": {"title", "owner_id", "person_id", "org_id", "pipeline_id", "stage_id", "value", "currency", "status", "custom_fields",
             "expected_close_date", "lost_reason", "probability"},
    "activity": {"subject", "type", "owner_id", "deal_id", "lead_id", "org_id", "due_date", "due_time", "duration", "busy", "done",
                 "participants", "note", "priority", "public_description"},
    "lead": {"title", "owner_id", "label_ids", "person_id", "organization_id", "value", "expected_close_date", "was_seen",
             "is_archived", "visible_to"},
    "note": {"content", "person_id", "lead_id", "deal_id", "org_id", "user_id", "add_time"},
}  # fmt: skip


class Refused(Exception):
    """What Pipedrive does not take: the status it answers with."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass
class Store:
    """One company. `told` are the notices not yet sent, `changes` counts what anybody changed of business."""

    clock: StandingClock
    records: dict[str, dict[str, Record]] = field(default_factory=lambda: {kind: {} for kind in (*SETTABLE, "organization")})
    fields: dict[str, list[Record]] = field(default_factory=lambda: {"person": [], "deal": []})
    hooks: list[Record] = field(default_factory=list)
    told: list[tuple[Record, bytes]] = field(default_factory=list)
    changes: int = 0
    read_only: set[str] = field(default_factory=set)  # keys of fields that our user may not edit: taken and not kept
    _number: int = 1000

    def number(self) -> int:
        self._number += 1
        return self._number

    def now(self) -> str:
        return stamp(self.clock.now())

    # --- records

    def make(self, kind: str, given: Mapping[str, Any], *, user: int, source: str = "app") -> Record:
        """A new record. Raises `Refused`."""
        self._check(kind, given)
        record_id: Any = str(uuid.UUID(int=self.number())) if kind == "lead" else self.number()
        record = {"id": record_id, "owner_id": user, **_defaults(kind), **given, "add_time": self.now(), "update_time": self.now()}
        self._derive(kind, record)
        self.records[kind][str(record_id)] = record
        self._tell(kind, "create", record, None, user, source)
        return record

    def change(self, kind: str, record_id: str, given: Mapping[str, Any], *, user: int, source: str = "app") -> Record:
        """A changed record; what is equal already changes nothing. Raises `Refused`."""
        record = self.get(kind, record_id)
        self._check(kind, given)
        previous: Record = {}
        for name, value in given.items():
            if name == "custom_fields":
                custom = {key: one for key, one in value.items() if key not in self.read_only}
                old = {key: record[name].get(key) for key, one in custom.items() if record[name].get(key) != one}
                if old:
                    previous[name] = old
                    record[name] = {**record[name], **custom}
            elif record.get(name) != value:
                previous[name] = record.get(name)
                record[name] = value
        if previous:
            previous["update_time"] = record["update_time"]
            record["update_time"] = self.now()
            self._derive(kind, record)
            self._tell(kind, "change", record, previous, user, source)
        return record

    def remove(self, kind: str, record_id: str, *, user: int, **meta: Any) -> None:
        """A record that is gone."""
        record = self.records[kind].pop(record_id)
        self._tell(kind, "delete", None, record, user, "app", about=record_id, **meta)

    def get(self, kind: str, record_id: str) -> Record:
        """One record. Raises `Refused`."""
        if record_id not in self.records[kind]:
            raise Refused(404, f"no such {kind}")
        return self.records[kind][record_id]

    def _check(self, kind: str, given: Mapping[str, Any]) -> None:
        if unknown := set(given) - SETTABLE.get(kind, set(given)):
            raise Refused(400, f"unknown: {sorted(unknown)}")
        if "owner_id" in given and given["owner_id"] not in (*REPS, OUR_USER, ADMIN):
            raise Refused(400, "the owner does not exist")
        for person in (given.get("person_id"), *(one.get("person_id") for one in given.get("participants") or ())):
            if person is not None and str(person) not in self.records["person"]:
                raise Refused(400, "the person does not exist")
        known = {one["field_code"]: one for one in self.fields.get(kind, [])}
        for key, value in (given.get("custom_fields") or {}).items():
            if key not in known:
                raise Refused(400, "unknown custom field")
            options = known[key].get("options")
            if options and value is not None and value not in {one["id"] for one in options}:
                raise Refused(400, "no such option")

    def _derive(self, kind: str, record: Record) -> None:
        if kind == "activity":
            primary = next((one for one in record.get("participants") or () if one.get("primary")), {})
            record["person_id"] = primary.get("person_id")
            record["marked_as_done_time"] = self.now() if record.get("done") else None
        if kind == "deal":
            for status in ("won", "lost"):
                record.setdefault(f"{status}_time", None)
                if record["status"] == status:
                    record[f"{status}_time"] = record[f"{status}_time"] or self.now()

    # --- custom fields

    def make_field(self, kind: str, name: str, field_type: str, options: list[str]) -> Record:
        """A new custom field, whose key nobody can guess."""
        code = base64.b16encode(f"{kind}{name}{self.number()}".encode().rjust(20, b"x")[-20:]).decode().lower()
        made = {
            "field_name": name,
            "field_code": code,
            "field_type": field_type,
            "options": [{"id": self.number(), "label": label} for label in options] or None,
            "is_custom_field": True,
            "is_optional_response_field": False,
        }
        self.fields[kind].append(made)
        return made

    def key_of(self, kind: str, name: str) -> str:
        return str(next(one["field_code"] for one in self.fields[kind] if one["field_name"] == name))

    def held(self, kind: str, record: Record, name: str) -> Any:
        """What a record holds in a custom field, a choice as its label."""
        found = next((one for one in self.fields[kind] if one["field_name"] == name), None)
        value = record["custom_fields"].get(found["field_code"]) if found else None
        options = (found or {}).get("options") or ()
        return next((one["label"] for one in options if one["id"] == value), None) if options else value

    # --- webhooks

    def _tell(
        self,
        entity: str,
        action: str,
        data: Record | None,
        previous: Record | None,
        user: int,
        source: str,
        about: str = "",
        **meta: Any,
    ) -> None:
        if entity in ("person", "deal", "activity", "note"):
            self.changes += 1
        for hook in self.hooks:
            if hook["event_object"] in (entity, "*"):
                body = {
                    "data": self._shown(entity, data),
                    "previous": previous,
                    "meta": {
                        "action": action,
                        "entity": entity,
                        "company_id": str(COMPANY),
                        "entity_id": about or str((data or {})["id"]),
                        "id": str(uuid.UUID(int=self.number())),
                        "is_bulk_edit": False,
                        "timestamp": stamp(self.clock.now(), milliseconds=True),
                        "type": "general",
                        "user_id": str(user),
                        "version": "2.0",
                        "webhook_id": str(hook["id"]),
                        "webhook_owner_id": str(hook["owner_id"]),
                        "change_source": source,
                        "attempt": 1,
                        "host": "acme.pipedrive.com",
                        **meta,
                    },
                }
                self.told.append((hook, json.dumps(body).encode()))

    def _shown(self, entity: str, data: Record | None) -> Record | None:
        """A record as notices show it: each custom field with its type."""
        if data is None or not data.get("custom_fields"):
            return data
        types = {one["field_code"]: one["field_type"] for one in self.fields.get(entity, [])}
        custom = {
            key: None if value is None else {"type": types.get(key), "id" if types.get(key) == "enum" else "value": value}
            for key, value in data["custom_fields"].items()
        }
        return {**data, "custom_fields": custom}


def stamp(moment: datetime, *, milliseconds: bool = False) -> str:
    return moment.isoformat(timespec="milliseconds" if milliseconds else "seconds").replace("+00:00", "Z")


def _defaults(kind: str) -> Record:
    if kind == "person":
        return {"emails": [], "phones": [], "org_id": None, "custom_fields": {}, "is_deleted": False, "visible_to": 3}
    if kind == "deal":
        return {"status": "open", "custom_fields": {}, "value": 0, "currency": "EUR", "source_lead_id": None, "is_deleted": False}
    if kind == "activity":
        return {"type": "call", "done": False, "note": None, "is_deleted": False, "participants": []}
    if kind == "lead":
        return {"is_archived": False, "source_name": "API", "value": None, "person_id": None}
    return {}
