"""Alerts of playbooks in Slack: worded as the lead stands, shared by place, kept back in quiet hours."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bots.slack.reminders import Reminders
from bots.slack.sender import Sender
from connector.bootstrap import House
from connector.errors import Skippable
from connector.pipeline.deliver import Held
from connector.storage.effects import Effect
from leads.enums import EffectKind
from tests.unit.bots.slack_fakes import FakeSlack

PLAN = {
    "title": "Gone quiet",
    "when": {"on": "quiet", "after": "14d"},
    "steps": [{"do": "note", "text": "n"}, {"do": "alert", "to": "rep", "text": "is quiet. {playbook}, tier {tier}."}],
}


@pytest.fixture
def reminders(slack: FakeSlack) -> Reminders:
    return Reminders(Sender(slack))  # type: ignore[arg-type]


@pytest.fixture
def run(house: House, lead: int) -> int:
    with house.db.transaction():
        return house.playbooks.start("gone-quiet", lead, 1, "quiet:1", PLAN, 0)


def alert(house: House, lead: int, run: int, to: str = "dm:1") -> Effect:
    payload = {"stage": "playbook", "result": f"{run}.1", "rep_id": "1", "destination": to}
    return Effect(7, EffectKind.SLA_ALERT, "slack", f"playbook:{run}:1:{to}", lead, payload, created_at=house.clock.now())


def test_it_says_what_the_step_says(house: House, slack: FakeSlack, reminders: Reminders, lead: int, run: int) -> None:
    first = reminders.deliver(house, alert(house, lead, run), False)
    assert reminders.deliver(house, alert(house, lead, run), True) == first, "one in doubt is looked up"
    (message,) = slack.messages.values()
    assert message.channel == "DUADA"
    assert message.text == "A lead needs you"
    assert "is quiet. Gone quiet, tier" in str(message.blocks)


def test_quiet_hours_of_the_rep_hold_it_back(house: House, slack: FakeSlack, reminders: Reminders, lead: int, run: int) -> None:
    now = house.clock.now()
    hours = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=1):%H:%M}"
    house.reps.set("1", {"quiet_hours": hours, "timezone": "UTC"})
    with pytest.raises(Held):
        reminders.deliver(house, alert(house, lead, run), False)
    assert slack.messages == {}
    reminders.deliver(house, alert(house, lead, run, "channel:#leads"), False)
    assert len(slack.messages) == 1


def test_nothing_is_said_of_a_run_that_is_gone(house: House, slack: FakeSlack, reminders: Reminders, lead: int) -> None:
    with pytest.raises(Skippable):
        reminders.deliver(house, alert(house, lead, 99), False)
    assert slack.messages == {}
