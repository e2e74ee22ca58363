"""WhatsApp Business: messages that people write, by signed webhook of the Cloud API. Inbound only."""

from __future__ import annotations

from connector.adapters.whatsapp.webhook import WhatsAppReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("whatsapp", "WhatsApp Business", "generic", WhatsAppReceiver.build, 3_145_728)
