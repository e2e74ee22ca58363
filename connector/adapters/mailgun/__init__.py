"""Mailgun: what became of e-mails, by signed webhook (JSON, and the form of older accounts). Inbound only."""

from __future__ import annotations

from connector.adapters.mailgun.webhook import MailgunReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("mailgun", "Mailgun", "email", MailgunReceiver.build)
