"""Zoho CRM: leads in by notification channel and backfill; owner, score, tier, status, tasks, notes and conversions out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from connector.adapters.zoho.webhook import ZohoReceiver
from connector.ports import ClientContext, CrmClient
from connector.settings import ConnectionSettings


@dataclass(frozen=True, slots=True)
class Zoho:
    """The adapter. Options of a connection are listed in doc.md beside this file."""

    name: str = "zoho"
    title: str = "Zoho CRM"
    kind: Literal["crm", "email", "generic"] = "crm"
    max_body_bytes: int = 1_048_576  # ids of at most a few thousand records

    def receiver(self, settings: ConnectionSettings, public_url: str) -> ZohoReceiver:
        return ZohoReceiver.build(settings)

    def client(self, settings: ConnectionSettings, context: ClientContext) -> CrmClient | None:
        from connector.adapters.zoho.client import ZohoClient  # the web process needs no client

        return ZohoClient(settings, context)


ADAPTER = Zoho()
