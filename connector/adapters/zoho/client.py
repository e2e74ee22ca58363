"""The outbound half of a Zoho CRM connection: what `connector.ports.CrmClient` asks for, put together from its parts."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from connector.adapters.zoho import words
from connector.adapters.zoho.accounts import read_companies
from connector.adapters.zoho.calls import PAGE, ZohoCalls
from connector.adapters.zoho.channel import Channel
from connector.adapters.zoho.made_once import DealWriter, NoteWriter, TaskWriter
from connector.adapters.zoho.reader import LeadReader
from connector.adapters.zoho.records import LeadReading, read_user
from connector.adapters.zoho.setup import ZohoSetup
from connector.adapters.zoho.writer import ZohoWriter
from connector.errors import Configuration, LeadswitchError
from connector.ports import BackfillPage, ClientContext, CrmWrite, Written
from connector.settings import ConnectionSettings
from leads.records import AccountRecord, LeadChange, RepRecord
from leads.results import CheckResult

#: Zoho takes fifty fields in one call; ours and the standard ones take the rest.
MOST_EXTRA: Final = 20


class ZohoClient:
    """See `connector.ports.CrmClient`. Options of the connection are listed in doc.md beside this file."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext) -> None:
        extra = words.read_list(settings, "extra_fields")
        if len(extra) > MOST_EXTRA or not all(one.isidentifier() for one in extra):
            raise Configuration(f"{settings.name}: extra_fields is no list of API names.", f"Name at most {MOST_EXTRA} of them.")
        status_words = words.read_status_words(settings)
        deal_stage = str(settings.option("deal_stage", "Qualification"))
        self._reading_as = LeadReading(
            extra,
            status_words,
            frozenset(words.read_list(settings, "won_stages", words.WON_STAGES)),
            frozenset(words.read_list(settings, "lost_stages", words.LOST_STAGES)),
        )
        self._org = settings.option("org")
        self._app_url = str(settings.option("app_url", "https://crm.zoho.com")).rstrip("/")
        self._listed = words.read_list(settings, "unassigned_owners")
        self._own_id = ""
        self._lock = threading.Lock()
        self._calls = ZohoCalls(settings, context)
        background = self._background = self._calls.in_background()
        self._reader = LeadReader(self._calls, background, self._reading)
        clock = context.clock
        kinds = TaskWriter(background), NoteWriter(background), DealWriter(background, lambda: clock.now().date(), deal_stage)
        self._writer = ZohoWriter(background, status_words, lambda: self._nobody()[0], kinds)
        token = settings.webhook_secrets[0].get_secret_value() if settings.webhook_secrets else None
        self._channel = Channel(self._calls, clock, settings.name, context.webhook_url, token)
        self._setup = ZohoSetup(self._calls, settings.name, self._channel, status_words, deal_stage)

    def _nobody(self) -> Sequence[str]:
        """Owners that count as none. Zoho gives every record an owner: what nobody chose is our own user's."""
        if self._listed:
            return self._listed
        with self._lock:
            if not self._own_id:
                users = self._calls.call("GET", "users", params={"type": "CurrentUser"}).get("users") or ()
                self._own_id = next((str(user.get("id")) for user in users), "")
            return (self._own_id,)

    def _reading(self) -> LeadReading:
        return replace(self._reading_as, nobody=frozenset(self._nobody()))

    def read_leads(self, external_ids: Sequence[str]) -> Sequence[LeadChange]:
        return self._reader.by_ids(external_ids)

    def owners(self) -> Iterator[RepRecord]:
        """Every user, the deactivated too, but not those who stand for nobody."""
        nobody = set(self._nobody())
        for kind in ("ActiveUsers", "DeactiveUsers"):
            for record in self._users(kind):
                if str(record.get("id")) not in nobody:
                    yield read_user(record)

    def _users(self, kind: str) -> Iterator[Mapping[str, Any]]:
        """The users of a kind, page by page until there are no more, or the same ones come again."""
        seen: set[str] = set()
        page, more = 1, True
        while more:
            answer = self._calls.call("GET", "users", params={"type": kind, "page": page, "per_page": PAGE})
            fresh = [one for one in answer.get("users") or () if str(one.get("id")) not in seen]
            yield from fresh
            seen.update(str(one.get("id")) for one in fresh)
            more = bool((answer.get("info") or {}).get("more_records")) and bool(fresh)
            page += 1

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

    def upkeep(self) -> Sequence[CheckResult]:
        """Renew the notification channel before it lapses; see `connector.ports.NeedsUpkeep`."""
        try:
            done = self._channel.keep()
        except LeadswitchError as error:
            return [CheckResult("notification channel", False, str(error))]
        return [CheckResult("notification channel", True, done)] if done else []

    def record_url(self, external_id: str) -> str | None:
        """Zoho's page of the lead. Needs the option `org` (the number in the address of any record)."""
        return f"{self._app_url}/crm/org{self._org}/tab/Leads/{external_id}" if self._org else None

    def close(self) -> None:
        """Give the connections back."""
        self._calls.close()
