"""Token buckets in memory: one client cannot take the service from the others."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

#: Buckets kept; the one longest unused goes first. A forgotten bucket is a full one, so forgetting is never unfair.
KEPT = 10_000


class Buckets:
    """A bucket a client: it holds `burst` requests and refills at `per_minute`. Safe to share between threads."""

    def __init__(self, per_minute: float, burst: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute / 60
        self._burst = max(1.0, burst)
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, client: str) -> float:
        """Take one; returns 0.0 when taken, else the seconds until there is one again."""
        now = self._monotonic()
        with self._lock:
            left, seen = self._buckets.pop(client, (self._burst, now))
            left = min(self._burst, left + (now - seen) * self._per_second)
            wait = 0.0 if left >= 1 else (1 - left) / self._per_second
            self._buckets[client] = (left if wait else left - 1, now)
            if len(self._buckets) > KEPT:
                self._buckets.popitem(last=False)
            return wait
