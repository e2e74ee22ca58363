"""EspoCRM's records in memory: attributes that are declared, soft deletion, filters, and the queue of its webhooks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Row = dict[str, Any]
STAMPS = ("id", "createdAt", "modifiedAt", "createdById", "modifiedById")
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "Lead": (
        "firstName", "lastName", "emailAddress", "phoneNumber", "title", "accountName", "website", "industry", "addressCity",
        "addressState", "addressCountry", "addressPostalCode", "source", "campaignName", "description", "assignedUserId", "status",
        "opportunityAmount", "doNotCall", "convertedAt", "createdAccountId", "createdContactId", "createdOpportunityId",
    ),
    "Account": ("name", "website", "emailAddress", "type", "billingAddressCountry", "assignedUserId"),
    "Contact": ("firstName", "lastName", "emailAddress", "accountId"),
    "Opportunity": (
        "name", "stage", "probability", "amount", "amountCurrency", "closeDate", "description", "assignedUserId", "accountId",
        "contactId", "contactsIds",
    ),
    "Task": (
        "name", "status", "priority", "dateEnd", "description", "parentType", "parentId", "assignedUserId",
    ),
    "Note": ("type", "post", "parentType", "parentId"),
    "Meeting": ("status", "dateStart", "parentType", "parentId"),
    "Call": ("status", "dateStart", "parentType", "parentId"),
    "User": ("name", "userName", "emailAddress", "isActive", "type", "defaultTeamName"),
    "Webhook": ("event", "url", "isActive", "skipOwn"),
}  # fmt: skip
OPTIONS: dict[tuple[str, str], tuple[str, ...]] = {
    ("Lead", "status"): ("New", "Assigned", "In Process", "Converted", "Recycled", "Dead"),
    ("Task", "status"): ("Not Started", "Started", "Completed", "Canceled", "Deferred"),
    ("Task", "priority"): ("Low", "Normal", "High", "Urgent"),
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "Task": ("name", "assignedUserId"),
    "Opportunity": ("name", "amount", "closeDate"),
    "Account": ("name",),
}
#: Names that take none of <>=.
PATTERNED = {("Task", "name"), ("Opportunity", "name"), ("Account", "name"), ("Lead", "title"), ("Lead", "accountName")}
#: Not sent in the diff of an update.
SILENT = {"modifiedAt", "createdAt", "createdById", "id"}


class EspoError(Exception):
    """An exception of EspoCRM: status, X-Status-Reason and body."""

    def __init__(self, status: int, reason: str = "", body: Any = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.body = status, reason, body


@dataclass
class Records:
    """Every entity's rows by id. `told` are the events for webhooks: (event, id, data)."""

    now: Callable[[], datetime]
    rows: dict[str, dict[str, Row]] = field(default_factory=lambda: {entity: {} for entity in ATTRIBUTES})
    own_attributes: list[str] = field(default_factory=list)
    told: list[tuple[str, Row]] = field(default_factory=list)
    forbidden: set[str] = field(default_factory=set)  # attributes of leads that the role may not edit: left out without a word
    changes: int = 0
    _numbers: Any = field(default_factory=lambda: itertools.count(0x66A0_0000_0000))

    def known(self, entity: str) -> set[str]:
        own = self.own_attributes if entity == "Lead" else []
        return {*STAMPS, *ATTRIBUTES[entity], *own}

    def insert(self, entity: str, values: Mapping[str, Any], by: str) -> Row:
        self.validate(entity, values)
        for name in REQUIRED.get(entity, ()):
            if values.get(name) in (None, ""):
                raise refused(name, "required")
        number = f"{next(self._numbers):013x}0000"
        moment = self.stamp()
        row = dict.fromkeys(sorted(self.known(entity)))
        row |= {name: value for name, value in values.items() if name in row}
        row |= {"id": number, "createdAt": moment, "modifiedAt": moment, "createdById": by, "modifiedById": by}
        self.rows[entity][number] = row
        self.changes += 1
        self.told.append((f"{entity}.create", dict(row)))
        return row

    def update(self, entity: str, number: str, values: Mapping[str, Any], by: str) -> Row:
        row = self.get(entity, number)
        self.validate(entity, values)
        known = self.known(entity)
        changed = {name: value for name, value in values.items() if name in known and row[name] != value}
        if changed:
            if row["modifiedById"] != by:
                changed["modifiedById"] = by
            row.update(changed, modifiedAt=self.stamp())
            self.changes += 1
            diff = {name: value for name, value in changed.items() if name not in SILENT}
            self.told.append((f"{entity}.update", {**diff, "id": number}))
        return row

    def delete(self, entity: str, number: str) -> None:
        del self.rows[entity][number]
        self.changes += 1
        self.told.append((f"{entity}.delete", {"id": number}))

    def get(self, entity: str, number: str) -> Row:
        if number not in self.rows[entity]:
            raise EspoError(404, "Record not found")
        return self.rows[entity][number]

    def validate(self, entity: str, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            options = OPTIONS.get((entity, name))
            if options and value not in options:
                raise refused(name, "valid")
            if (entity, name) in PATTERNED and value and set(value) & set("<>="):
                raise refused(name, "pattern")
            if name == "assignedUserId" and value and value not in self.rows["User"]:
                raise EspoError(403, "Assignment failure: assigned user or team not allowed.")

    def stamp(self) -> str:
        return self.now().strftime("%Y-%m-%d %H:%M:%S")

    def find(self, entity: str, where: Sequence[Row]) -> list[Row]:
        for condition in where:
            if condition["attribute"] not in self.known(entity):
                raise EspoError(400, f"Not existing attribute {condition['attribute']}")
        return [row for row in self.rows[entity].values() if all(_matches(row[one["attribute"]], one) for one in where)]


def refused(name: str, kind: str) -> EspoError:
    body = {"messageTranslation": {"label": "validationFailure", "scope": None, "data": {"field": name, "type": kind}}}
    return EspoError(400, "Field validation failure", body)


def _matches(value: Any, condition: Row) -> bool:
    wanted = condition.get("value")
    shown = "" if value is None else str(value)
    match condition["type"]:
        case "equals":
            return shown == str(wanted)
        case "in":
            return shown in (wanted or [])
        case "greaterThan":
            return value is not None and shown > str(wanted)
        case "greaterThanOrEquals":
            return value is not None and shown >= str(wanted)
        case "lessThan":
            return value is not None and shown < str(wanted)
        case "contains":
            return str(wanted).lower() in shown.lower()
        case other:
            raise EspoError(400, f"Unknown where type {other}")
