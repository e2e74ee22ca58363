"""Mailchimp: who joined, changed or left an audience, by webhook with a secret in its address. Inbound only."""

from __future__ import annotations

from connector.adapters.mailchimp.webhook import MailchimpReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("mailchimp", "Mailchimp", "email", MailchimpReceiver.build)
