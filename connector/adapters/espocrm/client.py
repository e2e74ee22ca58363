"""The outbound half of an EspoCRM connection: what `connector.ports.CrmClient` asks for, put together from its parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from connector.adapters.espocrm.accounts import read_companies
from connector.adapters.espocrm.calls import EspoCalls, term
from connector.adapters.espocrm.reader import LeadReader
from connector.adapters.espocrm.setup import EspoSetup
from connector.adapters.espocrm.words import Names
from connector.adapters.espocrm.writer import EspoWriter
from connector.errors import Configuration
from connector.ports import BackfillPage, ClientContext, CrmWrite, Written
from connector.reading import read_text
from connector.settings import ConnectionSettings
from connector.signatures import number_option
from leads.records import AccountRecord, LeadChange, RepRecord
from leads.results import CheckResult

USER_ATTRIBUTES: Final = ("name", "userName", "emailAddress", "isActive", "type", "defaultTeamName")
#: Kinds of users that work leads.
PEOPLE: Final = ("regular", "admin", "super-admin")
CLOSE_DAYS: Final = 30
RECONCILE_LAG_S: Final = 5.0


class EspoClient:
    """See `connector.ports.CrmClient`. Options of the connection are listed in doc.md beside this file."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext) -> None:
        extra = settings.option("extra_attributes", ())
        if isinstance(extra, str) or not all(isinstance(one, str) for one in extra):
            raise Configuration(f"{settings.name}: extra_attributes is not a list of names.", 'Write it as ["name", "name"].')
        close_days = int(number_option(settings, "close_days", CLOSE_DAYS))
        names = Names.of(settings)
        self._site = settings.base_url.rstrip("/")
        self._calls = EspoCalls(settings, context)
        background = self._background = self._calls.in_background()
        lag_s = number_option(settings, "reconcile_lag_s", RECONCILE_LAG_S)
        self._reader = LeadReader(self._calls, background, names, tuple(extra), context.clock, lag_s)
        self._writer = EspoWriter(background, names, context.clock, settings.name, close_days)
        self._setup = EspoSetup(self._calls, names, settings.name, context.webhook_url)

    def read_leads(self, external_ids: Sequence[str]) -> Sequence[LeadChange]:
        return self._reader.by_ids(external_ids)

    def owners(self) -> Iterator[RepRecord]:
        """Users who may own leads. EspoCRM shows a deactivated one to administrators alone."""
        offset = 0
        while True:
            where = [term("in", "type", list(PEOPLE))]
            rows, _ = self._calls.list("User", where, USER_ATTRIBUTES, order_by="userName", offset=offset)
            for row in rows:
                name = read_text(row.get("name")) or read_text(row.get("userName")) or str(row["id"])
                team = read_text(row.get("defaultTeamName"))
                email = read_text(row.get("emailAddress"))
                yield RepRecord(str(row["id"]), email, name, row.get("isActive") is not False, (team,) if team else ())
            if len(rows) < self._calls.page_size:
                return
            offset += len(rows)

    def backfill(self, cursor: str | None = None) -> Iterator[BackfillPage]:
        return self._reader.all(cursor)

    def changed_since(self, moment: datetime, after_id: str | None = None) -> Iterator[BackfillPage]:
        return self._reader.changed_since(moment, after_id)

    def accounts(self) -> Iterator[Sequence[AccountRecord]]:
        """See `connector.ports.HasAccounts`."""
        return read_companies(self._background)

    def write(self, writes: Sequence[CrmWrite], in_doubt: bool = False) -> Sequence[Written]:
        return self._writer.write(writes, in_doubt)

    def check(self) -> Iterator[CheckResult]:
        return self._setup.check()

    def prepare(self) -> Iterator[CheckResult]:
        return self._setup.prepare()

    def record_url(self, external_id: str) -> str | None:
        """The lead's page."""
        return f"{self._site}/#Lead/view/{external_id}"

    def close(self) -> None:
        """Give the connections back."""
        self._calls.close()
