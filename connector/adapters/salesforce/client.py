"""The outbound half of a Salesforce connection: what `connector.ports.CrmClient` asks for, put together from its parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from connector.adapters.salesforce.accounts import read_companies
from connector.adapters.salesforce.backfill import LeadReader
from connector.adapters.salesforce.calls import SalesforceCalls
from connector.adapters.salesforce.ids import long_or_none
from connector.adapters.salesforce.options import own_fields, read_id_option, statuses
from connector.adapters.salesforce.setup import SalesforceSetup
from connector.adapters.salesforce.shape import Shape
from connector.adapters.salesforce.writer import SalesforceWriter
from connector.errors import Configuration
from connector.ports import BackfillPage, ClientContext, CrmWrite, Written
from connector.settings import ConnectionSettings
from leads.records import AccountRecord, LeadChange, RepRecord
from leads.results import CheckResult


class SalesforceClient:
    """See `connector.ports.CrmClient`. Options of the connection are listed in doc.md beside this file."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext) -> None:
        extra = settings.option("extra_fields", ())
        if isinstance(extra, str) or not all(isinstance(one, str) and one.replace("_", "").isalnum() for one in extra):
            raise Configuration(f"{settings.name}: extra_fields is not a list of field names.", 'Write it as ["Name__c"].')
        self._base_url = settings.base_url
        self._calls = SalesforceCalls(settings, context)
        background = self._background = self._calls.in_background()
        user_id = read_id_option(settings, "user_id")
        shape, words = Shape(self._calls), statuses(settings)
        self._shape = shape
        self._reader = LeadReader(self._calls, background, shape, own_fields(settings), tuple(extra), user_id, context.clock.now)
        converted = settings.option("converted_status")
        queue_id = read_id_option(settings, "queue_id")
        self._writer = SalesforceWriter(background, shape, words, queue_id, str(converted) if converted else None)
        self._setup = SalesforceSetup(self._calls, shape, settings, words)

    def read_leads(self, external_ids: Sequence[str]) -> Sequence[LeadChange]:
        return self._reader.by_ids(external_ids)

    def owners(self) -> Iterator[RepRecord]:
        return self._reader.owners()

    def backfill(self, cursor: str | None = None) -> Iterator[BackfillPage]:
        return self._reader.all(cursor)

    def changed_since(self, moment: datetime, after_id: str | None = None) -> Iterator[BackfillPage]:
        return self._reader.changed_since(moment, after_id)

    def accounts(self) -> Iterator[Sequence[AccountRecord]]:
        """See `connector.ports.HasAccounts`."""
        return read_companies(self._background, self._shape)

    def write(self, writes: Sequence[CrmWrite], in_doubt: bool = False) -> Sequence[Written]:
        return self._writer.write(writes, in_doubt)

    def check(self) -> Iterator[CheckResult]:
        return self._setup.check()

    def prepare(self) -> Iterator[CheckResult]:
        return self._setup.prepare()

    def record_url(self, external_id: str) -> str | None:
        """The record's page: My Domain hands over to Lightning by the id alone."""
        lead = long_or_none(external_id)
        parts = urlsplit(self._base_url)
        return f"{parts.scheme}://{parts.netloc}/{lead}" if lead else None

    def close(self) -> None:
        """Give the connections back."""
        self._calls.close()
