"""The traps of Odoo's webhooks, without a socket."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.adapters.odoo import ADAPTER
from connector.adapters.odoo.made_once import read_made
from connector.adapters.odoo.refusals import refusal
from connector.adapters.odoo.words import read_html, read_link, read_link_name
from connector.contract import load_hook
from connector.errors import BadSignature, Configuration, Fatal, Retriable, Skippable
from connector.http import Unsure
from leads.enums import ChangeKind
from leads.records import LeadChange

NOW = datetime(2026, 11, 21, 12, 0, 5, tzinfo=UTC)
HOOK = load_hook(Path(__file__).parents[3] / "fixtures" / "odoo")
RECEIVER = ADAPTER.receiver(HOOK.connection(), "https://hooks.example.com")
LEAD = {"_action": "Tell(#1)", "_id": 41, "_model": "crm.lead", "stage_id": 1}


def read(at: datetime = NOW, path: str = "", **more: Any) -> tuple[str, LeadChange]:
    """The key of a delivery, and what is read in it."""
    delivery = HOOK.sign(json.dumps({**LEAD, **more}).encode(), at)
    delivery = replace(delivery, url=delivery.url + path)
    assert RECEIVER.verify(delivery, at) is False
    (event,) = RECEIVER.events(delivery)
    assert isinstance(event, LeadChange)
    return RECEIVER.delivery_key(delivery), event


def test_unsigned_and_held_by_a_word_in_the_path() -> None:
    with pytest.raises(BadSignature):
        RECEIVER.verify(HOOK.sign(b"{}", NOW, forged=True), NOW)
    short = HOOK.connection().model_copy(update={"webhook_secrets": (HOOK.SecretStr("short"),)})
    with pytest.raises(Configuration, match="shorter"):
        ADAPTER.receiver(short, "")


def test_eighteen_times_for_one_change_is_one_notice() -> None:
    met = [read(NOW + timedelta(seconds=number)) for number in range(18)]
    assert len({key for key, _ in met}) == 1
    assert len({event.event_key for _, event in met}) == 1
    several_rules = {read(_action=f"Rule(#{number})")[1].event_key for number in range(3)}
    assert len(several_rules) == 1, "several rules that tell of one change"


def test_back_to_what_it_was_is_a_change() -> None:
    first, back = read(NOW), read(NOW + timedelta(minutes=2))
    assert first[0] != back[0]
    assert first[1].event_key != back[1].event_key


def test_a_moment_among_the_fields_tells_repeats_for_ever() -> None:
    at = {"write_date": "2026-11-21 12:00:04"}
    first, late = read(NOW, **at), read(NOW + timedelta(hours=2), **at)
    assert (first[0], first[1].event_key) == (late[0], late[1].event_key)
    assert read(NOW, write_date="2026-11-21 12:00:05")[0] != first[0]


def test_sent_before_commit_is_not_believed() -> None:
    _, event = read(email_from="never@committed.example")
    assert event.fields == {}
    assert event.fetch
    assert event.settles_at == NOW + timedelta(seconds=2)


def test_no_event_name_but_a_rule_of_its_own_for_deletions() -> None:
    assert read()[1].kind is ChangeKind.CHANGED
    _, gone = read(path="/deleted")
    assert (gone.kind, gone.fetch) == (ChangeKind.DELETED, False)
    assert gone.event_key != read()[1].event_key


def test_many2one_comes_as_a_pair_or_as_an_id() -> None:
    assert (read_link([3, "New"]), read_link(3), read_link(False), read_link(None)) == ("3", "3", None, None)
    assert read_link_name([3, "California (US)"]) == "California"
    assert read_link_name(3) is None


def test_notes_are_html() -> None:
    assert read_html("<p>Hello<br>there &amp; you</p><script>x</script>") == "Hello\nthere & you\nx"
    assert read_html(False) is None


@pytest.mark.parametrize(
    ("answer", "number"), [([5], "5"), (5, "5"), ("mail.activity(5,)", "5"), (True, None), ([], None), (None, None), ({}, None)]
)
def test_a_recordset_over_json_rpc_is_text(answer: Any, number: str | None) -> None:
    assert read_made(answer) == number


@pytest.mark.parametrize(
    ("name", "message", "sort"),
    [
        ("odoo.exceptions.AccessError", "Ada may not", Configuration),
        ("odoo.exceptions.AccessDenied", "Access Denied", Configuration),
        ("odoo.exceptions.MissingError", "gone", Skippable),
        ("odoo.exceptions.ValidationError", "Ada's e-mail", Fatal),
        ("builtins.ValueError", "Invalid field 'x_leadswitch_tier' in 'crm.lead'", Configuration),
        ("builtins.ValueError", "Ada", Fatal),
        ("psycopg2.errors.SerializationFailure", "concurrent update", Retriable),
    ],
)
def test_errors_are_sorted_by_their_class(name: str, message: str, sort: type[Exception]) -> None:
    found = refusal({"name": name, "message": message}, "crm.lead.write", "crm", True)
    assert type(found) is sort
    assert "Ada" not in str(found)


def test_an_unknown_error_is_left_to_its_status() -> None:
    assert refusal({}, "x", "crm", True) is None
    assert refusal({"name": "some.module.<script>", "message": ""}, "x", "crm", True) is None
    assert isinstance(refusal({"name": "psycopg2.OperationalError"}, "x", "crm", False), Unsure)
