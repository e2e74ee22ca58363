"""Slack's way in: the Bolt app of `bots`, given a store that keeps each request in the inbox before Slack gets its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from starlette.routing import BaseRoute, Route

from connector.bootstrap import House
from connector.ports import Delivery
from connector.storage.intake import InboxWriter
from webhooks.metrics import IntakeMetrics

log = structlog.get_logger(__name__)

#: The name under which Slack's requests stand in the inbox.
SLACK = "slack"
PATH = "/slack/events"
RECONNECT_SECONDS = 10.0


def make_store(
    house: House, writer: InboxWriter, metrics: IntakeMetrics
) -> Callable[[dict[str, Any], str, bytes], Awaitable[None]]:
    """Keeps one Slack request durably; raises `StoreDown`, upon which Slack is asked to send it again."""

    async def store(payload: dict[str, Any], key: str, raw: bytes) -> None:
        delivery = Delivery("POST", PATH, {"content-type": "application/json"}, raw, house.clock.now())
        trace_id = str(structlog.contextvars.get_contextvars().get("trace_id", ""))
        stored = await writer.submit(SLACK, key, delivery, True, trace_id)
        (metrics.duplicates if stored.duplicate else metrics.received).labels(SLACK).inc()

    return store


def slack_routes(house: House, writer: InboxWriter, metrics: IntakeMetrics) -> list[BaseRoute]:
    """`/slack/events`, when Slack is set up to send its requests over HTTP."""
    slack = house.settings.slack
    if slack.signing_secret is None or slack.mode != "http":
        return []
    from bots.slack.asgi import build  # Bolt takes its time to import, and not every installation has Slack

    return [Route(PATH, build(slack, make_store(house, writer, metrics), house.clock))]


@asynccontextmanager
async def slack_socket(house: House, writer: InboxWriter, metrics: IntakeMetrics) -> AsyncIterator[None]:
    """The WebSocket to Slack while the web process runs, when Slack is set up for Socket Mode."""
    slack = house.settings.slack
    if slack.mode != "socket":
        yield
        return
    from bots.slack.socket_mode import SocketMode

    socket = SocketMode(slack, make_store(house, writer, metrics))

    async def connect() -> None:
        while True:
            try:
                return await socket.start()
            except Exception as error:  # Slack out of reach must not keep the webhooks from starting
                log.error("no connection to slack", error=type(error).__name__)
                await asyncio.sleep(RECONNECT_SECONDS)

    connecting = asyncio.create_task(connect())
    try:
        yield
    finally:
        connecting.cancel()
        with suppress(asyncio.CancelledError):
            await connecting
        await socket.stop()
