"""The audit trail: append-only, hash-chained, with what concerns a person, and every word that somebody wrote, sealed: under that
person's key where there is one.

Writers only append. One sealer at a time gives rows their place (`seq`) and hash, in segments, so that no writer waits for the
chain. A row's hash covers the sealed bytes, so shredding a person's key leaves the chain whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from connector.clock import Clock, to_ms
from connector.errors import Configuration, Fatal
from connector.storage.db import Database
from connector.storage.models import Audit
from connector.storage.models import Lead as LeadRow
from connector.storage.spelled import insert
from connector.vault import PersonSeal, Vault

GENESIS = "0" * 64
SEGMENT = 1000
#: For what details are sealed that concern no lead, and where in a detail stands what the actor wrote.
CONTEXT, SAID = b"audit", "said"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act: who did what to what, when and why. `reason` is our word for it with what the actor wrote, as far as that can still
    be opened."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    lead_id: int | None
    reason: str | None
    sealed: bool


class AuditTrail:
    """Appends, seals and verifies."""

    def __init__(self, db: Database, vault: Vault, clock: Clock) -> None:
        self._db, self._vault, self._clock = db, vault, clock

    def add(
        self,
        actor: str,
        action: str,
        subject: str,
        *,
        lead_id: int | None = None,
        reason: str | None = None,
        said: str = "",
        detail: Mapping[str, Any] | None = None,
        person: PersonSeal | None = None,
    ) -> None:
        """Append one act within the caller's transaction. `reason` is a word of ours and stands in the clear; what the actor wrote
        (`said`) and `detail` (before, after) are sealed, under `person` when given."""
        sealed: bytes | None = None
        if said:
            detail = {**(detail or {}), SAID: said}
        if detail is not None:
            sealed = person.seal_json(dict(detail)) if person else self._vault.seal_json(dict(detail), CONTEXT)
        with self._db.transaction():
            act = {"actor": actor, "action": action, "subject": subject, "lead_id": lead_id, "reason": reason, "detail": sealed}
            insert(self._db, Audit, {**act, "at": self._clock.now()})

    def seal(self) -> int:
        """Chain up to one segment of rows that have no hash yet; returns how many. Safe to call from several processes."""
        with self._db.transaction():
            if not self._db.is_sqlite:
                self._db.raw.execute_sql("SELECT pg_advisory_xact_lock(727273)")
            last = Audit.select(Audit.seq, Audit.hash).where(Audit.seq.is_null(False)).order_by(Audit.seq.desc()).first()
            seq, previous = (last.seq, last.hash) if last else (0, GENESIS)
            rows = list(Audit.select().where(Audit.hash.is_null()).order_by(Audit.id).limit(SEGMENT))
            for row in rows:
                seq += 1
                previous = _link(previous, row)
                Audit.update({Audit.seq: seq, Audit.hash: previous}).where(Audit.id == row.id).execute()
            return len(rows)

    def verify(self) -> tuple[int, int | None]:
        """Walk the chain: how many rows hold, and the id of the first that does not (None when all do)."""
        with self._db.connected():
            previous, count = GENESIS, 0
            for row in Audit.select().where(Audit.seq.is_null(False)).order_by(Audit.seq).iterator():
                if row.seq != count + 1 or row.hash != _link(previous, row):
                    return count, row.id
                previous, count = row.hash, count + 1
            return count, None

    def entries(self, *, lead_id: int | None = None, limit: int = 100) -> Iterator[AuditEntry]:
        """The newest acts first."""
        with self._db.connected():
            query = Audit.select().order_by(Audit.id.desc()).limit(limit)
            if lead_id is not None:
                query = query.where(Audit.lead_id == lead_id)
            found = list(query)
            leads = {row.lead_id for row in found if row.lead_id is not None}
            keys = {row.id: row.data_key for row in LeadRow.select(LeadRow.id, LeadRow.data_key).where(LeadRow.id.in_(leads))}
        for row in found:
            reason = ": ".join(filter(None, (row.reason, self._said(row, keys.get(row.lead_id or 0)))))
            yield AuditEntry(row.id, row.at, row.actor, row.action, row.subject, row.lead_id, reason or None, row.hash is not None)

    def _said(self, row: Audit, data_key: bytes | None) -> str:
        """What the actor wrote; nothing once the person's key is shredded."""
        if not row.detail:
            return ""
        openers: list[Callable[[bytes], Any]] = [partial(self._vault.open_json, context=CONTEXT)]
        if data_key:
            openers.insert(0, self._vault.person(data_key).open_json)
        for opened in openers:
            try:
                return str(opened(row.detail).get(SAID) or "")
            except (Fatal, Configuration):
                continue  # sealed under the other key, or under one that is no more
        return ""


def _link(previous: str, row: Audit) -> str:
    detail = hashlib.sha256(row.detail).hexdigest() if row.detail else ""
    content = [previous, row.id, to_ms(row.at), row.actor, row.action, row.subject, row.lead_id, row.reason, detail]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()
