"""What every decision reads of the reps is kept between decisions, and never stale."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connector.bootstrap import House
from connector.storage.recent_leads import GOOD_FOR, RecentLeads
from connector.testing import NOON, StandingClock
from connector.testing import house as build_house
from leads.enums import Tier
from leads.records import RepRecord

WEEK = timedelta(days=7)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = build_house(tmp_path)
    built.reps.sync("crm", [RepRecord(str(number), f"r{number}@x.example", f"Rep {number}", True) for number in range(1, 4)])
    yield built
    built.close()


def given(house: House, rep: str) -> list[tuple[int, Tier]]:
    """(minutes ago, tier) of what the rep was given, as a decision would read it."""
    now = house.clock.now()
    taken = house.decisions.load(now - WEEK).recent.get(rep, ())
    return [(int((now - one.at).total_seconds() / 60), one.tier) for one in taken]


def give(house: House, lead_id: int, rep: str, minutes_ago: int, tier: Tier = Tier.A) -> None:
    with house.db.transaction():
        house.decisions.assign(lead_id, rep, 1, house.clock.now() - timedelta(minutes=minutes_ago), tier)


def test_old_and_new_leads_are_counted_whenever_they_were_read(house: House) -> None:
    give(house, 1, "1", 60)
    give(house, 2, "1", 2, Tier.B)
    assert given(house, "1") == [(60, Tier.A), (2, Tier.B)]
    give(house, 3, "1", 0)
    assert given(house, "1") == [(60, Tier.A), (2, Tier.B), (0, Tier.A)]
    assert given(house, "2") == []
    clock = house.clock
    assert isinstance(clock, StandingClock)
    clock.move(GOOD_FOR.total_seconds() + 60)
    give(house, 4, "2", 0)
    assert [minutes for minutes, _ in given(house, "1")] == [76, 18, 16]
    assert [minutes for minutes, _ in given(house, "2")] == [0]


def test_a_lead_given_as_of_earlier_is_counted_too(house: House) -> None:
    assert given(house, "1") == []
    give(house, 1, "1", 300)
    assert given(house, "1") == [(300, Tier.A)]


def test_a_clock_that_jumps_back_forgets_what_was_read(house: House) -> None:
    give(house, 1, "1", 60)
    assert len(given(house, "1")) == 1
    clock = house.clock
    assert isinstance(clock, StandingClock)
    clock.move(-3 * 3600)
    give(house, 2, "1", 0)
    assert [minutes for minutes, _ in given(house, "1")] == [0, -120]


def test_old_leads_are_read_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    read = RecentLeads._read
    monkeypatch.setattr(RecentLeads, "_read", lambda self, where, *values: asked.append(where) or read(self, where, *values))
    for _ in range(3):
        given(house, "1")
    assert sum("<" in where for where in asked) == 1


def test_a_rep_whose_row_did_not_change_is_the_same_record_and_one_whose_did_is_not(house: House) -> None:
    before = {rep.id: rep for rep in house.reps.all()}
    house.reps.set("2", {"weight": 3.0})
    with house.db.transaction():
        house.reps.touch("3", NOON)
    after = {rep.id: rep for rep in house.reps.all()}
    assert after["1"] is before["1"]
    assert after["2"].settings == {"weight": 3.0}
    assert after["3"].last_assigned_at == NOON
    house.reps.sync("crm", [RepRecord("1", "new@x.example", "Renamed", True)])
    assert [(rep.name, rep.active) for rep in house.reps.all()] == [("Renamed", True), ("Rep 2", False), ("Rep 3", False)]
    assert [rep.id for rep in house.reps.all("crm")] == ["1", "2", "3"]
    assert house.reps.all("other") == []
