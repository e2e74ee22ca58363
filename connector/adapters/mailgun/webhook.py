"""The inbound half of Mailgun: one event a delivery, its signature inside the body.

Sources: Mailgun's guide "Webhooks" (payload, the signature as HMAC-SHA256 of timestamp + token, retries for 8 hours) and "Events"
(event names). The event itself is not signed: what is swapped under a signature that was seen before counts as a repeat.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.errors import BadSignature
from connector.machines import is_machine
from connector.ports import Delivery
from connector.reading import (
    delivery_key,
    id_key,
    read_email,
    read_facts,
    read_form,
    read_json,
    read_link,
    read_moment,
    read_object,
    read_text,
)
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import check_age, live_secrets, matches, read_stamp, replay_window
from leads.enums import EngagementKind
from leads.records import EngagementEvent, FieldValue, InboundEvent

#: Mailgun repeats a delivery for 8 hours and does not say that it signs the repeat anew.
WINDOW_S: Final = 9 * 3600

EVENTS: Final[Mapping[str, EngagementKind]] = {
    "accepted": EngagementKind.EMAIL_SENT,
    "delivered": EngagementKind.EMAIL_DELIVERED,
    "failed": EngagementKind.EMAIL_BOUNCED,  # `severity` "temporary" makes it deferred
    "rejected": EngagementKind.EMAIL_DROPPED,
    "opened": EngagementKind.EMAIL_OPENED,
    "clicked": EngagementKind.EMAIL_CLICKED,
    "unsubscribed": EngagementKind.UNSUBSCRIBED,
    "complained": EngagementKind.SPAM_REPORTED,
    # words of the older form bodies
    "bounced": EngagementKind.EMAIL_BOUNCED,
    "dropped": EngagementKind.EMAIL_DROPPED,
}
#: Reasons of a failure that mean: Mailgun did not even try.
NOT_TRIED: Final = frozenset({"suppress-bounce", "suppress-complaint", "suppress-unsubscribe"})
#: Small facts kept with the engagement. Messages of mail servers often quote the address and are not kept, nor is the IP address.
KEPT: Final[Mapping[str, str]] = {"reason": "reason", "severity": "severity", "code": "status", "tag": "category"}


class MailgunReceiver(ReadingReceiver):
    """Verifies and reads one connection's deliveries. `secrets` are the live webhook signing keys, newest first."""

    prefix = "mg"

    def __init__(self, secrets: Sequence[str], window_s: float = WINDOW_S) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets)
        self._window_s = window_s

    @classmethod
    def build(cls, settings: ConnectionSettings) -> MailgunReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        secrets = live_secrets(settings, "the HTTP webhook signing key that Mailgun shows under API Security")
        return cls(secrets, replay_window(settings, WINDOW_S))

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """True when one live key made the signature in the body."""
        try:
            block = _signature(_read_body(delivery.body))
        except ValueError as error:
            raise BadSignature(f"The Mailgun body holds no signature: {error}.") from None
        signed_at = read_stamp(block["timestamp"], "Mailgun")
        signed = (block["timestamp"] + block["token"]).encode("utf-8", "replace")
        made = (hmac.new(secret, signed, "sha256").hexdigest().encode() for secret in self._secrets)
        if not block["token"] or not matches(block["signature"], made):
            raise BadSignature("The Mailgun signature is wrong.")
        check_age(signed_at, now, self._window_s, "Mailgun")
        return True

    def delivery_key(self, delivery: Delivery) -> str:
        """Made of the signature's token, which Mailgun uses once: a second body under the same signature is a repeat."""
        try:
            block = _signature(_read_body(delivery.body))
        except ValueError:
            return delivery_key(delivery.body)
        return delivery_key(f"{block['timestamp']}:{block['token']}".encode("utf-8", "replace"))

    def entries(self, delivery: Delivery) -> Sequence[Any]:
        return [_read_body(delivery.body)]

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        event = entry.get("event-data", entry)
        if not isinstance(event, dict):
            raise ValueError("no event data")
        name = str(event.get("event", "")).lower()
        kind = EVENTS.get(name)
        if kind is None:
            raise ValueError("unknown event type: kept")
        if name == "failed":
            kind = _failure(event)
        client = read_object(event, "client-info")
        user_agent = client.get("user-agent", event.get("user-agent"))
        machine = client.get("bot") not in (None, "") or is_machine(kind, user_agent, event.get("ip"))
        stamp = event.get("timestamp", read_object(entry, "signature").get("timestamp"))
        token = entry.get("token") or read_object(entry, "signature").get("token")
        return [
            EngagementEvent(
                event_key=id_key("mg", event.get("id"), ["", token, stamp, name, event.get("recipient"), event.get("url")]),
                kind=kind,
                occurred_at=read_moment(stamp),
                email=read_email(event.get("recipient") or _headers(event).get("to")),
                machine=machine,
                properties=_properties(event, user_agent),
            )
        ]


def _read_body(body: bytes) -> dict[str, Any]:
    """JSON, or the form of older accounts. Raises ValueError."""
    if not body.lstrip().startswith((b"{", b"[", b'"')):
        form: dict[str, Any] = dict(read_form(body))
        if "event" not in form and "signature" not in form:
            raise ValueError("neither JSON nor a Mailgun form")
        return form
    document = read_json(body)
    if not isinstance(document, dict):
        raise ValueError("not an object")
    return document


def _signature(body: Mapping[str, Any]) -> dict[str, str]:
    """The three parts of the signature as text; what is missing is empty."""
    block = body["signature"] if isinstance(body.get("signature"), dict) else body
    return {part: one if isinstance(one := block.get(part), str) else "" for part in ("timestamp", "token", "signature")}


def _failure(event: Mapping[str, Any]) -> EngagementKind:
    if event.get("severity") == "temporary":
        return EngagementKind.EMAIL_DEFERRED
    return EngagementKind.EMAIL_DROPPED if event.get("reason") in NOT_TRIED else EngagementKind.EMAIL_BOUNCED


def _headers(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return read_object(read_object(event, "message"), "headers")


def _properties(event: Mapping[str, Any], user_agent: object) -> dict[str, FieldValue]:
    facts = read_facts(event, KEPT)
    told: dict[str, FieldValue] = {
        "message_id": read_text(_headers(event).get("message-id", event.get("Message-Id")), 200),
        "status": read_text(read_object(event, "delivery-status").get("code"), 20),
        "user_agent": read_text(user_agent, 300),
        "url": read_link(event["url"]) if event.get("url") else None,
    }
    tags = event.get("tags")
    if isinstance(tags, list) and tags:
        told["category"] = ", ".join(text for tag in tags if (text := read_text(tag, 100)))[:300]
    return facts | {name: value for name, value in told.items() if value not in (None, "")}
