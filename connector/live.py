"""The live layer: each lead's acts of late, counted by kind and clock hour in Redis, so that an event is one increment there and
the twelve live features are sums of a few numbers.

A count stands for one version of the lead. It is used only where that version is the lead's own, so that a lost, late or doubled
increment makes it unused and not wrong. It lives for an hour and is then counted anew from the database. Without Redis, or without
a count, the features come from the lead's history, with the same values.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final, cast

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry

from connector.clock import to_ms
from leads.enums import EngagementKind
from leads.records import EngagementEvent, LeadHistory
from scoring.live import Buckets, live_values
from scoring.timeline import MOST_ACTS, Timeline, aside, counts, hour_of

log = structlog.get_logger(__name__)

LIFE_S: Final = 3_600
#: A history of fewer acts is counted sooner than Redis answers.
WORTH_ASKING: Final = 50
#: Leads without a count that one process remembers.
MOST_LACKING: Final = 10_000
#: An answer that takes longer is worth less than counting anew.
PATIENCE_S: Final = 0.2
#: After a failure Redis is left alone for so long.
PAUSE_S: Final = 5.0
KINDS: Final = {kind.value: kind for kind in EngagementKind}
#: Fields beside the counts: the version, the number of all acts, the newest act in ms.
VERSION, ACTS, NEWEST = "version", "acts", "newest"
#: KEYS: the count. ARGV: the version it must stand for, the one after, the act in ms, and "kind:hour" when the act counts.
RECORD: Final = """
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[2])
redis.call('HINCRBY', KEYS[1], 'acts', 1)
if tonumber(ARGV[3]) > tonumber(redis.call('HGET', KEYS[1], 'newest')) then redis.call('HSET', KEYS[1], 'newest', ARGV[3]) end
if ARGV[4] then redis.call('HINCRBY', KEYS[1], ARGV[4], 1) end
return 1
"""


class LiveLayer:
    """Counts of acts by lead. `fallbacks` says how often Redis was not there; `steady` gives seconds of any steady clock."""

    def __init__(
        self,
        client: redis.Redis,
        prefix: str = "leadswitch:live:",
        steady: Callable[[], float] = time.monotonic,
        worth_asking: int = WORTH_ASKING,
    ) -> None:
        self._client, self._prefix, self._steady, self._worth_asking = client, prefix, steady, worth_asking
        self._lacking: set[int] = set()
        self._record: Any = client.register_script(RECORD)
        self._lock = threading.Lock()
        self._away_until = 0.0
        self.fallbacks = 0

    @classmethod
    def at(cls, url: str) -> LiveLayer:
        """A layer on this Redis, which is asked once and not for long."""
        patience = {"socket_timeout": PATIENCE_S, "socket_connect_timeout": PATIENCE_S}
        return cls(redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **patience))

    def read(self, version: int, history: LeadHistory) -> Mapping[str, int] | None:
        """The live features of a lead of this version; None when they are to be worked out of its history."""
        if len(history.engagements) < self._worth_asking or aside(history):
            return None
        return self.look(history.lead_id, version, history.as_of)

    def look(self, lead_id: int, version: int, as_of: datetime) -> Mapping[str, int] | None:
        """The live features of a lead of this version, as they are kept; None when they are not."""
        found = self._ask(lambda: self._client.hgetall(self._key(lead_id)))
        if not found:
            self._note_lack(lead_id)
            return None
        told = {name.decode(): int(value) for name, value in cast(Mapping[bytes, bytes], found).items()}
        acts, newest = told.pop(ACTS, 0), told.pop(NEWEST, 0)
        if told.pop(VERSION, None) != version or newest > to_ms(as_of) or acts >= MOST_ACTS:
            self._note_lack(lead_id)
            return None
        return live_values(Buckets({_bucket(name): count for name, count in told.items()}, as_of))

    def build(self, version: int, history: LeadHistory) -> None:
        """Count a lead anew, from its history as it stood with this version."""
        acts = history.engagements
        if len(acts) >= MOST_ACTS or aside(history):
            return  # a history that is cut, or of which some acts count nothing: it is always worked out of that
        newest = max((to_ms(act.occurred_at) for act in acts), default=0)
        told: dict[Any, Any] = {VERSION: version, ACTS: len(acts), NEWEST: newest}
        told |= {f"{kind.value}:{hour}": count for (kind, hour), count in Timeline(history).hourly().items()}
        key = self._key(history.lead_id)

        def write() -> object:
            with self._client.pipeline(transaction=True) as pipe:
                pipe.delete(key)
                pipe.hset(key, mapping=told)
                pipe.expire(key, LIFE_S)
                return pipe.execute()

        self._ask(write)

    def record(self, lead_id: int, version: int, event: EngagementEvent) -> None:
        """Count one act, with which the lead came to this version. In whatever order acts come, their counts are the same."""
        at = to_ms(event.occurred_at)
        bucket = [f"{event.kind.value}:{hour_of(at / 1000)}"] if counts(event.kind, event.machine) else []
        if not self._ask(lambda: self._record(keys=[self._key(lead_id)], args=[version - 1, version, at, *bucket])):
            self._note_lack(lead_id)

    def lacks(self, lead_id: int) -> bool:
        """Whether this process met that the lead has no count to go on with; asked once, the caller then builds it."""
        with self._lock:
            lacking = lead_id in self._lacking
            self._lacking.discard(lead_id)
            return lacking

    def _note_lack(self, lead_id: int) -> None:
        with self._lock:
            if len(self._lacking) < MOST_LACKING:
                self._lacking.add(lead_id)

    def _key(self, lead_id: int) -> str:
        return f"{self._prefix}{lead_id}"

    def _ask(self, call: Callable[[], Awaitable[Any] | object]) -> object | None:
        """What Redis answers; None while it is away. The first failure is logged, and nobody waits for it again for a while."""
        if self._steady() < self._away_until:
            self.fallbacks += 1
            return None
        try:
            answer = call()
        except redis.RedisError as error:
            with self._lock:
                self.fallbacks += 1
                self._away_until = self._steady() + PAUSE_S
            log.warning("live layer away, counting from the database", error=type(error).__name__)
            return None
        return answer


def _bucket(name: str) -> tuple[EngagementKind, int]:
    kind, _, hour = name.rpartition(":")
    return KINDS.get(kind, EngagementKind.UNKNOWN), int(hour)
