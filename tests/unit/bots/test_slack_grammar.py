"""What people type after `/lead`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.slack.grammar import Call, Unknown, parse, usage


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("", Call("help")),
        ("   ", Call("help")),
        ("help", Call("help")),
        ("help reassign", Call("help", "reassign")),
        ("show Jane Doe", Call("show", "Jane Doe")),
        ("SHOW   Jane\u00a0Doe", Call("show", "Jane Doe")),
        ("show “Jane Doe”", Call("show", "Jane Doe")),
        ("show #42", Call("show", "42")),
        ("find jane", Call("show", "jane")),
        ("why <mailto:jane@x.example|jane@x.example>", Call("why", "jane@x.example")),
        (
            "why <https://app.hubspot.com/contacts/1/record/0-1/51|HubSpot>",
            Call("why", "https://app.hubspot.com/contacts/1/record/0-1/51"),
        ),
        ("show Marks &amp; Spencer", Call("show", "Marks & Spencer")),
        ("42", Call("show", "42")),
        ("jane@x.example", Call("show", "jane@x.example")),
        ("https://crm.example/1", Call("show", "https://crm.example/1")),
        ("why <https://crm.example/1/>", Call("why", "https://crm.example/1")),
        ("reassign 42", Call("reassign", "42")),
        ("reassign 42 to sam@x.example", Call("reassign", "42", "sam@x.example")),
        ("reassign 42 to <@U123ABC|sam>", Call("reassign", "42", "@U123ABC")),
        ("reassign 42 <@U123ABC>", Call("reassign", "42", "@U123ABC")),
        ("reassign Jane Doe to Sam Hill because on holiday", Call("reassign", "Jane Doe", "Sam Hill", "on holiday")),
        ("reassign Back to Basics to Sam", Call("reassign", "Back to Basics", "Sam")),
        ("give 42 to Sam because back to school", Call("reassign", "42", "Sam", "back to school")),
        ("reassign", Call("reassign")),
    ],
)
def test_requests_are_read(text: str, call: Call) -> None:
    assert parse(text) == call


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [("shwo 42", "show"), ("wy 42", "why"), ("reasign 42", "reassign"), ("hlep", "help"), ("explian 1", "why"), ("xyzzy", None)],
)
def test_a_slip_of_the_finger_gets_the_nearest_command(text: str, suggestion: str | None) -> None:
    found = parse(text)
    assert isinstance(found, Unknown)
    assert found.suggestion == suggestion


@given(st.text(max_size=3000))
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert isinstance(parse(text), Call | Unknown)


def test_help_names_every_command_and_uses_the_configured_name() -> None:
    text = usage("/prospect")
    assert all(f"`/prospect {verb}" in text for verb in ("show", "why", "reassign", "help"))
    assert "/prospect why" not in usage("/prospect", "show")
