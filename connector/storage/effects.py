"""The outbox: what is to be done elsewhere, kept in the same transaction as the decision that asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from peewee import fn

from connector import trace
from connector.clock import Clock, from_ms, to_ms
from connector.storage.db import Database, marks, tuples
from connector.storage.models import Effect as Row
from connector.storage.spelled import first, insert, rows, set_where
from leads.enums import EffectKind

#: The receipt of a write that found the receiver as wanted.
EQUAL = "equal"
#: What stands there while it is not known what became of it.
HANDED_OVER = "handed over"
#: How long a worker may hold a row before another takes it as in doubt: longer than any client's time-outs with its quick tries.
LEASE_S = 90.0
#: In the words of the index of open rows: they are few, however many were done.
OPEN = "state IN ('pending', 'sending')"
#: Pending and come due, or held by somebody whose lease has lapsed.
DUE = f"{OPEN} AND ((state = 'pending' AND due_at <= ?) OR (state = 'sending' AND lease_until < ?))"
#: Another of the same kind and subject that is being sent.
BUSY = (
    "SELECT 1 FROM effect o WHERE o.kind = effect.kind AND o.subject = effect.subject AND o.state = 'sending' AND o.id <> effect.id"
)
#: A row that was being sent already comes back in doubt.
TAKE = (
    "in_doubt = CASE WHEN state = 'sending' THEN ? ELSE in_doubt END, state = 'sending', attempts = attempts + 1, lease_until = ?"
)
#: The row, as long as it is held by this claim.
HELD = "id = ? AND state = 'sending' AND lease_until = ?"
#: Done, and not because there was nothing to do.
MADE = "state = 'done' AND (receipt IS NULL OR (receipt <> ? AND receipt NOT LIKE ?))"
UNMADE = ("superseded", "skipped%")


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
    trace_id: str | None = None  # of the event that asked for it
    waiting_since: datetime | None = None  # since when its receiver asks it to wait


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
        wanted: dict[str, Any] = {"kind": kind.value, "destination": destination, "subject": subject, "lead_id": lead_id}
        wanted |= {"payload": dict(payload or {}), "due_at": due_at or now, "created_at": now, "trace_id": trace.current()}
        return bool(insert(self._db, Row, wanted, unless="DO NOTHING"))

    def hasten(self, kind: EffectKind, subject: str) -> None:
        """Let a pending row be sent now, whatever it waits for, within the caller's transaction."""
        now = self._clock.now()
        waiting = "kind = ? AND subject = ? AND state = 'pending' AND due_at > ?"
        set_where(self._db, Row, {"due_at": now}, waiting, kind.value, subject, to_ms(now))

    def move(self, kind: EffectKind, subject: str, due_at: datetime) -> None:
        """Let a pending row be sent at another moment, within the caller's transaction."""
        set_where(self._db, Row, {"due_at": due_at}, "kind = ? AND subject = ? AND state = 'pending'", kind.value, subject)

    def claim(self, destination: str, limit: int = 1) -> list[Effect]:
        """Take due rows of a destination for sending, oldest first. A row whose holder died comes back in doubt.

        A row waits while another of its kind and subject is being sent, so that one card or record is never written twice at once.
        """
        now = self._clock.now()
        if not self._ids(destination, to_ms(now), limit):  # most looks find nothing, and a look needs no turn at writing
            return []
        with self._db.transaction():
            ids = self._ids(destination, to_ms(now), limit, "" if self._db.is_sqlite else "FOR UPDATE SKIP LOCKED")
            if not ids:
                return []
            taken = f"UPDATE effect SET {TAKE} WHERE id IN ({marks(ids)})"  # noqa: S608 - marks only
            self._db.run(taken, True, to_ms(now + timedelta(seconds=LEASE_S)), *ids)
            return [_effect(row) for row in rows(self._db, Row, f"WHERE id IN ({marks(ids)}) ORDER BY due_at, id", *ids)]

    def _ids(self, destination: str, now: int, limit: int, lock: str = "") -> list[int]:
        """Rows that may be sent now, oldest first."""
        chosen = f"SELECT id FROM effect WHERE destination = ? AND {DUE} AND NOT EXISTS ({BUSY}) ORDER BY due_at, id LIMIT ? {lock}"  # noqa: S608
        with self._db.connected():
            return [found for (found,) in self._db.run(chosen, destination, now, now, limit).fetchall()]

    def renew(self, effects: Sequence[Effect]) -> list[Effect]:
        """Lengthen the lease just before sending; leaves out rows that lapsed and were taken by another meanwhile."""
        until = self._clock.now() + timedelta(seconds=LEASE_S)
        with self._db.transaction():
            held = [effect for effect in effects if set_where(self._db, Row, {"lease_until": until}, HELD, *_claim(effect))]
        return [replace(effect, lease_until=from_ms(to_ms(until))) for effect in held]

    def hand_over(self, effect: Effect) -> None:
        """Mark that the effect is about to be handed to a receiver that cannot be asked for it afterwards."""
        set_where(self._db, Row, {"receipt": HANDED_OVER}, HELD, *_claim(effect))

    def take_back(self, effect: Effect) -> None:
        """The receiver said that it did not take it."""
        set_where(self._db, Row, {"receipt": None}, HELD, *_claim(effect))

    def was_handed_over(self, effect: Effect) -> bool:
        """Whether an earlier try came as far as that."""
        row = first(self._db, Row, "WHERE id = ?", effect.id)
        return row is not None and row.receipt == HANDED_OVER

    def finish(self, effect: Effect, receipt: str | None = None) -> None:
        """The effect is there. Like every end of a claim, it counts only while the row is still held by it."""
        with self._db.transaction():
            done = {"state": "done", "done_at": self._clock.now(), "receipt": receipt, "error": None}
            set_where(self._db, Row, done, HELD, *_claim(effect))

    def put_back(
        self,
        effect: Effect,
        delay_s: float,
        error: str,
        *,
        counted: bool,
        in_doubt: bool = False,
        waiting_since: datetime | None = None,
    ) -> None:
        """Pending again after `delay_s`. When an equal row was asked for meanwhile, that one stands for both. `waiting_since`: the
        receiver has asked for patience since then."""
        with self._db.transaction():
            if not self._db.is_sqlite:  # against an equal row that is being asked for at this moment
                self._db.run("SELECT pg_advisory_xact_lock(727275, hashtext(?))", f"{effect.kind.value}:{effect.subject}")
            newer = Row.get_or_none(
                (Row.kind == effect.kind.value) & (Row.subject == effect.subject) & (Row.state == "pending") & (Row.id != effect.id)
            )
            doubt = in_doubt or effect.in_doubt
            due = self._clock.now() + timedelta(seconds=delay_s)
            if newer is not None:
                both = {Row.in_doubt: doubt or newer.in_doubt, Row.due_at: due, Row.waiting_since: waiting_since}
                Row.update(both).where(Row.id == newer.id).execute()
                over = {"state": "done", "receipt": "superseded", "done_at": self._clock.now()}
                set_where(self._db, Row, over, HELD, *_claim(effect))
                return
            attempts = effect.attempts if counted else effect.attempts - 1
            again = {"state": "pending", "due_at": due, "error": error[:500], "in_doubt": doubt, "attempts": attempts}
            again |= {"waiting_since": waiting_since}
            set_where(self._db, Row, again, HELD, *_claim(effect))

    def bury(self, effect: Effect, error: str) -> None:
        """Give the row up; the caller writes the dead letter."""
        with self._db.transaction():
            set_where(self._db, Row, {"state": "dead", "error": error[:500]}, HELD, *_claim(effect))

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
        now = to_ms(self._clock.now())
        with self._db.connected():
            due = f"SELECT DISTINCT destination FROM effect WHERE {DUE}"  # noqa: S608
            return [destination for (destination,) in self._db.run(due, now, now).fetchall()]

    def counts(self) -> dict[tuple[str, str], int]:
        """How many rows are open by (destination, state)."""
        with self._db.connected():
            rows = Row.select(Row.destination, Row.state, fn.COUNT(Row.id)).where(Row.state.in_(["pending", "sending", "dead"]))
            return {(destination, state): count for destination, state, count in tuples(rows.group_by(Row.destination, Row.state))}

    def on_its_way(self) -> dict[str, int]:
        """How many rows are open by destination, without the views of App Home, which show this number."""
        counted = f"SELECT destination, COUNT(*) FROM effect WHERE {OPEN} AND kind <> ? GROUP BY destination ORDER BY destination"  # noqa: S608
        with self._db.connected():
            return {place: int(count) for place, count in self._db.run(counted, EffectKind.SLACK_HOME.value).fetchall()}

    def done_since(self, kind: EffectKind, lead_id: int, seconds: float) -> int:
        """How often this was done to a lead lately; the loop breaker asks."""
        since = to_ms(self._clock.now() - timedelta(seconds=seconds))
        with self._db.connected():
            count = f"SELECT COUNT(*) FROM effect WHERE lead_id = ? AND kind = ? AND done_at >= ? AND {MADE}"  # noqa: S608
            return int(self._db.run(count, lead_id, kind.value, since, *UNMADE).fetchone()[0])

    def is_open(self, kind: EffectKind, lead_id: int) -> bool:
        """Whether such an effect of a lead is still on its way."""
        with self._db.connected():
            on_its_way = (Row.lead_id == lead_id) & (Row.kind == kind.value) & Row.state.in_(["pending", "sending"])
            return bool(Row.select().where(on_its_way).exists())

    def receipt(self, kind: EffectKind, subject: str) -> str | None:
        """The receiver's id of what an earlier row of this kind and subject made."""
        known = f"WHERE kind = ? AND subject = ? AND receipt IS NOT NULL AND {MADE} ORDER BY id DESC"
        row = first(self._db, Row, known, kind.value, subject, *UNMADE)
        return str(row.receipt) if row else None

    def open_for(self, kind: EffectKind, place: str, most: int) -> list[Effect]:
        """Rows of a kind on their way whose payload names this destination, oldest first."""
        found = rows(self._db, Row, f"WHERE {OPEN} AND kind = ? ORDER BY id", kind.value)
        return [_effect(row) for row in found if row.payload.get("destination") == place][:most]

    def of_lead(self, lead_id: int) -> list[Effect]:
        with self._db.connected():
            return [_effect(row) for row in Row.select().where(Row.lead_id == lead_id).order_by(Row.id)]

    def get(self, effect_id: int) -> Effect | None:
        with self._db.connected():
            row = Row.get_or_none(Row.id == effect_id)
            return _effect(row) if row else None


def _claim(effect: Effect) -> tuple[Any, ...]:
    """The values of `HELD`."""
    return effect.id, to_ms(effect.lease_until) if effect.lease_until else None


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
        row.trace_id,
        row.waiting_since,
    )
