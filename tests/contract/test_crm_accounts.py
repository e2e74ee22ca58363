"""Companies as Salesforce, Zoho and Pipedrive keep them, against their stand-ins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.budget import LocalBudget
from connector.errors import Configuration, Retriable
from connector.ports import ClientContext, HasAccounts
from connector.registry import adapters
from connector.settings import ConnectionSettings
from connector.testing import StandingClock
from leads.records import AccountRecord
from tests.standins import open_stand_in, serve

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


class Tokens:
    """A token store in memory."""

    def __init__(self) -> None:
        self.held: Mapping[str, Any] | None = None

    def load(self, connection: str) -> Mapping[str, Any] | None:
        return self.held

    def save(self, connection: str, tokens: Mapping[str, Any]) -> None:
        self.held = tokens


@pytest.fixture
def crm(request: pytest.FixtureRequest) -> Iterator[tuple[Any, HasAccounts]]:
    """A stand-in and a client of it."""
    clock = StandingClock(START)
    stand_in = open_stand_in(request.param, clock)
    with serve(stand_in.app) as url:
        settings = ConnectionSettings(name="crm", **stand_in.connection(url))
        budget = LocalBudget(lambda: clock.now().timestamp())
        client: Any = adapters()[request.param].client(settings, ClientContext("crm", budget, clock, Tokens()))
        assert isinstance(client, HasAccounts)
        yield stand_in, client
        client.close()


def test_every_crm_that_keeps_companies_is_read() -> None:
    """All of them do."""
    for name, adapter in adapters().items():
        if adapter.kind == "crm":
            clock = StandingClock(START)
            settings = ConnectionSettings(name="crm", **open_stand_in(name, clock).connection("https://crm.example"))
            client: Any = adapter.client(settings, ClientContext("crm", LocalBudget(lambda: 0.0), clock, Tokens()))
            assert isinstance(client, HasAccounts), name
            client.close()


@pytest.mark.parametrize("crm", ["salesforce"], indirect=True)
def test_salesforce(crm: tuple[Any, HasAccounts]) -> None:
    stand_in, client = crm
    acme = stand_in.make_company("Acme", "www.acme.com", stand_in.owners[1])
    stand_in.org.tables["Account"][acme] |= {
        "Type": "Customer - Direct", "BillingCountry": "Germany", "LastActivityDate": "2026-11-02",
    }  # fmt: skip
    for number in range(500):
        stand_in.make_company(f"Company {number}", "", stand_in.org.queue)
    pages = list(client.accounts())
    assert [len(page) for page in pages] == [500, 1]
    worked_on = datetime(2026, 11, 2, tzinfo=UTC)
    assert pages[0][0] == AccountRecord(acme, "Acme", ("www.acme.com",), "Germany", stand_in.owners[1], True, worked_on)
    assert (pages[0][1].domains, pages[0][1].owner_id, pages[0][1].touched_at) == ((), None, None), "a queue owns nothing"


@pytest.mark.parametrize("crm", ["salesforce"], indirect=True)
def test_people_who_stand_for_companies_are_none(crm: tuple[Any, HasAccounts], monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.standins.salesforce.org import STANDARD

    stand_in, client = crm
    visible = tuple(name for name in STANDARD["Account"] if name != "BillingCountry")
    monkeypatch.setitem(STANDARD, "Account", (*visible, "IsPersonAccount"))  # type: ignore[index]
    for is_person in (True, False):
        one = stand_in.make_company("Ann Lee", "acme.com", stand_in.owners[0])
        stand_in.org.tables["Account"][one]["IsPersonAccount"] = is_person
    assert [company.external_id for page in client.accounts() for company in page] == [one]


@pytest.mark.parametrize("crm", ["zoho"], indirect=True)
def test_zoho(crm: tuple[Any, HasAccounts]) -> None:
    stand_in, client = crm
    acme = stand_in.make_company("Acme", "https://acme.com", stand_in.owners[1])
    stand_in.store.modules["Accounts"][acme] |= {
        "Account_Type": "Customer", "Billing_Country": "Germany", "Last_Activity_Time": "2026-11-02T09:00:00+01:00",
    }  # fmt: skip
    for number in range(250):
        stand_in.store.make("Accounts", {"Account_Name": f"Company {number}"}, "5725767000000411001")
    pages = list(client.accounts())
    assert [len(page) for page in pages] == [200, 51]
    worked_on = datetime(2026, 11, 2, 8, tzinfo=UTC)
    assert pages[0][0] == AccountRecord(acme, "Acme", ("https://acme.com",), "Germany", stand_in.owners[1], True, worked_on)
    assert pages[0][1].owner_id is None, "what nobody chose is our own user's"
    stand_in.store.modules["Accounts"][acme]["Last_Activity_Time"] = "yesterday"
    with pytest.raises(Retriable, match="cannot be read"):
        list(client.accounts())


@pytest.mark.parametrize("crm", ["pipedrive"], indirect=True)
def test_pipedrive(crm: tuple[Any, HasAccounts]) -> None:
    stand_in, client = crm
    acme = stand_in.make_company("Acme", "https://acme.com", stand_in.owners[1])
    organization = stand_in.store.records["organization"][acme]
    organization["address"] = {"value": "Street 1, Berlin", "country": "Germany"}
    deal = {"title": "Big", "org_id": int(acme), "status": "won"}
    stand_in.store.make("deal", deal, user=900)
    gone = stand_in.make_company("Gone", "gone.com", stand_in.owners[1])
    stand_in.store.records["organization"][gone]["is_deleted"] = True
    for number in range(500):
        stand_in.make_company(f"Company {number}", "", "900")
    pages = list(client.accounts())
    assert [len(page) for page in pages] == [499, 2]
    assert pages[0][0] == AccountRecord(acme, "Acme", ("https://acme.com",), "Germany", stand_in.owners[1], True, START)
    assert (pages[0][1].domains, pages[0][1].owner_id, pages[0][1].customer) == ((), None, False)


@pytest.mark.parametrize("crm", ["zoho"], indirect=True)
def test_a_module_that_is_switched_off_is_named(crm: tuple[Any, HasAccounts]) -> None:
    stand_in, client = crm
    del stand_in.store.modules["Accounts"]
    with pytest.raises(Configuration, match="INVALID_MODULE"):
        list(client.accounts())
