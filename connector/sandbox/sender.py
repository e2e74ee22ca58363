"""Sends signed deliveries to the service and tries again as the vendors do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from connector.sandbox.ledger import FORGED, STALE, Ledger, Sent


@dataclass(frozen=True)
class Parcel:
    """One HTTP request, ready to go."""

    url: str
    headers: dict[str, str]
    body: bytes


Wrap = Callable[[int], Parcel]  # attempt number, from 0 → the request with a fresh signature


class Sender:
    """At most `width` requests at once; an answer that is not 2xx, or none in `timeout_s`, is tried again after `delays_s`.

    Forged and stale deliveries are sent once: their sender is an attacker, who does not keep HubSpot's manners.
    """

    def __init__(
        self, ledger: Ledger, width: int = 10, timeout_s: float = 5.0, delays_s: Sequence[float] = (0.5, 1, 2, 4, 8, 15, 30)
    ):
        self.ledger = ledger
        self.delays_s = tuple(delays_s)
        self._slots = asyncio.Semaphore(width)
        self._client = httpx.AsyncClient(timeout=timeout_s, trust_env=False, limits=httpx.Limits(max_connections=width + 5))
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, mark: str, keys: Sequence[str], subjects: Sequence[str], wrap: Wrap) -> Sent:
        """Queue one delivery and return its ledger row at once."""
        row = self.ledger.open(mark, keys, subjects)
        task = asyncio.create_task(self._deliver(row, wrap))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return row

    async def close(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    async def _deliver(self, row: Sent, wrap: Wrap) -> None:
        tries = 1 if row.mark in (FORGED, STALE) else 1 + len(self.delays_s)
        for attempt in range(tries):
            async with self._slots:
                await self._attempt(row, wrap(attempt))
            if row.accepted:
                break
            if attempt + 1 < tries:
                await asyncio.sleep(self.delays_s[attempt])
        row.finished = True

    async def _attempt(self, row: Sent, parcel: Parcel) -> None:
        row.attempts += 1
        row.first_at = row.first_at or time.time()
        try:
            answer = await self._client.post(parcel.url, content=parcel.body, headers=parcel.headers)
        except httpx.HTTPError as error:
            row.status = None
            row.failures.append(type(error).__name__)
            return
        row.status, row.answered_at = answer.status_code, time.time()
        if not row.accepted:
            row.failures.append(str(answer.status_code))
