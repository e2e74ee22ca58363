"""Standard Webhooks: events of any source that signs by that specification. Inbound only."""

from __future__ import annotations

from connector.adapters.standard_webhooks.webhook import StandardWebhooksReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("standard_webhooks", "Standard Webhooks", "generic", StandardWebhooksReceiver.build)
