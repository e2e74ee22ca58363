"""Many leads at once whom nobody knows yet: what `Leads.apply` does for each alone, in a statement a table. An import lives on it.

Who is known already, or named twice in one go, is not for here: see `connector.pipeline.import_chunk`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from connector.clock import Clock, to_ms
from connector.storage.db import Database, marks
from connector.storage.facts import Facts
from connector.storage.leads import given_values
from connector.storage.models import Identity, NearName
from connector.storage.models import Lead as LeadRow
from connector.storage.models import LeadChange as ChangeRow
from connector.storage.spelled import insert_many
from connector.vault import Vault
from leads.enums import Outcome
from leads.records import LeadChange

#: Marks in one look-up: a quarter of what SQLite takes.
A_LOOK = 8_000


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A lead to be: its first (normalised) change, the (kind, token) of everything that names it, the tokens by which namesakes are
    found, and how it ended when that is known."""

    change: LeadChange
    tokens: Sequence[tuple[str, str]]
    near: Sequence[str]
    outcome: Outcome = Outcome.OPEN
    outcome_at: datetime | None = None


class Newcomers:
    """Writes leads in bulk. Callers hold the transaction and the tokens (`Leads.hold`)."""

    def __init__(self, db: Database, vault: Vault, clock: Clock) -> None:
        self._db, self._vault, self._clock = db, vault, clock

    def known(self, tokens: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Which of these (kind, token) name a lead already."""
        known: set[tuple[str, str]] = set()
        for kind, group in groupby(sorted(set(tokens)), itemgetter(0)):
            wanted = [token for _, token in group]
            for start in range(0, len(wanted), A_LOOK):
                part = wanted[start : start + A_LOOK]
                found = self._db.run(f"SELECT token FROM identity WHERE kind = ? AND token IN ({marks(part)})", kind, *part)  # noqa: S608
                known.update((kind, token) for (token,) in found.fetchall())
        return known

    def add(self, connection: str, newcomers: Sequence[Newcomer]) -> list[int]:
        """Make these leads, as history rather than to be routed; returns their ids in the order given.

        No token may name a lead already, nor stand twice.
        """
        if not newcomers:
            return []
        leads, changes = [], []
        for one in newcomers:
            lead, change = self._rows(connection, one)
            leads.append(lead)
            changes.append(change)
        insert_many(self._db, LeadRow, leads)
        ids = self._ids(connection, [one.change.external_id for one in newcomers])
        for lead_id, change in zip(ids, changes, strict=True):
            change["lead_id"] = lead_id
        insert_many(self._db, ChangeRow, changes)
        names = [
            {"kind": kind, "token": token, "lead_id": lead_id}
            for lead_id, one in zip(ids, newcomers, strict=True)
            for kind, token in one.tokens
        ]
        insert_many(self._db, Identity, names)
        near = [{"token": token, "lead_id": lead_id} for lead_id, one in zip(ids, newcomers, strict=True) for token in one.near]
        insert_many(self._db, NearName, near)
        return ids

    def _ids(self, connection: str, external_ids: Sequence[str]) -> list[int]:
        """The ids of these leads. Asked by name: all that one import brought in share their connection."""
        by_external: dict[str, int] = {}
        for start in range(0, len(external_ids), A_LOOK):
            part = external_ids[start : start + A_LOOK]
            made = f"SELECT external_id, id FROM lead WHERE connection = ? AND external_id IN ({marks(part)})"  # noqa: S608 - marks only
            by_external.update(self._db.run(made, connection, *part).fetchall())
        return [by_external[external_id] for external_id in external_ids]

    def _rows(self, connection: str, newcomer: Newcomer) -> tuple[dict[str, object], dict[str, object]]:
        change = newcomer.change
        wrapped, person = self._vault.new_person()
        given, at = given_values(change), to_ms(change.occurred_at)
        facts = Facts({}, {}, {})
        for name, value in given.items():
            facts.take(name, value, at)
        lead = {
            "connection": connection,
            "external_id": change.external_id,
            "created_at": change.created_at or change.occurred_at,
            "data_key": wrapped,
            "sealed": person.seal_json(facts.sealed),
            "facts": facts.open,
            "field_times": facts.times,
            "outcome": newcomer.outcome.value,
            "outcome_at": newcomer.outcome_at,
            "touched_at": self._clock.now(),
        }
        told = {"occurred_at": change.occurred_at, "kind": change.kind.value, "origin": change.origin.value}
        return lead, {**told, "sealed": person.seal_json(given)}
