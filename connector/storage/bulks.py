"""Many leads to one rep at once, kept from the asking to the deciding, so that two clicks decide it once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.clock import Clock
from connector.storage.columns import is_id
from connector.storage.db import Database
from connector.storage.models import Bulk as Row
from connector.storage.spelled import first, insert, set_where
from connector.vault import Vault

#: What a sealed reason is sealed for.
CONTEXT = b"bulk"


@dataclass(frozen=True, slots=True)
class Bulk:
    """One bulk. `state` is asked, waiting (for somebody's approval), moving, done or declined; `from_rep` holds the leads."""

    id: int
    actor: str
    from_rep: str | None
    rep_id: str
    lead_ids: Sequence[int]
    reason: str
    state: str
    at: datetime


class Bulks:
    def __init__(self, db: Database, vault: Vault, clock: Clock) -> None:
        self._db, self._vault, self._clock = db, vault, clock

    def add(self, actor: str, from_rep: str, rep_id: str, lead_ids: Sequence[int], reason: str) -> int:
        """Keep what was asked for; returns its id."""
        reps = {"from_rep_id": int(from_rep), "rep_id": int(rep_id)}
        asked = {"actor": actor, **reps, "lead_ids": list(lead_ids), "state": "asked"}
        asked |= {"sealed": self._vault.seal_json(reason, CONTEXT) if reason else None}
        return insert(self._db, Row, {**asked, "at": self._clock.now()})

    def get(self, bulk_id: int) -> Bulk | None:
        row = first(self._db, Row, "WHERE id = ?", bulk_id) if is_id(bulk_id) else None
        if row is None:
            return None
        giver = str(row.from_rep_id) if row.from_rep_id is not None else None
        reason = self._vault.open_json(row.sealed, CONTEXT) if row.sealed else ""
        return Bulk(row.id, row.actor, giver, str(row.rep_id), row.lead_ids, reason, row.state, row.at)

    def move(self, bulk_id: int, was: str, to: str, actor: str) -> bool:
        """From one state to the next; false when somebody else was quicker."""
        moved = {"state": to, "decided_by": actor, "decided_at": self._clock.now()}
        return bool(set_where(self._db, Row, moved, "id = ? AND state = ?", bulk_id, was))
