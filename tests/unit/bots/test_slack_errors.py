"""What Slack's refusals become: a sentence for whoever can mend it, a wait, or a new message. Slack says them with status 200."""

from __future__ import annotations

import pytest

from bots.slack.client import error_of
from bots.slack.notifier import TOKEN_GONE, TOKEN_WAIT_S, Notifier
from connector import commands
from connector.bootstrap import House
from connector.pipeline.deliver import HANDLERS, deliver
from connector.testing import StandingClock
from leads.enums import EffectKind, Role, Tier
from tests.unit.bots.slack_fakes import FakeSlack, add_lead


def said(code: str, status: int = 200, **headers: str) -> Exception:
    return error_of("chat.postMessage", status, {"ok": False, "error": code}, headers)


@pytest.fixture
def warm(house: House, slack: FakeSlack, clock: StandingClock, monkeypatch: pytest.MonkeyPatch) -> int:
    """A lead with one card to post."""
    monkeypatch.setitem(HANDLERS, EffectKind.SLACK_CARD, Notifier(slack))  # type: ignore[arg-type]
    return add_lead(house, clock, "60", "Warm", "w@x.example", Tier.B)


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("not_in_channel", "Invite the app to the channel: /invite @Leadswitch."),
        ("is_archived", "Unarchive the channel, or name another one"),
        ("channel_not_found", "Check slack.channel and slack.channels"),
        ("missing_scope", "Update the app from bots/slack/manifest.yaml"),
        ("restricted_action", "ask a workspace admin"),
    ],
)
def test_what_somebody_can_mend_waits_for_them_as_a_dead_letter_that_says_how(
    house: House, slack: FakeSlack, warm: int, code: str, sentence: str
) -> None:
    slack.failing["post"] = said(code)
    deliver(house, "slack")
    (letter,) = house.deadletters.all()
    assert code in letter.error
    assert sentence in letter.error


@pytest.mark.parametrize("code", sorted(TOKEN_GONE))
def test_a_token_that_is_no_good_holds_alerts_back_until_it_is_mended(
    house: House, slack: FakeSlack, clock: StandingClock, warm: int, code: str
) -> None:
    slack.failing["post"] = said(code)
    deliver(house, "slack")
    (waiting,) = [effect for effect in house.effects.of_lead(warm) if effect.kind is EffectKind.SLACK_CARD]
    assert waiting.state == "pending"
    assert waiting.error
    assert "token" in waiting.error
    clock.move(TOKEN_WAIT_S + 1)
    deliver(house, "slack")
    assert len(slack.messages) == 1


@pytest.mark.parametrize(("code", "status"), [("ratelimited", 200), ("", 429)])
def test_a_rate_limit_is_waited_out_however_slack_says_it(
    house: House, slack: FakeSlack, clock: StandingClock, warm: int, code: str, status: int
) -> None:
    slack.failing["post"] = said(code, status, **{"Retry-After": "12"})
    deliver(house, "slack")
    clock.move(11)
    deliver(house, "slack")
    assert not slack.messages
    clock.move(2)
    deliver(house, "slack")
    assert len(slack.messages) == 1
    assert house.deadletters.count() == 0


def test_a_message_that_somebody_deleted_is_posted_again(house: House, slack: FakeSlack, clock: StandingClock, warm: int) -> None:
    deliver(house, "slack")
    slack.messages.clear()
    commands.accept(house, warm, commands.Actor("slack", "UADA", Role.REP, "1"))
    deliver(house, "slack")
    assert ["Accepted" in str(message.blocks) for message in slack.messages.values()] == [True]


def test_a_word_we_have_not_met_is_given_up_with_that_word(house: House, slack: FakeSlack, warm: int) -> None:
    slack.failing["post"] = said("some_new_word")
    deliver(house, "slack")
    (letter,) = house.deadletters.all()
    assert "some_new_word" in letter.error
