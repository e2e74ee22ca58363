"""The Python client against the real application."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from connector.client import ApiError, Leadswitch
from connector.testing import run_bells
from leads.enums import Role
from leads.records import RepRecord


@pytest.fixture
def client(site: Any) -> Leadswitch:
    site.house.reps.sync("crm", [RepRecord("o1", None, "Bo", True), RepRecord("o2", None, "Cy", True)])
    return Leadswitch("", site.house.tokens.create("client", Role.ADMIN)[0], client=site.client)


def canned(*answers: httpx.Response, waited: list[float] | None = None) -> Leadswitch:
    """A client of a server that gives these answers in turn."""
    left = list(answers)
    http = httpx.Client(transport=httpx.MockTransport(lambda request: left.pop(0)), base_url="http://there")
    note: Callable[[float], None] = (waited if waited is not None else []).append
    return Leadswitch("", "t", client=http, sleep=note)


def test_a_lead_is_stored_scored_explained_and_reassigned(site: Any, client: Leadswitch) -> None:
    lead_id = client.add_lead({"email": "ada@example.com", "title": "CTO"}, external_id="7", Plan="Team")
    run_bells(site.house)
    assert client.lead(lead_id)["extra"] == {"Plan": "Team"}
    told = client.score(lead_id)
    assert (told.lead_id, told.source, told.tier) == (lead_id, "rules", client.lead(lead_id)["score"]["tier"])
    assert told.next_step is not None
    assert told.best_time is not None
    assert told.best_time.start > told.as_of
    why = client.why(lead_id)
    other = next(one["rep_id"] for one in why["verdicts"] if one["verdict"] != "chosen")
    assert "goes to" in client.reassign(lead_id, other, "knows them")
    assert client.lead(lead_id)["owner"]["id"] == other


def test_unstored_leads_one_and_many(client: Leadswitch) -> None:
    act = {"kind": "meeting_booked", "occurred_at": datetime(2026, 3, 1, 9, tzinfo=UTC)}
    hot = client.score({"title": "CEO", "email": "a@b.example"}, engagements=[act], created_at=datetime(2026, 2, 1, tzinfo=UTC))
    assert hot.top_positive[0].contribution > 0
    assert hot.document["score"] == hot.score
    cold = {"lead": {"email": "a@b.example"}}
    many = client.score_batch([cold, {"lead": {"title": "CEO"}}])
    assert many[0].probability < many[1].probability
    assert client.score_batch([cold], reasons=False)[0].top_negative == ()
    assert client.score_batch([cold], whole=True)[0].next_step is not None


def test_a_file_in_parts(client: Leadswitch) -> None:
    parts = client.score_csv([b"email,ti", b"tle\na@b.exa", b"mple,CEO\n"])
    [row] = csv.DictReader(io.StringIO(b"".join(parts).decode()))
    assert row["leadswitch_tier"] in "ABCD"
    with pytest.raises(ApiError, match="stands twice"):
        list(client.score_csv([b"email,email\n"]))


def test_an_error_names_each_field(client: Leadswitch) -> None:
    with pytest.raises(ApiError) as caught:
        client.score({"employees": -1, "shoe_size": 44})
    assert (caught.value.status, caught.value.kind) == (422, "invalid")
    assert {one.field for one in caught.value.errors} == {"lead.employees", "lead.shoe_size"}
    assert "lead.shoe_size" in str(caught.value)
    with pytest.raises(ApiError, match="no such lead"):
        client.score(999)
    with pytest.raises(ApiError) as caught:
        client.reassign(999, "1", "x")
    assert caught.value.status == 404


def test_a_wrong_token_is_told(site: Any) -> None:
    with pytest.raises(ApiError) as caught:
        Leadswitch("", "wrong", client=site.client).lead(1)
    assert caught.value.kind == "unauthorised"


def test_not_now_is_tried_again_for_what_changes_nothing() -> None:
    waited: list[float] = []
    busy = httpx.Response(429, headers={"retry-after": "3"}, json={"type": "urn:leadswitch:problem:too-many-requests"})
    down = httpx.Response(503, headers={"retry-after": "soon"})
    done = httpx.Response(200, json={"id": 5})
    assert canned(busy, down, done, waited=waited).lead(5) == {"id": 5}
    assert waited == [3.0, 1.0]
    with pytest.raises(ApiError) as caught:
        canned(down, down, down).lead(5)
    assert caught.value.status == 503
    with pytest.raises(ApiError):
        canned(busy, done).add_lead({"email": "a@b.example"})


def test_an_answer_of_a_proxy_is_an_error_too() -> None:
    with pytest.raises(ApiError, match="502 Bad Gateway"):
        canned(httpx.Response(502, text="<html>")).why(1)
    with pytest.raises(ApiError, match="400"):
        canned(httpx.Response(400, json=["x"])).why(1)


def test_a_file_that_breaks_off_is_an_error() -> None:
    def break_off(request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("cut", request=request)

    http = httpx.Client(transport=httpx.MockTransport(break_off), base_url="http://there")
    with pytest.raises(ApiError, match="broke off"):
        list(Leadswitch("", "t", client=http).score_csv([b"a\n"]))
