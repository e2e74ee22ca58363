"""Calls to one vendor at the pace that it allows: a budget shared by all processes, and pauses that it asks for kept.

`PacedHttp` is for vendors with one limit for everything. Who counts several keeps buckets of its own, and waits for them here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from connector.errors import Configuration, Retriable
from connector.http import VendorHttp, retry_after
from connector.ports import ClientContext
from connector.settings import ConnectionSettings

#: Longer waits are the queue's business, not this thread's.
MAX_WAIT_S: Final = 15.0
TRIES_ON_429: Final = 3
#: The pause after a 429 that names none.
PAUSE_S: Final = 10.0
#: How much of the rate writes and bulk reads may use together.
BACKGROUND_SHARE: Final = 0.6


@dataclass(frozen=True, slots=True)
class Bucket:
    """A limit of the vendor's: `capacity` tokens that come back within `per_s` seconds, of which a call takes some."""

    key: str
    capacity: int
    per_s: float
    tokens: int = 1


def wait_for(title: str, context: ClientContext, buckets: Sequence[Bucket]) -> None:
    """Take a call's tokens from each bucket, in order, as soon as they are there.

    Raises `Retriable` when that takes too long for a thread to wait.
    """
    waited = 0.0
    for one in buckets:
        while (wait := context.budget.take(one.key, capacity=one.capacity, per_s=one.per_s, tokens=one.tokens)) > 0:
            if waited + wait > MAX_WAIT_S:
                raise Retriable(f"{title}'s budget is used up.", wait)
            context.clock.sleep(wait)
            waited += wait


class PacedHttp:
    """HTTP calls of one connection, at most `calls_per_10_s` (the connection's option). Safe to share between threads."""

    def __init__(self, title: str, settings: ConnectionSettings, context: ClientContext, *, calls_per_10_s: int) -> None:
        limit = settings.option("calls_per_10_s", calls_per_10_s)
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 2:
            raise Configuration(f"{settings.name}: calls_per_10_s is not a whole number from 2 up.", "Mend the option.")
        # vendors count over any ten seconds: a burst of a tenth and nine tenths spread over ten seconds never exceed that
        self._capacity = max(1, limit // 10)
        self._per_s = 10 * self._capacity / (limit - self._capacity)
        self._key = f"{settings.adapter}:{context.connection}"
        self._title, self._context = title, context
        self._http = VendorHttp(title, settings.base_url, context.clock, allow_private=settings.trust_private_host)

    def send(self, method: str, path: str, *, background: bool, idempotent: bool, **request: Any) -> httpx.Response:
        """One answer, whatever its status. Waits for the budget and tries again after a short 429.

        Raises `Retriable` when the budget is used up, and what `VendorHttp.send` raises.
        """
        limited = 0
        while True:
            self._wait(background)
            answer = self._http.send(method, path, idempotent=idempotent, **request)
            if answer.status_code != 429:
                return answer
            limited += 1
            pause = self.pause(answer)
            self._context.budget.hold(self._key, pause)
            if limited >= TRIES_ON_429 or pause > MAX_WAIT_S:
                return answer

    def pause(self, answer: httpx.Response) -> float:
        """The seconds for which a 429 asks."""
        asked = retry_after(answer, self._context.clock.now())
        return PAUSE_S if asked is None else max(asked, 0.1)

    def hold(self, seconds: float, *, background_alone: bool = False) -> None:
        """Nobody calls for so long, in any process; with `background_alone` only what is live does."""
        self._context.budget.hold(f"{self._key}:background" if background_alone else self._key, seconds)

    def _wait(self, background: bool) -> None:
        buckets = [Bucket(self._key, self._capacity, self._per_s)]
        if background:
            share = max(1, round(self._capacity * BACKGROUND_SHARE))
            per_s = self._per_s * share / (self._capacity * BACKGROUND_SHARE)
            buckets.insert(0, Bucket(f"{self._key}:background", share, per_s))
        wait_for(self._title, self._context, buckets)

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()
