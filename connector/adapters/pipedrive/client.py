"""The outbound half of a Pipedrive connection: what `connector.ports.CrmClient` asks for, put together from its parts."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import datetime

from connector.adapters.pipedrive import words
from connector.adapters.pipedrive.accounts import read_companies
from connector.adapters.pipedrive.calls import PipedriveCalls
from connector.adapters.pipedrive.fields import FieldBook
from connector.adapters.pipedrive.reader import PersonReader
from connector.adapters.pipedrive.records import PersonReading, read_user
from connector.adapters.pipedrive.setup import PipedriveSetup
from connector.adapters.pipedrive.writer import PipedriveWriter
from connector.errors import Configuration
from connector.ports import BackfillPage, ClientContext, CrmWrite, Written
from connector.settings import ConnectionSettings
from leads.records import AccountRecord, LeadChange, RepRecord
from leads.results import CheckResult


class PipedriveClient:
    """See `connector.ports.CrmClient`. Options of the connection are listed in doc.md beside this file."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext) -> None:
        extra = settings.option("extra_fields", ())
        if isinstance(extra, str) or not all(isinstance(one, str) for one in extra):
            raise Configuration(f"{settings.name}: extra_fields is not a list of names.", 'Write it as ["name", "name"].')
        self._extra = tuple(extra)
        self._company = settings.option("company")
        self._calls = PipedriveCalls(settings, context)
        self._own_id = str(settings.option("user_id") or "")
        self._lock = threading.Lock()
        self._listed = words.read_id_list(settings, "unassigned_owners")
        background = self._background = self._calls.in_background()
        self._book = FieldBook(self._calls, context.clock)
        self._reader = PersonReader(self._calls, background, self._reading)
        self._writer = PipedriveWriter(background, self._book, settings.name, lambda: self._nobody()[0], context.clock)
        secret = settings.webhook_secrets[0].get_secret_value() if settings.webhook_secrets else None
        self._setup = PipedriveSetup(self._calls, self._book, settings.name, context.webhook_url, secret)

    def _nobody(self) -> Sequence[str]:
        """Owners that count as none. Pipedrive gives every record an owner: what nobody chose is our own user's."""
        if self._listed:
            return self._listed
        with self._lock:
            if not self._own_id:
                self._own_id = str((self._calls.call("GET", "/v1/users/me").get("data") or {}).get("id"))
            return (self._own_id,)

    def _reading(self) -> PersonReading:
        return PersonReading(self._book.all("person"), self._extra, frozenset(self._nobody()))

    def read_leads(self, external_ids: Sequence[str]) -> Sequence[LeadChange]:
        return self._reader.by_ids(external_ids) if external_ids else []

    def owners(self) -> Iterator[RepRecord]:
        """Every user but those who stand for nobody."""
        nobody = self._nobody()
        for record in self._calls.call("GET", "/v1/users").get("data") or ():
            if str(record.get("id")) not in nobody:
                yield read_user(record)

    def backfill(self, cursor: str | None = None) -> Iterator[BackfillPage]:
        return self._reader.all(cursor)

    def changed_since(self, moment: datetime, after_id: str | None = None) -> Iterator[BackfillPage]:
        return self._reader.changed_since(moment, after_id)

    def accounts(self) -> Iterator[Sequence[AccountRecord]]:
        """See `connector.ports.HasAccounts`."""
        return read_companies(self._background, frozenset(self._nobody()))

    def write(self, writes: Sequence[CrmWrite], in_doubt: bool = False) -> Sequence[Written]:
        return self._writer.write(writes, in_doubt)

    def check(self) -> Iterator[CheckResult]:
        return self._setup.check()

    def prepare(self) -> Iterator[CheckResult]:
        return self._setup.prepare()

    def record_url(self, external_id: str) -> str | None:
        """Pipedrive's page of the person. Needs the option `company` (the part before .pipedrive.com)."""
        return f"https://{self._company}.pipedrive.com/person/{external_id}" if self._company else None

    def close(self) -> None:
        """Give the connections back."""
        self._calls.close()
