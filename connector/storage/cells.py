"""Small durable state by name: cursors, leases, and refreshed tokens (sealed)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from connector.clock import Clock
from connector.storage.db import Database
from connector.storage.models import Cell
from connector.storage.spelled import first
from connector.vault import Vault


class Cells:
    """Named values that outlive a process."""

    def __init__(self, db: Database, vault: Vault, clock: Clock) -> None:
        self._db, self._vault, self._clock = db, vault, clock

    def get(self, name: str) -> Any:
        """The value, or None."""
        with self._db.connected():
            row = first(self._db, Cell, "WHERE name = ?", name)
            return row.value if row else None

    def set(self, name: str, value: Any) -> None:
        with self._db.transaction():
            Cell.insert(name=name, value=value).on_conflict(conflict_target=[Cell.name], update={Cell.value: value}).execute()

    def drop(self, name: str) -> None:
        """Forget a value."""
        with self._db.transaction():
            Cell.delete().where(Cell.name == name).execute()

    def lease(self, name: str, holder: str, seconds: float) -> bool:
        """Take or keep a lease: true while `holder` may act under `name` for so many seconds, against all other processes."""
        now = self._clock.now()
        until = now + timedelta(seconds=seconds)
        with self._db.transaction():
            Cell.insert(name=name, value=holder, until=until).on_conflict_ignore().execute()
            taken = (
                Cell.update({Cell.value: holder, Cell.until: until})
                .where((Cell.name == name) & ((Cell.value == holder) | (Cell.until < now)))
                .execute()
            )
            return bool(taken)

    def release(self, name: str, holder: str) -> None:
        """Give a lease back, unless it lapsed and is somebody else's by now."""
        with self._db.transaction():
            Cell.delete().where((Cell.name == name) & (Cell.value == holder)).execute()

    # -- connector.ports.TokenStore
    def load(self, connection: str) -> Mapping[str, Any] | None:
        """The refreshed OAuth tokens of a connection."""
        with self._db.connected():
            row = Cell.get_or_none(Cell.name == f"tokens:{connection}")
            return self._vault.open_json(row.sealed, b"tokens") if row and row.sealed else None

    def save(self, connection: str, tokens: Mapping[str, Any]) -> None:
        sealed = self._vault.seal_json(dict(tokens), b"tokens")
        with self._db.transaction():
            Cell.insert(name=f"tokens:{connection}", sealed=sealed).on_conflict(
                conflict_target=[Cell.name], update={Cell.sealed: sealed}
            ).execute()
