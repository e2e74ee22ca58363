"""The inbound half of any source that posts JSON: a secret or a plain HMAC of the body, and a map in the configuration."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.errors import BadSignature, Configuration
from connector.eventmap import EventMap
from connector.ports import Delivery
from connector.reading import read_json
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import SHORTEST, SharedSecret, live_secrets, matches
from leads.records import InboundEvent

HEADER: Final = "x-webhook-secret"
PLACES: Final = (HEADER, "bearer", "basic", "query", "path")
#: How a source writes its HMAC: encoding → hash.
ENCODINGS: Final = ("hex", "base64")
HASHES: Final = ("sha256", "sha512", "sha1")


class BodySignature:
    """An HMAC of the raw body in a header, the way most sources without a scheme of their own do it."""

    def __init__(self, secrets: Sequence[str], header: str, prefix: str, encoding: str, hash_name: str) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets)
        self._header, self._prefix = header.lower(), prefix
        self._encoding, self._hash = encoding, hash_name

    def check(self, delivery: Delivery) -> None:
        """Raises `BadSignature` unless one live secret made the signature."""
        given = delivery.headers.get(self._header, "")
        made = (hmac.digest(secret, delivery.body, self._hash) for secret in self._secrets)
        written = (base64.b64encode(one) if self._encoding == "base64" else one.hex().encode() for one in made)
        if not given.startswith(self._prefix) or not matches(given.removeprefix(self._prefix), written):
            raise BadSignature("The signature is wrong.")


class MappedJsonReceiver(ReadingReceiver):
    """Checks and reads one connection's deliveries by its map."""

    prefix = "map"

    def __init__(self, check: SharedSecret | BodySignature, event_map: EventMap) -> None:
        self._check = check
        self._map = event_map

    @classmethod
    def build(cls, settings: ConnectionSettings) -> MappedJsonReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        event_map = EventMap.of(settings)
        header = settings.option("signature_header")
        secrets = live_secrets(settings, "the secret you share with the source", SHORTEST)
        if header is None:
            return cls(SharedSecret(secrets, PLACES), event_map)
        encoding, hash_name = settings.option("signature_encoding", "hex"), settings.option("signature_hash", "sha256")
        if encoding not in ENCODINGS or hash_name not in HASHES:
            raise Configuration(
                f"{settings.name}: signature_encoding or signature_hash is unknown.", "Use hex or base64; sha256, sha512 or sha1."
            )
        prefix = str(settings.option("signature_prefix", ""))
        return cls(BodySignature(secrets, str(header), prefix, encoding, hash_name), event_map)

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """True when the body is signed; False when only a secret came with it. Raises `BadSignature`."""
        self._check.check(delivery)
        return isinstance(self._check, BodySignature)

    def entries(self, delivery: Delivery) -> Sequence[Any]:
        return self._map.split(read_json(delivery.body))

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        return self._map.read("map", entry)
