"""The inbound half of Segment's webhook destination, and of whatever speaks its form: product use, pages, people.

Source: Segment's pages "Webhooks (Actions) destination" (X-Signature: HMAC-SHA1 of the body in hex) and "Spec" (track, page,
screen, identify, group, alias; `messageId` is unique). No time is signed.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.errors import BadSignature
from connector.eventmap import EventMap, Kind, read_type
from connector.ports import Delivery
from connector.reading import id_key, read_object, read_text, read_time
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import live_secrets, matches
from leads.enums import ChangeKind, EngagementKind
from leads.records import InboundEvent

SIGNATURE: Final = "x-signature"
#: Calls that say what somebody did or is. A `track` is known by its event's name, else it is product use.
CALLS: Final[Mapping[str, Kind]] = {
    "track": EngagementKind.PRODUCT_USED,
    "screen": EngagementKind.PRODUCT_USED,
    "page": EngagementKind.PAGE_VIEWED,
    "identify": ChangeKind.CHANGED,
}
WITHOUT_WORD: Final = frozenset({"group", "alias", "delete"})


class SegmentReceiver(ReadingReceiver):
    """Verifies and reads one connection's deliveries. `secrets` are the live shared secrets, newest first."""

    prefix = "seg"

    def __init__(self, secrets: Sequence[str], event_map: EventMap) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets)
        self._map = event_map

    @classmethod
    def build(cls, settings: ConnectionSettings) -> SegmentReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        return cls(live_secrets(settings, "the shared secret you wrote into the webhook destination"), EventMap.of(settings))

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """True when one live secret made the signature."""
        made = (hmac.new(secret, delivery.body, "sha1").hexdigest().encode() for secret in self._secrets)
        if not matches(delivery.headers.get(SIGNATURE, ""), made):
            raise BadSignature("The Segment signature is wrong.")
        return True

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        call = str(entry.get("type", ""))
        if call in WITHOUT_WORD:
            raise ValueError("no act of a person: kept")
        if call not in CALLS:
            raise ValueError("unknown event type: kept")
        kind = CALLS[call]
        if call == "track":
            kind = self._map.types.get(str(entry.get("event"))) or read_type(entry.get("event")) or kind
        context = read_object(entry, "context")
        said = {
            "userId": entry.get("userId"),
            "feature": read_text(entry.get("event") or entry.get("name"), 120),
            "userAgent": context.get("userAgent"),
            "ip": context.get("ip"),
            "url": read_object(context, "page").get("url"),
            "traits": {**read_object(context, "traits"), **read_object(entry, "traits")},
            "properties": read_object(entry, "properties"),
        }
        key, moment = id_key("seg", entry.get("messageId"), entry), read_time(entry.get("timestamp"))
        return self._map.read("seg", said, kind=kind, key=key, moment=moment)
