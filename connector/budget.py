"""Rate budgets: token buckets that all processes share in Redis, and the same in memory for tests and for when Redis is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import redis

log = logging.getLogger(__name__)

#: Shorter waits than a millisecond get lost in rounding, and the caller asks for ever.
SHORTEST_S: Final = 0.001

#: One bucket is a hash {level, at, held}: tokens at the moment `at` (ms of the Redis server's clock), none given until `held`.
#: The server's clock is used because those of the callers differ. ARGV: capacity, seconds to refill, tokens wanted.
TAKE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local capacity, refill_ms, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]) * 1000, tonumber(ARGV[3])
local row = redis.call('HMGET', KEYS[1], 'level', 'at', 'held')
local held = tonumber(row[3]) or 0
if held > now then return held - now end
local level = math.min(capacity, (tonumber(row[1]) or capacity) + (now - (tonumber(row[2]) or now)) * capacity / refill_ms)
local wait = 0
if level >= wanted then level = level - wanted else wait = math.ceil((wanted - level) * refill_ms / capacity) end
redis.call('HSET', KEYS[1], 'level', tostring(level), 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil(refill_ms) + 60000)
return wait
"""
#: ARGV: milliseconds. A hold is never shortened by a later, smaller one.
HOLD: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local till = math.max(now + tonumber(ARGV[1]), tonumber(redis.call('HGET', KEYS[1], 'held')) or 0)
redis.call('HSET', KEYS[1], 'level', '0', 'at', till, 'held', till)
redis.call('PEXPIRE', KEYS[1], till - now + 3600000)
return 0
"""


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float
    held: float = 0.0


class LocalBudget:
    """Buckets in this process's memory. `seconds` gives the moment, in seconds of any steady clock."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._buckets: dict[str, _Bucket] = {}
        self._lock = threading.Lock()

    def take(self, key: str, *, capacity: int, per_s: float, tokens: int = 1) -> float:
        """See `connector.ports.RateBudget`."""
        _check(capacity, per_s, tokens)
        with self._lock:
            now = self._seconds()
            bucket = self._buckets.setdefault(key, _Bucket(float(capacity), now))
            if bucket.held > now:
                return max(bucket.held - now, SHORTEST_S)
            bucket.level = min(float(capacity), bucket.level + max(0.0, now - bucket.at) * capacity / per_s)
            bucket.at = now
            if bucket.level >= tokens:
                bucket.level -= tokens
                return 0.0
            return max((tokens - bucket.level) * per_s / capacity, SHORTEST_S)

    def hold(self, key: str, seconds: float) -> None:
        """See `connector.ports.RateBudget`."""
        with self._lock:
            now = self._seconds()
            bucket = self._buckets.setdefault(key, _Bucket(0.0, now))
            bucket.held = max(bucket.held, now + seconds)
            bucket.level, bucket.at = 0.0, bucket.held


class RedisBudget:
    """Buckets in Redis. While Redis is away each process keeps its own; `fallbacks` counts the calls that had to."""

    def __init__(self, client: redis.Redis, prefix: str = "leadswitch:budget:") -> None:
        self._prefix = prefix
        self._take: Any = client.register_script(TAKE)
        self._hold: Any = client.register_script(HOLD)
        self._local = LocalBudget()
        self._away = False
        self.fallbacks = 0

    def take(self, key: str, *, capacity: int, per_s: float, tokens: int = 1) -> float:
        """See `connector.ports.RateBudget`."""
        _check(capacity, per_s, tokens)
        try:
            wait = float(self._take(keys=[self._prefix + key], args=[capacity, per_s, tokens])) / 1000
        except redis.RedisError as error:
            self._fall_back(error)
            return self._local.take(key, capacity=capacity, per_s=per_s, tokens=tokens)
        self._back()
        return wait

    def hold(self, key: str, seconds: float) -> None:
        """See `connector.ports.RateBudget`."""
        self._local.hold(key, seconds)  # so that an outage in the middle of a hold does not end it
        try:
            self._hold(keys=[self._prefix + key], args=[max(1, round(seconds * 1000))])
        except redis.RedisError as error:
            self._fall_back(error)
            return
        self._back()

    def _fall_back(self, error: redis.RedisError) -> None:
        self.fallbacks += 1
        if not self._away:
            self._away = True
            log.warning("Redis is away (%s): rate budgets are kept in each process for now.", type(error).__name__)

    def _back(self) -> None:
        if self._away:
            self._away = False
            log.warning("Redis is back: rate budgets are shared again.")


def _check(capacity: int, per_s: float, tokens: int) -> None:
    if not (capacity > 0 and per_s > 0 and 0 < tokens <= capacity):
        raise ValueError(f"a bucket of {capacity} in {per_s:g} s never holds {tokens} tokens")
