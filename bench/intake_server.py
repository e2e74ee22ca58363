"""The three builds of the web server that `bench.intake` compares; BENCH_BUILD names one."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from connector.bootstrap import open_house
from connector.logs import set_up_logs
from connector.settings import read_settings
from connector.storage.intake import BATCH_ROWS
from webhooks.app import create_app
from webhooks.bodies import read_body
from webhooks.front import Front
from webhooks.problems import send_answer


async def only_answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body as the real endpoint does, and answer."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    await read_body(headers, receive, 1_048_576)
    await send_answer(send, 200, b"", {"content-type": "text/plain; charset=utf-8"})


def build() -> Front:
    """The application for uvicorn."""
    kind = os.environ["BENCH_BUILD"]
    if kind == "bare":
        return Front(only_answer, Starlette())
    settings = read_settings()
    set_up_logs(settings.log_level)
    return create_app(open_house(settings, migrate=True), batch_rows=1 if kind == "per_request" else BATCH_ROWS)
