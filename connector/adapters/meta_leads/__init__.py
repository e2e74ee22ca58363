"""Meta lead ads (Facebook, Instagram): each lead by signed webhook, got from the Graph API. Inbound only."""

from __future__ import annotations

from connector.adapters.meta_leads.webhook import MetaLeadsReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("meta_leads", "Meta lead ads", "generic", MetaLeadsReceiver.build)
