"""Where the one message about a lead stands in each destination."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.storage.db import Database
from connector.storage.models import Assignment as AssignmentRow
from connector.storage.models import Card as CardRow


@dataclass(frozen=True, slots=True)
class Card:
    """A posted message. `digest` is a hash of what it shows, so that an unchanged card is not sent again."""

    lead_id: int
    destination: str
    channel: str
    ts: str
    digest: str


class Cards:
    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, lead_id: int, destination: str) -> Card | None:
        with self._db.connected():
            row = CardRow.get_or_none((CardRow.lead_id == lead_id) & (CardRow.destination == destination))
            return _card(row) if row else None

    def of_lead(self, lead_id: int) -> Sequence[Card]:
        """Every place where this lead has a card."""
        with self._db.connected():
            return [_card(row) for row in CardRow.select().where(CardRow.lead_id == lead_id).order_by(CardRow.id)]

    def without_card(self, rep_id: str) -> Sequence[int]:
        """Leads the rep holds and was not told of yet, oldest first: what the next digest lists."""
        with self._db.connected():
            carded = CardRow.select(CardRow.lead_id).where(CardRow.destination.in_([f"digest:{rep_id}", f"dm:{rep_id}"]))
            query = AssignmentRow.select(AssignmentRow.lead_id).where(
                (AssignmentRow.rep_id == int(rep_id)) & AssignmentRow.closed_at.is_null() & AssignmentRow.lead_id.not_in(carded)
            )
            return [row.lead_id for row in query.order_by(AssignmentRow.id)]

    def save(self, card: Card) -> None:
        with self._db.transaction():
            CardRow.insert(
                lead_id=card.lead_id, destination=card.destination, channel=card.channel, ts=card.ts, digest=card.digest
            ).on_conflict(
                conflict_target=[CardRow.lead_id, CardRow.destination],
                update={CardRow.channel: card.channel, CardRow.ts: card.ts, CardRow.digest: card.digest},
            ).execute()

    def forget(self, lead_id: int, destination: str) -> None:
        """The message is gone at the receiver."""
        with self._db.transaction():
            CardRow.delete().where((CardRow.lead_id == lead_id) & (CardRow.destination == destination)).execute()


def _card(row: CardRow) -> Card:
    return Card(row.lead_id, row.destination, row.channel, row.ts, row.digest)
