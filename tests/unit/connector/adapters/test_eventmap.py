"""Paths into documents, and the reading of events that nobody wrote an adapter for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import Configuration
from connector.eventmap import EventMap, read_type
from connector.paths import Path
from connector.settings import ConnectionSettings
from leads.enums import ChangeKind, EngagementKind
from leads.records import EngagementEvent, LeadChange

DOCUMENT = {"a": {"b c": [{"id": 1}, {"id": 2}]}, "$ref": "x", "n": [[1, 2], [3]], "empty": "", "none": None}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.a['b c'][0].id", [1]),
        ('a["b c"][*].id', [1, 2]),
        ("$['a'][\"b c\"][-1].id", [2]),
        ("$.a['b c'][7].id", []),
        ("$.a.missing.deeper", []),
        ("$.n[*][0]", [1, 3]),
        ("$", [DOCUMENT]),
        ("$ref", ["x"]),
        ("a[0]", []),
    ],
)
def test_paths(path: str, found: list[Any]) -> None:
    assert list(Path.parse(path).all(DOCUMENT)) == found


@pytest.mark.parametrize("path", ["a..b", "..a", "a[", "a[x]", "a b", "a[?(@.x)]", "a.", "a['b]"])
def test_paths_that_cannot_be_read(path: str) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        Path.parse(path)


def test_the_first_that_says_something() -> None:
    assert Path.parse("empty").first(DOCUMENT) is None
    assert Path.parse("none").first(DOCUMENT) is None
    assert Path.parse("n[*][*]").first(DOCUMENT) == 1


@given(st.text(max_size=40))
def test_any_text_is_a_path_or_a_value_error(text: str) -> None:
    try:
        list(Path.parse(text).all(DOCUMENT))
    except ValueError as error:
        assert "cannot be read" in str(error)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("lead.created", ChangeKind.CREATED),
        ("com.example.lead.created", ChangeKind.CREATED),
        ("contact_updated", ChangeKind.CHANGED),
        ("email.opened", EngagementKind.EMAIL_OPENED),
        ("email_opened", EngagementKind.EMAIL_OPENED),
        ("Meeting Booked", EngagementKind.MEETING_BOOKED),
        ("org.acme.meeting.no_show", EngagementKind.MEETING_MISSED),
        ("newsletter.unsubscribed", EngagementKind.UNSUBSCRIBED),
        ("unknown", None),
        ("invoice.paid", None),
        ("", None),
        (None, None),
        ({"a": 1}, None),
    ],
)
def test_types(said: object, meant: object) -> None:
    assert read_type(said) is meant


def mapped(**table: Any) -> EventMap:
    return EventMap.of(ConnectionSettings.model_validate({"name": "shop", "adapter": "mapped_json", "map": table}))


def test_a_map_reads_what_no_habit_would() -> None:
    event_map = mapped(
        records="$.items[*]",
        key="$.nr",
        type="$.was",
        moment="$.at",
        external_id="$.who.nr",
        types={"abandoned": "page_viewed"},
        fields={"email": "$.who.mails[0]", "loyalty": "$.who.points"},
        facts={"basket": "$.basket.size"},
    )
    event = {"nr": 7, "was": "abandoned", "at": 1795000000, "who": {"nr": 3, "mails": ["ada@example.com"]}, "basket": {"size": 4}}
    entries = event_map.split({"items": [event]})
    [act] = event_map.read("map", entries[0])
    assert isinstance(act, EngagementEvent)
    assert (act.event_key, act.kind, act.email, act.external_id) == ("map:7", EngagementKind.PAGE_VIEWED, "ada@example.com", "3")
    assert act.properties == {"basket": 4}


def test_a_form_is_a_lead_and_an_act() -> None:
    lead, act = mapped(always="form_submitted").read("map", {"email": "Ada <ada@example.com>", "time": 1795000000, "vip": True})
    assert isinstance(lead, LeadChange)
    assert isinstance(act, EngagementEvent)
    assert lead.fields == {"email": "ada@example.com"}
    assert lead.event_key != act.event_key


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({"kee": "$.id"}, "kee"),
        ({"key": "$..id"}, "map.key"),
        ({"fields": {"email": "a["}}, "map.fields.email"),
        ({"fields": ["email"]}, "map.fields"),
        ({"types": {"x": "danced"}}, "map.types.x"),
        ({"always": "unknown"}, "map.always"),
    ],
)
def test_a_wrong_map_names_the_key(table: dict[str, Any], named: str) -> None:
    with pytest.raises(Configuration, match=named):
        mapped(**table)


def test_a_map_that_is_no_table() -> None:
    with pytest.raises(Configuration, match="not a table"):
        EventMap.of(ConnectionSettings.model_validate({"name": "s", "adapter": "mapped_json", "map": "x"}))


def test_the_key_of_an_event_without_id_is_what_it_says() -> None:
    event = {"type": "page.viewed", "email": "ada@example.com", "time": 1795000000, "page": "/a"}
    keys = [mapped().read("map", one)[0].event_key for one in (event, json.loads(json.dumps(event)), {**event, "page": "/b"})]
    assert keys[0] == keys[1] != keys[2]
