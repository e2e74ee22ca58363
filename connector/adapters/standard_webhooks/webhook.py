"""The inbound half of any source that follows the Standard Webhooks specification 1.0.

Source: the specification (github.com/standard-webhooks): headers `webhook-id`, `webhook-timestamp`, `webhook-signature`; the signed
text is id.timestamp.body; `v1` is HMAC-SHA256 with a base64 secret (`whsec_…`), `v1a` Ed25519 with a public key (`whpk_…`).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from connector.errors import BadSignature, Configuration
from connector.eventmap import EventMap
from connector.ports import Delivery
from connector.reading import delivery_key, id_key, read_json, read_object, read_time
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import check_age, live_secrets, matches, read_stamp, replay_window
from leads.records import InboundEvent

WINDOW_S: Final = 300
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the mark of a secret, and none itself
KEY_PREFIX: Final = "whpk_"
#: More signatures in one header than any rotation needs.
MOST_SIGNATURES: Final = 20


class StandardWebhooksReceiver(ReadingReceiver):
    """Verifies and reads one connection's deliveries. `secrets` and `keys` are the live ones of both kinds."""

    prefix = "sw"

    def __init__(
        self, secrets: Sequence[bytes], keys: Sequence[Ed25519PublicKey], event_map: EventMap, window_s: float = WINDOW_S
    ) -> None:
        self._secrets = tuple(secrets)
        self._keys = tuple(keys)
        self._map = event_map
        self._window_s = window_s

    @classmethod
    def build(cls, settings: ConnectionSettings) -> StandardWebhooksReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        given = live_secrets(settings, "the secret (whsec_…) or public key (whpk_…) that the source shows")
        try:
            secrets = [_decode(one.removeprefix(SECRET_PREFIX)) for one in given if not one.startswith(KEY_PREFIX)]
            keys = [
                Ed25519PublicKey.from_public_bytes(_decode(one.removeprefix(KEY_PREFIX)))
                for one in given
                if one.startswith(KEY_PREFIX)
            ]
        except ValueError:
            raise Configuration(f"{settings.name}: a secret in webhook_secrets is not base64.", "Copy it again.") from None
        return cls(secrets, keys, EventMap.of(settings), replay_window(settings, WINDOW_S))

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """True when one live secret or key made one of the signatures."""
        message, stamp = delivery.headers.get("webhook-id", ""), delivery.headers.get("webhook-timestamp", "")
        if not message:
            raise BadSignature("The webhook-id is missing.")
        signed_at = read_stamp(stamp, "webhook")
        signed = f"{message}.{stamp}.".encode("utf-8", "replace") + delivery.body
        given = delivery.headers.get("webhook-signature", "").split(" ")[:MOST_SIGNATURES]
        if not any(self._made(one, signed) for one in given):
            raise BadSignature("The webhook signature is wrong.")
        check_age(signed_at, now, self._window_s, "webhook")
        return True

    def _made(self, given: str, signed: bytes) -> bool:
        version, _, signature = given.partition(",")
        if version == "v1":
            return matches(signature, (base64.b64encode(hmac.digest(secret, signed, "sha256")) for secret in self._secrets))
        return version == "v1a" and self._made_by_key(signature, signed)

    def _made_by_key(self, signature: str, signed: bytes) -> bool:
        try:
            raw = _decode(signature)
        except ValueError:
            return False
        for key in self._keys:
            try:
                key.verify(raw, signed)
            except InvalidSignature:
                continue
            return True
        return False

    def delivery_key(self, delivery: Delivery) -> str:
        """Made of the message's id, which its repeats keep, and the body."""
        return delivery_key(delivery.headers.get("webhook-id", "").encode("utf-8", "replace") + b"." + delivery.body)

    def entries(self, delivery: Delivery) -> Sequence[Any]:
        return [read_json(delivery.body)]

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        """The specification's own form is {type, timestamp, data}; other forms are read by the connection's map."""
        key = id_key("sw", delivery.headers.get("webhook-id"), entry)
        if isinstance(entry.get("type"), str) and isinstance(entry.get("data"), dict) and self._map.type is None:
            kind = self._map.kind_of(entry["type"])
            return self._map.read("sw", read_object(entry, "data"), kind=kind, key=key, moment=read_time(entry.get("timestamp")))
        return self._map.read("sw", entry, key=key)


def _decode(text: str) -> bytes:
    """Base64 with or without its padding. Raises ValueError."""
    try:
        return base64.b64decode(text.encode() + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise ValueError("not base64") from None
