"""As much of Redis as the live layer uses, in memory: hashes with a life, and the one script. For tests, beside the real thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis


class LiveMemory:
    """Stands in for `redis.Redis` behind a `LiveLayer`. `fails` plays an outage; `calls` counts what goes over the wire."""

    def __init__(self) -> None:
        self.hashes: dict[str, dict[str, int]] = {}
        self.lives: dict[str, int] = {}
        self.fails = False
        self.calls = 0

    def hgetall(self, key: str) -> dict[bytes, bytes]:
        self._answer()
        return {name.encode(): str(value).encode() for name, value in self.hashes.get(key, {}).items()}

    def delete(self, key: str) -> None:
        self.hashes.pop(key, None)

    def hset(self, key: str, mapping: Mapping[str, int]) -> None:
        self.hashes[key] = dict(mapping)

    def expire(self, key: str, seconds: int) -> None:
        self.lives[key] = seconds

    def pipeline(self, transaction: bool) -> LiveMemory:
        return self

    def execute(self) -> None:
        self._answer()

    def __enter__(self) -> LiveMemory:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def register_script(self, script: str) -> Callable[..., int]:
        return self._record

    def _record(self, keys: Sequence[str], args: Sequence[Any]) -> int:
        """What `connector.live.RECORD` does."""
        self._answer()
        count = self.hashes.get(keys[0], {})
        if count.get("version") != args[0]:
            return 0
        count["version"], count["acts"] = args[1], count["acts"] + 1
        count["newest"] = max(count["newest"], args[2])
        for bucket in args[3:]:
            count[bucket] = count.get(bucket, 0) + 1
        return 1

    def _answer(self) -> None:
        self.calls += 1
        if self.fails:
            raise redis.ConnectionError("gone")
