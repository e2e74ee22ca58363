"""What a connection would read in a body: to try a map before the source is switched on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connector.errors import Configuration
from connector.ports import Delivery
from connector.registry import adapter
from connector.settings import read_settings
from leads.records import EngagementEvent, InboundEvent, LeadChange


def read_sample(name: str, path: Path) -> list[dict[str, Any]]:
    """One row an event, in the order of the body. Nothing is stored or called. Raises `Configuration`."""
    settings = read_settings()
    if name not in settings.connections:
        raise Configuration(f"There is no connection {name!r}.", "See `leadswitch connections list`.")
    try:
        body = path.read_bytes()
    except OSError as error:
        raise Configuration(f"{path} cannot be read ({error.strerror}).", "Mend the path.") from None
    connection = settings.connections[name]
    kind = "application/json" if body.lstrip()[:1] in (b"{", b"[") else "application/x-www-form-urlencoded"
    url = f"{settings.public_url.rstrip('/')}/webhooks/{name}"
    delivery = Delivery("POST", url, {"content-type": kind}, body, datetime.now(UTC))
    return [_row(event) for event in adapter(connection.adapter).receiver(connection, settings.public_url).events(delivery)]


def _row(event: InboundEvent) -> dict[str, Any]:
    if isinstance(event, LeadChange):
        who, told = event.external_id, {**event.fields, **event.extra}
        return {"is": "lead", "kind": event.kind.value, "at": event.occurred_at.isoformat(), "who": who, "reads": _listed(told)}
    if isinstance(event, EngagementEvent):
        who = event.email or event.external_id or ""
        kind = f"{event.kind.value}{' (by a machine)' if event.machine else ''}"
        told = {**event.properties, **({"text": event.text} if event.text else {})}
        return {"is": "act", "kind": kind, "at": event.occurred_at.isoformat(), "who": who, "reads": _listed(told)}
    return {"is": "not read", "kind": "", "at": "", "who": "", "reads": event.reason}


def _listed(told: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in told.items())
