"""The HubSpot-shaped CRM as HubSpot's own documentation has it, and its webhooks as our adapter reads them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer
from starlette.testclient import TestClient
from werkzeug import Request, Response

from connector.adapters.hubspot import ADAPTER
from connector.errors import BadSignature, Stale
from connector.ports import Delivery
from connector.sandbox.hubspot.service import Options, build
from connector.settings import ConnectionSettings

Json = dict[str, Any]
OBJECTS = "/crm/v3/objects/contacts"
DATED = "/crm/objects/2026-03/contacts"


def serve(**options: Any) -> TestClient:
    client = TestClient(build(Options(**({"token": "t", "history": 130} | options))))
    client.headers["authorization"] = "Bearer t"
    return client


@pytest.fixture(scope="module")
def crm() -> Iterator[TestClient]:
    with serve(limit=0) as client:
        yield client


def create(crm: TestClient, **properties: Any) -> str:
    answer = crm.post(OBJECTS, json={"properties": properties})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_wrong_or_missing_token_is_refused(crm: TestClient) -> None:
    for headers in ({"authorization": "Bearer wrong"}, {"authorization": ""}):
        answer = crm.get(OBJECTS, headers=headers)
        assert (answer.status_code, answer.json()["category"]) == (401, "INVALID_AUTHENTICATION")


def test_oauth_gives_a_token_that_works(crm: TestClient) -> None:
    form = {"grant_type": "refresh_token", "client_id": "sandbox-client", "client_secret": "sandbox-app-secret"}
    assert crm.post("/oauth/v1/token", data=form | {"refresh_token": "wrong"}).status_code == 400
    token = crm.post("/oauth/v1/token", data=form | {"refresh_token": "sandbox-refresh"}).json()["access_token"]
    assert crm.get(OBJECTS, headers={"authorization": f"Bearer {token}"}).status_code == 200


def test_the_eleventh_call_within_the_window_is_told_when_to_come_back() -> None:
    with serve(limit=10, window_s=5.0) as crm:
        answers = [crm.get(OBJECTS) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 5
    assert answers[-1].json()["errorType"] == "RATE_LIMIT"
    assert answers[0].headers["x-hubspot-ratelimit-remaining"] == "9"


def test_paging_with_history_meets_everybody_once(crm: TestClient) -> None:
    seen: list[str] = []
    after = "0"
    while True:
        params = {"limit": "50", "after": after, "properties": "email", "propertiesWithHistory": "lifecyclestage"}
        page = crm.get(OBJECTS, params=params).json()
        seen += [record["id"] for record in page["results"]]
        assert all(record["propertiesWithHistory"]["lifecyclestage"] for record in page["results"] if int(record["id"]) < 231)
        if "paging" not in page:
            break
        after = page["paging"]["next"]["after"]
    assert len(seen) == len(set(seen)) >= 130
    assert crm.get(OBJECTS, params={"limit": "51", "propertiesWithHistory": "email"}).status_code == 400
    assert crm.get(OBJECTS, params={"limit": "101"}).status_code == 400


def test_lists_in_the_query_may_be_repeated_keys_or_commas(crm: TestClient) -> None:
    for query in ("properties=email&properties=company", "properties=email,company"):
        assert set(crm.get(f"{OBJECTS}?{query}").json()["results"][0]["properties"]) > {"email", "company"}


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"no_such_property": "1"}, "PROPERTY_DOESNT_EXIST"),
        ({"numemployees": 7}, "INVALID_TYPE"),
        ({"numemployees": "many"}, "INVALID_NUMBER"),
        ({"lifecyclestage": "mql"}, "INVALID_OPTION"),
        ({"hubspot_owner_id": "1"}, "INVALID_OWNER_ID"),
        ({"recent_conversion_date": "yesterday"}, "INVALID_DATE"),
        ({"createdate": "2026-01-01T00:00:00Z"}, "READ_ONLY_VALUE"),
    ],
)
def test_one_bad_value_refuses_the_whole_batch(crm: TestClient, values: Json, code: str) -> None:
    contact = create(crm, company="Before")
    inputs = [{"id": contact, "properties": {"company": "After"}}, {"id": contact, "properties": values}]
    answer = crm.post(f"{OBJECTS}/batch/update", json={"inputs": inputs})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["error"] == code
    assert crm.get(f"{OBJECTS}/{contact}?properties=company").json()["properties"]["company"] == "Before"


def test_missing_rows_of_a_batch_are_named_and_the_others_done(crm: TestClient) -> None:
    contact = create(crm)
    inputs = [
        {"id": "999999", "properties": {"company": "x"}},
        {"id": contact, "properties": {"company": "x"}, "objectWriteTraceId": "m"},
    ]
    answer = crm.post(f"{DATED}/batch/update", json={"inputs": inputs})
    assert answer.status_code == 207
    assert answer.json()["errors"][0]["context"] == {"ids": ["999999"]}
    assert [(row["id"], row["objectWriteTraceId"]) for row in answer.json()["results"]] == [(contact, "m")]


def test_a_batch_has_at_most_a_hundred_rows(crm: TestClient) -> None:
    assert crm.post(f"{OBJECTS}/batch/read", json={"inputs": [{"id": "101"}] * 101, "properties": []}).status_code == 400


def test_an_address_is_given_once(crm: TestClient) -> None:
    create(crm, email="one@acme.example")
    assert crm.post(OBJECTS, json={"properties": {"email": "ONE@acme.example"}}).status_code == 409


def test_the_lifecycle_stage_never_moves_back(crm: TestClient) -> None:
    contact = create(crm, lifecyclestage="opportunity")
    crm.patch(f"{OBJECTS}/{contact}", json={"properties": {"lifecyclestage": "lead"}})
    assert crm.get(f"{OBJECTS}/{contact}?properties=lifecyclestage").json()["properties"]["lifecyclestage"] == "opportunity"
    assert crm.get("/sandbox/state").json()["backward_moves"] >= 1


def test_search_filters_sorts_and_ends_at_ten_thousand(crm: TestClient) -> None:
    for number in range(3):
        create(crm, company="Searchable", numemployees=str(9 + number))
    filters = [
        {"propertyName": "company", "operator": "EQ", "value": "Searchable"},
        {"propertyName": "numemployees", "operator": "GT", "value": "9"},
    ]
    body: Json = {"filterGroups": [{"filters": filters}], "sorts": ["-numemployees"], "properties": ["numemployees"], "limit": 1}
    first = crm.post(f"{OBJECTS}/search", json=body).json()
    second = crm.post(f"{OBJECTS}/search", json=body | {"after": first["paging"]["next"]["after"]}).json()
    assert first["total"] == 2
    assert [page["results"][0]["properties"]["numemployees"] for page in (first, second)] == ["11", "10"]
    assert "paging" not in second
    assert crm.post(f"{OBJECTS}/search", json=body | {"limit": 200, "after": "9900"}).status_code == 400
    unknown = {"filterGroups": [{"filters": [{"propertyName": "nope", "operator": "EQ", "value": "1"}]}]}
    assert crm.post(f"{OBJECTS}/search", json=unknown).status_code == 400


def test_a_task_is_found_by_a_property_of_our_own_and_hangs_on_its_contact(crm: TestClient) -> None:
    contact = create(crm)
    field = {"name": "our_marker", "label": "Marker", "type": "string", "fieldType": "text", "groupName": "taskinformation"}
    assert crm.post("/crm/v3/properties/tasks", json=field).status_code == 201
    assert crm.post("/crm/v3/properties/tasks", json=field).status_code == 409
    properties = {
        "hs_timestamp": "2026-11-21T10:00:00Z",
        "hs_task_subject": "Call",
        "our_marker": "abc",
        "hubspot_owner_id": "7000001",
    }
    link = {"to": {"id": contact}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 204}]}
    made = crm.post("/crm/v3/objects/tasks/batch/create", json={"inputs": [{"properties": properties, "associations": [link]}]})
    assert made.status_code == 201
    filters = [{"propertyName": "our_marker", "operator": "IN", "values": ["abc"]}]
    found = crm.post("/crm/v3/objects/tasks/search", json={"filterGroups": [{"filters": filters}]}).json()["results"]
    assert [task["id"] for task in found] == [made.json()["results"][0]["id"]]
    linked = crm.get(f"/crm/v4/objects/contacts/{contact}/associations/tasks").json()["results"]
    assert [one["toObjectId"] for one in linked] == [int(found[0]["id"])]
    without_date = {"inputs": [{"properties": {"hs_task_subject": "x"}}]}
    assert crm.post("/crm/v3/objects/tasks/batch/create", json=without_date).status_code == 400


def test_owners_come_page_by_page_with_their_teams(crm: TestClient) -> None:
    first = crm.get("/crm/v3/owners/", params={"limit": "15"}).json()
    rest = crm.get("/crm/v3/owners/", params={"limit": "15", "after": first["paging"]["next"]["after"]}).json()
    owners = first["results"] + rest["results"]
    assert len({owner["id"] for owner in owners}) == 20
    assert owners[0]["teams"][0]["name"] == "Americas"


# ---- webhooks


class Receiving:
    """A receiver that keeps what it gets and answers as it is told."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/hook")
        self.deliveries: list[Delivery] = []
        self.answers: list[int] = []
        self._came = threading.Condition()
        server.expect_request("/hook").respond_with_handler(self._take)

    def _take(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self._came:
            self.deliveries.append(Delivery("POST", self.url, headers, request.get_data(), datetime.now(UTC)))
            status = self.answers.pop(0) if self.answers else 200
            self._came.notify_all()
        return Response(status=status)

    def wait_for(self, holds: Callable[[], bool], seconds: float = 10.0) -> None:
        with self._came:
            assert self._came.wait_for(holds, seconds)

    def events(self) -> list[Json]:
        return [event for delivery in self.deliveries for event in json.loads(delivery.body)]


@pytest.fixture
def receiving(httpserver: HTTPServer) -> Receiving:
    return Receiving(httpserver)


def our_receiver(url: str) -> Any:
    settings = ConnectionSettings(name="hubspot-main", adapter="hubspot", webhook_secrets=(SecretStr("s3"),), app_id=54321)
    return ADAPTER.receiver(settings, url.rsplit("/", 1)[0])


def test_a_persons_change_is_told_signed_and_our_own_comes_back_as_an_echo(receiving: Receiving) -> None:
    with serve(target=receiving.url, secret="s3", limit=0, history=0) as crm:
        contact = crm.post("/sandbox/contacts", json={"email": "a@acme.example", "jobtitle": "VP Sales"}).json()["id"]
        crm.post(f"{OBJECTS}/batch/update", json={"inputs": [{"id": contact, "properties": {"hubspot_owner_id": "7000003"}}]})
        receiving.wait_for(lambda: any(event.get("propertyName") == "hubspot_owner_id" for event in receiving.events()))
    events = receiving.events()
    created = next(event for event in events if event["subscriptionType"] == "contact.creation")
    assert (created["objectId"], created["changeSource"], created["changeFlag"]) == (int(contact), "CRM_UI", "NEW")
    echo = next(event for event in events if event.get("propertyName") == "hubspot_owner_id")
    assert (echo["changeSource"], echo["sourceId"], echo["propertyValue"]) == ("INTEGRATION", "54321", "7000003")
    receiver = our_receiver(receiving.url)
    for delivery in receiving.deliveries:
        assert receiver.verify(delivery, datetime.now(UTC)) is True


def test_an_unanswered_batch_comes_again_with_a_higher_attempt_number(receiving: Receiving) -> None:
    receiving.answers = [503]
    with serve(target=receiving.url, secret="s3", limit=0, history=0) as crm:
        crm.post("/sandbox/contacts", json={"email": "b@acme.example"})
        receiving.wait_for(lambda: len(receiving.deliveries) == 2)
        wait_until(lambda: crm.get("/sandbox/summary").json()["idle"])
        row = crm.get("/sandbox/ledger").json()[0]
    assert [json.loads(delivery.body)[0]["attemptNumber"] for delivery in receiving.deliveries] == [0, 1]
    assert (row["attempts"], row["status"], row["finished"]) == (2, 200, True)


def test_a_campaign_has_batches_within_bounds_repeats_and_forgeries_that_do_not_pass(receiving: Receiving) -> None:
    with serve(target=receiving.url, secret="s3", limit=0, history=0) as crm:
        crm.post("/sandbox/play", json={"leads": 120, "events": 1200, "seconds": 2.0})
        wait_until(lambda: (summary := crm.get("/sandbox/summary").json())["finished"] and summary["idle"])
        summary, ledger = crm.get("/sandbox/summary").json(), crm.get("/sandbox/ledger").json()
    assert summary["live"] == 120
    assert max(len(json.loads(delivery.body)) for delivery in receiving.deliveries) <= 100
    marks = {row["mark"] for row in ledger}
    assert {"genuine", "forged", "stale"} <= marks
    receiver, verdicts = our_receiver(receiving.url), []
    for delivery in receiving.deliveries:
        try:
            verdicts.append(receiver.verify(delivery, datetime.now(UTC)))
        except (BadSignature, Stale) as refusal:
            verdicts.append(type(refusal))
    bad = [row for row in ledger if row["mark"] in ("forged", "stale")]
    assert len([verdict for verdict in verdicts if verdict is not True]) == len(bad)
    assert {BadSignature, Stale} <= set(verdicts)


def wait_until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < until, "it did not happen"
        pause.wait(0.02)
