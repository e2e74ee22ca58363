"""The way in: signature, storing before acknowledging, keys under which repeats are equal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from pydantic import SecretStr
from slack_sdk.signature import SignatureVerifier

from bots.slack import asgi
from bots.slack.app import dedupe_key
from connector.errors import Configuration
from connector.settings import SlackSettings

SECRET = "a-signing-secret"
NOW = 1_795_273_200


class StoppedClock:
    def now(self) -> datetime:
        return datetime.fromtimestamp(NOW, UTC)

    def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


class Inbox:
    """A store that keeps what it is given, or fails."""

    def __init__(self, failing: bool = False) -> None:
        self.rows: dict[str, tuple[dict[str, Any], bytes]] = {}
        self.failing = failing

    async def __call__(self, payload: dict[str, Any], key: str, raw: bytes) -> None:
        if self.failing:
            raise OSError("disk full")
        self.rows.setdefault(key, (payload, raw))


def signed(body: bytes, at: int = NOW) -> dict[str, str]:
    signature = SignatureVerifier(SECRET).generate_signature(timestamp=str(at), body=body)
    assert signature
    return {"x-slack-request-timestamp": str(at), "x-slack-signature": signature}


FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}


def send(inbox: Inbox, body: bytes, headers: Mapping[str, str], method: str = "POST", query: str = "") -> httpx.Response:
    app = asgi.build(SlackSettings(signing_secret=SecretStr(SECRET)), inbox, StoppedClock())
    encoded = {name.encode(): value.encode() for name, value in headers.items()}

    async def go() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return await client.request(method, f"/slack/events{query}", content=body, headers=encoded)

    return asyncio.run(go())


def command(text: str = "show 1", trigger: str = "1.2.abc") -> bytes:
    fields = {"token": "old", "command": "/lead", "text": text, "user_id": "U1", "trigger_id": trigger, "team_id": "T1"}
    return urlencode(fields).encode()


def interaction(**payload: Any) -> bytes:
    return urlencode({"payload": json.dumps({"token": "old", "user": {"id": "U1"}, "team": {"id": "T1"}, **payload})}).encode()


def click(trigger: str | None = "1.2.abc", action_ts: str = "17.1") -> bytes:
    action = {"action_id": "lead_accept", "block_id": "b", "type": "button", "value": "7", "action_ts": action_ts}
    extra = {"trigger_id": trigger} if trigger else {}
    return interaction(type="block_actions", actions=[action], **extra)


def submission(view_id: str = "V1", view_hash: str = "1.h") -> bytes:
    return interaction(type="view_submission", view={"id": view_id, "hash": view_hash, "callback_id": "x", "type": "modal"})


def event(event_id: str = "Ev1") -> bytes:
    return json.dumps(
        {"token": "old", "type": "event_callback", "event_id": event_id, "event": {"type": "app_uninstalled"}, "team_id": "T1"}
    ).encode()


@pytest.mark.parametrize(
    ("body", "headers"),
    [(command(), FORM), (click(), FORM), (submission(), FORM), (event(), JSON)],
    ids=["command", "click", "form", "event"],
)
def test_a_request_is_stored_and_then_acknowledged_with_nothing(body: bytes, headers: dict[str, str]) -> None:
    inbox = Inbox()
    answer = send(inbox, body, headers | signed(body))
    assert (answer.status_code, answer.content) == (200, b"")
    ((payload, raw),) = inbox.rows.values()
    assert json.loads(raw) == payload
    assert "token" not in payload


def test_when_storing_fails_nothing_is_acknowledged() -> None:
    for body, headers in ((command(), FORM), (click(), FORM), (event(), JSON)):
        assert send(Inbox(failing=True), body, headers | signed(body)).status_code == 503


def test_slacks_own_retry_of_an_event_is_kept_once() -> None:
    inbox = Inbox()
    for retry in ({}, {"x-slack-retry-num": "1", "x-slack-retry-reason": "http_timeout"}, {"x-slack-retry-num": "2"}):
        assert send(inbox, event(), JSON | retry | signed(event())).status_code == 200
    assert len(inbox.rows) == 1


def test_repeats_are_equal_and_different_acts_are_not() -> None:
    bodies = [
        command(),
        command(trigger="1.2.def"),
        click(),
        click(trigger="9.9.z"),
        click(trigger=None),
        click(trigger=None, action_ts="18.1"),
        submission(),
        submission(view_hash="2.h"),
        submission(view_id="V2"),
        event(),
        event("Ev2"),
    ]
    inbox = Inbox()
    for body in [*bodies, *bodies]:
        send(inbox, body, (JSON if body.startswith(b"{") else FORM) | signed(body))
    assert len(inbox.rows) == len(bodies)
    assert all(len(key) <= 64 for key in inbox.rows)


def test_a_key_is_made_for_anything() -> None:
    assert dedupe_key({}) != dedupe_key({"command": "/lead"})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed(command()) | {"x-slack-signature": "v0=" + "0" * 64},
        signed(command()) | {"x-slack-signature": "é"},
        signed(command()) | {"x-slack-request-timestamp": str(NOW + 1)},
        signed(command()) | {"x-slack-request-timestamp": "soon"},
        signed(command(), NOW - 301),
        signed(command(), NOW + 301),
        signed(command("show 2")),
    ],
)
def test_forged_and_stale_requests_get_401_and_are_not_stored(headers: dict[str, str]) -> None:
    inbox = Inbox()
    assert send(inbox, command(), FORM | headers).status_code == 401
    assert inbox.rows == {}


def test_five_minutes_either_way_are_fresh() -> None:
    for at in (NOW - 300, NOW + 300):
        assert send(Inbox(), command(), FORM | signed(command(), at)).status_code == 200


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{truncated", JSON, 400),
        (b"payload=%7Btruncated", FORM, 400),
        (b"", FORM, 404),
        (b"[1, 2]", JSON, 400),
        (b'{"type": "something_new"}', JSON, 404),
        (urlencode({"payload": '{"type": "dialog_cancellation"}'}).encode(), FORM, 404),
    ],
)
def test_signed_rubbish_is_refused_without_an_error(body: bytes, headers: dict[str, str], status: int) -> None:
    inbox = Inbox()
    assert send(inbox, body, headers | signed(body)).status_code == status
    assert inbox.rows == {}


def test_invalid_utf8_too_large_and_other_methods_are_refused() -> None:
    inbox = Inbox()
    stamp = {"x-slack-request-timestamp": str(NOW), "x-slack-signature": "v0=" + "a" * 64}
    assert send(inbox, b"\xff\xfe", FORM | stamp).status_code == 401
    assert send(inbox, b"x" * (asgi.MAX_BODY_BYTES + 1), FORM | stamp).status_code == 413
    assert send(inbox, b"", {}, method="PUT").status_code == 405
    assert inbox.rows == {}


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "READ_SECONDS", 0.01)
    app = asgi.build(SlackSettings(signing_secret=SecretStr(SECRET)), Inbox(), StoppedClock())
    sent: list[Mapping[str, Any]] = []
    parts = iter([{"type": "http.request", "body": b"payl", "more_body": True}])

    async def receive() -> Any:
        for part in parts:
            return part
        await asyncio.Event().wait()  # the rest never comes

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app({"type": "http", "method": "POST", "path": "/slack/events", "headers": [], "query_string": b""}, receive, send))
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


def test_url_verification_answers_the_challenge_only_when_signed() -> None:
    body = json.dumps({"token": "x", "type": "url_verification", "challenge": "c0ffee"}).encode()
    answer = send(Inbox(), body, JSON | signed(body))
    assert (answer.status_code, answer.json()) == (200, {"challenge": "c0ffee"})
    assert send(Inbox(), body, JSON).status_code == 401


def test_the_certificate_check_is_answered_and_stores_nothing() -> None:
    inbox = Inbox()
    assert send(inbox, b"ssl_check=1&token=x", FORM).status_code == 200
    assert send(inbox, b"", {}, method="GET", query="?ssl_check=1&token=x").status_code == 200
    assert send(inbox, b"", {}, method="GET").status_code == 405
    assert send(inbox, b"ssl_check=1&command=%2Flead", FORM).status_code == 401
    assert inbox.rows == {}


def test_without_a_signing_secret_the_endpoint_is_not_built() -> None:
    with pytest.raises(Configuration, match="signing_secret"):
        asgi.build(SlackSettings(), Inbox(), StoppedClock())
