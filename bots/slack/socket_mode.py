"""Socket Mode: the same listeners over a WebSocket that we open, for those without a public URL."""

from __future__ import annotations

import logging

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

from bots.slack.app import Store, build_app
from connector.errors import Configuration
from connector.settings import SlackSettings


class SocketMode:
    """One connection to Slack. A request that could not be stored is not acknowledged, and Slack sends it again."""

    def __init__(self, settings: SlackSettings, store: Store) -> None:
        if settings.app_token is None:
            raise Configuration("slack.app_token is not set.", "Create an app-level token with connections:write.")
        self._settings = settings
        self._store = store
        self._token = settings.app_token.get_secret_value()
        self._handler: AsyncSocketModeHandler | None = None

    async def start(self) -> None:
        """Connect, trying every ten seconds until Slack takes us; reconnects by itself from then on. Call it inside the running
        loop. Cancelled, it leaves nothing open."""
        handler = AsyncSocketModeHandler(build_app(self._settings, self._store), self._token, logger=_log())
        try:
            await handler.connect_async()  # type: ignore[no-untyped-call]
        except BaseException:
            await handler.close_async()  # type: ignore[no-untyped-call]
            raise
        self._handler = handler

    async def stop(self) -> None:
        """Close the connection. What was acknowledged is stored already."""
        if self._handler is not None:
            await self._handler.close_async()  # type: ignore[no-untyped-call]
            self._handler = None


def _log() -> logging.Logger:
    """Shows that Slack cannot be reached or refuses the token, and not what it sends: that names people."""
    log = logging.getLogger("bots.slack.socket")
    log.setLevel(logging.ERROR)
    return log
