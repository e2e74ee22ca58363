"""The outermost layer: one id a request, security headers, and no exception past it."""

from __future__ import annotations

import itertools
import re
import secrets
import traceback

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webhooks.inbound import PREFIX
from webhooks.problems import Problem, send_problem

log = structlog.get_logger(__name__)

#: An id given by a proxy or client is taken over when it looks like one.
GIVEN_ID = re.compile(rb"[0-9A-Za-z_-]{8,32}")

#: Our own ids are told apart by the process that gave them; they are names and no secrets, so counting is random enough.
PROCESS_ID = secrets.token_hex(6)
COUNT = itertools.count(1)

#: For answers to machines, which only have a status to read; the rest is for browsers.
MACHINE_HEADERS = ((b"x-content-type-options", b"nosniff"),)
SECURITY_HEADERS = (
    *MACHINE_HEADERS,
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


class Front:
    """Sends `/webhooks/` straight to the inbound endpoint, which has no time for a router, and the rest to the application."""

    def __init__(self, inbound: ASGIApp, rest: ASGIApp) -> None:
        self._inbound = inbound
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._rest(scope, receive, send)
            return
        trace_id = _trace_id(scope)
        scope.setdefault("state", {})["trace_id"] = trace_id
        structlog.contextvars.bind_contextvars(trace_id=trace_id)
        hook = scope["path"].startswith(PREFIX)
        added = (*(MACHINE_HEADERS if hook else SECURITY_HEADERS), (b"x-request-id", trace_id.encode()))
        started = finished = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started, finished
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), *added]
            else:
                finished = not message.get("more_body", False)
            await send(message)

        app = self._inbound if hook else self._rest
        try:
            await app(scope, receive, send_with_headers)
        except Exception as error:
            _report(error)
            if started and not finished:
                raise  # the server cuts the connection, so that half an answer is not taken for a whole one
            if not started:
                await send_problem(send_with_headers, Problem(500, "internal", "Something went wrong here."))


def _trace_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and GIVEN_ID.fullmatch(value):
            given: bytes = value
            return given.decode("ascii")
    return f"{PROCESS_ID}{next(COUNT):08x}"


def _report(error: Exception) -> None:
    """Log where it broke, never the message: it may hold what a stranger sent."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    log.error("request failed", error=type(error).__name__, at=f"{last.filename}:{last.lineno}")
