"""How far a card's thread has told what happened to its lead, and what there is to tell since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.storage.db import Database
from connector.storage.models import Audit as AuditRow
from connector.storage.models import Engagement as EngagementRow
from connector.storage.models import Thread as Row
from connector.storage.spelled import first, rows, upsert
from leads.enums import EngagementKind

#: How many events one look reads: a thread merges them anyhow.
LOOK = 200


@dataclass(frozen=True, slots=True)
class Told:
    """Up to which engagement and which audited act a thread has told."""

    engagement_id: int = 0
    audit_id: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to tell: an engagement by its kind, or an audited act by its action, actor and reason."""

    at: datetime
    engagement: EngagementKind | None = None
    action: str = ""
    actor: str = ""
    reason: str | None = None


class Threads:
    def __init__(self, db: Database) -> None:
        self._db = db

    def told(self, lead_id: int, destination: str) -> Told | None:
        """How far the thread is; None for one that has not begun."""
        row = first(self._db, Row, "WHERE lead_id = ? AND destination = ?", lead_id, destination)
        return Told(row.engagement_id, row.audit_id) if row else None

    def save(self, lead_id: int, destination: str, told: Told) -> None:
        with self._db.transaction():
            place = {"lead_id": lead_id, "destination": destination}
            upsert(
                self._db, Row, {**place, "engagement_id": told.engagement_id, "audit_id": told.audit_id}, ("lead_id", "destination")
            )

    def since(self, lead_id: int, told: Told, after: datetime | None, actions: Sequence[str]) -> tuple[list[Event], Told]:
        """What happened since, in order of its moments, with how far that goes. `after` leaves out what is older than the card.

        Acts of machines are left out: a scanner that opened an e-mail is nobody.
        """
        acts = rows(self._db, EngagementRow, f"WHERE lead_id = ? AND id > ? ORDER BY id LIMIT {LOOK}", lead_id, told.engagement_id)
        done = rows(self._db, AuditRow, f"WHERE lead_id = ? AND id > ? ORDER BY id LIMIT {LOOK}", lead_id, told.audit_id)
        events = [Event(row.occurred_at, EngagementKind.read(row.kind)) for row in acts if not row.machine]
        events += [Event(row.at, None, row.action, row.actor, row.reason) for row in done if row.action in actions]
        kept = [event for event in events if after is None or event.at > after]
        upto = Told(max([told.engagement_id, *(row.id for row in acts)]), max([told.audit_id, *(row.id for row in done)]))
        return sorted(kept, key=lambda event: event.at), upto
