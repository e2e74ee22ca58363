"""The outbound half of an Odoo connection: what `connector.ports.CrmClient` asks for, put together from its parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from connector.adapters.odoo import words
from connector.adapters.odoo.accounts import read_companies
from connector.adapters.odoo.calls import OdooCalls
from connector.adapters.odoo.reader import LeadReader
from connector.adapters.odoo.setup import OdooSetup
from connector.adapters.odoo.stages import Stages
from connector.adapters.odoo.writer import OdooWriter
from connector.ports import BackfillPage, ClientContext, CrmWrite, Written
from connector.settings import ConnectionSettings
from connector.signatures import number_option
from leads.records import AccountRecord, LeadChange, RepRecord
from leads.results import CheckResult

#: Longer than most transactions of Odoo take.
RECONCILE_LAG_S: Final = 60.0


class OdooClient:
    """See `connector.ports.CrmClient`. Options of the connection are listed in doc.md beside this file."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext) -> None:
        lag_s = number_option(settings, "reconcile_lag_s", RECONCILE_LAG_S)
        self._base_url = settings.base_url.rstrip("/")
        self._calls = OdooCalls(settings, context)
        background = self._background = self._calls.in_background()
        stages = Stages(self._calls, settings)
        self._reader = LeadReader(self._calls, background, stages, context.clock, lag_s)
        self._writer = OdooWriter(background, stages, context.clock)
        self._setup = OdooSetup(self._calls, stages, settings.name, context.webhook_url)

    def read_leads(self, external_ids: Sequence[str]) -> Sequence[LeadChange]:
        return self._reader.by_ids(external_ids)

    def owners(self) -> Iterator[RepRecord]:
        fields = ["name", "login", "email", "active", "sale_team_id"]
        for row in self._calls.search_read("res.users", [["share", "=", False]], fields):
            login = str(row.get("login") or "")
            email = str(row.get("email") or "") or (login if "@" in login else None)
            team = words.read_link_name(row.get("sale_team_id"))
            name = str(row.get("name") or "") or f"User {row['id']}"
            yield RepRecord(str(row["id"]), email, name, row.get("active") is not False, (team,) if team else ())

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
        """The form of the lead; every version leads this address on to its own."""
        return f"{self._base_url}/web#id={external_id}&model={words.LEAD}&view_type=form"

    def close(self) -> None:
        """Give the connections back."""
        self._calls.close()
