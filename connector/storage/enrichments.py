"""Which leads wait to be enriched, and what was found of whom: sealed, under a keyed token of the address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connector.clock import Clock, to_ms
from connector.storage.db import Database
from connector.storage.models import Enriched as CacheRow
from connector.storage.models import Enrichment as Row
from connector.storage.spelled import first, insert, rows, set_where, upsert
from connector.vault import Vault
from leads.records import FieldValue

CONTEXT: Final = b"enriched"
#: How long somebody may ask: longer than the client's time-outs with its quick tries.
LEASE_S: Final = 90.0
#: By so much the clocks of two machines may differ.
SKEW_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Enrichment:
    """One lead's. `state` is pending, done, unknown (the service does not know them) or failed."""

    lead_id: int
    state: str
    asked_at: datetime
    hold_until: datetime
    tries: int


class Enrichments:
    """The repository of what waits and of what is known."""

    def __init__(self, db: Database, vault: Vault, clock: Clock) -> None:
        self._db, self._vault, self._clock = db, vault, clock

    def ask(self, lead_id: int, hold_s: float) -> bool:
        """Let a new lead wait to be enriched, within the caller's transaction; false when it was asked for before."""
        now = self._clock.now()
        told = {
            "lead_id": lead_id,
            "state": "pending",
            "asked_at": now,
            "hold_until": now + timedelta(seconds=hold_s),
            "due_at": now,
        }
        return bool(insert(self._db, Row, told, unless="(lead_id) DO NOTHING"))

    def get(self, lead_id: int) -> Enrichment | None:
        row = first(self._db, Row, "WHERE lead_id = ?", lead_id)
        return Enrichment(row.lead_id, row.state, row.asked_at, row.hold_until, row.tries) if row else None

    def take(self, lead_id: int) -> Enrichment | None:
        """Take a lead that is due to be asked about, so that nobody else asks meanwhile; None when somebody does or nobody has
        to. One whose holder died is due again when the lease is over."""
        now = self._clock.now()
        until, due = to_ms(now + timedelta(seconds=LEASE_S)), to_ms(now + timedelta(seconds=SKEW_S))
        with self._db.transaction():
            taken = "UPDATE enrichment SET due_at = ? WHERE lead_id = ? AND state = 'pending' AND due_at <= ?"
            return self.get(lead_id) if self._db.run(taken, until, lead_id, due).rowcount else None

    def holds(self, lead_id: int) -> bool:
        """Whether the lead's first score waits for it now."""
        found = self.get(lead_id)
        return found is not None and found.state == "pending" and self._clock.now() < found.hold_until

    def put_off(self, lead_id: int, seconds: float, *, tried: bool) -> None:
        """Ask again later."""
        later = self._clock.now() + timedelta(seconds=seconds)
        counted = "tries = tries + 1" if tried else "tries = tries"
        with self._db.transaction():
            self._db.run(f"UPDATE enrichment SET due_at = ?, {counted} WHERE lead_id = ?", to_ms(later), lead_id)  # noqa: S608

    def settle(self, lead_id: int, state: str, error: str | None = None) -> None:
        """Note what came of it."""
        set_where(self._db, Row, {"state": state, "done_at": self._clock.now(), "error": error}, "lead_id = ?", lead_id)

    def due(self, older_than: datetime, limit: int) -> list[int]:
        """Leads whose bell was missed, or whose next try has come."""
        found = rows(self._db, Row, "WHERE state = 'pending' AND due_at <= ? ORDER BY due_at LIMIT ?", to_ms(older_than), limit)
        return [row.lead_id for row in found]

    def counts(self) -> dict[str, int]:
        with self._db.connected():
            return dict(self._db.run("SELECT state, COUNT(*) FROM enrichment GROUP BY state").fetchall())

    # -- what is known of whom

    def known(self, email: str, since: datetime) -> Mapping[str, FieldValue] | None:
        """What was found of this address since a moment (empty: nobody was); None when it was not asked for."""
        row = first(self._db, CacheRow, "WHERE token = ? AND at >= ?", self._token(email), to_ms(since))
        if row is None:
            return None
        found: Mapping[str, FieldValue] = self._vault.open_json(row.sealed, CONTEXT)
        return found

    def remember(self, email: str, found: Mapping[str, FieldValue]) -> None:
        """Keep what was found of an address."""
        with self._db.transaction():
            sealed = self._vault.seal_json(dict(found), CONTEXT)
            upsert(self._db, CacheRow, {"token": self._token(email), "sealed": sealed, "at": self._clock.now()}, ("token",))

    def forget_old(self, before: datetime) -> int:
        """Forget what was found before a moment; returns how many."""
        with self._db.transaction():
            return int(self._db.run("DELETE FROM enriched WHERE at < ?", to_ms(before)).rowcount)

    def _token(self, email: str) -> str:
        return self._vault.index("email", email)
