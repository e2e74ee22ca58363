"""Published policies: who put which one in force, when and why. The newest one holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.clock import Clock
from connector.storage.db import Database
from connector.storage.models import PublishedPolicy as Row
from connector.storage.spelled import first, insert, rows


@dataclass(frozen=True, slots=True)
class Published:
    """One publishing. `text` is the file as it was; `version` the hash of its content."""

    id: int
    version: str
    name: str
    text: str
    actor: str
    reason: str
    at: datetime


class Policies:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    def publish(self, version: str, name: str, text: str, actor: str, reason: str) -> None:
        """Put a checked policy in force."""
        told = {"version": version, "name": name[:200], "text": text, "actor": actor, "reason": reason, "at": self._clock.now()}
        with self._db.transaction():
            insert(self._db, Row, told)

    def newest_id(self) -> int:
        """The number of the newest publishing, 0 before the first: cheap to ask."""
        with self._db.connected():
            return int(self._db.run("SELECT COALESCE(MAX(id), 0) FROM published_policy").fetchone()[0])

    def newest(self) -> Published | None:
        """The policy that holds, when one was published."""
        row = first(self._db, Row, "ORDER BY id DESC")
        return _published(row) if row else None

    def find(self, version: str) -> Published | None:
        """The newest publishing of the policy whose version begins so."""
        for row in rows(self._db, Row, "ORDER BY id DESC"):
            if version and row.version.startswith(version):
                return _published(row)
        return None

    def history(self) -> list[Published]:
        """Every publishing, the newest first."""
        return [_published(row) for row in rows(self._db, Row, "ORDER BY id DESC")]


def _published(row: Row) -> Published:
    return Published(row.id, row.version, row.name, row.text, row.actor, row.reason, row.at)
