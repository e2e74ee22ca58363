"""Enrichment services over HTTP: how each shape is asked and read, and what its refusals mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from connector.budget import LocalBudget
from connector.clock import SystemClock
from connector.enrichment import HttpEnricher
from connector.errors import Configuration, Fatal, Retriable
from connector.settings import EnrichmentSettings

CLEARBIT = {
    "person": {"name": {"givenName": "Ann", "familyName": "Berger"}, "employment": {"title": "CTO"}, "geo": {"countryCode": "AT"}},
    "company": {
        "phone": "+1 415 555 2671",  # a switchboard: no number of the person, by which leads are told apart
        "name": "Acme",
        "domain": "acme.com",
        "geo": {"countryCode": "DE", "city": "Berlin"},
        "category": {"industry": "Software"},
        "metrics": {"employees": 120, "annualRevenue": None},
    },
}
ZOOMINFO = {
    "success": True,
    "data": {
        "result": [
            {
                "data": [
                    {"firstName": "Ann", "jobTitle": "CTO", "company": {"name": "Acme", "employeeCount": 120, "country": "Germany"}}
                ],
                "matchStatus": "FULL_MATCH",
            }
        ]
    },
}
NO_MATCH = {"success": True, "data": {"result": [{"input": {}, "data": [], "matchStatus": "NO_MATCH"}]}}


@pytest.fixture
def ask(httpserver: HTTPServer) -> Iterator[Callable[..., Any]]:
    made: list[HttpEnricher] = []

    def call(path: str = "/find", email: str = "ann+x@acme.com", **settings: Any) -> Any:
        url = httpserver.url_for("").rstrip("/") + path
        told = EnrichmentSettings.model_validate({"url": url, "token": "key-1", "trust_private_host": True, **settings})
        made.append(HttpEnricher(told, SystemClock(), LocalBudget()))
        return made[-1].find(email)

    yield call
    for one in made:
        one.close()


def test_clearbit(httpserver: HTTPServer, ask: Callable[..., Any]) -> None:
    httpserver.expect_request(
        "/find", method="GET", query_string={"email": "ann+x@acme.com"}, headers={"authorization": "Bearer key-1"}
    ).respond_with_json(CLEARBIT)
    assert ask() == {
        "first_name": "Ann",
        "last_name": "Berger",
        "title": "CTO",
        "company": "Acme",
        "website": "acme.com",
        "country": "DE",
        "city": "Berlin",
        "industry": "Software",
        "employees": 120,
    }


def test_zoominfo(httpserver: HTTPServer, ask: Callable[..., Any]) -> None:
    seen: list[Any] = []

    def answer(request: Request) -> Response:
        seen.append(request.get_json())
        return Response(response=json.dumps(ZOOMINFO), content_type="application/json")

    httpserver.expect_request("/enrich/contact", method="POST").respond_with_handler(answer)
    found = ask("/enrich/contact", shape="zoominfo")
    assert found == {"first_name": "Ann", "title": "CTO", "company": "Acme", "country": "Germany", "employees": 120}
    assert seen[0]["matchPersonInput"] == [{"emailAddress": "ann+x@acme.com"}]


def test_zoominfo_without_a_match(httpserver: HTTPServer, ask: Callable[..., Any]) -> None:
    httpserver.expect_request("/enrich/contact").respond_with_json(NO_MATCH)
    assert ask("/enrich/contact", shape="zoominfo") is None


def test_any_other_by_paths(httpserver: HTTPServer, ask: Callable[..., Any]) -> None:
    httpserver.expect_request("/v1/acme.com").respond_with_json({"org": {"size": 7, "tags": ["a"], "ok": True}})
    fields = {"employees": "org.size", "industry": "$.org.tags", "product": "org.ok", "city": "org.none"}
    assert ask("/v1/{domain}", shape="mapped", fields=fields) == {"employees": 7}


def test_the_address_goes_into_the_url_escaped(httpserver: HTTPServer, ask: Callable[..., Any]) -> None:
    seen: list[str] = []

    def answer(request: Request) -> Response:
        seen.append(request.environ["REQUEST_URI"])
        return Response("{}", content_type="application/json")

    httpserver.expect_request("/find").respond_with_handler(answer)
    assert ask("/find?who={email}", "a&b=c@acme.com") is None
    assert seen == ["/find?who=a%26b%3Dc%40acme.com"]


@pytest.mark.parametrize(
    ("status", "headers", "error", "delay"),
    [
        (202, {}, Retriable, 5.0),
        (429, {"retry-after": "30"}, Retriable, 30.0),
        (402, {}, Fatal, None),
        (401, {}, Configuration, None),
        (302, {"location": "/x"}, Configuration, None),
    ],
)
def test_refusals(
    httpserver: HTTPServer, ask: Callable[..., Any], status: int, headers: dict[str, str], error: type, delay: float | None
) -> None:
    httpserver.expect_request("/find").respond_with_data("{}", status=status, headers=headers)
    with pytest.raises(error) as raised:
        ask()
    assert getattr(raised.value, "delay_s", None) == delay
    assert "acme" not in str(raised.value)
    assert "key-1" not in str(raised.value)


def test_nobody_is_known(httpserver: HTTPServer, ask: Callable[..., Any]) -> None:
    httpserver.expect_request("/find").respond_with_data("no", status=404)
    assert ask() is None


def test_what_is_no_json(httpserver: HTTPServer, ask: Callable[..., Any]) -> None:
    httpserver.expect_request("/find").respond_with_data("<html>")
    with pytest.raises(Fatal, match="no JSON"):
        ask()


def test_a_private_address_is_refused_unless_meant(ask: Callable[..., Any]) -> None:
    with pytest.raises(Configuration, match="inside this network"):
        ask(trust_private_host=False)


def test_wrong_settings_name_the_key(ask: Callable[..., Any]) -> None:
    with pytest.raises(Configuration, match=r"enrichment\.fields\.size"):
        ask(shape="mapped", fields={"size": "a"})
    with pytest.raises(Configuration, match="cannot be read"):
        ask(shape="mapped", fields={"city": "a..b"})


def test_a_shared_budget_bounds_the_calls(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/find").respond_with_json({})
    told = EnrichmentSettings.model_validate({"url": httpserver.url_for("/find"), "per_minute": 1, "trust_private_host": True})
    enricher = HttpEnricher(told, SystemClock(), LocalBudget(lambda: 0.0))
    enricher.find("a@acme.com")
    with pytest.raises(Retriable, match="often enough"):
        enricher.find("b@acme.com")
    enricher.close()
