"""The outbox: what is to be done elsewhere, kept in the same transaction as the decision that asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from peewee import Case, fn

from connector.clock import Clock, from_ms, to_ms
from connector.storage.db import Database, tuples
from connector.storage.models import Effect as Row
from leads.enums import EffectKind

#: The receipt of a write that found the receiver as wanted.
EQUAL = "equal"
#: How long a worker may hold a row before another takes it as in doubt: longer than any client's time-outs with its quick tries.
LEASE_S = 90.0


@dataclass(frozen=True, slots=True)
class Effect:
    """One row of the outbox. `destination` is the queue it leaves by; `subject` tells convergent rows of one kind apart."""

    id: int
    kind: EffectKind
    destination: str
    subject: str
    lead_id: int | None
    payload: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 0
    in_doubt: bool = False
    created_at: datetime | None = None
    state: str = "pending"
    error: str | None = None
    lease_until: datetime | None = None  # which claim this is: a row taken by another since has another


class Effects:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    def add(
        self,
        kind: EffectKind,
        destination: str,
        subject: str,
        lead_id: int | None = None,
        payload: Mapping[str, Any] | None = None,
        due_at: datetime | None = None,
    ) -> bool:
        """Ask for an effect within the caller's transaction; false when an equal one is pending already."""
        now = self._clock.now()
        if not self._db.is_sqlite:
            self._db.run("SELECT pg_advisory_xact_lock(727275, hashtext(?))", f"{kind.value}:{subject}")
        query = Row.insert(
            kind=kind.value,
            destination=destination,
            subject=subject,
            lead_id=lead_id,
            payload=dict(payload or {}),
            due_at=due_at or now,
            created_at=now,
        )
        return bool(query.on_conflict_ignore().as_rowcount().execute())

    def claim(self, destination: str, limit: int = 1) -> list[Effect]:
        """Take due rows of a destination for sending, oldest first. A row whose holder died comes back in doubt.

        A row waits while another of its kind and subject is being sent, so that one card or record is never written twice at once.
        """
        now = self._clock.now()
        other = Row.alias()
        busy = other.select(other.id).where(
            (other.kind == Row.kind) & (other.subject == Row.subject) & (other.state == "sending") & (other.id != Row.id)
        )
        due = ((Row.state == "pending") & (Row.due_at <= now)) | ((Row.state == "sending") & (Row.lease_until < now))
        chosen = Row.select(Row.id).where((Row.destination == destination) & due & ~fn.EXISTS(busy))
        chosen = chosen.order_by(Row.due_at, Row.id).limit(limit)
        with self._db.transaction():
            if not self._db.is_sqlite:
                chosen = chosen.for_update(skip_locked=True)
            ids = [row.id for row in chosen]
            if not ids:
                return []
            Row.update(
                {
                    Row.in_doubt: Case(None, [(Row.state == "sending", True)], Row.in_doubt),
                    Row.state: "sending",
                    Row.attempts: Row.attempts + 1,
                    Row.lease_until: now + timedelta(seconds=LEASE_S),
                }
            ).where(Row.id.in_(ids)).execute()
            return [_effect(row) for row in Row.select().where(Row.id.in_(ids)).order_by(Row.due_at, Row.id)]

    def renew(self, effects: Sequence[Effect]) -> list[Effect]:
        """Lengthen the lease just before sending; leaves out rows that lapsed and were taken by another meanwhile."""
        until = self._clock.now() + timedelta(seconds=LEASE_S)
        with self._db.transaction():
            held = [effect for effect in effects if Row.update({Row.lease_until: until}).where(_held(effect)).execute()]
        return [replace(effect, lease_until=from_ms(to_ms(until))) for effect in held]

    def finish(self, effect: Effect, receipt: str | None = None) -> None:
        """The effect is there. Like every end of a claim, it counts only while the row is still held by it."""
        with self._db.transaction():
            Row.update({Row.state: "done", Row.done_at: self._clock.now(), Row.receipt: receipt, Row.error: None}).where(
                _held(effect)
            ).execute()

    def put_back(self, effect: Effect, delay_s: float, error: str, *, counted: bool, in_doubt: bool = False) -> None:
        """Pending again after `delay_s`. When an equal row was asked for meanwhile, that one stands for both."""
        with self._db.transaction():
            if not self._db.is_sqlite:  # against an equal row that is being asked for at this moment
                self._db.run("SELECT pg_advisory_xact_lock(727275, hashtext(?))", f"{effect.kind.value}:{effect.subject}")
            newer = Row.get_or_none(
                (Row.kind == effect.kind.value) & (Row.subject == effect.subject) & (Row.state == "pending") & (Row.id != effect.id)
            )
            doubt = in_doubt or effect.in_doubt
            due = self._clock.now() + timedelta(seconds=delay_s)
            if newer is not None:
                Row.update({Row.in_doubt: doubt or newer.in_doubt, Row.due_at: due}).where(Row.id == newer.id).execute()
                Row.update({Row.state: "done", Row.receipt: "superseded", Row.done_at: self._clock.now()}).where(
                    _held(effect)
                ).execute()
                return
            Row.update(
                {
                    Row.state: "pending",
                    Row.due_at: due,
                    Row.error: error[:500],
                    Row.in_doubt: doubt,
                    Row.attempts: effect.attempts if counted else effect.attempts - 1,
                }
            ).where(_held(effect)).execute()

    def bury(self, effect: Effect, error: str) -> None:
        """Give the row up; the caller writes the dead letter."""
        with self._db.transaction():
            Row.update({Row.state: "dead", Row.error: error[:500]}).where(_held(effect)).execute()

    def revive(self, effect_id: int) -> str | None:
        """Make a dead row pending again, in doubt; returns its destination, or None when it is not dead or an equal one waits."""
        with self._db.transaction():
            row = Row.get_or_none((Row.id == effect_id) & (Row.state == "dead"))
            if row is None:
                return None
            equal = Row.select().where((Row.kind == row.kind) & (Row.subject == row.subject) & (Row.state == "pending"))
            if equal.exists():
                return None
            Row.update({Row.state: "pending", Row.attempts: 0, Row.in_doubt: True, Row.due_at: self._clock.now()}).where(
                Row.id == effect_id
            ).execute()
            return str(row.destination)

    def due_destinations(self) -> list[str]:
        """Destinations with work that is due, or whose holder died."""
        now = self._clock.now()
        with self._db.connected():
            due = ((Row.state == "pending") & (Row.due_at <= now)) | ((Row.state == "sending") & (Row.lease_until < now))
            return [row.destination for row in Row.select(Row.destination).where(due).distinct()]

    def counts(self) -> dict[tuple[str, str], int]:
        """How many rows are open by (destination, state)."""
        with self._db.connected():
            rows = Row.select(Row.destination, Row.state, fn.COUNT(Row.id)).where(Row.state.in_(["pending", "sending", "dead"]))
            return {(destination, state): count for destination, state, count in tuples(rows.group_by(Row.destination, Row.state))}

    def done_since(self, kind: EffectKind, lead_id: int, seconds: float) -> int:
        """How often this was done to a lead lately; the loop breaker asks."""
        since = self._clock.now() - timedelta(seconds=seconds)
        with self._db.connected():
            done = (Row.lead_id == lead_id) & (Row.kind == kind.value) & (Row.state == "done") & (Row.done_at >= since)
            return int(
                Row.select()
                .where(done & (Row.receipt.is_null() | ((Row.receipt != "superseded") & ~Row.receipt.startswith("skipped"))))
                .count()
            )

    def is_open(self, kind: EffectKind, lead_id: int) -> bool:
        """Whether such an effect of a lead is still on its way."""
        with self._db.connected():
            on_its_way = (Row.lead_id == lead_id) & (Row.kind == kind.value) & Row.state.in_(["pending", "sending"])
            return bool(Row.select().where(on_its_way).exists())

    def receipt(self, kind: EffectKind, subject: str) -> str | None:
        """The receiver's id of what an earlier row of this kind and subject made."""
        with self._db.connected():
            made = (Row.kind == kind.value) & (Row.subject == subject) & (Row.state == "done") & Row.receipt.is_null(False)
            rows = Row.select(Row.receipt).where(made & (Row.receipt != "superseded")).order_by(Row.id.desc()).limit(5)
            return next((str(row.receipt) for row in rows if not str(row.receipt).startswith("skipped")), None)

    def of_lead(self, lead_id: int) -> list[Effect]:
        with self._db.connected():
            return [_effect(row) for row in Row.select().where(Row.lead_id == lead_id).order_by(Row.id)]

    def get(self, effect_id: int) -> Effect | None:
        with self._db.connected():
            row = Row.get_or_none(Row.id == effect_id)
            return _effect(row) if row else None


def _held(effect: Effect) -> Any:
    """The row, as long as it is held by this claim."""
    return (Row.id == effect.id) & (Row.state == "sending") & (Row.lease_until == effect.lease_until)


def _effect(row: Row) -> Effect:
    return Effect(
        row.id,
        EffectKind.read(row.kind),
        row.destination,
        row.subject,
        row.lead_id,
        row.payload,
        row.attempts,
        row.in_doubt,
        row.created_at,
        row.state,
        row.error,
        row.lease_until,
    )
