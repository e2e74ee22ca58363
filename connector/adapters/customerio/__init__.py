"""Customer.io: what became of messages, by signed reporting webhook. Inbound only."""

from __future__ import annotations

from connector.adapters.customerio.webhook import CustomerIoReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("customerio", "Customer.io", "email", CustomerIoReceiver.build)
