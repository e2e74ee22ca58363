"""The Bolt app: one listener set for HTTP and Socket Mode. Every listener stores the request, then acknowledges; nothing else.

The work itself is done later by `bots.slack.worker`, from the stored payload, so that a slow database, CRM or Slack can never
push an acknowledgement over Slack's three seconds, and a click during a restart is kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from connector.settings import SlackSettings

#: Keeps one request durably: the payload, the key under which Slack's own repeats are equal, and the payload as JSON bytes.
#: Returns once it is on disk; a repeat is kept once and is not an error.
Store = Callable[[dict[str, Any], str, bytes], Awaitable[None]]

log = structlog.get_logger(__name__)

ANYTHING = re.compile("")


def dedupe_key(payload: Mapping[str, Any]) -> str:
    """The key under which repeats of one act are equal; under 64 characters.

    Slack names a slash command and a click by `trigger_id`, a submitted modal by view id and hash, an event by `event_id`
    (equal in its retries).
    """
    view = payload.get("view") or {}
    parts: tuple[object, ...]
    if payload.get("type") in ("view_submission", "view_closed"):
        kind, parts = "view", (view.get("id"), view.get("hash"))
    elif payload.get("event_id"):
        kind, parts = "event", (payload["event_id"],)
    elif payload.get("command"):
        kind, parts = "command", (payload.get("trigger_id") or json.dumps(payload, sort_keys=True),)
    elif payload.get("trigger_id"):
        kind, parts = "action", (payload["trigger_id"],)
    else:
        action = (payload.get("actions") or [{}])[0]
        kind, parts = "action", (action.get("action_ts"), (payload.get("user") or {}).get("id"))
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()
    return f"{kind}:{digest[:40]}"


def build_app(settings: SlackSettings, store: Store) -> AsyncApp:
    """The app with its listeners. Signatures are checked before it (`asgi`) or by Slack's own socket (`socket`)."""
    token = settings.bot_token.get_secret_value() if settings.bot_token else ""
    # Bolt logs whole request bodies below this level: they name people.
    logger = logging.getLogger("bots.slack.bolt")
    logger.setLevel(logging.CRITICAL)

    async def authorize() -> AuthorizeResult:
        # One workspace, one token: asking Slack's auth.test before each acknowledgement would tie it to Slack's own health.
        return AuthorizeResult(enterprise_id=None, team_id=None, bot_token=token, bot_id="", bot_user_id="")

    app = AsyncApp(
        name="leadswitch",
        logger=logger,
        client=AsyncWebClient(base_url=settings.base_url, logger=logger),
        authorize=authorize,
        request_verification_enabled=False,
        ignoring_self_events_enabled=False,
        process_before_response=True,
    )

    async def keep(body: dict[str, Any], ack: AsyncAck) -> None:
        payload = {name: value for name, value in body.items() if name != "token"}
        raw = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
        await store(payload, dedupe_key(payload), raw)
        await ack()

    async def failed(error: Exception) -> BoltResponse:
        log.error("slack.store_failed", error=type(error).__name__)
        return BoltResponse(status=503, body="Not stored, please try again.")

    app.command(ANYTHING)(keep)
    app.action(ANYTHING)(keep)
    app.view(ANYTHING)(keep)
    app.event(ANYTHING)(keep)
    app.error(failed)
    return app
