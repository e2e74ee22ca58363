"""The inbound half of Meta lead ads: a signed notice names the lead, the worker gets its answers from the Graph API.

Sources: Meta's Marketing API guides "Webhooks for lead ads" (the `leadgen` field) and "Retrieving leads" (`field_data`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.leadads import LeadFetcher, lead_events, read_answers
from connector.meta import MetaSignature, read_changes
from connector.ports import Answer, Delivery
from connector.reading import id_key, read_facts, read_id, read_time
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from leads.records import InboundEvent

GRAPH: Final = "https://graph.facebook.com/v23.0"
FIELD: Final = "leadgen"
ASKED: Final = "id,created_time,field_data,ad_id,form_id,campaign_id,platform"
KEPT: Final[Mapping[str, str]] = {
    "form_id": "form",
    "ad_id": "ad",
    "adgroup_id": "ad_group",
    "campaign_id": "campaign_id",
    "page_id": "page",
    "platform": "platform",
}


class MetaLeadsReceiver(ReadingReceiver):
    """Verifies and reads one connection's deliveries."""

    prefix = "meta"

    def __init__(self, signature: MetaSignature, fetcher: LeadFetcher) -> None:
        self._signature = signature
        self._fetcher = fetcher

    @classmethod
    def build(cls, settings: ConnectionSettings) -> MetaLeadsReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        return cls(MetaSignature.of(settings), LeadFetcher(settings, "Meta", GRAPH))

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """True when one live app secret made the signature."""
        self._signature.check(delivery)
        return True

    def handshake(self, delivery: Delivery) -> Answer | None:
        return self._signature.handshake(delivery)

    def entries(self, delivery: Delivery) -> Sequence[Any]:
        return list(read_changes(delivery.body))

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        value = entry.get("value")
        if entry.get("field") != FIELD or not isinstance(value, dict):
            raise ValueError("unknown event type: kept")
        person = read_id(value.get("leadgen_id"))
        told: Mapping[str, Any] = value
        if not isinstance(value.get("field_data"), list):
            if not person.isdigit():
                raise ValueError("no record id")
            told = {**value, **self._fetcher.get(f"/{person}", {"fields": ASKED}, {})}
        answers = told.get("field_data")
        pairs = (
            [(one.get("name"), _first(one.get("values"))) for one in answers if isinstance(one, dict)]
            if isinstance(answers, list)
            else []
        )
        fields, extra = read_answers(pairs)
        if not (fields.get("email") or fields.get("phone")):
            raise ValueError("names nobody")
        moment = read_time(told.get("created_time") or entry.get("at"))
        source = {"source": "meta_ads"}
        return lead_events(id_key("meta", person, entry), person, moment, {**source, **fields}, extra, read_facts(told, KEPT))


def _first(values: object) -> object:
    return values[0] if isinstance(values, list) and values else None
