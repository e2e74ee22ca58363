"""`POST /slack/events`: events, interactivity and slash commands over HTTP, as an ASGI app that the web server mounts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_sdk.signature import Clock as SdkClock
from slack_sdk.signature import SignatureVerifier
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from bots.slack.app import Store, build_app
from connector.clock import Clock
from connector.errors import Configuration
from connector.settings import SlackSettings

#: Slack's own requests stay far below; a modal's state is the largest.
MAX_BODY_BYTES = 1_048_576
#: A sender that does not get its body across in this time is cut off: Slack sends a request in one piece.
READ_SECONDS = 10.0


class _VerifierClock(SdkClock):
    """Our clock in the shape that Slack's verifier asks for (seconds since 1970)."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock.now().timestamp()


def is_genuine(verifier: SignatureVerifier, body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether Slack signed these bytes (scheme v0, HMAC-SHA256) within five minutes; header names in lower case.

    https://docs.slack.dev/authentication/verifying-requests-from-slack/
    """
    signature = headers.get("x-slack-signature", "")
    timestamp = headers.get("x-slack-request-timestamp", "")
    if not (signature.isascii() and timestamp.isascii() and timestamp.isdigit()):
        return False
    try:
        return verifier.is_valid(body, timestamp, signature)
    except UnicodeDecodeError:  # Slack signs and sends text
        return False


def is_ssl_check(body: bytes) -> bool:
    """Whether this is Slack's check of the certificate in its POST form (also unsigned)."""
    return body.startswith(b"ssl_check=1") and b"command=" not in body


class SlackEndpoint:
    """The ASGI app. A class and not a function, so that Starlette's `Route` takes it as it is."""

    def __init__(self, app: AsyncApp, verifier: SignatureVerifier) -> None:
        self._app = app
        self._verifier = verifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method == "GET" and request.query_params.get("ssl_check") == "1":
            return PlainTextResponse("")  # Slack's check of the certificate: unsigned, asks for nothing
        if request.method != "POST":
            return PlainTextResponse("Method not allowed", 405, {"allow": "POST"})
        try:
            async with asyncio.timeout(READ_SECONDS):
                body = await _read(request)
        except ClientDisconnect:
            return PlainTextResponse("Cut short", 400)
        except TimeoutError:
            return PlainTextResponse("Too slow", 408, {"connection": "close"})
        if body is None:
            return PlainTextResponse("Too large", 413)
        if is_ssl_check(body):
            return PlainTextResponse("")
        if not is_genuine(self._verifier, body, request.headers):
            return PlainTextResponse("Not signed by Slack, or too old", 401)
        return await self._dispatch(body.decode(), request.headers)

    async def _dispatch(self, body: str, headers: Mapping[str, str]) -> Response:
        try:
            asked = AsyncBoltRequest(body=body, headers=dict(headers))
        except (json.JSONDecodeError, AttributeError, TypeError, ValueError):
            return PlainTextResponse("Not a Slack request", 400)
        answer = await self._app.async_dispatch(asked)
        return Response(answer.body, answer.status, answer.first_headers_without_set_cookie())


async def _read(request: Request) -> bytes | None:
    """The body, or None as soon as it passes the limit."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def build(settings: SlackSettings, store: Store, clock: Clock) -> Any:
    """The ASGI app for `POST /slack/events` (the path is the mounter's business).

    401 forged or older than five minutes, 408 a body that is not there in time, 413 over 1 MiB, 400 unreadable, 404 a kind of
    request we do not take, 503 when `store` failed, so that Slack sends it again. Raises `Configuration` without a signing secret.
    """
    if settings.signing_secret is None:
        raise Configuration("slack.signing_secret is not set.", "Copy it from the app's Basic Information page.")
    verifier = SignatureVerifier(settings.signing_secret.get_secret_value(), _VerifierClock(clock))
    return SlackEndpoint(build_app(settings, store), verifier)
