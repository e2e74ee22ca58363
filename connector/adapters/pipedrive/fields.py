"""Custom fields by their names. Pipedrive gives each a hash as its key, another one in every account, and its options numbers.

Source: Pipedrive's guide "Custom fields" and the reference of /api/v2/personFields and /api/v2/dealFields.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from connector.adapters.pipedrive.calls import PipedriveCalls
from connector.clock import Clock
from connector.errors import Configuration
from connector.reading import read_text, read_value
from leads.records import FieldValue

Kind = Literal["person", "deal"]
#: The list of fields is read again after so long: an admin may have renamed one.
FRESH: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class CustomField:
    """One custom field. `options` are label → id of a field with choices."""

    name: str
    key: str
    options: Mapping[str, int | str] = field(default_factory=dict)

    def write(self, value: str | int | float) -> FieldValue:
        """What to send for a value, which of a choice is its label. Raises `Configuration` for a choice that is not there."""
        if not self.options:
            return value
        if str(value) not in self.options:
            raise Configuration(f"Pipedrive's field {self.name!r} lacks the option {value!r}.", "Add it in Pipedrive.")
        return self.options[str(value)]

    def read(self, value: object) -> FieldValue:
        """What a record holds: a choice as its label, an amount or a reference as its value."""
        if isinstance(value, dict):
            value = value.get("label", value.get("value", value.get("id")))
        if self.options:
            return next((label for label, one in self.options.items() if str(one) == str(value)), None)
        return read_text(value) if isinstance(value, str) else read_value(value)


class FieldBook:
    """The custom fields of persons and deals. Safe to share between threads."""

    def __init__(self, calls: PipedriveCalls, clock: Clock) -> None:
        self._calls, self._clock = calls, clock
        self._lock = threading.Lock()
        self._known: dict[Kind, tuple[datetime, Mapping[str, CustomField]]] = {}

    def all(self, kind: Kind) -> Mapping[str, CustomField]:
        """Name → field. Of two with one name the first."""
        with self._lock:
            read_at, fields = self._known.get(kind, (None, {}))
            if read_at is None or self._clock.now() - read_at > FRESH:
                fields = self._read(kind)
                self._known[kind] = (self._clock.now(), fields)
            return fields

    def named(self, kind: Kind, connection: str, *names: str) -> list[CustomField]:
        """Fields of ours. Raises `Configuration` when one is not there."""
        fields = self.all(kind)
        if missing := [name for name in names if name not in fields]:
            self.forget()
            raise Configuration(
                f"Pipedrive lacks the {kind} field {missing[0]!r}.", f"Run: leadswitch connections test {connection} --mend"
            )
        return [fields[name] for name in names]

    def make(self, kind: Kind, name: str, field_type: str, options: Sequence[str]) -> None:
        """Make a custom field."""
        body: dict[str, Any] = {"field_name": name, "field_type": field_type}
        if options:
            body["options"] = [{"label": label} for label in options]
        self._calls.call("POST", f"/api/v2/{kind}Fields", body=body, idempotent=False)
        self.forget()

    def forget(self) -> None:
        """Read the lists anew when next asked."""
        with self._lock:
            self._known.clear()

    def _read(self, kind: Kind) -> Mapping[str, CustomField]:
        fields: dict[str, CustomField] = {}
        for records, _ in self._calls.pages(f"/api/v2/{kind}Fields", {}):
            for one in records:
                if not one.get("is_custom_field"):
                    continue
                options = {str(option.get("label")): option.get("id") for option in one.get("options") or ()}
                name = str(one.get("field_name"))
                fields.setdefault(name, CustomField(name, str(one.get("field_code")), options))
        return fields
