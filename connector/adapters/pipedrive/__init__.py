"""Pipedrive: persons in by webhook and backfill; owner, score, tier, stage, tasks, notes and deals out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from connector.adapters.pipedrive.webhook import PipedriveReceiver
from connector.ports import ClientContext, CrmClient
from connector.settings import ConnectionSettings


@dataclass(frozen=True, slots=True)
class Pipedrive:
    """The adapter. Options of a connection are listed in doc.md beside this file."""

    name: str = "pipedrive"
    title: str = "Pipedrive"
    kind: Literal["crm", "email", "generic"] = "crm"
    max_body_bytes: int = 1_048_576  # one event with the record before and after

    def receiver(self, settings: ConnectionSettings, public_url: str) -> PipedriveReceiver:
        return PipedriveReceiver.build(settings)

    def client(self, settings: ConnectionSettings, context: ClientContext) -> CrmClient | None:
        from connector.adapters.pipedrive.client import PipedriveClient  # the web process needs no client

        return PipedriveClient(settings, context)


ADAPTER = Pipedrive()
