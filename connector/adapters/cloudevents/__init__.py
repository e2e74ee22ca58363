"""CloudEvents: events of any source that speaks that specification over HTTP. Inbound only."""

from __future__ import annotations

from connector.adapters.cloudevents.webhook import CloudEventsReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("cloudevents", "CloudEvents", "generic", CloudEventsReceiver.build)
