"""Where the one message about a lead stands in each destination."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from connector.storage.db import Database, marks
from connector.storage.models import Assignment as AssignmentRow
from connector.storage.models import Card as CardRow
from connector.storage.spelled import first, rows, set_where, upsert

#: What `digest` holds for a lead in a shared message; see `Cards.begin_showing`.
SHOWING, SHOWN = "showing", "shown"


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
        row = first(self._db, CardRow, "WHERE lead_id = ? AND destination = ?", lead_id, destination)
        return _card(row) if row else None

    def of_lead(self, lead_id: int) -> Sequence[Card]:
        """Every place where this lead has a card."""
        return [_card(row) for row in rows(self._db, CardRow, "WHERE lead_id = ? ORDER BY id", lead_id)]

    def without_card(self, rep_id: str) -> Sequence[int]:
        """Leads the rep holds and was not told of yet, oldest first: what the next digest lists."""
        with self._db.connected():
            carded = CardRow.select(CardRow.lead_id).where(CardRow.destination.in_([f"digest:{rep_id}", f"dm:{rep_id}"]))
            query = AssignmentRow.select(AssignmentRow.lead_id).where(
                (AssignmentRow.rep_id == int(rep_id)) & AssignmentRow.closed_at.is_null() & AssignmentRow.lead_id.not_in(carded)
            )
            return [row.lead_id for row in query.order_by(AssignmentRow.id)]

    def posted_since(self, destination: str, moment: datetime) -> int:
        """How many cards were posted to a destination since then. Slack's timestamps are seconds, as text of one width."""
        counted = "SELECT COUNT(*) FROM card WHERE destination = ? AND ts >= ?"
        with self._db.connected():
            return int(self._db.run(counted, destination, f"{moment.timestamp():.6f}").fetchone()[0])

    def newest(self, destination: str) -> Card | None:
        """One of the cards of the newest message in a destination, such as the digest of a rep."""
        row = first(self._db, CardRow, "WHERE destination = ? AND ts <> '' ORDER BY ts DESC, id DESC", destination)
        return _card(row) if row else None

    def sharing(self, destination: str, ts: str) -> Sequence[Card]:
        """The cards of all leads that share the message `ts` of a destination, in the order they came; of "" those in none yet."""
        return [_card(row) for row in rows(self._db, CardRow, "WHERE destination = ? AND ts = ? ORDER BY id", destination, ts)]

    # What a shared message shows of a lead: "" is out of date, SHOWING is being shown, SHOWN stands. A change sets "" again.

    def begin_showing(self, destination: str) -> Sequence[Card]:
        """Cards that their shared message, if they have one, does not show as they are; from now on they are being shown."""
        with self._db.transaction():
            found = rows(self._db, CardRow, "WHERE destination = ? AND digest <> ? ORDER BY id", destination, SHOWN)
            set_where(self._db, CardRow, {"digest": SHOWING}, "destination = ? AND digest <> ?", destination, SHOWN)
            return [_card(row) for row in found]

    def end_showing(self, destination: str, lead_ids: Sequence[int]) -> None:
        """They are shown; not those that changed since it began."""
        if not lead_ids:
            return
        with self._db.transaction():
            those = f"destination = ? AND digest = ? AND lead_id IN ({marks(lead_ids)})"
            set_where(self._db, CardRow, {"digest": SHOWN}, those, destination, SHOWING, *lead_ids)

    def place(self, lead_ids: Sequence[int], destination: str, channel: str, ts: str) -> None:
        """These leads stand in this message of the destination now; in none, when `ts` is empty."""
        if not lead_ids:
            return
        with self._db.transaction():
            those = f"destination = ? AND lead_id IN ({marks(lead_ids)})"
            set_where(self._db, CardRow, {"channel": channel, "ts": ts}, those, destination, *lead_ids)

    def save(self, card: Card) -> None:
        with self._db.transaction():
            upsert(self._db, CardRow, asdict(card), key=("lead_id", "destination"))

    def forget(self, lead_id: int, destination: str) -> None:
        """The message is gone at the receiver."""
        with self._db.transaction():
            CardRow.delete().where((CardRow.lead_id == lead_id) & (CardRow.destination == destination)).execute()


def _card(row: CardRow) -> Card:
    return Card(row.lead_id, row.destination, row.channel, row.ts, row.digest)
