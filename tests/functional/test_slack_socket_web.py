"""Socket Mode in the web process: what comes over the socket is stored, rung for, and done once, across reconnects."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import uvicorn
from aiohttp import WSMsgType, web

from connector import testing
from connector.bootstrap import House
from connector.clock import SystemClock
from connector.testing import RecordingBell

CLICK = {
    "type": "block_actions",
    "user": {"id": "U1"},
    "team": {"id": "T1"},
    "trigger_id": "1.2.x",
    "actions": [{"type": "button", "action_id": "lead_accept", "block_id": "b", "value": "7"}],
}
EVENT = {"type": "event_callback", "event_id": "Ev1", "team_id": "T1", "event": {"type": "app_home_opened", "user": "U1"}}


class Slack:
    """Slack's end of Socket Mode, in a thread. Each connection sends what is in the queue and hears acknowledgements."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.connections: list[web.WebSocketResponse] = []
        self.acknowledged: list[str] = []
        self.port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._ready.wait(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._serve())
        self.loop.run_forever()
        self.loop.run_until_complete(self._runner.cleanup())
        self.loop.close()

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_post("/api/apps.connections.open", self._open)
        app.router.add_get("/link", self._link)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._ready.set()

    async def _open(self, request: web.Request) -> web.Response:
        return web.json_response({"ok": True, "url": f"ws://127.0.0.1:{self.port}/link"})

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "hello", "num_connections": 1})
        self.connections.append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                self.acknowledged.append(message.json()["envelope_id"])
        return socket

    def send(self, envelope_id: str, kind: str, payload: dict[str, Any], **more: Any) -> None:
        """One envelope over the newest connection."""
        envelope = {"envelope_id": envelope_id, "type": kind, "payload": payload, "accepts_response_payload": False, **more}
        asyncio.run_coroutine_threadsafe(self.connections[-1].send_json(envelope), self.loop).result(10)

    def hang_up(self) -> None:
        asyncio.run_coroutine_threadsafe(self.connections[-1].close(), self.loop).result(10)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)


@pytest.fixture
def slack() -> Iterator[Slack]:
    made = Slack()
    yield made
    made.stop()


@pytest.fixture
def house(tmp_path: Path, slack: Slack) -> Iterator[House]:
    settings = {
        "base_url": f"http://127.0.0.1:{slack.port}/api/",
        "mode": "socket",
        "bot_token": "xoxb",
        "app_token": "xapp",
    }
    built = testing.house(tmp_path, clock=cast(Any, SystemClock()), policy=str(tmp_path / "policy.toml"), slack=settings)
    yield built
    built.close()


@pytest.fixture
def served(house: House, slack: Slack, free_port: Callable[[], int], eventually: Callable[..., Any]) -> Iterator[None]:
    from webhooks.app import create_app

    server = uvicorn.Server(uvicorn.Config(create_app(house), host="127.0.0.1", port=free_port(), log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    eventually(lambda: slack.connections, what="a connection")
    yield
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive(), "it leaves no connection open"


def stored(house: House) -> int:
    with house.db.connected():
        return int(house.db.run("SELECT COUNT(*) FROM inbox WHERE connection = 'slack'").fetchone()[0])


def test_what_comes_over_the_socket_is_stored_once_and_rung_for(
    house: House, slack: Slack, served: None, eventually: Callable[..., Any]
) -> None:
    slack.send("e1", "interactive", CLICK)
    slack.send("e2", "events_api", EVENT, retry_attempt=0)
    eventually(lambda: set(slack.acknowledged) == {"e1", "e2"}, what="both acknowledged")
    assert stored(house) == 2
    slack.send("e3", "interactive", CLICK)  # the same click, the same event: Slack did not hear the first answers
    slack.send("e4", "events_api", EVENT, retry_attempt=1, retry_reason="timeout")
    eventually(lambda: len(slack.acknowledged) == 4, what="all acknowledged")
    assert stored(house) == 2
    rung = [actor for actor, _ in cast(RecordingBell, house.queue).rung]
    assert set(rung) == {"handle_command"}


def test_a_lost_connection_is_opened_again(house: House, slack: Slack, served: None, eventually: Callable[..., Any]) -> None:
    slack.hang_up()
    eventually(lambda: len(slack.connections) == 2, timeout=60, what="a second connection")
    slack.send("e9", "interactive", CLICK)
    eventually(lambda: "e9" in slack.acknowledged, what="the acknowledgement")
    assert stored(house) == 1
