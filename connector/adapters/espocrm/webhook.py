"""The inbound half of EspoCRM: `Signature`, the older `X-Signature`, and arrays of partial records.

Sources: EspoCRM's documentation "Webhooks" and the public source of `Core/Webhook` (Sender, Queue, Manager). A hook is of one
event, which only its address can say; an update holds the id and what changed, neither the moment nor (unless that changed too)
who. Answers of 401, 403, 404, 405, 408, 500 and 503 are tried again three times, ten minutes apart; any other 4xx or 5xx drops the
records, and 410 deletes the hook.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from connector.adapters.espocrm import words
from connector.adapters.espocrm.words import Names
from connector.errors import BadSignature
from connector.ports import Delivery
from connector.reading import content_key, read_id
from connector.receiving import ReadingReceiver
from leads.enums import ChangeKind, ChangeOrigin
from leads.records import InboundEvent, LeadChange

#: Equal content within so many seconds is a repeat. Later it is a change back to what was before: updates carry no moment.
REPEAT_S: Final = 60
#: What stands in an update beside what changed.
BESIDE: Final = frozenset({"id", "modifiedById", "modifiedByName"})


class EspoReceiver(ReadingReceiver):
    """Verifies and reads one connection's deliveries. `secrets` are the secret keys of all its hooks; `api_user_id` is our user."""

    prefix = "espo"

    def __init__(self, secrets: Sequence[str], names: Names, api_user_id: str | None) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets)
        self._ours = frozenset(names.all()) | BESIDE
        self._api_user_id = api_user_id

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """True when a hook's key made the signature. The newer header decides when both are there; neither carries a time."""
        newer = delivery.headers.get("signature")
        given = _signed_part(newer if newer is not None else delivery.headers.get("x-signature", ""))
        found = False
        for secret in self._secrets:
            made = hmac.digest(secret, delivery.body, "sha256")
            found |= hmac.compare_digest(made.hex().encode() if newer is not None else made, given)
        if not found:
            raise BadSignature("The EspoCRM signature is missing or wrong.")
        return True

    def delivery_key(self, delivery: Delivery) -> str:
        """Of the bytes and the address, and of the minute unless these are creations: a lead that goes back to what it was says the
        same bytes again."""
        minute = None if b'"createdAt"' in delivery.body else _minute(delivery)
        return hashlib.sha256(f"{minute}:{urlsplit(delivery.url).query}:".encode() + delivery.body).hexdigest()

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        """A partial record only says which lead to read: a portion that failed comes ten minutes late, behind newer ones."""
        entity, kind = _event(delivery.url)
        if entity != words.LEAD:
            raise ValueError("not a lead: kept")
        lead = read_id(entry.get("id"))
        gone = entry.keys() == {"id"}
        if gone is not (kind == "delete") and kind is not None:
            raise ValueError("not of the event that the address names: kept")
        made = not gone and "createdAt" in entry
        return [
            LeadChange(
                event_key=content_key(self.prefix, [entity, kind, entry, None if made else _minute(delivery)]),
                external_id=lead,
                occurred_at=delivery.received_at,
                kind=ChangeKind.DELETED if gone else ChangeKind.CREATED if made else ChangeKind.CHANGED,
                origin=self._origin(entry, made or gone),
                fetch=not gone,
                created_at=words.read_datetime(entry.get("createdAt")) if made else None,
                settles_at=None if gone else delivery.received_at,  # at once; a lead that is not there then is no lead
            )
        ]

    def _origin(self, entry: Mapping[str, Any], whole: bool) -> ChangeOrigin:
        """Ours when it says so, or when nothing but our own fields changed."""
        by = entry.get("modifiedById")
        if not whole and ((by is not None and by == self._api_user_id) or (by is None and entry.keys() <= self._ours)):
            return ChangeOrigin.OURSELVES
        return ChangeOrigin.UNKNOWN


def _signed_part(given: str) -> bytes:
    """What follows the hook's id in a signature: base64 of `id:hash`."""
    try:
        return base64.b64decode(given.encode("ascii"), validate=True).partition(b":")[2]
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return b""


def _event(url: str) -> tuple[str, str | None]:
    """(entity, create, update, fieldUpdate or delete) as the address says: `?event=Lead.update`. Without it, of a lead."""
    named = parse_qs(urlsplit(url).query).get("event", [""])[0]
    entity, _, rest = named.partition(".")
    return entity or words.LEAD, rest.partition(".")[0] or None


def _minute(delivery: Delivery) -> int:
    return int(delivery.received_at.timestamp()) // REPEAT_S
