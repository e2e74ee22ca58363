"""How far a card's thread has told what happened to its lead, and what there is to tell since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.storage.db import Database
from connector.storage.models import Audit as AuditRow
from connector.storage.models import Engagement as EngagementRow
from connector.storage.models import Thread as ThreadRow
from connector.storage.spelled import Row, first, rows, upsert
from leads.enums import EngagementKind

#: Rows that one statement reads.
PAGE = 200


@dataclass(frozen=True, slots=True)
class Told:
    """Up to which engagement and which audited act a thread has told."""

    engagement_id: int = 0
    audit_id: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to tell: an engagement by its kind, or an audited act by its action and actor."""

    at: datetime
    engagement: EngagementKind | None = None
    action: str = ""
    actor: str = ""


class Threads:
    def __init__(self, db: Database) -> None:
        self._db = db

    def told(self, lead_id: int, destination: str) -> Told | None:
        """How far the thread is; None for one that has not begun."""
        row = first(self._db, ThreadRow, "WHERE lead_id = ? AND destination = ?", lead_id, destination)
        return Told(row.engagement_id, row.audit_id) if row else None

    def save(self, lead_id: int, destination: str, told: Told) -> None:
        with self._db.transaction():
            place = {"lead_id": lead_id, "destination": destination}
            far = {"engagement_id": told.engagement_id, "audit_id": told.audit_id}
            upsert(self._db, ThreadRow, {**place, **far}, ("lead_id", "destination"))

    def since(self, lead_id: int, told: Told, after: datetime | None, actions: Sequence[str]) -> tuple[list[Event], Told]:
        """What happened since, in order of its moments, with how far that goes. `after` leaves out what is older than the card.

        Acts of machines are left out: a scanner that opened an e-mail is nobody.
        """
        events: list[Event] = []
        engagement_id, audit_id = told.engagement_id, told.audit_id
        for act in self._beyond(EngagementRow, lead_id, engagement_id):
            engagement_id = act.id
            if not act.machine:
                events.append(Event(act.occurred_at, EngagementKind.read(act.kind)))
        for deed in self._beyond(AuditRow, lead_id, audit_id):
            audit_id = deed.id
            if deed.action in actions:
                events.append(Event(deed.at, None, deed.action, deed.actor))
        kept = [event for event in events if after is None or event.at > after]
        return sorted(kept, key=lambda event: event.at), Told(engagement_id, audit_id)

    def _beyond(self, table: type[Row], lead_id: int, last: int) -> Iterator[Row]:
        """All rows of a lead after the id `last`, a page at a time. What is told must be all there is: the rest would come late and
        out of order."""
        while True:
            page = rows(self._db, table, f"WHERE lead_id = ? AND id > ? ORDER BY id LIMIT {PAGE}", lead_id, last)
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1].__data__["id"]
