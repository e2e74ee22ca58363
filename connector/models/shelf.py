"""The champion model in memory: loaded once, exchanged when another is promoted, kept when the new one cannot be read."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from connector.clock import Clock
from connector.storage.model_versions import ModelVersions

if TYPE_CHECKING:
    from scoring.bundle import Bundle

log = structlog.get_logger(__name__)

LOOK_EVERY = timedelta(seconds=5)


class ModelShelf:
    """Where scoring finds its model. `fault` says why the promoted one is not the one that serves, when that is so."""

    def __init__(self, versions: ModelVersions, folder: Path, clock: Clock) -> None:
        self._versions, self._folder, self._clock = versions, folder, clock
        self._lock = threading.Lock()
        self._bundle: Bundle | None = None
        self._looked_at: datetime | None = None
        self.fault: str | None = None

    def champion(self) -> Bundle | None:
        """The model that serves; None on day one, when rules score."""
        now = self._clock.now()
        with self._lock:
            if self._looked_at is None or now - self._looked_at >= LOOK_EVERY:
                self._looked_at = now
                self._look()
            return self._bundle

    def path(self, version: str) -> Path:
        """The folder of a version."""
        return self._folder / version

    def _look(self) -> None:
        record = self._versions.champion()
        if record is None or (self._bundle is not None and self._bundle.version == record.version):
            self.fault = None
            return
        from scoring.bundle import Bundle  # with its numerics: web and clock never need them

        try:
            self._bundle = Bundle.load(self.path(record.version))
            self.fault = None
        except (ValueError, OSError) as error:
            serving = self._bundle.version if self._bundle else "rules"
            self.fault = f"Model {record.version} cannot be read ({error}); {serving} scores meanwhile."
            log.error("model not loaded", version=record.version, serving=serving, error=str(error))
