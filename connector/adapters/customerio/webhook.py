"""The inbound half of Customer.io: one event a delivery, signed as v0:timestamp:body.

Sources: Customer.io's pages "Reporting webhooks" (object types, metrics, `event_id`, repeats for 7 days) and "Securely verify
requests" (the signature in X-CIO-Signature over `v0:` + timestamp + `:` + body).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.errors import BadSignature
from connector.machines import is_machine
from connector.ports import Delivery
from connector.reading import id_key, read_email, read_facts, read_link, read_moment, read_object, read_text
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import check_age, live_secrets, matches, read_stamp, replay_window
from leads.enums import EngagementKind
from leads.records import EngagementEvent, InboundEvent

SIGNATURE: Final = "x-cio-signature"
TIMESTAMP: Final = "x-cio-timestamp"
WINDOW_S: Final = 300

#: (object type, metric) → what it is. Push, in-app, SMS and webhook metrics are not of e-mail and stay unknown.
EVENTS: Final[Mapping[tuple[str, str], EngagementKind]] = {
    ("email", "sent"): EngagementKind.EMAIL_SENT,
    ("email", "delivered"): EngagementKind.EMAIL_DELIVERED,
    ("email", "deferred"): EngagementKind.EMAIL_DEFERRED,
    ("email", "opened"): EngagementKind.EMAIL_OPENED,
    ("email", "human_opened"): EngagementKind.EMAIL_OPENED,
    ("email", "prefetch_opened"): EngagementKind.EMAIL_OPENED,
    ("email", "clicked"): EngagementKind.EMAIL_CLICKED,
    ("email", "human_clicked"): EngagementKind.EMAIL_CLICKED,
    ("email", "machine_clicked"): EngagementKind.EMAIL_CLICKED,
    ("email", "bounced"): EngagementKind.EMAIL_BOUNCED,
    ("email", "dropped"): EngagementKind.EMAIL_DROPPED,
    ("email", "undeliverable"): EngagementKind.EMAIL_DROPPED,
    ("email", "failed"): EngagementKind.EMAIL_DROPPED,
    ("email", "spammed"): EngagementKind.SPAM_REPORTED,
    ("email", "unsubscribed"): EngagementKind.UNSUBSCRIBED,
    ("customer", "unsubscribed"): EngagementKind.UNSUBSCRIBED,
    ("customer", "subscribed"): EngagementKind.RESUBSCRIBED,
}
#: Metrics that Customer.io itself says a machine made.
MACHINES: Final = frozenset({"prefetch_opened", "machine_clicked"})
#: Sent beside `opened` and `clicked` for the same act: counted once, under the plain metric.
TWINS: Final = frozenset({"human_opened", "human_clicked"})
#: Small facts kept with the engagement. Subjects, failure texts and the IP address are not.
KEPT: Final[Mapping[str, str]] = {
    "delivery_id": "message_id",
    "campaign_id": "campaign_id",
    "broadcast_id": "broadcast_id",
    "newsletter_id": "newsletter_id",
    "action_id": "action_id",
    "link_id": "link_id",
    "user_agent": "user_agent",
}


class CustomerIoReceiver(ReadingReceiver):
    """Verifies and reads one connection's deliveries. `secrets` are the live signing keys, newest first."""

    prefix = "cio"

    def __init__(self, secrets: Sequence[str], window_s: float = WINDOW_S) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets)
        self._window_s = window_s

    @classmethod
    def build(cls, settings: ConnectionSettings) -> CustomerIoReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        secrets = live_secrets(settings, "the webhook signing key that Customer.io shows beside the reporting webhook")
        return cls(secrets, replay_window(settings, WINDOW_S))

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """True when one live key made the signature."""
        stamp = delivery.headers.get(TIMESTAMP, "")
        signed_at = read_stamp(stamp, "Customer.io")
        signed = b"v0:" + stamp.encode() + b":" + delivery.body
        made = (hmac.new(secret, signed, "sha256").hexdigest().encode() for secret in self._secrets)
        if not matches(delivery.headers.get(SIGNATURE, ""), made):
            raise BadSignature("The Customer.io signature is wrong.")
        check_age(signed_at, now, self._window_s, "Customer.io")
        return True

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        about, metric, said = str(entry.get("object_type", "")), str(entry.get("metric", "")), read_object(entry, "data")
        kind = EVENTS.get((about, metric))
        if kind is None:
            raise ValueError("unknown event type: kept")
        if metric in TWINS:
            raise ValueError("told a second time by the plain metric: kept")
        identifiers = read_object(said, "identifiers")
        email = next((one for one in (said.get("recipient"), said.get("email_address"), identifiers.get("email")) if one), None)
        person = read_text(identifiers.get("id") or said.get("customer_id") or identifiers.get("cio_id"), 120)
        properties = read_facts(said, KEPT)
        if said.get("href"):
            properties["url"] = read_link(said["href"])
        return [
            EngagementEvent(
                event_key=id_key("cio", entry.get("event_id"), entry),
                kind=kind,
                occurred_at=read_moment(entry.get("timestamp")),
                email=read_email(email) if email or not person else None,
                external_id=person,
                machine=metric in MACHINES or is_machine(kind, said.get("user_agent"), said.get("ip")),
                properties=properties,
            )
        ]
