"""The limits that vendors put on callers: a rolling window and a token bucket."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field


@dataclass
class RollingWindow:
    """At most `limit` calls within any `seconds`. A limit of 0 allows everything."""

    limit: int
    seconds: float
    calls: deque[float] = field(default_factory=deque)

    def take(self, now: float) -> float:
        """Count one call made at `now` (seconds). Returns 0.0, or the seconds until the next one is allowed."""
        if self.limit <= 0:
            return 0.0
        while self.calls and self.calls[0] <= now - self.seconds:
            self.calls.popleft()
        if len(self.calls) >= self.limit:
            return self.calls[0] + self.seconds - now
        self.calls.append(now)
        return 0.0

    @property
    def remaining(self) -> int:
        return max(0, self.limit - len(self.calls))


@dataclass
class Bucket:
    """Holds `burst` tokens and gains `per_s` a second; one call takes one."""

    burst: float
    per_s: float
    tokens: float = math.nan
    at: float = 0.0

    def take(self, now: float) -> float:
        """Take one token at `now` (seconds). Returns 0.0, or the seconds until there is one."""
        if self.per_s <= 0:
            return 0.0
        full = self.burst if math.isnan(self.tokens) else self.tokens + (now - self.at) * self.per_s
        self.tokens, self.at = min(self.burst, full), now
        if self.tokens >= 1.0:
            self.tokens -= 1.0
            return 0.0
        return (1.0 - self.tokens) / self.per_s
