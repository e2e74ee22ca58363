"""The inbound half of Odoo: webhooks of its automation rules.

Sources: Odoo's documentation "Automation rules" and the public source of `ir.actions.server` (`_run_action_webhook`): one POST a
record with `_model`, `_id`, `_action` and the chosen fields as `read(load=None)` gives them (in some versions many2one as a pair);
no signature, no event name, one second to answer, no second try, and all of it inside the transaction, before it is committed or
rolled back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from connector.adapters.odoo import words
from connector.ports import Delivery
from connector.reading import content_key, read_id
from connector.receiving import ReadingReceiver
from connector.signatures import SharedSecret
from leads.enums import ChangeKind, ChangeOrigin
from leads.records import InboundEvent, LeadChange

#: Without `write_date` among its fields, equal content within so many seconds is one notice: Odoo repeats a webhook within one
#: transaction, never later. The same content after that is a change back to what was before.
REPEAT_S: Final = 60
#: What an automation rule says of itself; several rules may tell of one change.
NOT_CONTENT: Final = frozenset({"_action"})
#: The last part of the address that an "On deletion" rule calls.
DELETED: Final = "deleted"


class OdooReceiver(ReadingReceiver):
    """Reads one connection's deliveries. `secrets` stand in the path of the webhook's address; nothing is signed.

    `settle_s` is how long after a notice its transaction is taken to be committed. `api_user_id` is our own user in Odoo.
    """

    prefix = "odoo"
    repeat_changes = NOT_CONTENT

    def __init__(self, secrets: Sequence[str], settle_s: float, api_user_id: str | None) -> None:
        self._secret = SharedSecret(secrets, ("path", "query"))
        self._settle = timedelta(seconds=settle_s)
        self._api_user_id = api_user_id

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """False, always: the source cannot sign. Raises `BadSignature` without a live secret in the address."""
        self._secret.check(delivery)
        return False

    def delivery_key(self, delivery: Delivery) -> str:
        """Of the bytes, and of the minute when they name no moment: a lead that goes back to what it was says the same again."""
        minute = None if b'"write_date"' in delivery.body else _minute(delivery)
        return hashlib.sha256(f"{minute}:".encode() + delivery.body).hexdigest()

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        """What a notice says is not believed, because its transaction may be rolled back: it only says which lead to read."""
        if entry.get("_model") != words.LEAD:
            raise ValueError("not a lead: kept")
        lead = read_id(entry.get("_id"))
        gone = urlsplit(delivery.url).path.rstrip("/").rpartition("/")[2] == DELETED
        said = {name: value for name, value in entry.items() if name not in NOT_CONTENT}
        return [
            LeadChange(
                event_key=content_key(self.prefix, [said, gone, None if "write_date" in said else _minute(delivery)]),
                external_id=lead,
                occurred_at=delivery.received_at,
                kind=ChangeKind.DELETED if gone else ChangeKind.CHANGED,
                origin=self._origin(entry),
                fetch=not gone,
                settles_at=delivery.received_at + self._settle,
            )
        ]

    def _origin(self, entry: Mapping[str, Any]) -> ChangeOrigin:
        user = words.read_link(entry.get("write_uid"))
        return ChangeOrigin.OURSELVES if user is not None and user == self._api_user_id else ChangeOrigin.UNKNOWN


def _minute(delivery: Delivery) -> int:
    return int(delivery.received_at.timestamp()) // REPEAT_S
