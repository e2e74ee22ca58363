"""Calendly: meetings booked and missed, by signed webhook. Inbound only."""

from __future__ import annotations

from connector.adapters.calendly.webhook import CalendlyReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("calendly", "Calendly", "generic", CalendlyReceiver.build)
