"""The inbound half of Amazon SES: event publishing and feedback notifications, wrapped and signed by SNS.

Sources: the Amazon SES Developer Guide, "Contents of event data that Amazon SES publishes to Amazon SNS" and "Amazon SNS
notification contents"; for the envelope see `envelope`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from connector.adapters.amazon_ses.certificates import Certificates, read_key
from connector.adapters.amazon_ses.envelope import ARN, NOTIFICATION, SUBSCRIPTION, Envelope, read_envelope
from connector.clock import SystemClock
from connector.errors import BadSignature, Configuration, Fatal, Skippable
from connector.machines import is_machine
from connector.ports import Delivery
from connector.reading import (
    content_key,
    delivery_key,
    read_email,
    read_facts,
    read_json,
    read_link,
    read_object,
    read_text,
    read_time,
)
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import check_age, replay_window
from leads.enums import EngagementKind
from leads.records import EngagementEvent, FieldValue, InboundEvent

log = structlog.get_logger(__name__)

#: A message that failed may wait 14 days in a dead-letter queue before it is sent again, with its first timestamp.
WINDOW_S: Final = 15 * 86_400

#: Event type → what it is, and which member holds its details.
EVENTS: Final[Mapping[str, tuple[EngagementKind, str]]] = {
    "Send": (EngagementKind.EMAIL_SENT, "send"),
    "Delivery": (EngagementKind.EMAIL_DELIVERED, "delivery"),
    "DeliveryDelay": (EngagementKind.EMAIL_DEFERRED, "deliveryDelay"),
    "Bounce": (EngagementKind.EMAIL_BOUNCED, "bounce"),
    "Complaint": (EngagementKind.SPAM_REPORTED, "complaint"),
    "Reject": (EngagementKind.EMAIL_DROPPED, "reject"),
    "Rendering Failure": (EngagementKind.EMAIL_DROPPED, "failure"),
    "Open": (EngagementKind.EMAIL_OPENED, "open"),
    "Click": (EngagementKind.EMAIL_CLICKED, "click"),
    "Subscription": (EngagementKind.UNSUBSCRIBED, "subscription"),
}
#: Where the details name the people concerned; else it is everybody the mail went to.
RECIPIENTS: Final[Mapping[str, str]] = {
    "Delivery": "recipients",
    "DeliveryDelay": "delayedRecipients",
    "Bounce": "bouncedRecipients",
    "Complaint": "complainedRecipients",
}
#: Somebody did these, and SES does not say which of several recipients.
BY_ONE: Final = frozenset({"Open", "Click", "Subscription"})
KEPT: Final[Mapping[str, str]] = {
    "bounceType": "bounce_type",
    "bounceSubType": "bounce_subtype",
    "complaintFeedbackType": "complaint_type",
    "delayType": "delay_type",
    "templateName": "template",
    "userAgent": "user_agent",
}


class SesReceiver(ReadingReceiver):
    """Verifies and reads one connection's deliveries. `topics` are the ARNs it listens to.

    `confirm` gets the address that confirms a subscription; None leaves that to a person.
    """

    prefix = "ses"

    def __init__(
        self,
        topics: Collection[str],
        certificates: Certificates,
        confirm: Callable[[str], object] | None,
        window_s: float = WINDOW_S,
    ) -> None:
        self._topics = frozenset(topics)
        self._certificates = certificates
        self._confirm = confirm
        self._window_s = window_s

    @classmethod
    def build(cls, settings: ConnectionSettings) -> SesReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        topics = settings.option("topics", ())
        if not isinstance(topics, list | tuple) or not topics or not all(ARN.fullmatch(str(topic)) for topic in topics):
            raise Configuration(
                f"{settings.name}: topics is not a list of ARNs of SNS topics.", 'Write it as ["arn:aws:sns:eu-west-1:…:name"].'
            )

        def call(url: str) -> bytes:
            return _call(settings, url)

        pinned = [_read_pinned(settings.name, str(path)) for path in settings.option("signing_certificates", ())]
        confirm = call if settings.option("confirm_subscriptions", True) else None
        return cls([str(topic) for topic in topics], Certificates(call, pinned), confirm, replay_window(settings, WINDOW_S))

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """True when the signature is right; False when its certificate is not known yet: then `events` verifies it."""
        envelope = read_envelope(delivery.body, self._topics)
        keys = self._certificates.known(envelope.certificate_url)
        if not keys:
            self._certificates.learn(envelope.certificate_url)
            check_age(envelope.sent_at.timestamp(), now, self._window_s, "SNS")
            return False
        envelope.check(keys)
        check_age(envelope.sent_at.timestamp(), now, self._window_s, "SNS")
        return True

    def delivery_key(self, delivery: Delivery) -> str:
        """The signed text: a repeat may come from another certificate or signature version."""
        try:
            return delivery_key(read_envelope(delivery.body, self._topics).signed)
        except BadSignature:
            return delivery_key(delivery.body)

    def entries(self, delivery: Delivery) -> Sequence[Any]:
        """The SES event inside, one entry for each person concerned. Confirms a subscription."""
        try:
            envelope = read_envelope(delivery.body, self._topics)
            envelope.check(self._certificates.get(envelope.certificate_url))
        except (BadSignature, Configuration, Fatal, Skippable) as error:
            raise ValueError(f"not to be believed: {error}") from None
        if envelope.kind != NOTIFICATION:
            self._subscribe(envelope)
            return ()
        event = read_json(envelope.message.encode("utf-8", "replace"))
        if not isinstance(event, dict):
            raise ValueError("the message is not an object")
        return list(split_event(event, envelope.message_id, envelope.sent_at))

    def _subscribe(self, envelope: Envelope) -> None:
        if envelope.kind != SUBSCRIPTION:
            raise ValueError("the subscription to the topic has ended")
        if self._confirm is None or envelope.subscribe_url is None:
            raise ValueError("the subscription waits for a person to confirm it")
        self._confirm(envelope.subscribe_url)
        log.info("subscription confirmed", topic=envelope.topic)

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        return [read_event(entry)]


def split_event(event: Mapping[str, Any], message_id: str, sent_at: datetime) -> Iterator[dict[str, Any]]:
    """One SES event as one entry for each person it is about."""
    name = str(event.get("eventType") or event.get("notificationType") or "")
    about: Any = None
    if name in RECIPIENTS:
        about = read_object(event, EVENTS[name][1]).get(RECIPIENTS[name])
    if not isinstance(about, list) or not about:
        about = read_object(event, "mail").get("destination")
    people = about if isinstance(about, list) and about else [None]
    for person in people:
        address = person.get("emailAddress") if isinstance(person, dict) else person
        yield {"event": event, "name": name, "to": address, "of": len(people), "id": message_id, "sent_at": sent_at.isoformat()}


def read_event(entry: Mapping[str, Any]) -> EngagementEvent:
    """An entry of `split_event`. Raises ValueError."""
    name, event = str(entry["name"]), entry["event"]
    if name not in EVENTS:
        raise ValueError("unknown event type: kept")
    if name in BY_ONE and entry["of"] != 1:
        raise ValueError("by one of several recipients: kept")
    kind, member = EVENTS[name]
    details, mail = read_object(event, member), read_object(event, "mail")
    if name == "Bounce" and details.get("bounceType") == "Transient":
        kind = EngagementKind.EMAIL_DEFERRED
    elif name == "Subscription":
        kind = _subscription(details)
    email = read_email(entry["to"])
    moment = details.get("timestamp") or (mail.get("timestamp") if name == "Send" else None) or entry["sent_at"]
    return EngagementEvent(
        # SES gives an event no id; SNS gives the message one, which repeats keep
        event_key=content_key("ses", [entry["id"], name, email.lower()]),
        kind=kind,
        occurred_at=read_time(moment),
        email=email,
        machine=is_machine(kind, details.get("userAgent"), details.get("ipAddress")),
        properties=_properties(details, mail),
    )


def _subscription(details: Mapping[str, Any]) -> EngagementKind:
    """A change of preferences on SES's own subscription page."""
    new, old = read_object(details, "newTopicPreferences"), read_object(details, "oldTopicPreferences")
    if new.get("unsubscribeAll") is True:
        return EngagementKind.UNSUBSCRIBED
    if old.get("unsubscribeAll") is True:
        return EngagementKind.RESUBSCRIBED
    raise ValueError("a change of topics, not of everything: kept")


def _properties(details: Mapping[str, Any], mail: Mapping[str, Any]) -> dict[str, FieldValue]:
    facts = read_facts(details, KEPT)
    if message := read_text(mail.get("messageId"), 120):
        facts["message_id"] = message
    if details.get("link"):
        facts["url"] = read_link(details["link"])
    campaign = read_object(mail, "tags").get("ses:configuration-set")
    if isinstance(campaign, list) and campaign:
        facts["configuration_set"] = read_text(campaign[0], 100)
    return facts


def _read_pinned(connection: str, path: str) -> Any:
    try:
        return read_key(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise Configuration(f"{connection}: the certificate {path} cannot be read ({type(error).__name__}).") from None


def _call(settings: ConnectionSettings, url: str) -> bytes:
    """GET an address whose host was checked, or the same path at `base_url`. Raises errors of ours."""
    from connector.http import VendorHttp, sorted_error  # the web process seldom calls out, and starts quicker without

    parts, clock = urlsplit(url), SystemClock()
    base = settings.base_url or f"{parts.scheme}://{parts.netloc}"
    http = VendorHttp("Amazon SNS", base, clock, allow_private=settings.trust_private_host)
    try:
        answer = http.send("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, idempotent=True)
        error = sorted_error(answer, "Amazon SNS", {}, clock.now())
        if error is not None:
            raise error
        return answer.content
    finally:
        http.close()
