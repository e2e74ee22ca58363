"""Google Ads lead forms: each lead by webhook with a key in the body. Inbound only."""

from __future__ import annotations

from connector.adapters.google_leads.webhook import GoogleLeadsReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("google_leads", "Google lead forms", "generic", GoogleLeadsReceiver.build)
