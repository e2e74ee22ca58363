"""A house on a database of its own, with reps and one hot lead, and a Slack that only remembers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector import testing
from connector.bootstrap import House
from connector.testing import StandingClock
from tests.unit.bots.slack_fakes import FakeSlack, add_lead, add_reps


@pytest.fixture
def slack() -> FakeSlack:
    return FakeSlack()


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def house(tmp_path: Path, clock: StandingClock) -> Iterator[House]:
    """Ada, Ben and the boss (a manager), with e-mail addresses; nobody is linked to Slack yet."""
    built = testing.house(
        tmp_path,
        clock=clock,
        policy=str(tmp_path / "policy.toml"),
        connections={"crm": {"name": "crm", "adapter": "hubspot", "token": "pat"}},
        slack={"bot_token": "xoxb", "managers": ["boss@x.example"], "admins": ["UADMIN"]},
    )
    add_reps(built)
    yield built
    built.close()


@pytest.fixture
def lead(house: House, clock: StandingClock) -> int:
    """Jane Doe of Acme, scored 92 in tier A, Ada's."""
    return add_lead(house, clock, "51", "Jane", "jane@acme.example")
