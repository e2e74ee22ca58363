"""Odoo: leads in by automation webhook, read back from the CRM; owner, score, tier, stage, activities, notes and conversion out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from connector.adapters.odoo.webhook import OdooReceiver
from connector.ports import ClientContext, CrmClient
from connector.settings import ConnectionSettings
from connector.signatures import SHORTEST, live_secrets, number_option

#: An automation calls before its transaction is committed. It waits a second at most for each answer.
SETTLE_S = 2.0


@dataclass(frozen=True, slots=True)
class Odoo:
    """The adapter. Options of a connection are listed in doc.md beside this file."""

    name: str = "odoo"
    title: str = "Odoo"
    kind: Literal["crm", "email", "generic"] = "crm"
    max_body_bytes: int = 1_048_576

    def receiver(self, settings: ConnectionSettings, public_url: str) -> OdooReceiver:
        secrets = live_secrets(settings, "long random words that stand in the webhook's address", SHORTEST)
        user = settings.option("api_user_id")
        return OdooReceiver(secrets, number_option(settings, "settle_s", SETTLE_S), None if user is None else str(user))

    def client(self, settings: ConnectionSettings, context: ClientContext) -> CrmClient | None:
        from connector.adapters.odoo.client import OdooClient  # the web process needs no client

        return OdooClient(settings, context)


ADAPTER = Odoo()
