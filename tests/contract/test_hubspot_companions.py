"""HubSpot's companies and deals beside its contacts, against the stand-in of the contract suite."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from connector.adapters.hubspot import ADAPTER
from connector.adapters.hubspot.companions import deal_amount, deals_ending
from connector.budget import LocalBudget
from connector.clock import SystemClock
from connector.errors import Retriable
from connector.ports import ClientContext
from leads.enums import Outcome
from leads.records import AccountRecord

BASE_MS = 1_795_000_000_000
PATH = Path(__file__).parent.parent / "fixtures" / "hubspot" / "standin.py"


class Tokens(dict[str, Any]):
    def load(self, connection: str) -> Any:
        return self.get(connection)

    def save(self, connection: str, tokens: Any) -> None:
        self[connection] = tokens


@pytest.fixture
def crm(httpserver: HTTPServer) -> Any:
    spec = importlib.util.spec_from_file_location("standin_for_companions", PATH)
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    standin = module.StandIn(httpserver)
    standin.connection = module.connection(standin.base_url)
    return standin


@pytest.fixture
def client(crm: Any) -> Iterator[Any]:
    made: Any = ADAPTER.client(crm.connection, ClientContext("crm", LocalBudget(), SystemClock(), Tokens()))
    yield made
    made.close()


def test_company_fills_what_the_contact_does_not_say(crm: Any, client: Any) -> None:
    crm.add_contact(1, BASE_MS, associatedcompanyid="6601", city="Oslo")
    crm.add_contact(2, BASE_MS, associatedcompanyid="6601")
    crm.add_contact(3, BASE_MS)
    crm.others["companies"]["6601"] = {
        "name": "Acme",
        "domain": "acme.example",
        "industry": "RETAIL",
        "numberofemployees": "250",
        "annualrevenue": "1e6",
        "city": "Bergen",
        "zip": None,
    }
    first, second, third = client.read_leads(["1", "2", "3"])
    assert first.fields["city"] == "Oslo"
    assert second.fields["city"] == "Bergen"
    assert second.fields["employees"] == 250
    assert second.fields["revenue"] == 1_000_000.0
    assert second.fields["website"] == "acme.example"
    assert "industry" not in third.fields
    assert crm.calls["companies/batch/read"] == 1


def test_contacts_without_company_or_deal_cost_no_call(crm: Any, client: Any) -> None:
    crm.add_contact(1, BASE_MS, num_associated_deals="0")
    list(client.backfill())
    assert set(crm.calls) == {"oauth", "contacts/search", "contacts"}


def test_deals_tell_the_ending(crm: Any, client: Any) -> None:
    crm.add_contact(1, BASE_MS, num_associated_deals="2")
    crm.add_contact(2, BASE_MS, num_associated_deals="1", hs_lead_status="UNQUALIFIED")
    crm.add_contact(3, BASE_MS, num_associated_deals="1")
    crm.deal_links = {"1": ["11", "12"], "2": ["12"], "3": ["13"]}
    crm.others["deals"] = {
        "11": {"dealstage": "closedlost", "hs_is_closed": "true", "closedate": "2026-05-01T00:00:00Z", "amount": "10"},
        "12": {"dealstage": "8899", "hs_is_closed_won": "true", "closedate": "2026-06-01T00:00:00Z", "amount": "250.5"},
        "13": {"dealstage": "closedlost", "closedate": "2026-07-01T00:00:00Z"},
    }
    (page,) = client.backfill()
    assert dict(page.outcomes) == {
        "1": (Outcome.WON, datetime(2026, 6, 1, tzinfo=UTC)),
        "2": (Outcome.WON, datetime(2026, 6, 1, tzinfo=UTC)),
        "3": (Outcome.LOST, datetime(2026, 7, 1, tzinfo=UTC)),
    }
    assert [one.fields.get("deal_amount") for one in page.leads] == [250.5, 250.5, None]


def test_without_the_scope_contacts_are_read_all_the_same(crm: Any, client: Any, caplog: pytest.LogCaptureFixture) -> None:
    crm.add_contact(1, BASE_MS, associatedcompanyid="6601")
    client.read_leads(["999"])
    crm.fail_next(200, body={"results": [crm._record("1")]})
    crm.fail_next(403, body={"category": "MISSING_SCOPES"})
    assert len(client.read_leads(["1"])) == 1
    assert len(client.read_leads(["1"])) == 1
    assert crm.calls["companies/batch/read"] == 1, "asked once, then known"
    assert "companies" in caplog.text


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"12"])
def test_an_answer_that_is_no_document(crm: Any, client: Any, body: bytes) -> None:
    from werkzeug import Response

    client.read_leads(["1"])
    crm._failures.append(Response(body, 200))
    with pytest.raises(Retriable, match="not a JSON object"):
        client.read_leads(["1"])


def test_an_open_deal_is_no_ending() -> None:
    lost = {"dealstage": "closedlost", "closedate": "2026-05-01T00:00:00Z"}
    assert deals_ending([lost, {"dealstage": "new", "closedate": "2027-01-01T00:00:00Z"}]) is None
    assert deals_ending([]) is None
    assert deals_ending([{"dealstage": "closedwon", "closedate": ""}]) is None
    assert deal_amount([{"amount": "many", "closedate": "2026-05-01T00:00:00Z"}]) is None


@pytest.mark.parametrize("body", ["<html>Just a moment</html>", '["no object"]', '{"expires_in": 1800}'])
def test_a_token_answer_that_cannot_be_read(crm: Any, client: Any, httpserver: HTTPServer, body: str) -> None:
    httpserver.clear()
    httpserver.expect_request("/oauth/v1/token").respond_with_data(body, content_type="application/json")
    with pytest.raises(Retriable, match="without tokens"):
        client.read_leads(["1"])


def test_every_company_with_its_domains_and_owner(crm: Any, client: Any) -> None:
    for number in range(1, 251):
        crm.others["companies"][str(number)] = {"name": f"Company {number}", "domain": f"c{number}.example"}
    told = {"hs_additional_domains": "acme.org; acme.io", "hubspot_owner_id": "42", "lifecyclestage": "customer"}
    crm.others["companies"]["7"] |= {**told, "country": "Germany", "notes_last_updated": "2026-02-01T10:00:00Z"}
    pages = list(client.accounts())
    assert [len(page) for page in pages] == [100, 100, 50]
    assert pages[0][6] == AccountRecord(
        "7", "Company 7", ("c7.example", "acme.org", "acme.io"), "Germany", "42", True, datetime(2026, 2, 1, 10, tzinfo=UTC)
    )
    assert pages[0][7] == AccountRecord("8", "Company 8", ("c8.example",))
