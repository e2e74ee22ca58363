"""HubSpot's words in ours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector.adapters.hubspot import words
from connector.adapters.hubspot.batches import read_row_errors
from connector.adapters.hubspot.records import read_contact, read_owner
from connector.adapters.hubspot.webhook import decode_listed
from connector.errors import Fatal, Retriable, Skippable
from leads.enums import STAGE_ORDER, EngagementKind, LifecycleStage, Outcome
from leads.fields import CANONICAL


def test_tables_speak_our_words() -> None:
    assert set(words.FIELDS.values()) <= CANONICAL
    assert set(words.STAGES.values()) == set(LifecycleStage) - {LifecycleStage.UNKNOWN}
    assert set(STAGE_ORDER) - {LifecycleStage.UNKNOWN} == set(words.STAGE_WORDS)


@pytest.mark.parametrize(
    ("given", "read"),
    [("25-50", 25), ("1000+", 1000), ("12", 12), (7, 7), ("1,200", 1200), ("lots", None), ("-3", None), ("", None)],
)
def test_employees(given: object, read: int | None) -> None:
    assert words.read_employees(given) == read


def test_a_whole_contact() -> None:
    fields, extra = words.read_properties(
        {
            "email": "grace@navy.example",
            "phone": "",
            "mobilephone": "+1 202 555 0100",
            "lifecyclestage": "7788",
            "numberofemployees": None,
            "numemployees": "25-50",
            "prospect": "P-1",
            "leadswitch_score": "87",
            "hs_email_last_open_date": "2026-11-18T00:00:00Z",
            "message": "m" * 15_000,
        },
        external_id_property="prospect",
    )
    assert fields["phone"] == "+1 202 555 0100"
    assert fields["employees"] == 25
    assert fields["lifecycle_stage"] == "unknown"
    assert len(str(fields["message"])) == 15_000
    assert extra == {"mobilephone": "+1 202 555 0100", "lifecyclestage": "7788", "prospect": "P-1", "external_id": "P-1"}


@pytest.mark.parametrize(
    ("wanted", "present", "further"),
    [
        ("mql", "lead", True),
        ("mql", "marketingqualifiedlead", False),
        ("mql", "customer", False),
        ("sales_qualified", None, True),
        ("sales_qualified", "", True),
        ("mql", "4455", False),
        ("unknown", "lead", False),
        ("nonsense", None, False),
    ],
)
def test_stage_is_further(wanted: str, present: str | None, further: bool) -> None:
    assert words.is_further(wanted, present) is further


@pytest.mark.parametrize(
    ("stage", "status", "outcome"),
    [
        ("customer", None, Outcome.WON),
        ("customer", "UNQUALIFIED", Outcome.WON),
        ("lead", "unqualified", Outcome.LOST),
        ("lead", "NEW", Outcome.OPEN),
        (None, None, Outcome.OPEN),
    ],
)
def test_ending(stage: str | None, status: str | None, outcome: Outcome) -> None:
    assert words.ending(stage, status) is outcome


def test_ending_is_dated_by_the_present_run() -> None:
    """Won, reopened and won again: it ended when it was won the second time."""
    record = {
        "id": "1",
        "properties": {
            "lifecyclestage": "evangelist",
            "createdate": "2026-01-01T00:00:00Z",
            "lastmodifieddate": "2026-09-01T00:00:00Z",
        },
        "propertiesWithHistory": {
            "lifecyclestage": [
                {"value": "customer", "timestamp": "2026-02-01T00:00:00Z"},
                {"value": "lead", "timestamp": "2026-03-01T00:00:00Z"},
                {"value": "customer", "timestamp": "2026-04-01T00:00:00Z"},
                {"value": "evangelist", "timestamp": "2026-05-01T00:00:00Z"},
            ]
        },
    }
    assert read_contact(record).ended == (Outcome.WON, datetime(2026, 4, 1, tzinfo=UTC))
    del record["propertiesWithHistory"]
    assert read_contact(record).ended == (Outcome.WON, datetime(2026, 9, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "record", [{}, {"id": "1"}, {"id": "1", "createdAt": "soon", "updatedAt": "x"}, {"id": "1", "properties": []}]
)
def test_a_contact_in_another_shape_is_retriable(record: dict[str, object]) -> None:
    with pytest.raises(Retriable):
        read_contact(record)


def test_owner_without_a_name() -> None:
    assert read_owner({"id": 7, "email": "ada@seller.example"}).name == "ada"
    nameless = read_owner({"id": 7, "archived": True})
    assert (nameless.name, nameless.email, nameless.active) == ("Owner 7", None, False)


def test_only_the_listed_escapes_are_decoded() -> None:
    assert decode_listed("https://x.example/a%2fb%3A%20%25?q=%28a%29%2b") == "https://x.example/a/b:%20%25?q=(a)%2b"


def test_row_errors() -> None:
    found = read_row_errors(
        [
            {"category": "OBJECT_NOT_FOUND", "context": {"ids": ["1", "2"]}},
            {"category": "VALIDATION_ERROR", "context": {"objectWriteTraceId": ["m"]}, "message": "grace@navy.example"},
            {"category": "RATE_LIMITS", "id": 3},
            {"category": "grace@navy.example"},
        ]
    )
    assert {key: type(error) for key, error in found.items()} == {
        "1": Skippable,
        "2": Skippable,
        "m": Fatal,
        "3": Retriable,
        "": Fatal,
    }
    assert not any("grace" in str(error) for error in found.values())


def test_a_logged_contact_is_an_act_of_ours_and_the_companys_owner_is_the_accounts() -> None:
    record = {
        "id": "51",
        "properties": {
            "createdate": "2026-03-01T10:00:00Z",
            "lastmodifieddate": "2026-03-02T10:00:00Z",
            "hubspot_owner_id": "100",
            "notes_last_contacted": "2026-03-02T09:30:00Z",
        },
    }
    contact = read_contact(record, company={"name": "Navy", "hubspot_owner_id": "101"})
    assert [(act.kind, act.occurred_at) for act in contact.engagements] == [
        (EngagementKind.CONTACTED, datetime(2026, 3, 2, 9, 30, tzinfo=UTC))
    ]
    assert (contact.now.fields["owner_id"], contact.now.fields["account_owner_id"]) == ("100", "101")
    assert "notes_last_contacted" not in contact.now.extra
