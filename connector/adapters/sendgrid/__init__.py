"""SendGrid: what became of e-mails, by signed Event Webhook. Inbound only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from connector.adapters.sendgrid.webhook import WINDOW_S, SendGridReceiver, build_receiver
from connector.ports import ClientContext, CrmClient
from connector.settings import ConnectionSettings


@dataclass(frozen=True, slots=True)
class SendGrid:
    """The adapter. Options of a connection are listed in doc.md beside this file."""

    name: str = "sendgrid"
    title: str = "SendGrid"
    kind: Literal["crm", "email", "generic"] = "email"
    max_body_bytes: int = 2_097_152  # SendGrid posts up to 768 KB at a time

    def receiver(self, settings: ConnectionSettings, public_url: str) -> SendGridReceiver:
        keys = [secret.get_secret_value() for secret in settings.webhook_secrets]
        return build_receiver(settings.name, keys, float(settings.option("replay_window_s", WINDOW_S)))

    def client(self, settings: ConnectionSettings, context: ClientContext) -> CrmClient | None:
        return None


ADAPTER = SendGrid()
