"""The clock process: chores when due, one leader, no chore stops another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.bootstrap import House, open_house
from connector.errors import Retriable
from connector.schedule import LEASE_S, Chore, Schedule
from connector.settings import read_settings


class Hands:
    """A clock that stands until it is moved: aware moments for the lease, seconds for the chores."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.move(seconds)

    def steady(self) -> float:
        return self.seconds

    def move(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
        self.seconds += seconds


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def house(tmp_path: Path, hands: Hands) -> House:
    return open_house(read_settings({"LEADSWITCH_HOME": str(tmp_path)}), hands, migrate=True)


def counting(name: str, every_s: float, ran: list[str]) -> Chore:
    return Chore(name, every_s, lambda: ran.append(name))


def test_chores_run_when_due_and_not_before(house: House, hands: Hands) -> None:
    ran: list[str] = []
    schedule = Schedule(house, [counting("sweep", 1, ran), counting("digest", 60, ran)], "one", hands.steady)
    assert schedule.tick() == 2
    assert schedule.tick() == 0
    hands.move(1)
    assert schedule.tick() == 1
    assert ran == ["sweep", "digest", "sweep"]


@pytest.mark.parametrize("error", [Retriable("The database did not answer."), ZeroDivisionError("a mistake of ours")])
def test_a_chore_that_fails_stops_no_other_and_is_tried_again(house: House, hands: Hands, error: Exception) -> None:
    ran: list[str] = []

    def fail() -> None:
        ran.append("failed")
        raise error

    schedule = Schedule(house, [Chore("bad", 1, fail), counting("good", 1, ran)], "one", hands.steady)
    schedule.tick()
    hands.move(1)
    schedule.tick()
    assert ran == ["failed", "good", "failed", "good"]


def test_one_of_several_clocks_acts_and_another_takes_over_when_it_is_gone(house: House, hands: Hands) -> None:
    ran: list[str] = []
    first = Schedule(house, [counting("first", 0, ran)], "first", hands.steady)
    second = Schedule(house, [counting("second", 0, ran)], "second", hands.steady)
    for _ in range(100):  # the first keeps its lease by renewing it
        assert (first.tick(), second.tick()) == (1, 0)
        hands.move(LEASE_S / 4)
    hands.move(LEASE_S + 1)  # the first is gone
    assert second.tick() == 1
    assert first.tick() == 0, "who lost the lease stops at once"
    assert set(ran) == {"first", "second"}


def test_what_cannot_wait_for_a_lease_is_done_by_every_clock(house: House, hands: Hands) -> None:
    ran: list[str] = []
    clocks = [
        Schedule(house, [counting(name, 1, ran), Chore("all", 1, lambda: ran.append("all"), everywhere=True)], name, hands.steady)
        for name in ("first", "second")
    ]
    for clock in clocks:
        clock.tick()
    assert ran == ["first", "all", "all"]
