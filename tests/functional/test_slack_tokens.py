"""Token rotation over HTTP: renewed before it expires, after Slack said that it has, once for all processes, and kept sealed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from bots.slack.client import SlackApi
from bots.slack.tokens import NAME, TokenRotation
from connector import testing
from connector.bootstrap import House
from connector.errors import Configuration, Retriable
from connector.testing import StandingClock


class Workspace:
    """Takes the newest access token only; gives a new pair for the newest refresh token only."""

    def __init__(self) -> None:
        self.number = 0
        self.asked = 0
        self.expired: set[str] = set()

    def oauth(self, request: Request) -> Response:
        self.asked += 1
        form = {name: values[0] for name, values in parse_qs(request.get_data().decode()).items()}
        basic = request.authorization
        client_id = basic.username if basic else form.get("client_id")
        assert (form["grant_type"], client_id) == ("refresh_token", "C1")
        if form["refresh_token"] != f"refresh-{self.number}":
            return self._say(ok=False, error="invalid_refresh_token")
        self.number += 1
        return self._say(
            ok=True, access_token=f"bot-{self.number}", refresh_token=f"refresh-{self.number}", expires_in=43200, token_type="bot"
        )

    def call(self, request: Request) -> Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        if token != f"bot-{self.number}" or token in self.expired:
            return self._say(ok=False, error="token_expired")
        return self._say(ok=True, channel={"id": "D1"})

    @staticmethod
    def _say(**answer: object) -> Response:
        return Response(json.dumps(answer), content_type="application/json")


@pytest.fixture
def workspace(httpserver: HTTPServer) -> Workspace:
    made = Workspace()
    httpserver.expect_request("/api/oauth.v2.access").respond_with_handler(made.oauth)
    httpserver.expect_request("/api/conversations.open").respond_with_handler(made.call)
    return made


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def house(tmp_path: Path, clock: StandingClock, httpserver: HTTPServer) -> Iterator[House]:
    slack = {
        "base_url": httpserver.url_for("/api/"),
        "bot_token": "bot-0",
        "refresh_token": "refresh-0",
        "client_id": "C1",
        "client_secret": "shh",
    }
    built = testing.house(tmp_path, clock=clock, policy=str(tmp_path / "policy.toml"), slack=slack)
    yield built
    built.close()


def api(house: House) -> SlackApi:
    """The client of another process."""
    return SlackApi(house.settings.slack.base_url, "", rotation=TokenRotation(house))


def test_the_first_token_is_used_until_slack_refuses_it_and_then_renewed(house: House, workspace: Workspace) -> None:
    client = api(house)
    assert client.open_dm("U1") == "D1"
    assert workspace.asked == 0
    workspace.expired.add("bot-0")
    with pytest.raises(Retriable, match="expired"):
        client.open_dm("U1")
    assert client.open_dm("U1") == "D1"
    assert workspace.asked == 1


def test_other_processes_take_the_new_token_and_ask_for_none(house: House, workspace: Workspace) -> None:
    first, second = api(house), api(house)
    first.open_dm("U1")
    TokenRotation(house).renew("bot-0")
    for client in (first, second):
        with pytest.raises(Retriable):
            client.open_dm("U1")
        assert client.open_dm("U1") == "D1"
    assert workspace.asked == 1


def test_it_is_renewed_before_it_expires(house: House, workspace: Workspace, clock: StandingClock) -> None:
    client = api(house)
    TokenRotation(house).renew("bot-0")
    with pytest.raises(Retriable):
        client.open_dm("U1")
    clock.move(12 * 3600 - 1000)
    assert client.open_dm("U1") == "D1"
    assert workspace.asked == 2


def test_tokens_are_sealed_and_a_new_installation_forgets_the_old_ones(house: House, workspace: Workspace) -> None:
    TokenRotation(house).renew("bot-0")
    with house.db.connected():
        (kept,) = house.db.run("SELECT sealed FROM cell WHERE name = ?", f"tokens:{NAME}").fetchone()
    assert b"bot-1" not in bytes(kept)
    again = house.settings.slack.model_copy(update={"refresh_token": type(house.settings.slack.refresh_token)("refresh-new")})
    house.settings = house.settings.model_copy(update={"slack": again})
    assert TokenRotation(house).current() == "bot-0"


def test_a_refused_refresh_says_how_to_mend_it(house: House, workspace: Workspace) -> None:
    workspace.number = 7
    with pytest.raises(Configuration, match=r"invalid_refresh_token.*Install the app again"):
        TokenRotation(house).renew("bot-0")


def test_rotation_needs_all_of_its_settings(house: House) -> None:
    half = house.settings.slack.model_copy(update={"client_secret": None})
    house.settings = house.settings.model_copy(update={"slack": half})
    with pytest.raises(Configuration, match="client_secret"):
        TokenRotation(house)
