"""What we last wrote to each CRM field, so that the CRM's notice of it is known for an echo."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from connector.clock import Clock, to_ms
from connector.storage.db import Database
from connector.storage.models import Written
from connector.storage.spelled import rows, upsert
from connector.vault import Vault
from leads.records import FieldValue

ECHO_WINDOW = timedelta(minutes=30)
#: The canonical fields that we write; a change of any other is never an echo.
NOTED = frozenset({"owner_id", "lifecycle_stage"})


class Echoes:
    """A ledger of our writes, values kept as keyed tokens only."""

    def __init__(self, db: Database, vault: Vault, clock: Clock) -> None:
        self._db, self._vault, self._clock = db, vault, clock

    def note(self, connection: str, external_id: str, values: Mapping[str, FieldValue]) -> None:
        """Remember what is about to be written."""
        now = self._clock.now()
        with self._db.transaction():
            for name, value in values.items():
                token = self._vault.index(name, str(value))
                note = {"connection": connection, "external_id": external_id, "field": name, "token": token, "at": now}
                upsert(self._db, Written, note, key=("connection", "external_id", "field"))

    def is_echo(self, connection: str, external_id: str, values: Mapping[str, FieldValue]) -> bool:
        """True when every given field holds what we wrote there within the window."""
        if not values or not set(values) <= NOTED:
            return False
        since = to_ms(self._clock.now() - ECHO_WINDOW)
        known = rows(self._db, Written, "WHERE connection = ? AND external_id = ? AND at >= ?", connection, external_id, since)
        ours = {row.field: row.token for row in known}
        return all(ours.get(name) == self._vault.index(name, str(value)) for name, value in values.items())
