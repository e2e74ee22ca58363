"""Socket Mode: the same listeners over a WebSocket that we open; what could not be stored is not acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bots.slack.socket_mode import SocketMode
from connector.errors import Configuration
from connector.settings import SlackSettings

CLICK = {
    "type": "block_actions",
    "user": {"id": "U1"},
    "team": {"id": "T1"},
    "trigger_id": "1.2.x",
    "actions": [{"type": "button", "action_id": "lead_accept", "block_id": "b", "value": "7"}],
}
COMMAND = {"command": "/lead", "text": "show 1", "user_id": "U1", "team_id": "T1", "trigger_id": "1.3.x"}
EVENT = {"type": "event_callback", "event_id": "Ev1", "team_id": "T1", "event": {"type": "tokens_revoked"}}
ENVELOPES: list[dict[str, Any]] = [
    {"envelope_id": "e1", "type": "interactive", "payload": CLICK},
    {"envelope_id": "e2", "type": "slash_commands", "payload": COMMAND},
    {"envelope_id": "e3", "type": "events_api", "payload": EVENT, "retry_attempt": 0},
]


class FakeSlack:
    """Opens a socket, sends the envelopes, and notes which were acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.all_acknowledged = asyncio.Event()
        self.tokens: list[str] = []

    async def open(self, request: web.Request) -> web.Response:
        self.tokens.append(request.headers["authorization"])
        return web.json_response({"ok": True, "url": f"ws://127.0.0.1:{request.url.port}/link"})

    async def link(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1})
        for envelope in ENVELOPES:
            await socket.send_json({"accepts_response_payload": False, **envelope})
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self.acknowledged.append(message.json()["envelope_id"])
                if len(self.acknowledged) == len(ENVELOPES):
                    self.all_acknowledged.set()
        return socket


Store = Callable[[dict[str, Any], str, bytes], Awaitable[None]]


def socket_settings(server: TestServer) -> SlackSettings:
    base_url = f"http://127.0.0.1:{server.port}/api/"
    return SlackSettings(base_url=base_url, mode="socket", bot_token=SecretStr("xoxb"), app_token=SecretStr("xapp-secret"))


@asynccontextmanager
async def connected(store: Store) -> AsyncIterator[FakeSlack]:
    slack = FakeSlack()
    app = web.Application()
    app.router.add_post("/api/apps.connections.open", slack.open)
    app.router.add_get("/link", slack.link)
    async with TestServer(app) as server:
        socket = SocketMode(socket_settings(server), store)
        await socket.start()
        try:
            yield slack
        finally:
            await socket.stop()


def test_each_envelope_is_stored_and_then_acknowledged() -> None:
    rows: dict[str, dict[str, Any]] = {}

    async def store(payload: dict[str, Any], key: str, raw: bytes) -> None:
        rows[key] = payload

    async def go() -> FakeSlack:
        async with connected(store) as slack:
            await asyncio.wait_for(slack.all_acknowledged.wait(), 10)
            return slack

    slack = asyncio.run(go())
    assert sorted(slack.acknowledged) == ["e1", "e2", "e3"]
    assert slack.tokens == ["Bearer xapp-secret"]
    assert {str(row.get("type") or row.get("command")) for row in rows.values()} == {"block_actions", "/lead", "event_callback"}


def test_what_could_not_be_stored_is_not_acknowledged() -> None:
    tried: list[str] = []

    async def go() -> FakeSlack:
        three = asyncio.Event()

        async def store(payload: dict[str, Any], key: str, raw: bytes) -> None:
            tried.append(key)
            if len(tried) == len(ENVELOPES):
                three.set()
            raise OSError("disk full")

        async with connected(store) as slack:
            await asyncio.wait_for(three.wait(), 10)
            return slack

    assert asyncio.run(go()).acknowledged == []
    assert len(tried) == len(ENVELOPES)


def test_a_refused_token_is_shown_and_waiting_for_a_better_one_can_be_stopped(caplog: pytest.LogCaptureFixture) -> None:
    async def store(payload: dict[str, Any], key: str, raw: bytes) -> None: ...

    async def go() -> None:
        asked = asyncio.Event()

        async def refuse(request: web.Request) -> web.Response:
            asked.set()
            return web.json_response({"ok": False, "error": "invalid_auth"})

        app = web.Application()
        app.router.add_post("/api/apps.connections.open", refuse)
        async with TestServer(app) as server:
            base_url = f"http://127.0.0.1:{server.port}/api/"
            settings = SlackSettings(
                base_url=base_url, mode="socket", bot_token=SecretStr("xoxb"), app_token=SecretStr("xapp-secret")
            )
            starting = asyncio.create_task(SocketMode(settings, store).start())
            await asyncio.wait_for(asked.wait(), 10)
            while "invalid_auth" not in caplog.text:
                await asyncio.sleep(0)
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting

    asyncio.run(asyncio.wait_for(go(), 20))
    assert "xapp-secret" not in caplog.text


def test_socket_mode_needs_its_token() -> None:
    async def store(payload: dict[str, Any], key: str, raw: bytes) -> None: ...

    with pytest.raises(Configuration, match="app_token"):
        SocketMode(SlackSettings(mode="socket"), store)
