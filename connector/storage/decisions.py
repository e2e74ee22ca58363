"""Decisions, who holds which lead, and the rotation they move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from peewee import fn

from connector.clock import Clock
from connector.storage.columns import is_id
from connector.storage.db import Database, tuples
from connector.storage.models import Assignment as AssignmentRow
from connector.storage.models import Decision as Row
from connector.storage.models import Rotation as RotationRow
from leads.enums import DecisionOutcome
from leads.results import Decision


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """One allocation as kept. `record` is all that a replay needs."""

    id: int
    lead_id: int
    score_id: int | None
    outcome: DecisionOutcome
    rep_id: str | None
    method: str
    policy_version: str
    because: str
    record: Mapping[str, Any]
    actor: str
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who holds a lead from when to when."""

    id: int
    lead_id: int
    rep_id: str
    decision_id: int
    opened_at: datetime
    accepted_at: datetime | None
    closed_at: datetime | None
    closed_as: str | None


class Decisions:
    """The repository of decisions and assignments. Callers that write hold the transaction and the lead's lock."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    def lock_roster(self) -> None:
        """Let no other decision read load and rotation until this transaction ends. SQLite's write lock does so already."""
        if not self._db.is_sqlite:
            self._db.raw.execute_sql("SELECT pg_advisory_xact_lock(727274)")

    def add(
        self,
        lead_id: int,
        score_id: int | None,
        decision: Decision,
        record: Mapping[str, Any],
        actor: str,
        reason: str | None = None,
    ) -> int:
        """Store a decision; returns its id."""
        row = Row.create(
            lead_id=lead_id,
            score_id=score_id,
            outcome=decision.outcome.value,
            rep_id=int(decision.rep_id) if decision.rep_id else None,
            method=decision.method,
            policy_version=decision.policy_version,
            because=decision.because,
            record=dict(record),
            actor=actor,
            reason=reason,
            at=decision.at,
        )
        return int(row.id)

    def get(self, decision_id: int) -> StoredDecision | None:
        with self._db.connected():
            row = Row.get_or_none(Row.id == decision_id)
            return _decision(row) if row else None

    def newest(self, lead_id: int) -> StoredDecision | None:
        """The decision that stands."""
        if not is_id(lead_id):
            return None
        with self._db.connected():
            row = Row.select().where(Row.lead_id == lead_id).order_by(Row.id.desc()).first()
            return _decision(row) if row else None

    def of_lead(self, lead_id: int) -> Sequence[StoredDecision]:
        with self._db.connected():
            return [_decision(row) for row in Row.select().where(Row.lead_id == lead_id).order_by(Row.id)]

    def since(self, at: datetime | None, after_id: int, limit: int) -> Sequence[StoredDecision]:
        """Decisions in order of id, for paging."""
        query = Row.select().where(Row.id > after_id).order_by(Row.id).limit(limit)
        if at is not None:
            query = query.where(Row.at >= at)
        with self._db.connected():
            return [_decision(row) for row in query]

    # -- assignments

    def open_assignment(self, lead_id: int) -> Assignment | None:
        with self._db.connected():
            row = AssignmentRow.get_or_none((AssignmentRow.lead_id == lead_id) & AssignmentRow.closed_at.is_null())
            return _assignment(row) if row else None

    def assign(self, lead_id: int, rep_id: str, decision_id: int, at: datetime, closed_as: str = "reassigned") -> None:
        """Give the lead to a rep, closing whatever assignment was open."""
        self.close(lead_id, at, closed_as)
        AssignmentRow.create(lead_id=lead_id, rep_id=int(rep_id), decision_id=decision_id, opened_at=at)

    def close(self, lead_id: int, at: datetime, closed_as: str) -> bool:
        with self._db.transaction():
            query = AssignmentRow.update({AssignmentRow.closed_at: at, AssignmentRow.closed_as: closed_as})
            return bool(query.where((AssignmentRow.lead_id == lead_id) & AssignmentRow.closed_at.is_null()).execute())

    def accept(self, assignment_id: int, at: datetime) -> bool:
        """Mark as accepted; false when it was accepted already or is no longer open."""
        with self._db.transaction():
            query = AssignmentRow.update({AssignmentRow.accepted_at: at}).where(
                (AssignmentRow.id == assignment_id) & AssignmentRow.accepted_at.is_null() & AssignmentRow.closed_at.is_null()
            )
            return bool(query.execute())

    def history(self, lead_id: int) -> Sequence[Assignment]:
        """Everybody who held the lead, in order."""
        with self._db.connected():
            query = AssignmentRow.select().where(AssignmentRow.lead_id == lead_id).order_by(AssignmentRow.id)
            return [_assignment(row) for row in query]

    def open_counts(self) -> dict[str, int]:
        """How many leads each rep holds now."""
        with self._db.connected():
            rows = AssignmentRow.select(AssignmentRow.rep_id, fn.COUNT(AssignmentRow.id)).where(AssignmentRow.closed_at.is_null())
            return {str(rep_id): count for rep_id, count in tuples(rows.group_by(AssignmentRow.rep_id))}

    def moments_since(self, at: datetime) -> dict[str, list[datetime]]:
        """When each rep was given leads since `at`, oldest first: what the hourly, daily and weekly caps count."""
        moments: dict[str, list[datetime]] = {}
        with self._db.connected():
            rows = AssignmentRow.select(AssignmentRow.rep_id, AssignmentRow.opened_at).where(AssignmentRow.opened_at >= at)
            for row in rows.order_by(AssignmentRow.opened_at):
                moments.setdefault(str(row.rep_id), []).append(row.opened_at)
        return moments

    # -- rotation

    def rotation(self, line: str) -> Mapping[str, Any]:
        """The state of a line; empty when it has not begun."""
        row = self._db.locked(RotationRow.select().where(RotationRow.line == line)).first()
        return row.state if row else {}

    def save_rotation(self, line: str, state: Mapping[str, Any]) -> None:
        RotationRow.insert(line=line, state=dict(state)).on_conflict(
            conflict_target=[RotationRow.line], update={RotationRow.state: dict(state)}
        ).execute()

    def counts(self) -> dict[str, int]:
        """How many decisions ended how."""
        with self._db.connected():
            return dict(tuples(Row.select(Row.outcome, fn.COUNT(Row.id)).group_by(Row.outcome)))


def _decision(row: Row) -> StoredDecision:
    return StoredDecision(
        row.id,
        row.lead_id,
        row.score_id,
        DecisionOutcome.read(row.outcome),
        str(row.rep_id) if row.rep_id is not None else None,
        row.method,
        row.policy_version,
        row.because,
        row.record,
        row.actor,
        row.reason,
        row.at,
    )


def _assignment(row: AssignmentRow) -> Assignment:
    return Assignment(
        row.id, row.lead_id, str(row.rep_id), row.decision_id, row.opened_at, row.accepted_at, row.closed_at, row.closed_as
    )
