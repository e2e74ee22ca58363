"""What the org looks like to our user: the fields of an object that it may read, and the picklist of lead statuses."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.adapters.salesforce import soql
from connector.adapters.salesforce.calls import SalesforceCalls
from connector.errors import Configuration


@dataclass(frozen=True, slots=True)
class Status:
    """One value of Lead.Status. `place` is its place in the picklist: a later one is further."""

    name: str
    place: int
    converted: bool


class Shape:
    """Asked once and remembered; `forget` after something was made. Safe to share between threads."""

    def __init__(self, calls: SalesforceCalls) -> None:
        self._calls = calls
        self._lock = threading.Lock()
        self._fields: dict[str, Mapping[str, Mapping[str, Any]]] = {}
        self._statuses: tuple[Status, ...] | None = None
        self._tracked: frozenset[str] | None = None

    def fields(self, thing: str) -> Mapping[str, Mapping[str, Any]]:
        """Name → description of an object's fields, those that our user may read."""
        with self._lock:
            if thing not in self._fields:
                told = self._calls.call("GET", self._calls.path(f"sobjects/{thing}/describe"))
                self._fields[thing] = {str(one["name"]): one for one in told.get("fields") or ()}
            return self._fields[thing]

    def statuses(self) -> tuple[Status, ...]:
        """Lead.Status in the order of its picklist."""
        with self._lock:
            if self._statuses is None:
                query = "SELECT ApiName, SortOrder, IsConverted FROM LeadStatus ORDER BY SortOrder"
                found = [one for one in soql.rows(self._calls, query) if one.get("ApiName")]
                self._statuses = tuple(
                    Status(str(one["ApiName"]), int(one["SortOrder"]), bool(one["IsConverted"])) for one in found
                )
            return self._statuses

    def tracked(self) -> frozenset[str]:
        """The lead fields whose history the org keeps; none when that cannot be seen."""
        with self._lock:
            if self._tracked is None:
                query = "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = 'Lead' "
                query += "AND IsFieldHistoryTracked = TRUE"
                try:
                    self._tracked = frozenset(str(one["QualifiedApiName"]) for one in soql.rows(self._calls, query))
                except (Configuration, KeyError):
                    self._tracked = frozenset()
            return self._tracked

    def forget(self) -> None:
        with self._lock:
            self._tracked = None
            self._fields.clear()
            self._statuses = None
