"""The inbound half of any source of CloudEvents 1.0 over HTTP: structured, batched and binary mode, and the OPTIONS handshake.

Sources: the specifications "CloudEvents 1.0.2", "HTTP Protocol Binding", "JSON Event Format" and "HTTP 1.1 Web Hooks for Event
Delivery" (authorization by a bearer token or `access_token`; abuse protection by OPTIONS).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote

from connector.errors import BadSignature
from connector.eventmap import EventMap
from connector.ports import Answer, Delivery
from connector.reading import content_key, delivery_key, read_batch, read_json, read_object, read_time
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import SHORTEST, SharedSecret, live_secrets, number_option
from leads.records import InboundEvent

BATCH: Final = "application/cloudevents-batch+json"
STRUCTURED: Final = "application/cloudevents+json"
ATTRIBUTE: Final = "ce-"
#: Deliveries a minute that a sender is told it may make, unless the connection says otherwise.
RATE: Final = 6_000


class CloudEventsReceiver(ReadingReceiver):
    """Checks and reads one connection's deliveries. `origins` are the senders that may register; empty takes any."""

    prefix = "ce"

    def __init__(self, secret: SharedSecret, event_map: EventMap, origins: Sequence[str] = (), rate: int = RATE) -> None:
        self._secret = secret
        self._map = event_map
        self._origins = frozenset(origins)
        self._rate = rate

    @classmethod
    def build(cls, settings: ConnectionSettings) -> CloudEventsReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        secrets = live_secrets(settings, "the token that the sender shows as Authorization: Bearer", SHORTEST)
        origins = [str(origin) for origin in settings.option("allowed_origins", ())]
        rate = int(number_option(settings, "requests_per_minute", RATE))
        return cls(SharedSecret(secrets, ("bearer", "query", "path")), EventMap.of(settings), origins, rate)

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """False: CloudEvents are not signed. Raises `BadSignature` without the connection's token."""
        self._secret.check(delivery)
        return False

    def handshake(self, delivery: Delivery) -> Answer | None:
        """The permission to send. Raises `BadSignature` to an origin that is not one of ours."""
        if delivery.method != "OPTIONS":
            return None
        origin = delivery.headers.get("webhook-request-origin", "")
        if not origin or not origin.isprintable() or (self._origins and origin not in self._origins):
            raise BadSignature("This origin may not send here.")
        asked = delivery.headers.get("webhook-request-rate", "")
        allowed = min(int(asked), self._rate) if asked.isascii() and asked.isdigit() and len(asked) < 10 else self._rate
        headers = {"webhook-allowed-origin": origin, "webhook-allowed-rate": str(max(1, allowed)), "allow": "OPTIONS, POST"}
        return Answer(headers=headers)

    def delivery_key(self, delivery: Delivery) -> str:
        """The body; in binary mode also the attributes, which say which event it is."""
        attributes = sorted(f"{name}:{value}" for name, value in delivery.headers.items() if name.startswith(ATTRIBUTE))
        return delivery_key("\n".join(attributes).encode("utf-8", "replace") + delivery.body if attributes else delivery.body)

    def entries(self, delivery: Delivery) -> Sequence[Any]:
        content_type = delivery.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type in (BATCH, STRUCTURED) or f"{ATTRIBUTE}id" not in delivery.headers:
            return read_batch(delivery.body)
        attributes: dict[str, Any] = {
            name.removeprefix(ATTRIBUTE): unquote(value) for name, value in delivery.headers.items() if name.startswith(ATTRIBUTE)
        }
        return [{**attributes, "data": read_json(delivery.body) if delivery.body else None}]

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        _check(entry)
        data = _data(entry)
        kind = self._map.kind_of(entry["type"])
        # source and id together are unique by the specification
        key = content_key("ce", [entry["source"], entry["id"]])
        moment = read_time(entry["time"]) if entry.get("time") is not None else delivery.received_at
        return self._map.read("ce", data, kind=kind, key=key, moment=moment)


def _check(entry: Mapping[str, Any]) -> None:
    if entry.get("specversion") != "1.0":
        raise ValueError("not a CloudEvent of version 1.0")
    for name in ("id", "source", "type"):
        if not isinstance(entry.get(name), str) or not entry[name]:
            raise ValueError(f"a CloudEvent without {name}")


def _data(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(entry.get("data_base64"), str):
        try:
            document = read_json(base64.b64decode(entry["data_base64"].encode("utf-8", "replace"), validate=True))
        except binascii.Error:
            raise ValueError("data_base64 is not base64") from None
        entry = {"data": document}
    data = read_object(entry, "data")
    if not data:
        raise ValueError("data is not an object")
    return data
