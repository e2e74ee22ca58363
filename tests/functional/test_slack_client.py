"""Our Slack client against a server that misbehaves as Slack can."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from bots.slack.client import NeedsMending, RateLimited, Refused, SlackApi
from connector.errors import Configuration, Fatal, Retriable
from connector.http import Unsure

METADATA = {"event_type": "leadswitch_card", "event_payload": {"lead_id": 7}}


@pytest.fixture
def api(httpserver: HTTPServer) -> SlackApi:
    return SlackApi(httpserver.url_for("/api/"), "xoxb-secret", timeout_s=1)


def post(api: SlackApi) -> tuple[str, str]:
    return api.post("C1", "text", [], METADATA)


def answer(httpserver: HTTPServer, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
    if isinstance(body, str):
        httpserver.expect_request("/api/chat.postMessage").respond_with_data(body, status=status, headers=headers)
    else:
        httpserver.expect_request("/api/chat.postMessage").respond_with_json(body, status=status, headers=headers)


def test_429_carries_slacks_wait(httpserver: HTTPServer, api: SlackApi) -> None:
    answer(httpserver, 429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "30"})
    with pytest.raises(RateLimited) as caught:
        post(api)
    assert caught.value.delay_s == 30.0


@pytest.mark.parametrize("code", ["ratelimited", "rate_limited"])
def test_a_limit_told_with_200_is_a_limit(httpserver: HTTPServer, api: SlackApi, code: str) -> None:
    answer(httpserver, 200, {"ok": False, "error": code})
    with pytest.raises(RateLimited):
        post(api)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"ok": False, "error": "internal_error"}),
        (503, "<html>down</html>"),
        (200, {"ok": False, "error": "internal_error"}),
        (200, {"ok": False, "error": "fatal_error"}),
        (200, "<html>a proxy's page</html>"),
        (200, ""),
    ],
)
def test_a_failure_of_slack_leaves_the_message_in_doubt(httpserver: HTTPServer, api: SlackApi, status: int, body: Any) -> None:
    answer(httpserver, status, body)
    with pytest.raises(Unsure):
        post(api)


@pytest.mark.parametrize(
    "code",
    ["not_in_channel", "channel_not_found", "is_archived", "invalid_auth", "token_revoked", "account_inactive", "missing_scope"],
)
def test_what_somebody_must_mend_says_how(httpserver: HTTPServer, api: SlackApi, code: str) -> None:
    answer(httpserver, 200, {"ok": False, "error": code, "needed": "chat:write", "provided": "users:read"})
    with pytest.raises(NeedsMending) as caught:
        post(api)
    assert isinstance(caught.value, Configuration)
    assert code in str(caught.value)
    assert caught.value.mend
    assert ("needs chat:write" in str(caught.value)) == (code == "missing_scope")


def test_another_refusal_is_final_and_quotes_nothing_of_the_request(httpserver: HTTPServer, api: SlackApi) -> None:
    answer(httpserver, 200, {"ok": False, "error": "invalid_blocks", "errors": ["Jane Doe is too long"]})
    with pytest.raises(Refused) as caught:
        post(api)
    assert caught.value.code == "invalid_blocks"
    assert "Jane" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "xoxb" not in repr(caught.value)


def test_nothing_listening_means_nothing_sent() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(Retriable) as caught:
        post(SlackApi(f"http://127.0.0.1:{port}/api/", "xoxb"))
    assert not isinstance(caught.value, Unsure)


@pytest.fixture
def listener() -> Iterator[Callable[[Callable[[socket.socket], None]], str]]:
    """Serves one raw connection with the given function."""
    servers: list[socket.socket] = []

    def serve(talk: Callable[[socket.socket], None]) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def run() -> None:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                talk(connection)

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}/api/"

    yield serve
    for server in servers:
        server.close()


def test_an_answer_that_never_comes_leaves_the_message_in_doubt(listener: Callable[..., str]) -> None:
    done = threading.Event()
    with pytest.raises(Unsure):
        post(SlackApi(listener(lambda connection: done.wait(10) and None), "xoxb", timeout_s=1))
    done.set()


def test_a_connection_cut_after_the_request_leaves_the_message_in_doubt(listener: Callable[..., str]) -> None:
    with pytest.raises(Unsure):
        post(SlackApi(listener(lambda connection: connection.recv(65536) and None), "xoxb", timeout_s=2))


def test_find_reads_page_after_page_and_other_peoples_metadata(httpserver: HTTPServer, api: SlackApi) -> None:
    pages = {
        None: {
            "ok": True,
            "messages": [{"ts": "9.0"}, {"ts": "8.0", "metadata": {"event_type": "another_app", "event_payload": {"lead_id": 7}}}],
            "response_metadata": {"next_cursor": "two"},
        },
        "two": {"ok": True, "messages": [{"ts": "7.0", "metadata": METADATA}], "response_metadata": {"next_cursor": ""}},
    }

    def history(request: Any) -> Response:
        import json

        assert request.form["include_all_metadata"] == "1"
        assert request.form["oldest"] == "100.000000"
        return Response(json.dumps(pages[request.form.get("cursor")]), content_type="application/json")

    httpserver.expect_request("/api/conversations.history").respond_with_handler(history)
    assert api.find("C1", 100.0, "leadswitch_card", {"lead_id": 7}) == ("7.0", {"lead_id": 7})
    assert api.find("C1", 100.0, "leadswitch_card", {"lead_id": 8}) is None


def test_a_users_address_is_asked_for_once(httpserver: HTTPServer, api: SlackApi) -> None:
    httpserver.expect_oneshot_request("/api/users.info").respond_with_json(
        {"ok": True, "user": {"id": "U1", "profile": {"email": "ada@x.example"}}}
    )
    assert api.email_of("U1") == "ada@x.example"
    assert api.email_of("U1") == "ada@x.example"
    httpserver.expect_request("/api/users.info").respond_with_json({"ok": False, "error": "user_not_found"})
    assert api.email_of("U2") is None


# -- response_url


def test_an_answer_goes_to_the_response_url(httpserver: HTTPServer, api: SlackApi) -> None:
    httpserver.expect_request("/respond/1", method="POST", json={"text": "hello"}).respond_with_data("ok")
    api.respond(httpserver.url_for("/respond/1"), {"text": "hello"})
    httpserver.check_assertions()


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/actions/1",
        "https://hooks.slack.com.evil.example/1",
        "https://hooks.slack.com:8443/1",
        "https://user:pass@hooks.slack.com/1",
        "https://evil.example/?hooks.slack.com",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:1/api/",
        "file:///etc/passwd",
        "//hooks.slack.com/1",
        "http://[::1",
        "",
    ],
)
def test_no_other_address_is_ever_called(api: SlackApi, url: str) -> None:
    assert not api.may_answer(url)
    with pytest.raises(Fatal):
        api.respond(url, {"text": "x"})


def test_slacks_own_host_may_be_answered(api: SlackApi) -> None:
    assert api.may_answer("https://hooks.slack.com/commands/T1/1/abc")
    assert api.may_answer("https://HOOKS.slack.com:443/commands/T1/1/abc")


def test_a_redirect_is_not_followed(httpserver: HTTPServer, api: SlackApi) -> None:
    httpserver.expect_request("/respond/2").respond_with_data("", status=302, headers={"location": httpserver.url_for("/inside")})
    httpserver.expect_request("/inside").respond_with_data("secret")
    with pytest.raises(Fatal):
        api.respond(httpserver.url_for("/respond/2"), {"text": "x"})
    assert [request.path for request, _ in httpserver.log] == ["/respond/2"]


@pytest.mark.parametrize(("status", "error"), [(404, Fatal), (410, Fatal), (429, RateLimited), (500, Retriable)])
def test_a_response_url_that_does_not_take_it(httpserver: HTTPServer, api: SlackApi, status: int, error: type[Exception]) -> None:
    httpserver.expect_request("/respond/3").respond_with_data("no", status=status)
    with pytest.raises(error):
        api.respond(httpserver.url_for("/respond/3"), {"text": "x"})
