"""The inbound half of Zoho CRM: notifications of a channel. They say which records changed, and hardly ever how.

Source: Zoho's guide "Notification APIs" (version 8): the channel's own token comes back in the body; `affected_fields` names the
fields of an update by record; values come only for some; who made the change is not said. Nothing is signed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.adapters.zoho import words
from connector.errors import BadSignature, Configuration
from connector.ports import Delivery
from connector.reading import content_key, delivery_key, read_id, read_json, read_moment
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import live_secrets, matches
from leads.enums import ChangeKind, ChangeOrigin
from leads.records import InboundEvent, LeadChange

#: Guessing is all that protects an address whose sender does not sign; Zoho keeps no longer token.
SHORTEST_SECRET, LONGEST_SECRET = 16, 50
KINDS: Final[Mapping[str, ChangeKind]] = {
    "insert": ChangeKind.CREATED,
    "update": ChangeKind.CHANGED,
    "delete": ChangeKind.DELETED,
    "restore": ChangeKind.RESTORED,
}


class ZohoReceiver(ReadingReceiver):
    """Checks and reads one connection's notifications. `secrets` are the live tokens of its channel, newest first."""

    prefix = "zo"

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets)

    @classmethod
    def build(cls, settings: ConnectionSettings) -> ZohoReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        secrets = live_secrets(settings, "a random token for the notification channel", SHORTEST_SECRET)
        if max(map(len, secrets)) > LONGEST_SECRET:
            message = f"{settings.name}: a secret in webhook_secrets is longer than {LONGEST_SECRET} characters."
            raise Configuration(message, "Zoho keeps no longer token: `openssl rand -hex 24` gives one that fits.")
        return cls(secrets)

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """False: Zoho signs nothing. Raises `BadSignature` when the body does not hold the channel's token."""
        try:
            document = read_json(delivery.body)
        except ValueError:
            document = None
        given = document.get("token") if isinstance(document, dict) else None
        if not isinstance(given, str) or not matches(given, self._secrets):
            raise BadSignature("The notification does not hold the channel's token.")
        return False

    def delivery_key(self, delivery: Delivery) -> str:
        """Equal whichever of the live tokens came with it."""
        try:
            document = read_json(delivery.body)
            document.pop("token")
        except (ValueError, AttributeError, KeyError, TypeError):
            return delivery_key(delivery.body)
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode("utf-8", "replace")).hexdigest()

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        kind = KINDS.get(str(entry.get("operation")))
        ids = entry.get("ids")
        if kind is None or not isinstance(ids, list) or not ids:
            raise ValueError("no notification of a change: kept")
        if entry.get("module") != "Leads":
            raise ValueError("not about leads: kept")
        at = read_moment(entry.get("server_time"), per_second=1000)
        affected = _affected_fields(entry.get("affected_fields"))
        return [_change(kind, read_id(one), at, affected.get(str(one), frozenset())) for one in ids]


def _affected_fields(entries: object) -> dict[str, frozenset[str]]:
    """Record id → the fields of it that changed."""
    found: dict[str, frozenset[str]] = {}
    for one in entries if isinstance(entries, list) else ():
        for record, names in one.items() if isinstance(one, dict) else ():
            if isinstance(names, list):
                found[str(record)] = frozenset(str(name) for name in names)
    return found


def _change(kind: ChangeKind, record: str, at: datetime, affected: frozenset[str]) -> LeadChange:
    """A notice of what only we write is our echo. All others are read from Zoho."""
    told = affected - words.BOOKKEEPING
    ours = kind is ChangeKind.CHANGED and bool(told) and told <= words.OURS
    return LeadChange(
        event_key=content_key("zo", [kind.value, record, round(at.timestamp() * 1000), sorted(affected)]),
        external_id=record,
        occurred_at=at,
        kind=kind,
        origin=ChangeOrigin.OURSELVES if ours else ChangeOrigin.UNKNOWN,
        fetch=not ours and kind is not ChangeKind.DELETED,
        created_at=at if kind is ChangeKind.CREATED else None,
    )
