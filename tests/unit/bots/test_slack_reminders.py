"""Reminders and alerts of deadlines: to whom, in which words, once, and not about what is over."""

from __future__ import annotations

import pytest

from bots.slack.reminders import WORDS, Reminders
from bots.slack.sender import Sender
from connector import commands
from connector.bootstrap import House
from connector.errors import Configuration, Skippable
from connector.storage.effects import Effect
from leads.enums import EffectKind, Role
from tests.unit.bots.slack_fakes import FakeSlack


def alert(house: House, lead: int | None, stage: str = "remind", result: str = "reminded", to: str = "dm:1") -> Effect:
    payload = {"stage": stage, "result": result, "assignment_id": 1, "rep_id": "1", "destination": to}
    return Effect(7, EffectKind.SLA_ALERT, "slack", "sla", lead, payload, created_at=house.clock.now())


@pytest.fixture
def reminders(slack: FakeSlack) -> Reminders:
    return Reminders(Sender(slack))  # type: ignore[arg-type]


def test_a_reminder_goes_to_the_rep_once_and_names_nobody_outside_of_slack(
    house: House, slack: FakeSlack, reminders: Reminders, lead: int
) -> None:
    first = reminders.deliver(house, alert(house, lead), False)
    assert reminders.deliver(house, alert(house, lead), True) == first, "one in doubt is looked up"
    (message,) = slack.messages.values()
    assert message.channel == "DUADA"
    assert message.text == "A lead waits for you"
    assert "waits for you: please accept or pass." in str(message.blocks)


@pytest.mark.parametrize(("stage", "result"), [key for key in WORDS if key != ("remind", "reminded")])
def test_the_manager_hears_who_and_what(
    house: House, slack: FakeSlack, reminders: Reminders, lead: int, stage: str, result: str
) -> None:
    reminders.deliver(house, alert(house, lead, stage, result, "channel:#leads"), False)
    (message,) = slack.messages.values()
    assert message.channel == "CLEADS"
    assert "Ada" in str(message.blocks)
    assert "{" not in message.blocks[0]["text"]["text"]


def test_nothing_is_said_of_what_is_over(house: House, slack: FakeSlack, reminders: Reminders, lead: int) -> None:
    commands.accept(house, lead, commands.Actor("slack", "UADA", Role.REP, "1"))
    with pytest.raises(Skippable):
        reminders.deliver(house, alert(house, lead), False)
    with pytest.raises(Skippable):
        reminders.deliver(house, alert(house, 99), False)
    assert slack.messages == {}


def test_managers_by_their_place_in_the_settings(house: House, slack: FakeSlack, reminders: Reminders, lead: int) -> None:
    slack_settings = house.settings.slack.model_copy(update={"managers": ("ben@x.example", "UBOSS")})
    house.settings = house.settings.model_copy(update={"slack": slack_settings})
    for place in (0, 1):
        reminders.deliver(house, alert(house, lead, "alert", "alerted", f"manager:{place}"), False)
    assert [message.channel for message in slack.messages.values()] == ["DUBEN", "DUBOSS"]
    with pytest.raises(Configuration):
        reminders.deliver(house, alert(house, lead, "alert", "alerted", "manager:5"), False)
