"""The token bucket of one process."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from connector.budget import LocalBudget, RedisBudget


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_burst_then_wait() -> None:
    clock = Seconds()
    budget = LocalBudget(clock)
    assert [budget.take("k", capacity=3, per_s=6.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert budget.take("k", capacity=3, per_s=6.0) == pytest.approx(2.0)
    clock.now = 2.0
    assert budget.take("k", capacity=3, per_s=6.0) == 0.0
    assert budget.take("k", capacity=3, per_s=6.0) > 0


def test_buckets_are_apart() -> None:
    budget = LocalBudget(Seconds())
    assert budget.take("a", capacity=1, per_s=1.0) == 0.0
    assert budget.take("b", capacity=1, per_s=1.0) == 0.0
    assert budget.take("a", capacity=1, per_s=1.0) > 0


def test_hold_empties_for_so_long() -> None:
    clock = Seconds()
    budget = LocalBudget(clock)
    budget.hold("k", 30.0)
    budget.hold("k", 5.0)  # never shortened
    assert budget.take("k", capacity=10, per_s=1.0) == pytest.approx(30.0)
    clock.now = 30.0
    assert budget.take("k", capacity=10, per_s=1.0) == pytest.approx(0.1)  # and empty at its end
    clock.now = 31.5
    assert budget.take("k", capacity=10, per_s=1.0) == 0.0


@pytest.mark.parametrize(("capacity", "per_s", "tokens"), [(0, 1.0, 1), (1, 0.0, 1), (1, 1.0, 2), (1, 1.0, 0)])
def test_impossible_buckets_are_refused(capacity: int, per_s: float, tokens: int) -> None:
    with pytest.raises(ValueError, match="never holds"):
        LocalBudget(Seconds()).take("k", capacity=capacity, per_s=per_s, tokens=tokens)


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 5)), min_size=1, max_size=80))
def test_never_more_than_burst_and_refill(steps: list[tuple[float, int]]) -> None:
    """Whatever the callers do: in any span, at most the capacity plus what was refilled in it."""
    clock = Seconds()
    budget = LocalBudget(clock)
    taken: list[tuple[float, int]] = []
    for pause, tokens in steps:
        clock.now += pause
        if budget.take("k", capacity=5, per_s=2.5, tokens=tokens) == 0.0:
            taken.append((clock.now, tokens))
    for start, _ in taken:
        for end, _ in taken:
            if end >= start:
                assert sum(tokens for at, tokens in taken if start <= at <= end) <= 5 + (end - start) * 2 + 1e-6


class AwayRedis:
    """A Redis client whose scripts fail while it is away."""

    def __init__(self) -> None:
        self.away = True

    def register_script(self, text: str) -> Any:
        def run(keys: list[str], args: list[Any]) -> int:
            if self.away:
                raise redis.ConnectionError("gone")
            return 0

        return run


def test_without_redis_each_process_keeps_its_own(caplog: pytest.LogCaptureFixture) -> None:
    client = AwayRedis()
    budget = RedisBudget(client)  # type: ignore[arg-type]
    assert budget.take("k", capacity=1, per_s=1000.0) == 0.0
    assert budget.take("k", capacity=1, per_s=1000.0) > 0
    budget.hold("k", 5.0)
    assert budget.fallbacks == 3
    client.away = False
    assert budget.take("k", capacity=1, per_s=1000.0) == 0.0
    assert [record.message.split(" (")[0].split(":")[0] for record in caplog.records] == ["Redis is away", "Redis is back"]
