"""The inbound half of Salesforce: outbound messages (SOAP), Flow HTTP callouts, and change and platform events as JSON.

None of them is signed: a secret of the connection comes in the path (an outbound message carries no header of one's own) or in a
header.

Sources: Salesforce's SOAP API guide "Outbound Messaging" (up to 100 notifications, the same one may come again and in disorder,
only the latest values are sent, an Ack is wanted), "Change Data Capture Developer Guide" (header fields, gap events), help "HTTP
Callout" in Flow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.adapters.salesforce import words
from connector.adapters.salesforce.envelope import ACK, is_xml, read_notifications
from connector.adapters.salesforce.ids import LEAD, is_same, long_or_none, read_record_id
from connector.errors import Rejected
from connector.ports import Answer, Delivery
from connector.reading import content_key, read_json, read_object
from connector.receiving import ReadingReceiver
from connector.signatures import SharedSecret
from leads.enums import ChangeKind, ChangeOrigin
from leads.records import InboundEvent, LeadChange

HEADER: Final = "x-leadswitch-secret"
#: `changeType` of a change event → what happened. The values of a gap event are lost, so that the record is read.
KINDS: Final[Mapping[str, ChangeKind]] = {
    "CREATE": ChangeKind.CREATED,
    "UPDATE": ChangeKind.CHANGED,
    "DELETE": ChangeKind.DELETED,
    "UNDELETE": ChangeKind.RESTORED,
}
#: Where a Flow or a platform event may say which lead it is about, and when.
LEAD_KEYS: Final = ("leadId", "LeadId", "lead_id", "Lead_Id__c", "LeadId__c", "Id")
MOMENT_KEYS: Final = ("changedAt", "changed_at", "ChangedAt__c", "LastModifiedDate", "CreatedDate")


class SalesforceReceiver(ReadingReceiver):
    """Verifies and reads one connection's deliveries. `user_id` is our own user, `client_name` what our calls are named in change
    events, `own` the option `fields`."""

    prefix = "sf"

    def __init__(
        self,
        secrets: Sequence[str],
        user_id: str | None = None,
        organization_id: str | None = None,
        client_name: str = "",
        own: Mapping[str, str] | None = None,
    ) -> None:
        self._secret = SharedSecret(secrets, ("path", HEADER, "bearer", "basic"))
        self._user_id, self._organization_id = user_id, organization_id
        self._client_name, self._own = client_name, own or {}

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """False: a shared secret came along, the source cannot sign. A document type is refused at the door."""
        self._secret.check(delivery)
        if is_xml(delivery.body) and b"<!DOCTYPE" in delivery.body:
            raise Rejected("The message declares a document type.")
        return False

    def acknowledgement(self, delivery: Delivery) -> Answer:
        """An outbound message is sent again and again, for a day, until it is answered with an Ack of all its notifications."""
        return Answer(body=ACK, content_type="text/xml; charset=utf-8") if is_xml(delivery.body) else Answer()

    def entries(self, delivery: Delivery) -> Sequence[Any]:
        if is_xml(delivery.body):
            return read_notifications(delivery.body)
        document = read_json(delivery.body)
        if not isinstance(document, dict | list):
            raise ValueError("neither a list nor an object")
        return document if isinstance(document, list) else [document]

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        if "notification" in entry and "fields" in entry:
            return [self._notification(entry, delivery)]
        payload = read_object(entry, "payload") or entry
        if isinstance(payload.get("ChangeEventHeader"), dict):
            return self._change_event(payload)
        return [self._notice(payload, delivery, content_key("sf", entry))]

    # --- outbound messages

    def _notification(self, entry: Mapping[str, Any], delivery: Delivery) -> LeadChange:
        if self._organization_id and not is_same(entry.get("organization"), self._organization_id):
            raise ValueError("a message of another org: kept")
        fields = read_object(entry, "fields")
        lead = _lead_id(fields.get("Id"))
        key = f"sf:om:{read_record_id(entry.get('notification'))}"
        stamp = fields.get("LastModifiedDate") or fields.get("SystemModstamp")
        at = words.read_moment(stamp) if stamp else delivery.received_at
        known, extra = words.read_fields(fields, self._own, emptied=True)
        return LeadChange(
            event_key=key,
            external_id=lead,
            occurred_at=at,
            kind=ChangeKind.CHANGED,
            origin=self._by(fields.get("LastModifiedById")),
            fields=known,
            extra=extra,
            fetch=set(fields) <= {"Id"},  # no more was asked for, or the record was deleted before this was sent
            created_at=words.read_moment(fields["CreatedDate"]) if fields.get("CreatedDate") else None,
        )

    def _by(self, user: object) -> ChangeOrigin:
        """Whose change it is, by the user who made the latest one."""
        if long_or_none(user) is None:
            return ChangeOrigin.UNKNOWN
        return ChangeOrigin.OURSELVES if is_same(user, self._user_id) else ChangeOrigin.PERSON

    # --- change data capture

    def _change_event(self, payload: Mapping[str, Any]) -> list[InboundEvent]:
        header = read_object(payload, "ChangeEventHeader")
        if header.get("entityName") != "Lead":
            raise ValueError("not a change of a lead: kept")
        word = str(header.get("changeType", ""))
        gap = word.startswith("GAP_")
        kind = KINDS.get(word.removeprefix("GAP_"))
        ids = header.get("recordIds")
        if kind is None or not isinstance(ids, list) or not ids:
            raise ValueError("a change event without a known change: kept")
        at = words.read_moment(header.get("commitTimestamp"))
        fields, extra = words.read_fields(_flat(payload, header), self._own, emptied=True)
        said = [header.get("transactionKey"), header.get("sequenceNumber"), word, header.get("commitTimestamp")]
        return [
            LeadChange(
                event_key=content_key("sf", [*said, lead]),
                external_id=lead,
                occurred_at=at,
                kind=kind,
                origin=self._origin(header),
                fields={} if gap or kind is ChangeKind.DELETED else fields,
                extra={} if gap or kind is ChangeKind.DELETED else extra,
                fetch=gap and kind is not ChangeKind.DELETED,
                created_at=at if kind is ChangeKind.CREATED else None,
            )
            for lead in dict.fromkeys(map(_lead_id, ids))
        ]

    def _origin(self, header: Mapping[str, Any]) -> ChangeOrigin:
        """Ours by the name that our calls give themselves; a person's when Salesforce's own pages made the change."""
        _, _, client = str(header.get("changeOrigin", "")).partition("client=")
        client = client.rstrip("/;")
        if client and client == self._client_name:
            return ChangeOrigin.OURSELVES
        if client == "SfdcInternalAPI":
            return ChangeOrigin.PERSON
        return ChangeOrigin.MACHINE if client else self._by(header.get("commitUser"))

    # --- callouts of a Flow, platform events

    def _notice(self, payload: Mapping[str, Any], delivery: Delivery, key: str) -> LeadChange:
        """A word that a lead has changed; what it is now is read."""
        lead = _lead_id(next((payload[name] for name in LEAD_KEYS if payload.get(name)), None))
        stamp = next((payload[name] for name in MOMENT_KEYS if payload.get(name)), None)
        at = delivery.received_at if stamp is None else words.read_moment(stamp)
        return LeadChange(key, lead, at, ChangeKind.CHANGED, self._by(payload.get("LastModifiedById")), fetch=True)


def _lead_id(value: object) -> str:
    lead = read_record_id(value)
    if not lead.startswith(LEAD):
        raise ValueError("not about a lead: kept")
    return lead


def _flat(payload: Mapping[str, Any], header: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a change event: compound ones opened, emptied ones as None."""
    flat: dict[str, Any] = {}
    for name, value in payload.items():
        if name in ("Name", "Address") and isinstance(value, dict):
            flat.update(value)
        elif name != "ChangeEventHeader":
            flat[name] = value
    nulled = header.get("nulledFields")
    names = [str(one).rpartition(".")[2] for one in nulled] if isinstance(nulled, list) else []
    return flat | {name: None for name in names if name and not name.startswith("0x")}
