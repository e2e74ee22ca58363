"""Leads that ended, as they stood before. A repository of small rows, replaced lead by lead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connector.clock import from_ms, to_ms
from connector.storage.db import Database
from connector.storage.models import Lead as LeadRow
from connector.storage.models import PastLook as Row
from connector.storage.spelled import insert
from leads.enums import EngagementKind, Outcome
from leads.past import PastLook

#: Leads that still are what the looks say of them; the erased, the merged and the reopened are not shown to anybody.
STANDING = """FROM past_look JOIN lead ON lead.id = past_look.lead_id
    WHERE NOT lead.erased AND lead.merged_into IS NULL AND lead.outcome = past_look.outcome"""


class PastLooks:
    def __init__(self, db: Database) -> None:
        self._db = db

    def known(self) -> dict[int, tuple[str, datetime]]:
        """(outcome, end) of each lead whose looks are kept."""
        with self._db.connected():
            found = Row.select(Row.lead_id, Row.outcome, Row.ended_at).distinct()
            return {row.lead_id: (row.outcome, row.ended_at) for row in found}

    def replace(self, lead_id: int, looks: Sequence[PastLook]) -> None:
        """Keep these looks of a lead instead of those that were kept; nothing is kept of one that was erased meanwhile."""
        with self._db.transaction():
            Row.delete().where(Row.lead_id == lead_id).execute()
            erased = LeadRow.select(LeadRow.erased).where(LeadRow.id == lead_id).scalar()
            for look in () if erased else looks:
                values = {
                    "lead_id": lead_id,
                    "as_of": look.as_of,
                    "outcome": look.outcome.value,
                    "ended_at": look.ended_at,
                    "features": dict(look.features),
                    "acts_after": [[kind.value, to_ms(moment)] for kind, moment in look.acts_after],
                }
                insert(self._db, Row, values)

    def drop(self, lead_ids: Sequence[int]) -> None:
        """Forget the looks of these leads."""
        with self._db.transaction():
            Row.delete().where(Row.lead_id.in_(list(lead_ids))).execute()

    def mark(self) -> tuple[int, int]:
        """Changes whenever the looks that stand do."""
        with self._db.connected():
            count, newest = self._db.run(f"SELECT count(*), coalesce(max(past_look.id), 0) {STANDING}").fetchone()
            return int(count), int(newest)

    def all(self) -> list[PastLook]:
        """Every look that stands, those of the leads that ended last first."""
        with self._db.connected():
            ids = [row[0] for row in self._db.run(f"SELECT past_look.id {STANDING}").fetchall()]
            wanted = frozenset(ids)
            rows = [row for row in Row.select().order_by(Row.ended_at.desc(), Row.id) if row.id in wanted]
        return [
            PastLook(
                row.lead_id,
                row.as_of,
                Outcome.read(row.outcome),
                row.ended_at,
                row.features,
                tuple((EngagementKind.read(kind), from_ms(at)) for kind, at in row.acts_after),
            )
            for row in rows
        ]
