"""The inbound half of SendGrid: the Event Webhook, signed with ECDSA P-256 over timestamp + raw body.

Sources: SendGrid's guides "Event Webhook Reference" (event types and their fields) and "Event Webhook Security Features" (the
signature), and the vendor's Python client. SendGrid delivers at least once and repeats for 24 hours.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from connector.errors import BadSignature, Configuration
from connector.machines import is_machine
from connector.ports import Delivery
from connector.reading import id_key, read_facts, read_link, read_moment, read_text
from connector.receiving import ReadingReceiver
from connector.signatures import check_age, read_stamp
from leads.enums import EngagementKind
from leads.records import EngagementEvent, FieldValue, InboundEvent

SIGNATURE: Final = "x-twilio-email-event-webhook-signature"
TIMESTAMP: Final = "x-twilio-email-event-webhook-timestamp"
#: SendGrid repeats a delivery for 24 hours and does not say whether it signs the repeat anew. The default window outlasts that,
#: so that no repeat is refused; what a replay could do twice is caught by the delivery key and `sg_event_id`.
WINDOW_S: Final = 26 * 3600

EVENTS: Final[Mapping[str, EngagementKind]] = {
    "processed": EngagementKind.EMAIL_SENT,
    "deferred": EngagementKind.EMAIL_DEFERRED,
    "delivered": EngagementKind.EMAIL_DELIVERED,
    "bounce": EngagementKind.EMAIL_BOUNCED,
    "dropped": EngagementKind.EMAIL_DROPPED,
    "open": EngagementKind.EMAIL_OPENED,
    "click": EngagementKind.EMAIL_CLICKED,
    "spamreport": EngagementKind.SPAM_REPORTED,
    "unsubscribe": EngagementKind.UNSUBSCRIBED,
    "group_unsubscribe": EngagementKind.UNSUBSCRIBED,
    "group_resubscribe": EngagementKind.RESUBSCRIBED,
}
#: Small facts kept with the engagement: SendGrid's name → ours. Free text (`reason`, `response`) often quotes the address and is
#: not kept, nor is the IP address.
KEPT: Final[Mapping[str, str]] = {
    "asm_group_id": "group",
    "attempt": "attempt",
    "bounce_classification": "bounce_classification",
    "marketing_campaign_id": "campaign_id",
    "marketing_campaign_name": "campaign",
    "sg_message_id": "message_id",
    "sg_template_id": "template",
    "sg_template_name": "template_name",
    "singlesend_id": "singlesend",
    "status": "status",
    "type": "bounce_type",
    "useragent": "user_agent",
}


def read_public_key(text: str) -> ec.EllipticCurvePublicKey:
    """The verification key as SendGrid shows it (base64 of DER) or as PEM. Raises ValueError."""
    try:
        key = load_pem_public_key(text.encode()) if "BEGIN PUBLIC KEY" in text else load_der_public_key(base64.b64decode(text))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("not a public key") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("not a P-256 key")
    return key


class SendGridReceiver(ReadingReceiver):
    """Verifies and reads one connection's deliveries. `keys` are the live verification keys, newest first."""

    prefix = "sg"

    def __init__(self, keys: Sequence[ec.EllipticCurvePublicKey], window_s: float = WINDOW_S) -> None:
        self._keys = tuple(keys)
        self._window_s = window_s
        self._algorithm = ec.ECDSA(SHA256())

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """True when one live key made the signature. `window_s` = 0 takes any age."""
        stamp = delivery.headers.get(TIMESTAMP, "")
        signed_at = read_stamp(stamp, "SendGrid")
        try:
            signature = base64.b64decode(delivery.headers.get(SIGNATURE, "").encode(), validate=True)
        except binascii.Error:
            raise BadSignature("The SendGrid signature is not base64.") from None
        if not self._signed(signature, stamp.encode() + delivery.body):
            raise BadSignature("The SendGrid signature is wrong.")
        check_age(signed_at, now, self._window_s, "SendGrid")
        return True

    def _signed(self, signature: bytes, signed: bytes) -> bool:
        for key in self._keys:
            try:
                key.verify(signature, signed, self._algorithm)
            except InvalidSignature:
                continue
            return True
        return False

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        return [_read(entry)]


def _read(entry: Mapping[str, Any]) -> EngagementEvent:
    kind = EVENTS.get(str(entry.get("event", "")))
    if kind is None:
        raise ValueError("unknown event type: kept")
    email = read_text(entry.get("email"), 320)
    if email is None:
        raise ValueError("no e-mail address")
    return EngagementEvent(
        event_key=id_key("sg", entry.get("sg_event_id"), entry),  # unique for ever; old accounts and test posts lack it
        kind=kind,
        occurred_at=read_moment(entry.get("timestamp")),
        email=email,
        machine=str(entry.get("sg_machine_open")).lower() == "true" or is_machine(kind, entry.get("useragent"), entry.get("ip")),
        properties=_properties(entry),
    )


def _properties(entry: Mapping[str, Any]) -> dict[str, FieldValue]:
    kept = read_facts(entry, KEPT)
    if entry.get("url"):
        kept["url"] = read_link(entry["url"])
    category = entry.get("category")
    categories = category if isinstance(category, list) else [category]
    if joined := ", ".join(text for one in categories if (text := read_text(one, 100))):
        kept["category"] = joined[:300]
    if str(entry.get("event")).startswith("group_"):
        kept["scope"] = "group"
    return kept


def build_receiver(name: str, keys: Sequence[str], window_s: float) -> SendGridReceiver:
    """The receiver of connection `name`. Raises `Configuration` when there is no key or one cannot be read."""
    if not keys:
        raise Configuration(
            f"The connection {name} has no webhook_secrets.",
            "Set it to the verification key that SendGrid shows under Mail Settings, Event Webhook, as env:NAME or file:PATH.",
        )
    try:
        return SendGridReceiver([read_public_key(key.strip()) for key in keys], window_s)
    except ValueError as error:
        raise Configuration(f"{name}: a key in webhook_secrets is {error}.", "Copy the verification key again.") from None
