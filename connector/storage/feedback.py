"""What people said of scores and decisions, kept as labels for training and for the allocation errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.clock import Clock
from connector.storage.db import Database
from connector.storage.models import Feedback as Row
from connector.storage.spelled import first, insert, rows, set_where
from connector.vault import PersonSeal
from leads.enums import Outcome


@dataclass(frozen=True, slots=True)
class Said:
    """One piece of feedback. `kind` is wrong_score, passed, override or outcome; `value` its word; `label` what the lead should
    have been scored as, where it says so. The person's own words stay sealed."""

    id: int
    lead_id: int
    score_id: int | None
    decision_id: int | None
    kind: str
    value: str
    label: Outcome | None
    actor: str
    at: datetime


class FeedbackRows:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    def add(
        self,
        lead_id: int,
        kind: str,
        value: str,
        actor: str,
        *,
        score_id: int | None = None,
        decision_id: int | None = None,
        label: Outcome | None = None,
        note: str = "",
        person: PersonSeal | None = None,
    ) -> int:
        """Keep what was said, within the caller's transaction; returns its id. A note about an erased person is not kept."""
        said: dict[str, Any] = {"lead_id": lead_id, "score_id": score_id, "decision_id": decision_id, "kind": kind, "value": value}
        said |= {"label": label.value if label else None, "actor": actor, "at": self._clock.now()}
        said |= {"sealed": person.seal_json(note) if note and person else None}
        return insert(self._db, Row, said)

    def withdraw(self, feedback_id: int) -> None:
        """It was taken back: it teaches nothing and counts for nothing any more."""
        set_where(self._db, Row, {"withdrawn_at": self._clock.now()}, "id = ?", feedback_id)

    def newest(self, lead_id: int, kind: str) -> Said | None:
        """What was last said of this kind about the lead, and stands."""
        row = first(self._db, Row, "WHERE lead_id = ? AND kind = ? AND withdrawn_at IS NULL ORDER BY id DESC", lead_id, kind)
        return _said(row) if row else None

    def of_lead(self, lead_id: int) -> Sequence[Said]:
        """All that was said of a lead and stands, oldest first."""
        return [_said(row) for row in rows(self._db, Row, "WHERE lead_id = ? AND withdrawn_at IS NULL ORDER BY id", lead_id)]

    def labels(self) -> dict[int, Said]:
        """By lead, the newest word that stands on how it should have been scored: what training may learn from where the lead
        has no outcome of its own."""
        standing = rows(self._db, Row, "WHERE label IS NOT NULL AND withdrawn_at IS NULL ORDER BY id")
        return {row.lead_id: _said(row) for row in standing}


def _said(row: Row) -> Said:
    label = Outcome.read(row.label) if row.label else None
    return Said(row.id, row.lead_id, row.score_id, row.decision_id, row.kind, row.value, label, row.actor, row.at)
