"""How a lead stood at a moment: the one input of the features, for serving, training and replay alike."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from connector.clock import from_ms, to_ms
from connector.storage.db import Database
from connector.storage.leads import rank_value
from connector.storage.models import Engagement as EngagementRow
from connector.storage.models import Lead as LeadRow
from connector.vault import PersonSeal, Vault
from leads.enums import EngagementKind, Outcome
from leads.records import Engagement, FieldValue, LeadHistory

#: A change as opened: (moment in ms, field → value).
Change = tuple[int, Mapping[str, FieldValue]]


class Histories:
    """Reads leads as they stood."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db, self._vault = db, vault

    def at(self, lead_id: int, as_of: datetime) -> LeadHistory | None:
        """The lead at `as_of`; None when it is not there or erased."""
        with self._db.connected():
            row = self._row(lead_id)
            if row is None or row.erased:
                return None
            person = self._vault.person(row.data_key)
            moment = to_ms(as_of)
            if all(time <= moment for time in row.field_times.values()):  # as it stands now: what serving asks
                facts, extra = {**row.facts, **(person.open_json(row.sealed) if row.sealed else {})}, row.extra
            else:
                facts, extra = _fold(self._changes(row.id, person), moment)
            engagements = tuple(act for act in self._acts(row.id, person) if act.occurred_at <= as_of)
            return LeadHistory(row.id, row.created_at, as_of, facts, engagements, extra)

    def at_each(self, lead_id: int, moments: Sequence[datetime]) -> list[LeadHistory]:
        """The lead at each of these moments, read once; empty when it is not there or erased."""
        with self._db.connected():
            row = self._row(lead_id)
            if row is None or row.erased:
                return []
            person = self._vault.person(row.data_key)
            changes, acts = self._changes(row.id, person), self._acts(row.id, person)
        histories = []
        for as_of in moments:
            facts, extra = _fold(changes, to_ms(as_of))
            engagements = tuple(act for act in acts if act.occurred_at <= as_of)
            histories.append(LeadHistory(row.id, row.created_at, as_of, facts, engagements, extra))
        return histories

    def outcomes(self) -> list[tuple[int, datetime, Outcome, datetime]]:
        """(lead, created, outcome, when) of every lead that ended, oldest first: what a model learns from."""
        with self._db.connected():
            query = LeadRow.select().where(
                LeadRow.outcome.in_(["won", "lost"]) & (LeadRow.erased == False) & LeadRow.merged_into.is_null()  # noqa: E712
            )
            return [
                (row.id, row.created_at, Outcome.read(row.outcome), row.outcome_at or row.created_at)
                for row in query.order_by(LeadRow.created_at, LeadRow.id)
            ]

    def last_engagement(self, lead_id: int) -> Engagement | None:
        """The newest act that a person did."""
        with self._db.connected():
            row = (
                EngagementRow.select()
                .where((EngagementRow.lead_id == lead_id) & (EngagementRow.machine == False))  # noqa: E712
                .order_by(EngagementRow.occurred_at.desc())
                .first()
            )
            return Engagement(EngagementKind.read(row.kind), row.occurred_at, False, row.properties) if row else None

    def _row(self, lead_id: int) -> LeadRow | None:
        return next(iter(LeadRow.raw(self._db.spelled("SELECT * FROM lead WHERE id = ?"), lead_id)), None)

    def _acts(self, lead_id: int, person: PersonSeal) -> list[Engagement]:
        read = "SELECT kind, occurred_at, machine, properties, sealed FROM engagement WHERE lead_id = ?"
        rows = self._db.run(f"{read} ORDER BY occurred_at, kind, event_key", lead_id).fetchall()
        return [
            Engagement(
                EngagementKind.read(kind),
                from_ms(at),
                bool(machine),
                json.loads(properties),
                person.open_json(sealed) if sealed else None,
            )
            for kind, at, machine, properties, sealed in rows
        ]

    def _changes(self, lead_id: int, person: PersonSeal) -> list[Change]:
        rows = self._db.run("SELECT occurred_at, sealed FROM lead_change WHERE lead_id = ?", lead_id).fetchall()
        return [(at, person.open_json(sealed)) for at, sealed in rows if sealed]


def _fold(changes: Iterable[Change], moment: int) -> tuple[dict[str, FieldValue], dict[str, FieldValue]]:
    """(fields, the tenant's own columns) after every change up to a moment, whatever order they came in."""
    facts: dict[str, FieldValue] = {}
    extra: dict[str, FieldValue] = {}
    marks: dict[str, tuple[int, Any]] = {}
    for at, values in changes:
        if at > moment:
            continue
        for name, value in values.items():
            mark = (at, rank_value(value))
            if name not in marks or marks[name] < mark:
                marks[name] = mark
                (extra if name.startswith("extra.") else facts)[name.removeprefix("extra.")] = value
    return facts, extra
