"""Mapped JSON: any source that posts JSON, its fields mapped in the configuration. Inbound only."""

from __future__ import annotations

from connector.adapters.mapped_json.webhook import MappedJsonReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("mapped_json", "Mapped JSON", "generic", MappedJsonReceiver.build, requests_per_minute=6000)
