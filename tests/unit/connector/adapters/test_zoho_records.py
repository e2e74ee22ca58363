"""Zoho's words and records: what is read, and that nothing a CRM answers breaks more than itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.adapters.zoho import words
from connector.adapters.zoho.records import LeadReading, read_call, read_meeting, read_user
from connector.contract import json_values
from connector.errors import Configuration, Retriable
from connector.settings import ConnectionSettings
from leads.enums import Outcome

AT = "2026-11-20T11:00:00+01:00"
NOON = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
LEAD = {"id": "41", "Created_Time": AT, "Modified_Time": AT, "Last_Name": "Hopper", "Owner": {"id": "7", "name": "Rep"}}
READING = LeadReading(("Budget",), words.STATUS_WORDS, frozenset({"Closed Won"}), frozenset({"Closed Lost"}), frozenset({"9"}))


def test_moments_are_read_in_utc() -> None:
    read = READING.read(LEAD)
    assert (read.now.occurred_at, read.now.created_at, read.mark) == (NOON, NOON, "1795168800000:41")


@pytest.mark.parametrize(
    ("word", "ours"),
    [("Not Contacted", "open"), ("-None-", None), (None, None), ("Lost Lead", "lost"), ("Warm", "Warm"), ("Talking", "connected")],
)
def test_statuses(word: str | None, ours: str | None) -> None:
    status_words = {**words.STATUS_WORDS, "connected": "Talking"}
    assert words.read_status(word, status_words) == ours


def test_a_status_that_ends_a_lead() -> None:
    assert READING.read({**LEAD, "Lead_Status": "Junk Lead"}).ended == (Outcome.LOST, NOON)


@pytest.mark.parametrize(("stage", "ended"), [("Closed Won", Outcome.WON), ("Closed Lost", Outcome.LOST), ("Qualification", None)])
def test_a_converted_lead_ends_by_its_deal(stage: str, ended: Outcome | None) -> None:
    """Not later than the deal's last change, whatever closing day people set."""
    deal = {"Stage": stage, "Amount": 5, "Closing_Date": "2027-01-01", "Modified_Time": AT}
    read = READING.read({**LEAD, "Converted__s": True, "Lead_Status": "Lost Lead"}, deal)
    assert read.ended == ((ended, NOON) if ended else None)
    assert read.now.fields["deal_amount"] == 5


def test_an_owner_who_is_nobody_is_none() -> None:
    assert "owner_id" not in READING.read({**LEAD, "Owner": {"id": "9"}}).now.fields
    assert READING.read({**LEAD, "Owner": "7"}).now.fields["owner_id"] == "7"


def test_calls_and_meetings_without_a_lead_say_nothing() -> None:
    assert read_call({"id": "1", "What_Id": None, "Call_Start_Time": AT}) is None
    assert read_meeting({"id": "1", "What_Id": {"id": "41"}, "Created_Time": None}) is None


def test_a_user_without_a_name_has_that_of_the_address() -> None:
    user = read_user({"id": "7", "email": "ada@acme.example", "status": "deactivated", "role": {"name": "Inside"}})
    assert (user.name, user.active, user.teams) == ("ada", False, ("Inside",))


@pytest.mark.parametrize("given", [{"contacted": "x"}, ["x"], "x"])
def test_status_words_are_ours(given: Any) -> None:
    with pytest.raises(Configuration, match="lead_statuses"):
        words.read_status_words(ConnectionSettings(name="crm", adapter="zoho", lead_statuses=given))


@pytest.mark.parametrize(
    ("wanted", "present", "may"),
    [("mql", None, True), ("mql", "-None-", True), ("mql", "lead", True), ("lead", "customer", False), ("mql", "Ours", False)],
)
def test_stages_go_forward(wanted: str, present: str | None, may: bool) -> None:
    assert words.is_further(wanted, present) is may


@given(record=st.dictionaries(st.sampled_from([*LEAD, *words.FIELDS, *words.ALSO_READ]), json_values), deal=json_values)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_answer_is_read_or_tried_again(record: dict[str, Any], deal: Any) -> None:
    for one in (record, {**LEAD, **record}, {**LEAD, "Converted__s": True}):
        try:
            assert READING.read(one, deal if isinstance(deal, dict) else None).now.external_id
        except Retriable as error:
            assert str(error) == "Zoho answered with a lead that cannot be read."
