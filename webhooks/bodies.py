"""Reading request bodies within bounds of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from starlette.types import Receive

from webhooks.problems import Problem

#: A sender that does not get its body across in this time is cut off.
READ_SECONDS = 20.0
#: The rest of a body that is not read must not be taken for the next request.
CLOSE = {"connection": "close"}


class ClientGone(Exception):
    """The client hung up before its request was complete; nobody is there to answer."""


def too_large(limit: int) -> Problem:
    """The 413 for a body over `limit` bytes."""
    return Problem(413, "too-large", "The body is too large.", f"At most {limit} bytes are taken.", headers=CLOSE)


async def read_body(headers: Mapping[str, str], receive: Receive, limit: int) -> bytes:
    """The raw body. Stops reading at the limit.

    `headers` have lower-case names. Raises `Problem` (413 over `limit` bytes, 408 too slow) and `ClientGone`.
    """
    announced = headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > limit:
        raise too_large(limit)
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limit:
                    raise too_large(limit)
                if not message.get("more_body", False):
                    return parts[0] if len(parts) == 1 else b"".join(parts)
    except TimeoutError:
        raise Problem(408, "too-slow", "The body did not arrive in time.", headers=CLOSE) from None
