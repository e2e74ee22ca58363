"""Amazon SES: what became of e-mails, by signed SNS notification. Inbound only."""

from __future__ import annotations

from connector.adapters.amazon_ses.webhook import SesReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("amazon_ses", "Amazon SES", "email", SesReceiver.build)
