"""The inbound half of PandaDoc: batches of document events, signed in the query.

Source: PandaDoc's developer pages "Webhooks" (events, `signature` in the query: HMAC-SHA256 of the body under the shared key) and
"Document statuses". No time is signed.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from connector.errors import BadSignature
from connector.ports import Delivery
from connector.reading import content_key, read_email, read_facts, read_object, read_time
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import live_secrets, matches
from leads.enums import EngagementKind
from leads.records import EngagementEvent, InboundEvent

#: Status of a document whose state changed → what a recipient did.
STATUSES: Final[Mapping[str, EngagementKind]] = {
    "document.viewed": EngagementKind.PROPOSAL_VIEWED,
    "document.completed": EngagementKind.PROPOSAL_SIGNED,
}
#: Known, and done by us or by nobody.
OURS: Final = frozenset(
    {
        "document.uploaded",
        "document.draft",
        "document.sent",
        "document.waiting_approval",
        "document.approved",
        "document.rejected",
        "document.waiting_pay",
        "document.paid",
        "document.voided",
        "document.declined",
        "document.external_review",
    }
)
STATE_CHANGED: Final = "document_state_changed"
RECIPIENT_COMPLETED: Final = "recipient_completed"
KEPT: Final[Mapping[str, str]] = {"id": "document", "status": "status"}


class PandaDocReceiver(ReadingReceiver):
    """Verifies and reads one connection's deliveries. `secrets` are the live shared keys, newest first."""

    prefix = "pd"

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets)

    @classmethod
    def build(cls, settings: ConnectionSettings) -> PandaDocReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        return cls(live_secrets(settings, "the shared key that PandaDoc shows beside the webhook"))

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """True when one live key made the signature in the query."""
        given = parse_qs(urlsplit(delivery.url).query).get("signature", [""])[0]
        made = (hmac.new(secret, delivery.body, "sha256").hexdigest().encode() for secret in self._secrets)
        if not matches(given, made):
            raise BadSignature("The PandaDoc signature is wrong.")
        return True

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        name, said = str(entry.get("event", "")), read_object(entry, "data")
        status = str(said.get("status", ""))
        if name == STATE_CHANGED and status in OURS:
            raise ValueError("no act of a recipient: kept")
        kind = EngagementKind.PROPOSAL_SIGNED if name == RECIPIENT_COMPLETED else STATUSES.get(status)
        if kind is None or name not in (STATE_CHANGED, RECIPIENT_COMPLETED):
            raise ValueError("unknown event type: kept")
        email = read_email(_person(said))
        moment = read_time(said.get("action_date") or said.get("date_modified") or said.get("date_completed"))
        # PandaDoc numbers no events. That a document was signed by somebody is one act, however it is told
        said_once = None if kind is EngagementKind.PROPOSAL_SIGNED else moment.isoformat()
        key = content_key("pd", [kind.value, said.get("id"), email.lower(), said_once])
        return [EngagementEvent(key, kind, moment, email=email, properties=read_facts(said, KEPT))]


def _person(said: Mapping[str, Any]) -> object:
    """Whoever acted; else the recipient, where there is but one."""
    acted = read_object(said, "action_by").get("email")
    recipients = said.get("recipients")
    signers = [one for one in recipients if isinstance(one, dict)] if isinstance(recipients, list) else []
    return acted or (signers[0].get("email") if len(signers) == 1 else None)
