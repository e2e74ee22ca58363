"""Web form: a form on a page of yours, as JSON or form-encoded. Inbound only."""

from __future__ import annotations

from connector.adapters.web_form.webhook import WebFormReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("web_form", "Web form", "generic", WebFormReceiver.build, 262_144, requests_per_minute=30)
