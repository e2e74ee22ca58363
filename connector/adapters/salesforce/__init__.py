"""Salesforce: leads in by outbound message, Flow callout, change event and backfill; owner, score, tasks and opportunities out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from connector.adapters.salesforce.calls import CLIENT_NAME
from connector.adapters.salesforce.options import own_fields, read_id_option
from connector.adapters.salesforce.webhook import SalesforceReceiver
from connector.ports import ClientContext, CrmClient
from connector.settings import ConnectionSettings
from connector.signatures import SHORTEST, live_secrets


@dataclass(frozen=True, slots=True)
class Salesforce:
    """The adapter. Options of a connection are listed in doc.md beside this file."""

    name: str = "salesforce"
    title: str = "Salesforce"
    kind: Literal["crm", "email", "generic"] = "crm"
    max_body_bytes: int = 1_048_576  # 100 notifications of some kilobytes

    def receiver(self, settings: ConnectionSettings, public_url: str) -> SalesforceReceiver:
        secrets = live_secrets(settings, "a long random word of your own, part of the endpoint URL in Salesforce", SHORTEST)
        return SalesforceReceiver(
            secrets,
            user_id=read_id_option(settings, "user_id"),
            organization_id=read_id_option(settings, "organization_id"),
            client_name=str(settings.option("client_name", CLIENT_NAME)),
            own=own_fields(settings),
        )

    def client(self, settings: ConnectionSettings, context: ClientContext) -> CrmClient | None:
        from connector.adapters.salesforce.client import SalesforceClient  # the web process needs no client

        return SalesforceClient(settings, context)


ADAPTER = Salesforce()
