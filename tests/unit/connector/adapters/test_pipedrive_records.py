"""Pipedrive's words and records: what is read, and that nothing a CRM answers breaks more than itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.adapters.pipedrive import words
from connector.adapters.pipedrive.fields import CustomField
from connector.adapters.pipedrive.made_once import mark, marker_of
from connector.adapters.pipedrive.records import Beside, PersonReading
from connector.contract import json_values
from connector.errors import Configuration, Retriable
from connector.settings import ConnectionSettings
from leads.enums import Outcome

AT = "2026-11-20T10:00:00Z"
PERSON = {
    "id": 31,
    "name": "Grace Brewster Hopper",
    "add_time": AT,
    "update_time": AT,
    "owner_id": 7,
    "emails": [],
    "custom_fields": {},
}
STAGE = CustomField(words.STAGE, "aa", {"lead": 1, "mql": 2})
CUSTOM = {one.name: one for one in (STAGE, CustomField("Credit band", "bb"), CustomField("Mine", "cc"))}
READING = PersonReading(CUSTOM, ["Mine"], frozenset({"9"}))


def test_a_name_that_is_not_split_is_split_at_its_last_space() -> None:
    fields = READING.read(PERSON).now.fields
    assert (fields["first_name"], fields["last_name"]) == ("Grace Brewster", "Hopper")


def test_the_primary_address_counts_and_else_the_first() -> None:
    emails = [{"value": "", "primary": True}, {"value": "b@x.example"}, {"value": "c@x.example", "primary": True}]
    assert READING.read({**PERSON, "emails": emails}).now.fields["email"] == "c@x.example"
    assert READING.read({**PERSON, "emails": emails[:2]}).now.fields["email"] == "b@x.example"


def test_custom_fields_are_known_by_name() -> None:
    held = {"aa": 2, "bb": {"type": "varchar", "value": "A1"}, "cc": 12, "dd": "not ours"}
    now = READING.read({**PERSON, "custom_fields": held}).now
    assert (now.fields["lifecycle_stage"], now.fields["credit_band"]) == ("mql", "A1")
    assert now.extra == {"Mine": 12}


def test_an_owner_who_is_nobody_is_none() -> None:
    assert "owner_id" not in READING.read({**PERSON, "owner_id": 9}).now.fields
    assert READING.read(PERSON).now.fields["owner_id"] == "7"


def test_a_choice_that_is_not_there_is_no_value_and_cannot_be_written() -> None:
    assert STAGE.read(3) is None
    assert STAGE.write("mql") == 2
    with pytest.raises(Configuration, match="lacks the option"):
        STAGE.write("customer")


def test_a_deal_that_is_open_keeps_the_others_from_losing() -> None:
    lost, open_one = {"status": "lost", "lost_time": AT}, {"status": "open"}
    assert words.deals_ending([lost, open_one]) is None
    assert words.deals_ending([lost]) == (Outcome.LOST, datetime(2026, 11, 20, 10, 0, tzinfo=UTC))
    assert words.deals_ending([]) is None


@pytest.mark.parametrize(
    ("wanted", "present", "may"),
    [("mql", None, True), ("mql", "lead", True), ("mql", "mql", False), ("lead", "customer", False), ("mql", "Ours", False)],
)
def test_stages_go_forward(wanted: str, present: str | None, may: bool) -> None:
    assert words.is_further(wanted, present) is may


@given(text=st.text(), marker=st.from_regex(r"[\w.:-]{1,60}", fullmatch=True))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_marker_is_found_again(text: str, marker: str) -> None:
    assert marker_of(mark(text.replace("[", ""), marker)) == marker


def test_ids_are_listed_as_a_list() -> None:
    with pytest.raises(Configuration, match="unassigned_owners"):
        words.read_id_list(ConnectionSettings(name="crm", adapter="pipedrive", unassigned_owners="12"), "unassigned_owners")


@given(record=st.dictionaries(st.sampled_from([*PERSON, "phones", "job_title", "postal_address"]), json_values), other=json_values)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_answer_is_read_or_tried_again(record: dict[str, Any], other: Any) -> None:
    beside = Beside(
        other if isinstance(other, dict) else None, [{"add_time": AT, "value": other}], [{"add_time": AT, "status": other}]
    )
    for one in (record, {**PERSON, **record}):
        try:
            assert READING.read(one, beside).now.external_id
        except Retriable as error:
            assert str(error) == "Pipedrive answered with a person that cannot be read."
