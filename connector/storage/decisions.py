"""Decisions, who holds which lead, and the rotation they move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from peewee import fn

from allocation.rep import Taken
from connector.clock import Clock, to_ms
from connector.storage.columns import is_id
from connector.storage.db import Database, tuples
from connector.storage.models import Assignment as AssignmentRow
from connector.storage.models import Decision as Row
from connector.storage.models import Rotation as RotationRow
from connector.storage.recent_leads import RecentLeads
from connector.storage.spelled import first, insert, rows, set_where, upsert
from leads.enums import DecisionOutcome, Tier
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
    sealed: bytes | None  # what a person wrote for it
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
    contacted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What every rep carries: open leads, the same by tier, and when they were given which tier lately. By rep id."""

    open: Mapping[str, int]
    by_tier: Mapping[str, Mapping[Tier, int]]
    recent: Mapping[str, Sequence[Taken]]


class Decisions:
    """The repository of decisions and assignments. Callers that write hold the transaction and the lead's lock."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock
        self._recent = RecentLeads(db)

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
        sealed: bytes | None = None,
    ) -> int:
        """Store a decision; returns its id. `reason` is a word of ours, `sealed` what a person wrote, under the lead's key."""
        values = {
            "lead_id": lead_id,
            "score_id": score_id,
            "outcome": decision.outcome.value,
            "rep_id": int(decision.rep_id) if decision.rep_id else None,
            "method": decision.method,
            "policy_version": decision.policy_version,
            "because": decision.because,
            "record": dict(record),
            "actor": actor,
            "reason": reason,
            "sealed": sealed,
            "at": decision.at,
        }
        return insert(self._db, Row, values)

    def get(self, decision_id: int) -> StoredDecision | None:
        row = first(self._db, Row, "WHERE id = ?", decision_id)
        return _decision(row) if row else None

    def newest(self, lead_id: int) -> StoredDecision | None:
        """The decision that stands."""
        if not is_id(lead_id):
            return None
        row = first(self._db, Row, "WHERE lead_id = ? ORDER BY id DESC", lead_id)
        return _decision(row) if row else None

    def of_lead(self, lead_id: int) -> Sequence[StoredDecision]:
        return [_decision(row) for row in rows(self._db, Row, "WHERE lead_id = ? ORDER BY id", lead_id)]

    def since(self, at: datetime | None, after_id: int, limit: int) -> Sequence[StoredDecision]:
        """Decisions in order of id, for paging."""
        query = Row.select().where(Row.id > after_id).order_by(Row.id).limit(limit)
        if at is not None:
            query = query.where(Row.at >= at)
        with self._db.connected():
            return [_decision(row) for row in query]

    # -- assignments

    def open_assignment(self, lead_id: int) -> Assignment | None:
        row = first(self._db, AssignmentRow, "WHERE lead_id = ? AND closed_at IS NULL", lead_id)
        return _assignment(row) if row else None

    def assign(self, lead_id: int, rep_id: str, decision_id: int, at: datetime, tier: Tier = Tier.UNKNOWN) -> int:
        """Give the lead to a rep, closing whatever assignment was open; returns the new assignment's id."""
        self.close(lead_id, at, "reassigned")
        self._recent.forget(at)
        held = {"lead_id": lead_id, "rep_id": int(rep_id), "decision_id": decision_id, "opened_at": at, "tier": tier.value}
        return insert(self._db, AssignmentRow, held)

    def close(self, lead_id: int, at: datetime, closed_as: str) -> bool:
        with self._db.transaction():
            ended = {"closed_at": at, "closed_as": closed_as}
            return bool(set_where(self._db, AssignmentRow, ended, "lead_id = ? AND closed_at IS NULL", lead_id))

    def accept(self, assignment_id: int, at: datetime) -> bool:
        """Mark as accepted; false when it was accepted already or is no longer open."""
        with self._db.transaction():
            query = AssignmentRow.update({AssignmentRow.accepted_at: at}).where(
                (AssignmentRow.id == assignment_id) & AssignmentRow.accepted_at.is_null() & AssignmentRow.closed_at.is_null()
            )
            return bool(query.execute())

    def take_back_accept(self, lead_id: int) -> None:
        """The open assignment is not accepted after all."""
        set_where(self._db, AssignmentRow, {"accepted_at": None}, "lead_id = ? AND closed_at IS NULL", lead_id)

    def take_back_contact(self, lead_id: int, at: datetime) -> None:
        """What was noted at this moment as the touch by whoever holds the lead was none after all."""
        noted = "lead_id = ? AND closed_at IS NULL AND contacted_at = ?"
        set_where(self._db, AssignmentRow, {"contacted_at": None}, noted, lead_id, to_ms(at))

    def take_back_pass(self, lead_id: int, rep_id: str) -> None:
        """The rep did not pass the lead after all: it may come to them again."""
        passed = "lead_id = ? AND rep_id = ? AND closed_as = 'passed'"
        set_where(self._db, AssignmentRow, {"closed_as": "undone"}, passed, lead_id, int(rep_id))

    def held_by(self, rep_id: str) -> list[int]:
        """Ids of the leads that a rep holds now, oldest first."""
        held = "SELECT lead_id FROM assignment WHERE rep_id = ? AND closed_at IS NULL ORDER BY opened_at, id"
        with self._db.connected():
            return [lead_id for (lead_id,) in self._db.run(held, int(rep_id)).fetchall()]

    def contacted(self, assignment_id: int, at: datetime) -> bool:
        """Whoever holds the lead has spoken to the person; false when that was known."""
        return bool(set_where(self._db, AssignmentRow, {"contacted_at": at}, "id = ? AND contacted_at IS NULL", assignment_id))

    def history(self, lead_id: int) -> Sequence[Assignment]:
        """Everybody who held the lead, in order."""
        return [_assignment(row) for row in rows(self._db, AssignmentRow, "WHERE lead_id = ? ORDER BY id", lead_id)]

    def open_counts(self) -> dict[str, int]:
        """How many leads each rep holds now."""
        counted = "SELECT rep_id, COUNT(*) FROM assignment WHERE closed_at IS NULL GROUP BY rep_id"
        with self._db.connected():
            return {str(rep_id): count for rep_id, count in self._db.run(counted).fetchall()}

    def load(self, since: datetime) -> Load:
        """What every rep carries now, and was given since `since`, oldest first: what the caps count."""
        counted = "SELECT rep_id, tier, COUNT(*) FROM assignment WHERE closed_at IS NULL GROUP BY rep_id, tier"
        by_tier: dict[str, dict[Tier, int]] = {}
        with self._db.connected():
            for rep_id, tier, count in self._db.run(counted).fetchall():
                by_tier.setdefault(str(rep_id), {})[Tier.read(tier)] = count
        recent = self._recent.given(since, self._clock.now())
        return Load({rep: sum(tiers.values()) for rep, tiers in by_tier.items()}, by_tier, recent)

    def endings(self) -> dict[tuple[str, Tier], tuple[int, int]]:
        """(won, ended) of the leads of each rep and tier."""
        ended = (
            "SELECT rep_id, tier, SUM(CASE WHEN closed_as = 'won' THEN 1 ELSE 0 END), COUNT(*) FROM assignment"
            " WHERE closed_as IN ('won', 'lost') GROUP BY rep_id, tier"
        )
        with self._db.connected():
            return {(str(rep), Tier.read(tier)): (int(won), int(all_)) for rep, tier, won, all_ in self._db.run(ended).fetchall()}

    # -- rotation

    def rotation(self, line: str) -> Mapping[str, Any]:
        """The state of a line; empty when it has not begun."""
        row = first(self._db, RotationRow, "WHERE line = ?", line)  # under the lock of the roster
        return row.state if row else {}

    def save_rotation(self, line: str, state: Mapping[str, Any]) -> None:
        upsert(self._db, RotationRow, {"line": line, "state": dict(state)}, key=("line",))

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
        row.sealed,
        row.at,
    )


def _assignment(row: AssignmentRow) -> Assignment:
    return Assignment(
        row.id,
        row.lead_id,
        str(row.rep_id),
        row.decision_id,
        row.opened_at,
        row.accepted_at,
        row.closed_at,
        row.closed_as,
        row.contacted_at,
    )
