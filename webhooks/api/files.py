"""A file in, a file out, both as they come.

The request is read to its end whether or not the client takes the answer meanwhile: many send all before they read, and would wait
for us as we for them. What they have not taken yet waits in memory, bounded by the size a file may have.
"""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import anyio
from anyio import CapacityLimiter, from_thread, to_thread
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from connector.errors import Configuration, Retriable
from webhooks.bodies import READ_SECONDS, ClientGone, too_large
from webhooks.problems import Problem

#: Text is sent in pieces of about this size.
PIECE = 32_768


class FileAnswer(Response):
    """Runs `work` in a thread: lines of the request in, text of the answer out. Raises `Problem` before the answer has begun."""

    def __init__(self, work: Callable[[Iterable[str]], Iterator[str]], limit: int, threads: CapacityLimiter) -> None:
        super().__init__(media_type="text/csv; charset=utf-8")
        self._work, self._limit, self._threads = work, limit, threads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pieces: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        async with anyio.create_task_group() as group:
            group.start_soon(partial(to_thread.run_sync, self._produce, receive, pieces, limiter=self._threads))
            piece = await pieces.get()
            trouble = piece if isinstance(piece, Exception) else await self._send(send, piece, pieces)
        if trouble is not None and not isinstance(trouble, ClientGone):
            raise trouble

    async def _send(self, send: Send, piece: bytes | None, pieces: asyncio.Queue[bytes | Exception | None]) -> Exception | None:
        """Send what is made as it is made; returns what went wrong on the way."""
        headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while piece is not None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            following = await pieces.get()
            if isinstance(following, Exception):
                return CutOff(type(following).__name__)  # the answer has begun: only cutting it off tells that it is not whole
            piece = following
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return None

    def _produce(self, receive: Receive, pieces: asyncio.Queue[bytes | Exception | None]) -> None:
        """In the thread: read, work, hand over."""

        def hand_over(piece: bytes | Exception | None) -> None:
            from_thread.run_sync(pieces.put_nowait, piece)

        held: list[str] = []
        size = 0
        try:
            for text in self._work(_lines(_chunks(receive, self._limit))):
                held.append(text)
                size += len(text)
                if size >= PIECE:
                    hand_over("".join(held).encode())
                    held, size = [], 0
            if held:
                hand_over("".join(held).encode())
            hand_over(None)
        except Retriable as error:
            hand_over(Problem(503, "store-down", "Not possible at this moment.", str(error), headers={"retry-after": "5"}))
        except Configuration as error:
            hand_over(Problem(422, "invalid", "This cannot be done.", str(error)))
        except Exception as error:
            hand_over(error)


class CutOff(Exception):
    """An answer that could not be finished."""


def _chunks(receive: Receive, limit: int) -> Iterator[bytes]:
    """The request's body, called from a thread. Raises `Problem` (413, 408) and `ClientGone`."""

    async def following() -> tuple[bytes, bool]:
        try:
            async with asyncio.timeout(READ_SECONDS):
                message = await receive()
        except TimeoutError:
            raise Problem(408, "too-slow", "The body did not arrive in time.") from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        return message.get("body", b""), message.get("more_body", False)

    size, more = 0, True
    while more:
        chunk, more = from_thread.run(following)
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        yield chunk


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines with their ends. Raises UnicodeDecodeError."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    rest = ""
    for chunk in chunks:
        *whole, rest = (rest + decoder.decode(chunk)).split("\n")  # splitlines() would also split at what is no end of a record
        yield from (f"{line}\n" for line in whole)
    rest += decoder.decode(b"", final=True)
    if rest:
        yield rest
