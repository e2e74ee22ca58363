"""The inbound half of Brevo: transactional and marketing events, one a delivery or batched, not signed.

Sources: Brevo's developer pages "Transactional webhooks", "Marketing webhooks", "Secure webhook calls" (Basic credentials in the
URL, bearer token, custom headers) and "Batched webhooks".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.machines import is_machine
from connector.ports import Delivery
from connector.reading import content_key, read_email, read_facts, read_link, read_moment, read_text
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import SHORTEST, SharedSecret, live_secrets
from leads.enums import ChangeKind, ChangeOrigin, EngagementKind
from leads.records import EngagementEvent, FieldValue, InboundEvent, LeadChange

HEADER: Final = "x-webhook-secret"

#: Transactional words are in snake case or one word, marketing ones in camel or snake case: both kinds, without case or separators.
EVENTS: Final[Mapping[str, EngagementKind]] = {
    "request": EngagementKind.EMAIL_SENT,
    "sent": EngagementKind.EMAIL_SENT,
    "delivered": EngagementKind.EMAIL_DELIVERED,
    "deferred": EngagementKind.EMAIL_DEFERRED,
    "softbounce": EngagementKind.EMAIL_DEFERRED,
    "hardbounce": EngagementKind.EMAIL_BOUNCED,
    "invalidemail": EngagementKind.EMAIL_BOUNCED,
    "invalid": EngagementKind.EMAIL_BOUNCED,
    "blocked": EngagementKind.EMAIL_DROPPED,
    "error": EngagementKind.EMAIL_DROPPED,
    "opened": EngagementKind.EMAIL_OPENED,
    "uniqueopened": EngagementKind.EMAIL_OPENED,
    "proxyopen": EngagementKind.EMAIL_OPENED,
    "uniqueproxyopen": EngagementKind.EMAIL_OPENED,
    "click": EngagementKind.EMAIL_CLICKED,
    "spam": EngagementKind.SPAM_REPORTED,
    "complaint": EngagementKind.SPAM_REPORTED,
    "unsubscribed": EngagementKind.UNSUBSCRIBED,
    "unsubscribe": EngagementKind.UNSUBSCRIBED,
}
#: Opens that Brevo itself says a proxy made.
MACHINES: Final = frozenset({"proxyopen", "uniqueproxyopen"})
#: The first open is told twice, as `opened` and as `unique_opened`: counted once, under the plain word.
TWINS: Final = frozenset({"uniqueopened", "uniqueproxyopen"})
CHANGES: Final[Mapping[str, ChangeKind]] = {"listaddition": ChangeKind.CREATED, "contactupdated": ChangeKind.CHANGED}
DELETED: Final = "contactdeleted"
#: Members that hold the moment, best first: milliseconds, then seconds.
MOMENTS: Final = (("ts_epoch", 1000), ("ts_event", 1), ("ts", 1), ("ts_sent", 1))
KEPT: Final[Mapping[str, str]] = {
    "message-id": "message_id",
    "camp_id": "campaign_id",
    "campaign name": "campaign",
    "template_id": "template",
    "tag": "category",
    "user_agent": "user_agent",
    "device_used": "device",
}
ATTRIBUTES: Final[Mapping[str, str]] = {
    "FIRSTNAME": "first_name",
    "LASTNAME": "last_name",
    "COMPANY": "company",
    "JOB_TITLE": "title",
    "SMS": "phone",
}


class BrevoReceiver(ReadingReceiver):
    """Checks and reads one connection's deliveries."""

    prefix = "brevo"

    def __init__(self, secret: SharedSecret) -> None:
        self._secret = secret

    @classmethod
    def build(cls, settings: ConnectionSettings) -> BrevoReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        secrets = live_secrets(settings, "the token you give to Brevo's webhook", SHORTEST)
        return cls(SharedSecret(secrets, ("bearer", "basic", HEADER, "query", "path")))

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """False: Brevo signs nothing. Raises `BadSignature` without the connection's token."""
        self._secret.check(delivery)
        return False

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        name = str(entry.get("event", "")).lower().replace("_", "").replace(" ", "")[:40]
        if name in TWINS:
            raise ValueError("told a second time by the plain word: kept")
        if name == DELETED:
            raise ValueError("a contact deleted in Brevo is no one's wish to be forgotten: kept")
        if name not in EVENTS and name not in CHANGES:
            raise ValueError("unknown event type: kept")
        moment = _moment(entry)
        email = read_email(_address(entry))
        # `id` is the webhook's; a message sends one event of a kind, link and moment to a person
        said = [entry.get("message-id"), entry.get("camp_id"), moment.isoformat(), entry.get("link") or entry.get("URL")]
        key = content_key("brevo", [name, email.lower(), *said])
        if name in CHANGES:
            return [_change(key, CHANGES[name], moment, email, entry)]
        machine = name in MACHINES or is_machine(EVENTS[name], entry.get("user_agent"), entry.get("sending_ip_of_opener"))
        return [EngagementEvent(key, EVENTS[name], moment, email=email, machine=machine, properties=_properties(entry))]


def _moment(entry: Mapping[str, Any]) -> datetime:
    for name, per_second in MOMENTS:
        if entry.get(name) not in (None, ""):
            return read_moment(entry[name], per_second=per_second)
    raise ValueError("no moment")


def _address(entry: Mapping[str, Any]) -> object:
    """Contact events name a list of addresses."""
    email = entry.get("email")
    return email[0] if isinstance(email, list) and len(email) == 1 else email


def _change(key: str, kind: ChangeKind, moment: datetime, email: str, entry: Mapping[str, Any]) -> LeadChange:
    content = entry.get("content")
    told = content[0] if isinstance(content, list) and content else content
    attributes = told.get("attributes", told) if isinstance(told, dict) else {}
    fields: dict[str, FieldValue] = {"email": email}
    if isinstance(attributes, dict):
        fields |= {field: text for given, field in ATTRIBUTES.items() if (text := read_text(attributes.get(given), 300))}
    if kind is ChangeKind.CREATED:
        fields["source"] = "newsletter"
    return LeadChange(
        key, "", moment, kind, ChangeOrigin.UNKNOWN, fields, created_at=moment if kind is ChangeKind.CREATED else None
    )


def _properties(entry: Mapping[str, Any]) -> dict[str, FieldValue]:
    facts = read_facts(entry, KEPT)
    link = entry.get("link") or entry.get("URL")
    if link:
        facts["url"] = read_link(link)
    tags = entry.get("tags")
    if isinstance(tags, list) and tags:
        facts["category"] = ", ".join(text for tag in tags if (text := read_text(tag, 100)))[:300]
    return facts
