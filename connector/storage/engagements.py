"""Acts around a moment, and the marking of those that no person did."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from connector.clock import from_ms, to_ms
from connector.machines import Act
from connector.storage.db import Database, marks
from leads.enums import EngagementKind

#: Acts looked at around one: a person's mail makes no more within seconds, and a flood is not worth reading.
MOST: Final = 200


class Engagements:
    """The stored acts of leads, as far as telling machines apart needs them. Calls belong into the caller's transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def near(self, lead_id: int, moment: datetime, reach: timedelta) -> dict[int, Act]:
        """Acts of a lead at most `reach` from a moment, by id; those marked as a machine's are among them."""
        found = self._db.run(
            "SELECT id, kind, occurred_at, properties FROM engagement"
            " WHERE lead_id = ? AND occurred_at >= ? AND occurred_at <= ? ORDER BY occurred_at LIMIT ?",
            lead_id, to_ms(moment - reach), to_ms(moment + reach), MOST,
        ).fetchall()  # fmt: skip
        return {act_id: make_act(EngagementKind.read(kind), from_ms(at), _read(told)) for act_id, kind, at, told in found}

    def mark(self, lead_id: int, act_ids: Sequence[int]) -> None:
        """Count these acts no more: they were a machine's. What was counted of the lead before stands for an older version."""
        spelled = f"UPDATE engagement SET machine = ? WHERE id IN ({marks(act_ids)}) AND NOT machine"  # noqa: S608 - marks only
        if self._db.run(spelled, True, *act_ids).rowcount:
            self._db.run("UPDATE lead SET version = version + 1 WHERE id = ?", lead_id)


def make_act(kind: EngagementKind, occurred_at: datetime, properties: object) -> Act:
    """An act as far as its timing matters."""
    told = properties if isinstance(properties, dict) else {}
    message, link = told.get("message_id"), told.get("url")
    return Act(kind, occurred_at, None if message is None else str(message), None if link is None else str(link))


def _read(properties: object) -> object:
    return json.loads(properties) if isinstance(properties, str | bytes) else properties
