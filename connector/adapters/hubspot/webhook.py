"""The inbound half of HubSpot: signatures v3, v2 and v1, and batches of up to 100 events.

Sources: HubSpot's developer guides "Validating requests" (signatures, the list of escapes, the five minutes) and "Webhooks"
(fields; `eventId` is not guaranteed to be unique; a repeat raises `attemptNumber`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.adapters.hubspot import words
from connector.clock import to_ms
from connector.errors import BadSignature, Stale
from connector.ports import Delivery
from connector.reading import content_key, read_id, read_moment, read_text
from connector.receiving import ReadingReceiver
from connector.signatures import matches, read_stamp
from leads.enums import ChangeKind, ChangeOrigin
from leads.records import EngagementEvent, InboundEvent, LeadChange

#: HubSpot signs the URI with these escapes decoded, and no others.
ESCAPES: Final[Mapping[str, str]] = {
    "%3A": ":",
    "%2F": "/",
    "%3F": "?",
    "%40": "@",
    "%21": "!",
    "%24": "$",
    "%27": "'",
    "%28": "(",
    "%29": ")",
    "%2A": "*",
    "%2C": ",",
    "%3B": ";",
}
_ESCAPE = re.compile("|".join(ESCAPES), re.IGNORECASE)
#: A request this old, in milliseconds, is still taken; one millisecond more is not.
WINDOW_MS: Final = 300_000
#: What a repeat of the same notice may change.
REPEAT_CHANGES: Final = frozenset({"attemptNumber"})
DEFAULT_VERSIONS: Final = ("v3", "v2", "v1")


def decode_listed(url: str) -> str:
    """The URL as HubSpot signs it under v3."""
    return _ESCAPE.sub(lambda match: ESCAPES[match.group().upper()], url) if "%" in url else url


def _association_ends(entry: Mapping[str, Any]) -> tuple[str, str]:
    """Which kinds of record an association joins: CONTACT_TO_DEAL, or the two type ids of the generic format."""
    left, _, right = str(entry.get("associationType", "")).lower().partition("_to_")
    return (
        words.OBJECT_TYPES.get(str(entry.get("fromObjectTypeId")), left),
        words.OBJECT_TYPES.get(str(entry.get("toObjectTypeId")), right),
    )


class HubSpotReceiver(ReadingReceiver):
    """Verifies and reads one connection's deliveries. `secrets` are the app's live client secrets, newest first."""

    prefix = "hs"
    repeat_changes = REPEAT_CHANGES

    def __init__(
        self,
        secrets: Sequence[str],
        app_id: str | None = None,
        versions: Sequence[str] = DEFAULT_VERSIONS,
        external_id_property: str | None = None,
    ) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets)
        self._app_id = app_id
        self._versions = frozenset(versions)
        self._external_id_property = external_id_property

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """True when one live secret made the signature. The strongest signature present decides; the others are ignored."""
        headers = delivery.headers
        if (given := headers.get("x-hubspot-signature-v3")) is not None and "v3" in self._versions:
            self._verify_v3(delivery, given, now)
            return True
        given = headers.get("x-hubspot-signature")
        version = headers.get("x-hubspot-signature-version", "v1")
        if given is None or version not in ("v1", "v2") or version not in self._versions:
            raise BadSignature("The request carries no HubSpot signature of an accepted version.")
        # v1 and v2 carry no time: a repeat is caught by the delivery and event keys instead
        signed = delivery.body if version == "v1" else f"{delivery.method}{delivery.url}".encode() + delivery.body
        if not matches(given, (hashlib.sha256(secret + signed).hexdigest().encode() for secret in self._secrets)):
            raise BadSignature("The HubSpot signature is wrong.")
        return True

    def _verify_v3(self, delivery: Delivery, given: str, now: datetime) -> None:
        stamp = delivery.headers.get("x-hubspot-request-timestamp", "")
        moment_ms = read_stamp(stamp, "HubSpot")
        signed = f"{delivery.method}{decode_listed(delivery.url)}".encode() + delivery.body + stamp.encode()
        if not matches(given, (base64.b64encode(hmac.digest(secret, signed, "sha256")) for secret in self._secrets)):
            raise BadSignature("The HubSpot signature is wrong.")
        if abs(to_ms(now) - moment_ms) > WINDOW_MS:
            raise Stale("The HubSpot request is outside the five-minute window.")

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        return [self._read(entry)]

    def _read(self, entry: Mapping[str, Any]) -> InboundEvent:
        about, _, what = str(entry.get("subscriptionType", "")).partition(".")
        if about == "object":
            about = words.OBJECT_TYPES.get(str(entry.get("objectTypeId")), "other")
        kind = words.KINDS.get(what)
        if kind is None:
            raise ValueError("unknown event type: kept")
        if what == "associationChange":
            return self._association(entry)
        if about != "contact":
            raise ValueError("not a contact event: kept")
        contact, moment = read_id(entry.get("objectId")), read_moment(entry.get("occurredAt"), per_second=1000)
        if what == "propertyChange":
            return self._property_change(entry, contact, moment)
        if kind is ChangeKind.MERGED:
            return self._merge(entry, moment)
        return LeadChange(
            event_key=self._key(what, contact, entry),
            external_id=contact,
            occurred_at=moment,
            kind=kind,
            origin=self._origin(entry),
            fetch=kind in (ChangeKind.CREATED, ChangeKind.RESTORED),
            created_at=moment if kind is ChangeKind.CREATED else None,
        )

    def _property_change(self, entry: Mapping[str, Any], contact: str, moment: datetime) -> InboundEvent:
        name = read_text(entry.get("propertyName"), 255)
        if name is None:
            raise ValueError("a property change that names no property")
        value = entry.get("propertyValue")
        if (done := words.ENGAGEMENTS.get(name)) is not None and value:
            acted_at = words.read_engagement_moment(value)
            return EngagementEvent(words.engagement_key(contact, name, acted_at), done, acted_at, external_id=contact)
        if "propertyValue" not in entry:  # sensitive properties come without their value
            return LeadChange(
                self._key("propertyChange", contact, entry),
                contact,
                moment,
                ChangeKind.CHANGED,
                self._origin(entry),
                fetch=True,
            )
        field, read = words.read_property(name, value)
        extra = {} if field or name in words.NOT_EXTRA else {name: read}
        if name == "lifecyclestage" and read == "unknown":
            extra[name] = read_text(value)
        if name == self._external_id_property:
            extra["external_id"] = None if read is None else str(read)
        return LeadChange(
            event_key=self._key("propertyChange", contact, entry),
            external_id=contact,
            occurred_at=moment,
            kind=ChangeKind.CHANGED,
            origin=self._origin(entry),
            fields={field: read} if field else {},
            extra=extra,
        )

    def _merge(self, entry: Mapping[str, Any], moment: datetime) -> LeadChange:
        """A merge makes a record with an id of its own (`newObjectId`); older ones keep the primary's id."""
        primary = read_id(entry.get("primaryObjectId", entry.get("objectId")))
        survivor = read_id(entry["newObjectId"]) if entry.get("newObjectId") is not None else primary
        others = entry.get("mergedObjectIds")
        gone = [primary, *(read_id(other) for other in (others if isinstance(others, list) else []))]
        return LeadChange(
            event_key=self._key("merge", survivor, entry),
            external_id=survivor,
            occurred_at=moment,
            kind=ChangeKind.MERGED,
            origin=self._origin(entry),
            merged_ids=tuple(dict.fromkeys(one for one in gone if one != survivor)),
            fetch=True,
        )

    def _association(self, entry: Mapping[str, Any]) -> LeadChange:
        """A contact tied to (or cut from) a company or a deal. HubSpot tells both directions; both get the same key."""
        ends = _association_ends(entry)
        if "contact" not in ends or ends[0] == ends[1] or not all(ends):
            raise ValueError("not a contact event: kept")
        ids = read_id(entry.get("fromObjectId")), read_id(entry.get("toObjectId"))
        mine = ends.index("contact")
        contact, other, other_type = ids[mine], ids[1 - mine], ends[1 - mine]
        moment = read_moment(entry.get("occurredAt"), per_second=1000)
        removed = entry.get("associationRemoved") is True
        return LeadChange(
            event_key=content_key("hs", ["associationChange", contact, other_type, other, removed, entry.get("occurredAt")]),
            external_id=contact,
            occurred_at=moment,
            kind=ChangeKind.CHANGED,
            origin=self._origin(entry),
            extra={f"associated_{other_type}_id": None if removed else other},
        )

    def _key(self, what: str, about: str, entry: Mapping[str, Any]) -> str:
        """`eventId` alone is not unique, and `attemptNumber` rises with every repeat: the key is made of what happened."""
        said = [entry.get(name) for name in ("propertyName", "occurredAt", "eventId", "propertyValue", "mergedObjectIds")]
        return content_key("hs", [what, about, *said])

    def _origin(self, entry: Mapping[str, Any]) -> ChangeOrigin:
        source = str(entry.get("changeSource", ""))
        if source == "INTEGRATION":
            made_by = str(entry.get("sourceId", "")).removeprefix("appId:")
            if made_by and made_by in (self._app_id, str(entry.get("appId", ""))):
                return ChangeOrigin.OURSELVES
        return words.ORIGINS.get(source, ChangeOrigin.UNKNOWN)
