"""Which trained models there are and which one is the champion. The files lie in the models folder, one folder a version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.clock import Clock
from connector.errors import Configuration
from connector.storage.db import Database
from connector.storage.models import ModelVersion as Row


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A trained model. `state` is "champion" or "retired"."""

    version: str
    state: str
    metrics: Mapping[str, Any]
    created_at: datetime


class ModelVersions:
    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    def add(self, version: str, metrics: Mapping[str, Any]) -> ModelRecord:
        """Register a model whose files are in place. One that is known, trained once more, gets these figures."""
        with self._db.transaction():
            if not Row.update({Row.metrics: dict(metrics)}).where(Row.version == version).execute():
                Row.create(version=version, state="retired", metrics=dict(metrics), created_at=self._clock.now())
            return _record(Row.get(Row.version == version))

    def promote(self, version: str) -> ModelRecord:
        """Make a version the champion. Raises `Configuration` when there is no such version."""
        with self._db.transaction():
            row = Row.get_or_none(Row.version == version)
            if row is None:
                raise Configuration(f"There is no model {version!r}.", "See `leadswitch models list`.")
            Row.update({Row.state: "retired"}).where(Row.state == "champion").execute()
            Row.update({Row.state: "champion"}).where(Row.version == version).execute()
            return _record(Row.get(Row.version == version))

    def champion(self) -> ModelRecord | None:
        with self._db.connected():
            row = Row.get_or_none(Row.state == "champion")
            return _record(row) if row else None

    def all(self) -> Sequence[ModelRecord]:
        """The newest first."""
        with self._db.connected():
            return [_record(row) for row in Row.select().order_by(Row.id.desc())]


def _record(row: Row) -> ModelRecord:
    return ModelRecord(row.version, row.state, row.metrics, row.created_at)
