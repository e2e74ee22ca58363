"""EspoCRM: leads in by webhook, read back from the CRM; owner, score, tier, stage, tasks, notes and conversion out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from connector.adapters.espocrm.webhook import EspoReceiver
from connector.adapters.espocrm.words import Names
from connector.ports import ClientContext, CrmClient
from connector.settings import ConnectionSettings
from connector.signatures import live_secrets


@dataclass(frozen=True, slots=True)
class EspoCrm:
    """The adapter. Options of a connection are listed in doc.md beside this file."""

    name: str = "espocrm"
    title: str = "EspoCRM"
    kind: Literal["crm", "email", "generic"] = "crm"
    max_body_bytes: int = 4_194_304  # 50 whole records

    def receiver(self, settings: ConnectionSettings, public_url: str) -> EspoReceiver:
        secrets = live_secrets(settings, "the secret keys of the webhooks, one of each")
        user = settings.option("api_user_id")
        return EspoReceiver(secrets, Names.of(settings), None if user is None else str(user))

    def client(self, settings: ConnectionSettings, context: ClientContext) -> CrmClient | None:
        from connector.adapters.espocrm.client import EspoClient  # the web process needs no client

        return EspoClient(settings, context)


ADAPTER = EspoCrm()
