"""The entrances of the configured connections, built at first use and kept."""

from __future__ import annotations

from collections.abc import Callable

from connector.ports import Adapter, Receiver
from connector.settings import Settings
from webhooks.doors import build_door
from webhooks.inbound import Entrance
from webhooks.metrics import IntakeMetrics


class Entrances:
    """Finds the entrance of a connection by its name."""

    def __init__(
        self, settings: Settings, adapter: Callable[[str], Adapter], receiver: Callable[[str], Receiver], metrics: IntakeMetrics
    ) -> None:
        self._settings = settings
        self._adapter = adapter
        self._receiver = receiver
        self._metrics = metrics
        self._known: dict[str, Entrance] = {}

    def find(self, connection: str) -> Entrance | None:
        """The entrance, or None when no connection has that name. Raises `Configuration` when it lacks a setting."""
        entrance = self._known.get(connection)
        if entrance is None and connection in self._settings.connections:
            entrance = self._known[connection] = self._build(connection)
        return entrance

    def _build(self, connection: str) -> Entrance:
        configured = self._settings.connections[connection]
        limit = configured.max_body_bytes
        if "max_body_bytes" not in configured.model_fields_set:
            limit = self._adapter(connection).max_body_bytes
        return Entrance(
            connection=connection,
            receiver=self._receiver(connection),
            max_body_bytes=limit,
            received=self._metrics.received.labels(connection),
            duplicates=self._metrics.duplicates.labels(connection),
            seconds=self._metrics.seconds.labels(connection),
            door=build_door(configured, self._adapter(connection)),
        )
