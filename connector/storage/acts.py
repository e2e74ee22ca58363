"""What each person did last, with the state before and after it: what `undo` takes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.clock import Clock
from connector.storage.db import Database
from connector.storage.models import Act as Row
from connector.storage.spelled import first, insert, rows, set_where

OPEN = "actor = ? AND undone_at IS NULL"


@dataclass(frozen=True, slots=True)
class Act:
    """One act. `before` and `after` hold ids and settings, never personal data; `bulk_id` joins the acts of one bulk."""

    id: int
    actor: str
    verb: str
    lead_id: int | None
    rep_id: str | None
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    bulk_id: int | None
    at: datetime


class Acts:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    def add(
        self,
        actor: str,
        verb: str,
        *,
        lead_id: int | None = None,
        rep_id: str | None = None,
        before: Mapping[str, Any],
        after: Mapping[str, Any],
        bulk_id: int | None = None,
    ) -> int:
        """Note an act within the caller's transaction; returns its id."""
        act: dict[str, Any] = {"actor": actor, "verb": verb, "lead_id": lead_id, "rep_id": int(rep_id) if rep_id else None}
        act |= {"before": dict(before), "after": dict(after), "bulk_id": bulk_id, "at": self._clock.now()}
        return insert(self._db, Row, act)

    def last(self, actor: str) -> Sequence[Act]:
        """What this person did last and has not undone: one act, or all of one bulk, newest first; empty when there is none."""
        row = first(self._db, Row, f"WHERE {OPEN} ORDER BY id DESC", actor)
        if row is None:
            return ()
        if row.bulk_id is None:
            return (_act(row),)
        return [_act(one) for one in rows(self._db, Row, f"WHERE {OPEN} AND bulk_id = ? ORDER BY id DESC", actor, row.bulk_id)]

    def of_bulk(self, bulk_id: int) -> set[int]:
        """The leads that a bulk has moved, also those that were given back since."""
        return {row.lead_id for row in rows(self._db, Row, "WHERE bulk_id = ?", bulk_id) if row.lead_id is not None}

    def mark_undone(self, act_id: int) -> None:
        set_where(self._db, Row, {"undone_at": self._clock.now()}, "id = ?", act_id)


def _act(row: Row) -> Act:
    rep_id = str(row.rep_id) if row.rep_id is not None else None
    return Act(row.id, row.actor, row.verb, row.lead_id, rep_id, row.before, row.after, row.bulk_id, row.at)
