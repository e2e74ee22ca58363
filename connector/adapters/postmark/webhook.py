"""The inbound half of Postmark: one event a delivery, not signed, so a secret comes with the request.

Sources: Postmark's developer pages "Webhooks overview" (HTTP Basic credentials in the URL, custom headers, repeats) and one page
for each of Bounce, Delivery, Open, Click, SpamComplaint and SubscriptionChange; "Bounce API" for the types of bounce.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.machines import is_machine
from connector.ports import Delivery
from connector.reading import content_key, read_email, read_facts, read_link, read_object, read_text, read_time
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import SHORTEST, SharedSecret, live_secrets
from leads.enums import EngagementKind
from leads.records import EngagementEvent, FieldValue, InboundEvent

#: A custom header that may carry the secret instead of Basic credentials.
HEADER: Final = "x-webhook-secret"

#: RecordType → what it is, which member holds the moment, which the address.
EVENTS: Final[Mapping[str, tuple[EngagementKind, str, str]]] = {
    "Delivery": (EngagementKind.EMAIL_DELIVERED, "DeliveredAt", "Recipient"),
    "Bounce": (EngagementKind.EMAIL_BOUNCED, "BouncedAt", "Email"),
    "SpamComplaint": (EngagementKind.SPAM_REPORTED, "BouncedAt", "Email"),
    "Open": (EngagementKind.EMAIL_OPENED, "ReceivedAt", "Recipient"),
    "Click": (EngagementKind.EMAIL_CLICKED, "ReceivedAt", "Recipient"),
    "SubscriptionChange": (EngagementKind.UNSUBSCRIBED, "ChangedAt", "Recipient"),
}
#: Bounce types that are something else than a bounce. Every other type is one.
BOUNCES: Final[Mapping[str, EngagementKind | None]] = {
    "Transient": EngagementKind.EMAIL_DEFERRED,
    "DnsError": EngagementKind.EMAIL_DEFERRED,
    "SMTPApiError": EngagementKind.EMAIL_DROPPED,
    "InboundError": None,
    "Blocked": EngagementKind.EMAIL_BOUNCED,
    "SpamNotification": EngagementKind.EMAIL_BOUNCED,
    "SpamComplaint": EngagementKind.SPAM_REPORTED,
    "Unsubscribe": EngagementKind.UNSUBSCRIBED,
    "Subscribe": EngagementKind.RESUBSCRIBED,
    "ManuallyDeactivated": EngagementKind.EMAIL_DROPPED,
    "Unconfirmed": EngagementKind.EMAIL_DROPPED,
    # an answer by a machine says that the mail arrived, and nothing of a bounce
    "AutoResponder": EngagementKind.EMAIL_DELIVERED,
    "AddressChange": EngagementKind.EMAIL_DELIVERED,
    "OpenRelayTest": None,
    "ChallengeVerification": EngagementKind.EMAIL_DELIVERED,
}
#: Small facts kept with the engagement. `Details` and `Description` often quote the address and are not kept, nor is the place.
KEPT: Final[Mapping[str, str]] = {
    "MessageID": "message_id",
    "MessageStream": "stream",
    "Tag": "category",
    "Type": "bounce_type",
    "UserAgent": "user_agent",
    "Platform": "platform",
    "ClickLocation": "part",
    "SuppressionReason": "reason",
}


class PostmarkReceiver(ReadingReceiver):
    """Checks and reads one connection's deliveries."""

    prefix = "pm"

    def __init__(self, secret: SharedSecret) -> None:
        self._secret = secret

    @classmethod
    def build(cls, settings: ConnectionSettings) -> PostmarkReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        secrets = live_secrets(settings, "the user:password you put into the webhook's URL in Postmark", SHORTEST)
        return cls(SharedSecret(secrets, ("basic", HEADER, "path")))

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """False: Postmark signs nothing. Raises `BadSignature` without the connection's secret."""
        self._secret.check(delivery)
        return False

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        name = str(entry.get("RecordType", ""))
        if name not in EVENTS:
            raise ValueError("unknown event type: kept")
        kind, moment, address = EVENTS[name]
        if name == "Bounce":
            kind = _bounce(str(entry.get("Type", "")))
        elif name == "SubscriptionChange" and entry.get("SuppressSending") is False:
            kind = EngagementKind.RESUBSCRIBED
        elif name == "SubscriptionChange" and entry.get("SuppressionReason") == "HardBounce":
            kind = EngagementKind.EMAIL_DROPPED  # Postmark will not send any more; the person said nothing
        occurred_at = read_time(entry.get(moment))
        machine = is_machine(kind, entry.get("UserAgent"), read_object(entry, "Geo").get("IP"))
        return [
            EngagementEvent(
                event_key=_key(name, entry, occurred_at),
                kind=kind,
                occurred_at=occurred_at,
                email=read_email(entry.get(address)),
                machine=machine,
                properties=_properties(entry),
            )
        ]


def _bounce(kind: str) -> EngagementKind:
    meant = BOUNCES.get(kind, EngagementKind.EMAIL_BOUNCED)
    if meant is None:
        raise ValueError("no event about a recipient: kept")
    return meant


def _key(name: str, entry: Mapping[str, Any], occurred_at: datetime) -> str:
    """A bounce has an `ID` of its own. The others have none: message, recipient, moment and link say which one it is."""
    if name in ("Bounce", "SpamComplaint") and isinstance(entry.get("ID"), int):
        return content_key("pm", [name, entry["ID"]])
    said = [entry.get("MessageID"), entry.get("Recipient"), occurred_at.isoformat(), entry.get("OriginalLink")]
    return content_key("pm", [name, *said, entry.get("SuppressSending"), entry.get("SuppressionReason")])


def _properties(entry: Mapping[str, Any]) -> dict[str, FieldValue]:
    facts = read_facts(entry, KEPT)
    if entry.get("OriginalLink"):
        facts["url"] = read_link(entry["OriginalLink"])
    client = read_text(read_object(entry, "Client").get("Name"), 100)
    return facts | ({"client": client} if client else {})
