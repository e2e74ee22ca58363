"""HubSpot: contacts in by webhook and backfill; owner, score, tier, stage and tasks out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from connector.adapters.hubspot.webhook import DEFAULT_VERSIONS, HubSpotReceiver
from connector.errors import Configuration
from connector.ports import ClientContext, CrmClient
from connector.settings import ConnectionSettings


def read_option_text(settings: ConnectionSettings, key: str) -> str | None:
    """An option as text; ids may be written as numbers in the file."""
    value = settings.option(key)
    return None if value in (None, "") else str(value)


@dataclass(frozen=True, slots=True)
class HubSpot:
    """The adapter. Options of a connection are listed in doc.md beside this file."""

    name: str = "hubspot"
    title: str = "HubSpot"
    kind: Literal["crm", "email", "generic"] = "crm"
    max_body_bytes: int = 1_048_576  # 100 events of at most a few kilobytes each

    def receiver(self, settings: ConnectionSettings, public_url: str) -> HubSpotReceiver:
        if not settings.webhook_secrets:
            raise Configuration(
                f"The connection {settings.name} has no webhook_secrets.",
                "Set it to the HubSpot app's client secret, as env:NAME or file:PATH.",
            )
        versions = tuple(str(version) for version in settings.option("signature_versions", DEFAULT_VERSIONS))
        if not versions or not set(versions) <= set(DEFAULT_VERSIONS):
            raise Configuration(f"{settings.name}: signature_versions names an unknown version.", "Use some of v3, v2, v1.")
        return HubSpotReceiver(
            [secret.get_secret_value() for secret in settings.webhook_secrets],
            app_id=read_option_text(settings, "app_id"),
            versions=versions,
            external_id_property=read_option_text(settings, "external_id_property"),
        )

    def client(self, settings: ConnectionSettings, context: ClientContext) -> CrmClient | None:
        from connector.adapters.hubspot.client import HubSpotClient  # the web process needs no client

        return HubSpotClient(settings, context)


ADAPTER = HubSpot()
