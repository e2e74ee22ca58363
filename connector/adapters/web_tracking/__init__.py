"""Web tracking: pages, downloads and videos on your own site, by a small script of ours. Inbound only."""

from __future__ import annotations

from connector.adapters.web_tracking.webhook import WebTrackingReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("web_tracking", "Web tracking", "generic", WebTrackingReceiver.build, 65_536, requests_per_minute=120)
