"""The outbound half of a HubSpot connection: what `connector.ports.CrmClient` asks for, put together from its parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from connector.adapters.hubspot.accounts import read_companies
from connector.adapters.hubspot.backfill import BATCH, ContactReader
from connector.adapters.hubspot.calls import HubSpotCalls
from connector.adapters.hubspot.records import read_owner
from connector.adapters.hubspot.setup import HubSpotSetup
from connector.adapters.hubspot.writer import DEAL_PIPELINE, DEAL_STAGE, HubSpotWriter
from connector.errors import Configuration
from connector.ports import BackfillPage, ClientContext, CrmWrite, Written
from connector.settings import ConnectionSettings
from leads.records import AccountRecord, LeadChange, RepRecord
from leads.results import CheckResult


class HubSpotClient:
    """See `connector.ports.CrmClient`. Options of the connection are listed in doc.md beside this file."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext) -> None:
        extra = settings.option("extra_properties", ())
        if isinstance(extra, str) or not all(isinstance(one, str) for one in extra):
            raise Configuration(f"{settings.name}: extra_properties is not a list of names.", 'Write it as ["name", "name"].')
        external_id_property = settings.option("external_id_property") or None
        app_id = settings.option("app_id")
        self._portal_id = settings.option("portal_id")
        self._calls = HubSpotCalls(settings, context)
        self._background = background = self._calls.in_background()
        self._reader = ContactReader(self._calls, background, tuple(extra), external_id_property)
        stage, pipeline = settings.option("deal_stage", DEAL_STAGE), settings.option("deal_pipeline", DEAL_PIPELINE)
        self._writer = HubSpotWriter(background, context.clock, str(stage), str(pipeline))
        self._setup = HubSpotSetup(self._calls, settings.name, str(app_id) if app_id else None)

    def read_leads(self, external_ids: Sequence[str]) -> Sequence[LeadChange]:
        return self._reader.by_ids(external_ids)

    def owners(self) -> Iterator[RepRecord]:
        for archived in ("false", "true"):
            after: str | None = None
            while True:
                params = {"limit": str(BATCH), "archived": archived} | ({"after": after} if after else {})
                answer = self._calls.call("GET", self._calls.path("owners"), params=params)
                for record in answer.get("results", []):
                    if record.get("type", "PERSON") == "PERSON":
                        yield read_owner(record)
                following = ((answer.get("paging") or {}).get("next") or {}).get("after")
                if not following or str(following) == after:
                    break
                after = str(following)

    def accounts(self) -> Iterator[Sequence[AccountRecord]]:
        return read_companies(self._background)

    def backfill(self, cursor: str | None = None) -> Iterator[BackfillPage]:
        return self._reader.all(cursor)

    def changed_since(self, moment: datetime, after_id: str | None = None) -> Iterator[BackfillPage]:
        return self._reader.changed_since(moment, after_id)

    def write(self, writes: Sequence[CrmWrite], in_doubt: bool = False) -> Sequence[Written]:
        return self._writer.write(writes, in_doubt)

    def check(self) -> Iterator[CheckResult]:
        return self._setup.check()

    def prepare(self) -> Iterator[CheckResult]:
        return self._setup.prepare()

    def record_url(self, external_id: str) -> str | None:
        """HubSpot's record page. Needs the option `portal_id` (the account number)."""
        if not self._portal_id:
            return None
        return f"https://app.hubspot.com/contacts/{self._portal_id}/record/0-1/{external_id}"

    def close(self) -> None:
        """Give the connections back."""
        self._calls.close()
