"""Slack's requests are kept in the same inbox, and rung for apart."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from httpx import Response
from starlette.testclient import TestClient

from connector.bootstrap import House
from connector.testing import house as build_house
from webhooks.app import create_app

SECRET = "slack-signing-secret"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = build_house(tmp_path, slack={"signing_secret": SECRET, "bot_token": "xoxb-1"})
    yield built
    built.close()


def send(client: TestClient, house: House, fields: dict[str, str], secret: str = SECRET) -> Response:
    body = urlencode(fields)
    stamp = str(int(house.clock.now().timestamp()))
    signature = "v0=" + hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-signature": signature,
        "x-slack-request-timestamp": stamp,
    }
    return client.post("/slack/events", content=body, headers=headers)


COMMAND = {"command": "/lead", "text": "show ada", "trigger_id": "t.1", "user_id": "U1", "channel_id": "C1", "team_id": "T1"}


def test_a_command_is_stored_before_it_is_acknowledged(house: House) -> None:
    with TestClient(create_app(house)) as client:
        first = send(client, house, COMMAND)
        assert first.status_code == 200
        assert send(client, house, COMMAND).status_code == 200  # Slack's own repeat
        assert send(client, house, COMMAND, secret="guessed").status_code == 401
        page = client.get("/metrics").text
    assert 'leadswitch_deliveries_received_total{connection="slack"} 1.0' in page
    assert 'leadswitch_deliveries_duplicate_total{connection="slack"} 1.0' in page
    [row] = house.inbox.newest()
    assert (row.connection, row.signed) == ("slack", True)
    assert row.trace_id == first.headers["x-request-id"]
    assert b"show ada" in row.delivery.body
    assert house.queue.rung == [("handle_command", ([row.id],))]  # type: ignore[attr-defined]


def test_slack_is_asked_to_come_again_when_the_store_is_down(house: House) -> None:
    with TestClient(create_app(house)) as client:
        with house.db.transaction():
            house.db.raw.execute_sql("ALTER TABLE inbox RENAME TO away")
        assert send(client, house, COMMAND).status_code == 503
