"""LinkedIn lead gen forms: each lead by signed notice, got from LinkedIn's API. Inbound only."""

from __future__ import annotations

from connector.adapters.linkedin_leads.webhook import LinkedInLeadsReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("linkedin_leads", "LinkedIn lead forms", "generic", LinkedInLeadsReceiver.build)
