"""The inbound half of Google Ads lead form assets: one lead a delivery, its key inside the body.

Source: Google Ads Help and developer pages "Webhook for lead form assets" (fields, `google_key`, `is_test`, answers to be empty).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.errors import BadSignature
from connector.leadads import lead_events, read_answers
from connector.ports import Delivery
from connector.reading import content_key, delivery_key, id_key, read_facts, read_json, read_text, read_time
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import SHORTEST, live_secrets, matches
from leads.records import InboundEvent

KEPT: Final[Mapping[str, str]] = {
    "form_id": "form",
    "campaign_id": "campaign_id",
    "adgroup_id": "ad_group",
    "creative_id": "creative",
}


class GoogleLeadsReceiver(ReadingReceiver):
    """Checks and reads one connection's deliveries. `keys` are the live ones, newest first."""

    prefix = "gads"

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = tuple(key.encode() for key in keys)

    @classmethod
    def build(cls, settings: ConnectionSettings) -> GoogleLeadsReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        return cls(live_secrets(settings, "the key you write beside the webhook's URL in the lead form", SHORTEST))

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """False: nothing is signed. Raises `BadSignature` unless the body holds a live key."""
        try:
            document = read_json(delivery.body)
        except ValueError:
            document = None
        given = document.get("google_key") if isinstance(document, dict) else None
        if not isinstance(given, str) or not matches(given, self._keys):
            raise BadSignature("The body does not hold the key of this connection.")
        return False

    def delivery_key(self, delivery: Delivery) -> str:
        """The lead without the key that came with it: a repeat may come under a new one."""
        try:
            document = read_json(delivery.body)
        except ValueError:
            return delivery_key(delivery.body)
        return content_key("gads", document, frozenset({"google_key"}))

    def entries(self, delivery: Delivery) -> Sequence[Any]:
        return [read_json(delivery.body)]

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        entry = {name: value for name, value in entry.items() if name != "google_key"}
        if entry.get("is_test") is True:
            raise ValueError("a test lead: kept")
        columns = entry.get("user_column_data")
        if not isinstance(columns, list):
            raise ValueError("no lead: kept")
        told = [one for one in columns if isinstance(one, dict)]
        fields, extra = read_answers((one.get("column_id") or one.get("column_name"), one.get("string_value")) for one in told)
        if not (fields.get("email") or fields.get("phone")):
            raise ValueError("names nobody")
        key, person = id_key("gads", entry.get("lead_id"), entry), read_text(entry.get("lead_id"), 128) or ""
        given = entry.get("lead_submit_time")  # not in every version; then it happened when it arrived
        moment = read_time(given) if given else delivery.received_at
        return lead_events(key, person, moment, {"source": "google_ads", **fields}, extra, read_facts(entry, KEPT))
