"""PandaDoc: proposals viewed and signed, by signed webhook. Inbound only."""

from __future__ import annotations

from connector.adapters.pandadoc.webhook import PandaDocReceiver
from connector.receiving import ListeningAdapter

ADAPTER = ListeningAdapter("pandadoc", "PandaDoc", "generic", PandaDocReceiver.build)
