"""The inbound half of the WhatsApp Business Cloud API: messages of people, signed the way Meta signs.

Source: Meta's guide "WhatsApp Cloud API, Webhooks" (components, message types, bodies of up to 3 MB, repeats for 7 days).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.meta import MetaSignature, read_changes
from connector.ports import Answer, Delivery
from connector.reading import MESSAGE_LIMIT, id_key, read_facts, read_id, read_moment, read_object, read_text
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from leads.enums import ChangeKind, ChangeOrigin, EngagementKind
from leads.records import EngagementEvent, FieldValue, InboundEvent, LeadChange

#: Message type → where its words are, as members one inside the other; none for what has no words.
TYPES: Final[Mapping[str, Sequence[Sequence[str]]]] = {
    "text": (("text", "body"),),
    "button": (("button", "text"),),
    "interactive": (("interactive", "button_reply", "title"), ("interactive", "list_reply", "title")),
    "image": (("image", "caption"),),
    "video": (("video", "caption"),),
    "document": (("document", "caption"),),
    "audio": (),
    "sticker": (),
    "location": (),
    "contacts": (),
    "order": (("order", "text"),),
    "request_welcome": (),
}
FACTS: Final[Mapping[str, str]] = {"type": "type"}
REFERRAL: Final[Mapping[str, str]] = {"source_type": "referral", "source_id": "ad", "ctwa_clid": "click_id"}


class WhatsAppReceiver(ReadingReceiver):
    """Verifies and reads one connection's deliveries."""

    prefix = "wa"

    def __init__(self, signature: MetaSignature) -> None:
        self._signature = signature

    @classmethod
    def build(cls, settings: ConnectionSettings) -> WhatsAppReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        return cls(MetaSignature.of(settings))

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """True when one live app secret made the signature."""
        self._signature.check(delivery)
        return True

    def handshake(self, delivery: Delivery) -> Answer | None:
        return self._signature.handshake(delivery)

    def entries(self, delivery: Delivery) -> Sequence[Any]:
        """One entry for each message, and for each status of a message of ours."""
        return [one for change in read_changes(delivery.body) for one in _messages(change)]

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        if "status" in entry and "message" not in entry:
            raise ValueError("the status of a message of ours: kept")
        message = entry.get("message")
        if not isinstance(message, dict):
            raise ValueError("unknown event type: kept")
        kind = str(message.get("type", ""))
        if kind not in TYPES:
            raise ValueError("unknown message type: kept")
        number = read_id(message.get("from"))
        if not (number.isascii() and number.isdigit() and 5 <= len(number) <= 15):
            raise ValueError("no phone number")
        key, moment = id_key("wa", message.get("id"), message), read_moment(message.get("timestamp"))
        # the number makes the person known, so that a lead with this phone number gets the message
        extra: dict[str, FieldValue] = {"whatsapp_name": entry["name"]} if entry.get("name") else {}
        phone = f"+{number}"
        who = LeadChange(f"{key}:who", "", moment, ChangeKind.CHANGED, ChangeOrigin.PERSON, {"phone": phone}, extra)
        facts = read_facts(message, FACTS) | read_facts(read_object(message, "referral"), REFERRAL)
        words = _words(message, kind)
        act = EngagementEvent(key, EngagementKind.MESSAGE_RECEIVED, moment, properties=facts, text=words, phone=phone)
        return [who, act]


def _messages(change: Any) -> Iterator[Any]:
    """The messages and statuses of one change; what is in no known form is given as it is."""
    value = change.get("value") if isinstance(change, dict) else None
    if not isinstance(value, dict) or change.get("field") != "messages":
        yield change
        return
    names = {one.get("wa_id"): read_text(read_object(one, "profile").get("name"), 120)
             for one in _dicts(value.get("contacts")) if isinstance(one.get("wa_id"), str)}  # fmt: skip
    found = False
    for message in _dicts(value.get("messages")):
        found = True
        sender = message.get("from")
        yield {"message": message, "name": names.get(sender) if isinstance(sender, str) else None}
    for status in _dicts(value.get("statuses")):
        found = True
        yield {"status": status}
    if not found:
        yield change


def _dicts(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _words(message: Mapping[str, Any], kind: str) -> str | None:
    for path in TYPES[kind]:
        value: Any = message
        for member in path:
            value = value.get(member) if isinstance(value, dict) else None
        if text := read_text(value, MESSAGE_LIMIT):
            return text
    return None
