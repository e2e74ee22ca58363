"""Notes and deals in HubSpot: made once, on their contact, whatever became of an answer."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from pytest_httpserver import HTTPServer

from connector.errors import Retriable
from connector.ports import CrmWrite, DealWrite, LeadWrite, NoteWrite
from tests.contract.test_clients import BASE_MS, START, Bench


@pytest.fixture
def bench(httpserver: HTTPServer) -> Iterator[Bench]:
    one = Bench("hubspot", httpserver)
    for number in (101, 102, 103):
        one.crm.add_contact(number, BASE_MS)
    yield one
    one.close()


def note(marker: str = "n-1", contact: str = "101") -> NoteWrite:
    return NoteWrite(marker, contact, "Has gone quiet.")


def deal(marker: str = "d-1", contact: str = "101") -> DealWrite:
    return DealWrite(marker, contact, "42", "From a playbook", Decimal("1200.50"), "EUR")


@pytest.mark.parametrize(("kind", "write"), [("notes", note()), ("deals", deal())])
def test_made_once_when_in_doubt(bench: Bench, kind: str, write: CrmWrite) -> None:
    (made,) = bench.client.write([write])
    assert made.receipt in bench.crm.made[kind]
    (found,) = bench.client.write([write], in_doubt=True)
    assert found == type(found)(True, (), made.receipt)
    assert len(bench.crm.made[kind]) == 1


@pytest.mark.parametrize(("kind", "write"), [("notes", note()), ("deals", deal())])
def test_a_lost_answer_makes_no_second(bench: Bench, kind: str, write: CrmWrite) -> None:
    bench.crm.lose_answers = 1
    with pytest.raises(Retriable):
        bench.client.write([write])
    assert bench.client.write([write])[0].ok
    assert len(bench.crm.made[kind]) == 1


def test_what_they_hold(bench: Bench) -> None:
    client = bench.connect(deal_stage="1001", deal_pipeline="77")
    written = client.write([note(), deal()])
    first, second = bench.crm.made["notes"][written[0].receipt], bench.crm.made["deals"][written[1].receipt]
    assert first == {
        "hs_timestamp": START.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "hs_note_body": "Has gone quiet.",
        "leadswitch_marker": "n-1",
    }
    assert second == {
        "dealname": "From a playbook",
        "dealstage": "1001",
        "pipeline": "77",
        "hubspot_owner_id": "42",
        "amount": "1200.50",
        "deal_currency_code": "EUR",
        "leadswitch_marker": "d-1",
    }


def test_all_sorts_together_and_one_bad_note_stops_no_other(bench: Bench) -> None:
    writes = [note("a"), LeadWrite("101", "42"), note("b", "999"), deal(), note("c", "103")]
    results = bench.client.write(writes)
    assert [result.ok for result in results] == [True, True, False, True, True]
    assert sorted(one["leadswitch_marker"] for one in bench.crm.made["notes"].values()) == ["a", "c"]


def test_trouble_with_deals_stops_no_note(bench: Bench) -> None:
    bench.client.write([LeadWrite("101", "42")])  # a token is there
    bench.crm.lose_answers = 1  # of the notes, which go before the deals
    results = bench.client.write([deal(), note()])
    assert [result.ok for result in results] == [True, False]
