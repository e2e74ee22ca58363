"""How a lead stood at a moment: the one input of the features, for serving, training and replay alike."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from connector.clock import from_ms, to_ms
from connector.storage.db import Database, marks
from connector.storage.facts import EXTRA, Facts, rank_value
from connector.storage.models import Engagement as EngagementRow
from connector.storage.models import Lead as LeadRow
from connector.storage.signals import Signals
from connector.storage.spelled import first, rows
from connector.vault import PersonSeal, Vault
from leads.enums import EngagementKind, Outcome
from leads.records import Engagement, FieldValue, LeadHistory
from scoring.timeline import MOST_ACTS

#: A change as opened: (moment in ms, field → value).
Change = tuple[int, Mapping[str, FieldValue]]
KINDS = {kind.value: kind for kind in EngagementKind}
NO_PROPERTIES: Mapping[str, FieldValue] = {}
ACTS = "SELECT lead_id, kind, occurred_at, machine, properties, sealed FROM engagement WHERE"
#: The newest MOST_ACTS acts up to a moment, and those of the same moment as the oldest of them.
NEWEST_ACTS = (
    ACTS + " lead_id = ? AND occurred_at <= ? AND occurred_at >= COALESCE((SELECT occurred_at FROM engagement"  # noqa: S608
    " WHERE lead_id = ? AND occurred_at <= ? ORDER BY occurred_at DESC LIMIT 1 OFFSET ?), 0) ORDER BY occurred_at, kind, event_key"
)


class Histories:
    """Reads leads as they stood."""

    def __init__(self, db: Database, vault: Vault, signals: Signals) -> None:
        self._db, self._vault, self._signals = db, vault, signals

    def at(self, lead_id: int, as_of: datetime) -> LeadHistory | None:
        """The lead at `as_of`; None when it is not there or erased."""
        with self._db.connected():
            row = first(self._db, LeadRow, "WHERE id = ?", lead_id)
            if row is None or row.erased:
                return None
            moment = to_ms(as_of)
            acts = self._db.run(NEWEST_ACTS, lead_id, moment, lead_id, moment, MOST_ACTS - 1).fetchall()
            return self._stood([row], acts, as_of)[0]

    def at_many(self, lead_ids: Sequence[int], as_of: datetime) -> list[LeadHistory]:
        """These leads at `as_of`, read in four statements however many they are; those not there or erased are left out."""
        if not lead_ids:
            return []
        with self._db.connected():
            found = rows(self._db, LeadRow, f"WHERE id IN ({marks(lead_ids)}) AND NOT erased ORDER BY id", *lead_ids)
            acts = f"{ACTS} lead_id IN ({marks(lead_ids)}) AND occurred_at <= ? ORDER BY lead_id, occurred_at, kind, event_key"
            return self._stood(found, self._db.run(acts, *lead_ids, to_ms(as_of)).fetchall(), as_of)

    def at_each(self, lead_id: int, moments: Sequence[datetime]) -> list[LeadHistory]:
        """The lead at each of these moments, read once; empty when it is not there or erased."""
        with self._db.connected():
            row = first(self._db, LeadRow, "WHERE id = ?", lead_id)
            if row is None or row.erased:
                return []
            opened = _Opened(row, self._vault)
            changes = self._changes(row.id, opened.person)
            acts = [
                opened.act(*act)
                for _, *act in self._db.run(f"{ACTS} lead_id = ? ORDER BY occurred_at, kind, event_key", lead_id).fetchall()
            ]
            stood = [_fold(changes, to_ms(as_of)) for as_of in moments]
            signals = self._signals.of([(facts, as_of) for (facts, _), as_of in zip(stood, moments, strict=True)])
        return [
            LeadHistory(
                row.id, row.created_at, as_of, facts, tuple(act for act in acts if act.occurred_at <= as_of), extra, signals[place]
            )
            for place, (as_of, (facts, extra)) in enumerate(zip(moments, stood, strict=True))
        ]

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
        row = first(self._db, EngagementRow, "WHERE lead_id = ? AND NOT machine ORDER BY occurred_at DESC", lead_id)
        return Engagement(EngagementKind.read(row.kind), row.occurred_at, False, row.properties) if row else None

    def _stood(self, found: Sequence[LeadRow], acts: Sequence[Sequence[Any]], as_of: datetime) -> list[LeadHistory]:
        """Rows and acts, oldest first, put together."""
        moment = to_ms(as_of)
        opened = {row.id: _Opened(row, self._vault) for row in found}
        theirs: dict[int, list[Engagement]] = {lead_id: [] for lead_id in opened}
        for lead_id, *act in acts:
            if lead_id in opened:  # not one of an erased lead
                theirs[lead_id].append(opened[lead_id].act(*act))
        stood = [self._facts(opened[row.id], row, moment) for row in found]
        signals = self._signals.of([(facts, as_of) for facts, _ in stood])
        return [
            LeadHistory(row.id, row.created_at, as_of, facts, tuple(theirs[row.id]), extra, signals[place])
            for place, (row, (facts, extra)) in enumerate(zip(found, stood, strict=True))
        ]

    def _facts(self, opened: _Opened, row: LeadRow, moment: int) -> tuple[dict[str, FieldValue], dict[str, FieldValue]]:
        if max(row.field_times.values(), default=moment) <= moment:  # as it stands now: what serving asks
            known = Facts.of(row, self._vault)
            return known.fields(), known.extra()
        return _fold(self._changes(row.id, opened.person), moment)

    def _changes(self, lead_id: int, person: PersonSeal) -> list[Change]:
        found = self._db.run("SELECT occurred_at, sealed FROM lead_change WHERE lead_id = ?", lead_id).fetchall()
        return [(at, person.open_json(sealed)) for at, sealed in found if sealed]


class _Opened:
    """Reads the acts of one lead; the person's key is unwrapped only when something sealed is met."""

    def __init__(self, row: LeadRow, vault: Vault) -> None:
        self._row, self._vault = row, vault

    @cached_property
    def person(self) -> PersonSeal:
        return self._vault.person(self._row.data_key)

    def act(self, kind: str, at: int, machine: Any, properties: str, sealed: Any) -> Engagement:
        return Engagement(
            KINDS.get(kind, EngagementKind.UNKNOWN),
            from_ms(at),
            bool(machine),
            NO_PROPERTIES if properties == "{}" else json.loads(properties),
            self.person.open_json(sealed) if sealed else None,
        )


def _fold(changes: Iterable[Change], moment: int) -> tuple[dict[str, FieldValue], dict[str, FieldValue]]:
    """(fields, the tenant's own columns) after every change up to a moment, whatever order they came in."""
    facts: dict[str, FieldValue] = {}
    extra: dict[str, FieldValue] = {}
    newest: dict[str, tuple[int, Any]] = {}
    for at, values in changes:
        if at > moment:
            continue
        for name, value in values.items():
            mark = (at, rank_value(value))
            if name not in newest or newest[name] < mark:
                newest[name] = mark
                (extra if name.startswith(EXTRA) else facts)[name.removeprefix(EXTRA)] = value
    return facts, extra
