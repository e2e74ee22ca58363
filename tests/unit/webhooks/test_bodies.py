"""Reading bodies: the limit, the clock, and clients that hang up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from webhooks import bodies
from webhooks.bodies import ClientGone, read_body
from webhooks.problems import Problem


def read(messages: list[dict[str, Any]], limit: int = 10, headers: dict[str, str] | None = None) -> tuple[bytes, int]:
    """The body and how many messages were taken; a list that runs out is a client that sends nothing more."""
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        if taken == len(messages):
            await asyncio.Event().wait()
        taken += 1
        return messages[taken - 1]

    async def main() -> tuple[bytes, int]:
        return await read_body(headers or {}, receive, limit), taken

    return asyncio.run(main())


def part(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_parts_are_joined() -> None:
    assert read([part(b"ab"), part(b""), part(b"cd", more=False)]) == (b"abcd", 3)
    assert read([part(b"", more=False)]) == (b"", 1)
    assert read([part(b"0123456789", more=False)]) == (b"0123456789", 1)


def test_reading_stops_at_the_limit() -> None:
    with pytest.raises(Problem) as caught:
        read([part(b"012345"), part(b"678901"), part(b"never read")])
    assert caught.value.status == 413


def test_an_announced_length_over_the_limit_is_not_read_at_all() -> None:
    with pytest.raises(Problem) as caught:
        read([], headers={"content-length": "11"})
    assert caught.value.status == 413
    assert read([part(b"x", more=False)], headers={"content-length": "\u0661\u0662"})[0] == b"x"  # digits, but not a length


def test_a_body_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "READ_SECONDS", 0.01)
    for messages in ([], [part(b"x")]):
        with pytest.raises(Problem) as caught:
            read(messages)
        assert (caught.value.status, caught.value.headers["connection"]) == (408, "close")


def test_a_client_that_hangs_up() -> None:
    with pytest.raises(ClientGone):
        read([part(b"x"), {"type": "http.disconnect"}])
