"""Postmark: what became of e-mails, by webhook under HTTP Basic credentials or a header. Inbound only."""

from __future__ import annotations

from connector.adapters.postmark.webhook import PostmarkReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("postmark", "Postmark", "email", PostmarkReceiver.build)
