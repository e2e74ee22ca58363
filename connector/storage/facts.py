"""The values of one lead: what may stand in the clear (industry, country, stage …) and what is sealed under the person's key, which
is every personal field and every column of the tenant's own, since nobody knows what a tenant puts there.

A value never goes back to an older change; two changes of one moment are settled by value, so that the outcome does not depend on
the order in which notices came.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connector.storage.models import Lead as LeadRow
from connector.vault import Vault
from leads.fields import PERSONAL
from leads.records import FieldValue

#: How a tenant's own column is told from a field.
EXTRA = "extra."


def rank_value(value: FieldValue) -> tuple[str, str]:
    """Which of two values of one moment stands: any order will do that does not depend on which came first."""
    return str(value), type(value).__name__


@dataclass
class Facts:
    """Values by name, a tenant's own columns as "extra.<column>". `times` says from which change (ms) each came."""

    open: dict[str, FieldValue]
    sealed: dict[str, FieldValue]
    times: dict[str, int]

    @classmethod
    def of(cls, row: LeadRow, vault: Vault) -> Facts:
        """The values of a row. Raises what `Vault.person` raises."""
        sealed = vault.person(row.data_key).open_json(row.sealed) if row.data_key and row.sealed else {}
        return cls(dict(row.facts), sealed, dict(row.field_times))

    def get(self, name: str) -> FieldValue:
        return self._place(name).get(name)

    def take(self, name: str, value: FieldValue, at: int) -> bool:
        """Let a value of the moment `at` (ms) stand; false when what stands is newer."""
        place = self._place(name)
        if name in self.times and (self.times[name], rank_value(place.get(name))) >= (at, rank_value(value)):
            return False
        self.times[name], place[name] = at, value
        return True

    def write_to(self, row: LeadRow, vault: Vault) -> None:
        """Put the values into the row; the caller saves it."""
        row.sealed, row.facts, row.field_times = vault.person(row.data_key).seal_json(self.sealed), self.open, self.times

    def fields(self) -> dict[str, Any]:
        """The canonical fields."""
        return {**self.open, **{name: value for name, value in self.sealed.items() if not name.startswith(EXTRA)}}

    def extra(self) -> dict[str, Any]:
        """The tenant's own columns."""
        return {name[len(EXTRA) :]: value for name, value in self.sealed.items() if name.startswith(EXTRA)}

    def _place(self, name: str) -> dict[str, FieldValue]:
        return self.sealed if name in PERSONAL or name.startswith(EXTRA) else self.open
