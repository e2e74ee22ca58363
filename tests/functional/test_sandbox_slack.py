"""The Slack-shaped workspace: answers like Slack's, limits like Slack's, requests signed as Slack's own library checks them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from pytest_httpserver import HTTPServer
from slack_sdk.signature import SignatureVerifier
from starlette.testclient import TestClient
from werkzeug import Request, Response

from connector.sandbox.slack.blocks import faults_of_blocks, faults_of_view
from connector.sandbox.slack.service import Options, build

Json = dict[str, Any]
REP, OTHER = "U0REP00000", "U0REP00001"


def serve(**options: Any) -> TestClient:
    client = TestClient(build(Options(**({"token": "xoxb-1", "base_url": "http://slack.test", "signing_secret": "shh"} | options))))
    client.headers["authorization"] = "Bearer xoxb-1"
    return client


def call(slack: TestClient, method: str, **arguments: Any) -> Json:
    answer = slack.post(f"/api/{method}", json=arguments)
    assert answer.status_code == 200
    read: Json = answer.json()
    return read


@pytest.fixture
def slack() -> Iterator[TestClient]:
    with serve() as client:
        yield client


def text(words: str, kind: str = "plain_text") -> Json:
    return {"type": kind, "text": words}


def button(words: str = "Accept", **more: Any) -> Json:
    return {"type": "button", "text": text(words), "action_id": "accept", "value": "1"} | more


def card(*elements: Json) -> list[Json]:
    return [
        {"type": "section", "text": text("*A lead*", "mrkdwn")},
        {"type": "actions", "block_id": "b", "elements": list(elements or [button()])},
    ]


# ---- the Web API


@pytest.mark.parametrize(
    ("method", "arguments", "error"),
    [
        ("chat.postMessage", {"channel": "#nowhere", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "#leads"}, "no_text"),
        ("chat.postMessage", {"channel": "#leads", "text": "x", "blocks": [{"type": "nope"}]}, "invalid_blocks"),
        ("chat.postMessage", {"channel": "#leads", "text": "x", "metadata": {"event_type": "x"}}, "invalid_metadata_format"),
        ("chat.update", {"channel": "#leads", "ts": "1.2", "text": "x"}, "message_not_found"),
        ("users.lookupByEmail", {"email": "nobody@acme.example"}, "users_not_found"),
        ("views.open", {"trigger_id": "old", "view": {"type": "modal", "title": text("T"), "blocks": []}}, "invalid_trigger_id"),
        ("no.such.method", {}, "unknown_method"),
    ],
)
def test_errors_are_told_with_200(slack: TestClient, method: str, arguments: Json, error: str) -> None:
    answer = call(slack, method, **arguments)
    assert (answer["ok"], answer["error"]) == (False, error)


def test_tokens_are_checked(slack: TestClient) -> None:
    assert slack.post("/api/auth.test", headers={"authorization": ""}).json()["error"] == "not_authed"
    assert slack.post("/api/auth.test", headers={"authorization": "Bearer x"}).json()["error"] == "invalid_auth"
    answer = slack.post("/api/auth.test")
    assert answer.json()["ok"]
    assert "chat:write" in answer.headers["x-oauth-scopes"]


def test_a_message_is_posted_edited_found_by_its_metadata_and_deleted(slack: TestClient) -> None:
    metadata = {"event_type": "leadswitch_card", "event_payload": {"lead_id": 7}}
    channel = call(slack, "conversations.open", users=REP)["channel"]["id"]
    posted = call(slack, "chat.postMessage", channel=channel, text="one", blocks=card(), metadata=metadata)
    edited = call(slack, "chat.update", channel=channel, ts=posted["ts"], text="two", blocks=card())
    assert edited["message"]["edited"]["user"] == edited["message"]["user"]
    with_it = call(slack, "conversations.history", channel=channel, include_all_metadata=True)["messages"]
    without = call(slack, "conversations.history", channel=channel)["messages"]
    assert [message["metadata"] for message in with_it] == [metadata]
    assert all("metadata" not in message for message in without)
    assert call(slack, "chat.delete", channel=channel, ts=posted["ts"])["ok"]
    assert call(slack, "conversations.history", channel=channel)["messages"] == []


def test_a_form_with_json_in_it_is_read_like_a_json_body(slack: TestClient) -> None:
    form = {"channel": "leads", "text": "x", "blocks": json.dumps(card())}
    assert slack.post("/api/chat.postMessage", data=form).json()["ok"]


def test_history_pages_and_threads(slack: TestClient) -> None:
    first = call(slack, "chat.postMessage", channel="#leads", text="first")["ts"]
    call(slack, "chat.postMessage", channel="#leads", text="reply", thread_ts=first)
    call(slack, "chat.postMessage", channel="#leads", text="second")
    page = call(slack, "conversations.history", channel="#leads", limit=1)
    rest = call(slack, "conversations.history", channel="#leads", limit=1, cursor=page["response_metadata"]["next_cursor"])
    assert [message["text"] for message in page["messages"] + rest["messages"]] == ["second", "first"]
    assert [message["text"] for message in call(slack, "conversations.replies", channel="#leads", ts=first)["messages"]] == [
        "first",
        "reply",
    ]


def test_an_ephemeral_message_is_for_one_person_and_in_no_history(slack: TestClient) -> None:
    assert call(slack, "chat.postEphemeral", channel="#leads", user=REP, text="psst")["ok"]
    assert call(slack, "conversations.history", channel="#leads")["messages"] == []
    assert [message["only_for"] for message in slack.get("/sandbox/state").json()["messages"]] == [REP]


def test_a_channel_takes_a_burst_and_then_about_one_message_a_second() -> None:
    with serve(burst=3.0, per_s=1.0) as slack:
        answers = [slack.post("/api/chat.postMessage", json={"channel": "#leads", "text": "x"}) for _ in range(4)]
        elsewhere = slack.post("/api/chat.postMessage", json={"channel": "#leads-emea", "text": "x"})
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].headers["retry-after"] == "1"
    assert elsewhere.status_code == 200


@pytest.mark.parametrize(
    "blocks",
    [
        [{"type": "divider"}] * 51,
        [{"type": "section", "text": text("x" * 3001, "mrkdwn")}],
        [{"type": "section"}],
        [{"type": "header", "text": text("x" * 151)}],
        [{"type": "header", "text": text("x", "mrkdwn")}],
        card(button("x" * 76)),
        card(button(value="x" * 2001)),
        card(button(action_id="x" * 256)),
        card(button(style="green")),
        card(*(button(action_id=str(number)) for number in range(26))),
        card(button(), button()),
        [{"type": "context", "elements": [text("x")] * 11}],
        [{"type": "divider", "block_id": "a"}, {"type": "divider", "block_id": "a"}],
        card({"type": "overflow", "action_id": "o", "options": [{"text": text("x"), "value": "1"}] * 6}),
        [{"type": "section", "fields": [text("x", "mrkdwn")] * 11}],
        [{"type": "section", "text": text("", "mrkdwn")}],
    ],
)
def test_blocks_over_slacks_limits_are_refused(blocks: list[Json]) -> None:
    assert faults_of_blocks(blocks)


def test_blocks_at_slacks_limits_pass() -> None:
    widest = card(*(button("x" * 75, action_id=f"{number:0255}", value="v" * 2000) for number in range(25)))
    assert (
        faults_of_blocks(
            [{"type": "header", "text": text("x" * 150)}, {"type": "section", "text": text("x" * 3000, "mrkdwn")}, *widest]
        )
        == []
    )


def test_a_modal_with_inputs_needs_a_submit_button_and_a_short_title() -> None:
    block = {"type": "input", "label": text("Why"), "element": {"type": "plain_text_input", "action_id": "why"}}
    view = {"type": "modal", "title": text("Pass"), "blocks": [block]}
    assert faults_of_view(view)
    assert faults_of_view(view | {"submit": text("Send")}) == []
    assert faults_of_view(view | {"submit": text("Send"), "title": text("x" * 25)})


# ---- what Slack sends


class App:
    """An app that keeps what it gets and answers as it is told."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/slack/events")
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[Response] = []
        server.expect_request("/slack/events").respond_with_handler(self._take)

    def _take(self, request: Request) -> Response:
        self.requests.append(({name.lower(): value for name, value in request.headers.items()}, request.get_data()))
        return self.answers.pop(0) if self.answers else Response(status=200)

    def payload(self, index: int = -1) -> Json:
        read: Json = json.loads(parse_qs(self.requests[index][1].decode())["payload"][0])
        return read


@pytest.fixture
def app(httpserver: HTTPServer) -> App:
    return App(httpserver)


def act(slack: TestClient, name: str, **about: Any) -> Json:
    answer = slack.post(f"/sandbox/act/{name}", json={"user": REP, **about})
    read: Json = answer.json()
    return read


def answer_json(body: Json) -> Response:
    return Response(json.dumps(body), content_type="application/json")


def press(slack: TestClient) -> Json:
    posted = call(slack, "chat.postMessage", channel="#leads", text="x", blocks=card())
    action = {"type": "button", "action_id": "accept", "block_id": "b", "value": "1"}
    return act(slack, "press", channel=posted["channel"], ts=posted["ts"], action=action)


def test_a_click_is_signed_and_says_who_pressed_what(app: App) -> None:
    with serve(target=app.url) as slack:
        assert press(slack)["ok"]
    headers, body = app.requests[0]
    assert SignatureVerifier("shh").is_valid_request(body, headers)
    assert not SignatureVerifier("other").is_valid_request(body, headers)
    payload = app.payload()
    assert (payload["type"], payload["user"]["id"], payload["actions"][0]["value"]) == ("block_actions", REP, "1")
    assert payload["container"]["message_ts"] == payload["message"]["ts"]


def test_an_app_that_fails_is_told_of_to_the_person_and_not_asked_again(app: App) -> None:
    app.answers = [Response(status=500)]
    with serve(target=app.url) as slack:
        outcome = press(slack)
    assert (outcome["ok"], outcome["error"], len(app.requests)) == (False, "http 500", 1)


def test_events_come_again_with_a_number_until_they_are_taken(app: App) -> None:
    app.answers = [Response(status=500)]
    with serve(target=app.url) as slack:
        assert act(slack, "home")["ok"]
    assert [headers.get("x-slack-retry-num") for headers, _ in app.requests] == [None, "1"]
    assert app.requests[1][0]["x-slack-retry-reason"] == "http_error"
    assert json.loads(app.requests[0][1]) == json.loads(app.requests[1][1])


def test_the_url_is_verified_by_a_challenge(app: App) -> None:
    with serve(target=app.url) as slack:
        assert act(slack, "verify")["ok"] is False
        assert json.loads(app.requests[0][1])["type"] == "url_verification"


def test_a_modal_opens_with_a_trigger_and_once_only(app: App) -> None:
    view = {
        "type": "modal",
        "title": text("Pass"),
        "callback_id": "pass",
        "private_metadata": "7",
        "submit": text("Send"),
        "blocks": [],
    }
    view["blocks"] = [
        {"type": "input", "block_id": "why", "label": text("Why"), "element": {"type": "plain_text_input", "action_id": "a"}}
    ]
    with serve(target=app.url) as slack:
        press(slack)
        trigger = app.payload()["trigger_id"]
        assert call(slack, "views.open", trigger_id=trigger, view=view)["ok"]
        assert call(slack, "views.open", trigger_id=trigger, view=view)["ok"] is False
        shown = slack.get(f"/sandbox/state?user={REP}").json()["view"]
        app.answers = [answer_json({"response_action": "errors", "errors": {"why": "too short"}}), Response(status=200)]
        values = {"why": {"a": {"type": "plain_text_input", "value": "because"}}}
        assert act(slack, "submit", view_id=shown["id"], values=values)["errors"] == {"why": "too short"}
        assert slack.get(f"/sandbox/state?user={REP}").json()["view"] is not None
        assert act(slack, "submit", view_id=shown["id"], values=values)["ok"]
        assert slack.get(f"/sandbox/state?user={REP}").json()["view"] is None
    sent = app.payload()
    assert (sent["type"], sent["view"]["private_metadata"], sent["view"]["state"]["values"]) == ("view_submission", "7", values)


def test_a_trigger_is_good_for_three_seconds(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(target=app.url) as slack:
        press(slack)
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 3.5)
        view = {"type": "modal", "title": text("T"), "blocks": []}
        assert call(slack, "views.open", trigger_id=app.payload()["trigger_id"], view=view)["error"] == "expired_trigger_id"


def test_a_command_is_signed_and_its_answer_is_for_the_person_alone(app: App) -> None:
    app.answers = [answer_json({"response_type": "ephemeral", "text": "Here is help"})]
    with serve(target=app.url) as slack:
        assert act(slack, "say", channel="C0LEADS000", text="/lead help me")["ok"]
        messages = slack.get("/sandbox/state").json()["messages"]
    form = parse_qs(app.requests[0][1].decode())
    assert (form["command"], form["text"], form["user_id"]) == (["/lead"], ["help me"], [REP])
    assert [(message["text"], message["only_for"]) for message in messages] == [("Here is help", REP)]


def test_a_response_address_takes_five_answers_and_can_replace_the_message(app: App) -> None:
    with serve(target=app.url) as slack:
        press(slack)
        address = app.payload()["response_url"].removeprefix("http://slack.test")
        assert slack.post(address, json={"replace_original": True, "text": "Taken", "blocks": []}).status_code == 200
        answers = [slack.post(address, json={"text": "only you"}).status_code for _ in range(5)]
        messages = slack.get("/sandbox/state").json()["messages"]
    assert answers == [200, 200, 200, 200, 404]
    assert next(message["text"] for message in messages if message["only_for"] is None) == "Taken"
    assert {message["only_for"] for message in messages} == {None, REP}


def test_nobody_presses_what_only_another_may_see(app: App) -> None:
    with serve(target=app.url) as slack:
        ts = call(slack, "chat.postEphemeral", channel="#leads", user=OTHER, text="x", blocks=card())["message_ts"]
        outcome = act(slack, "press", channel="C0LEADS000", ts=ts, action={"type": "button", "action_id": "accept"})
    assert (outcome["ok"], app.requests) == (False, [])
