"""The statements behind shared messages, App Home and the leaderboard, on PostgreSQL as on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bots.slack.board import Board
from bots.slack.home import home
from bots.slack.notifier import Notifier
from connector import commands, testing
from connector.bootstrap import House
from connector.pipeline.deliver import HANDLERS, deliver
from connector.pipeline.homes import PAUSE_S, HomeWatch
from connector.testing import StandingClock
from leads.enums import EffectKind, Outcome, Role, Tier
from tests.unit.bots.slack_fakes import FakeSlack, add_lead, add_reps

pytestmark = pytest.mark.needs_postgres

EVERYBODY = commands.Actor("slack", "UADA", Role.ADMIN, "1")


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def house(tmp_path: Path, postgres_url: str, clock: StandingClock) -> Iterator[House]:
    slack = {"bot_token": "xoxb", "channel_cards": 1, "leaderboard_channel": "#sales"}
    connections = {"crm": {"name": "crm", "adapter": "hubspot", "token": "pat"}}
    built = testing.house(
        tmp_path,
        database_url=postgres_url,
        clock=clock,
        policy=str(tmp_path / "policy.toml"),
        connections=connections,
        slack=slack,
    )
    add_reps(built)
    yield built
    built.close()


def test_shared_messages_home_and_leaderboard(house: House, clock: StandingClock, monkeypatch: pytest.MonkeyPatch) -> None:
    slack = FakeSlack()
    notifier = Notifier(slack)  # type: ignore[arg-type]
    for kind in (EffectKind.SLACK_CARD, EffectKind.SLACK_ROUNDUP, EffectKind.SLACK_HOME):
        monkeypatch.setitem(HANDLERS, kind, notifier)
    monkeypatch.setitem(HANDLERS, EffectKind.SLACK_BOARD, Board(notifier.sender))
    leads = [add_lead(house, clock, str(60 + number), "Hot", f"h{number}@x.example", Tier.A) for number in range(4)]
    house.homes.opened("UADA", "1", Role.ADMIN)
    watch = HomeWatch(house)
    for _ in range(12):
        clock.move(PAUSE_S)
        watch.turn()
        deliver(house, "slack")
    (roundup,) = [one for one in slack.messages.values() if one.metadata["event_type"] == "leadswitch_roundup"]
    assert len(roundup.metadata["event_payload"]["lead_ids"]) == 3
    assert "Your queue (4)" in str(slack.homes["UADA"])

    commands.accept(house, leads[0], EVERYBODY)
    with house.db.transaction():
        house.leads.settle(leads[1], Outcome.WON, clock.now())
    shown = str(home(house, EVERYBODY, clock.now()))
    assert "1 won of 1, expected 0.9" in shown
    with house.db.transaction():
        house.effects.add(EffectKind.SLACK_BOARD, "slack", "leaderboard:x", None, {"channel": "#sales", "week": "x"})
    deliver(house, "slack")
    assert [one.channel for one in slack.messages.values()].count("CSALES") == 1
    assert house.deadletters.count() == 0
