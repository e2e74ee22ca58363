"""Brevo: what became of transactional and marketing e-mails, by webhook under a token. Inbound only."""

from __future__ import annotations

from connector.adapters.brevo.webhook import BrevoReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("brevo", "Brevo", "email", BrevoReceiver.build)
