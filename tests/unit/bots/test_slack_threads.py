"""The thread of a card, and leads that were put off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from bots.slack.sender import Sender
from bots.slack.threads import Threads
from connector import commands
from connector.bootstrap import House
from connector.commands import Actor
from connector.pipeline.deliver import HANDLERS, deliver
from connector.pipeline.threads import ask_threads
from connector.storage.cards import Card
from connector.storage.threads import Told
from connector.testing import StandingClock
from leads.enums import EffectKind, EngagementKind, Role
from leads.records import EngagementEvent
from tests.unit.bots.slack_fakes import FakeSlack

ADA = Actor("slack", "UADA", Role.REP, "1")


@pytest.fixture
def threads(house: House, slack: FakeSlack) -> Iterator[FakeSlack]:
    handler = Threads(Sender(slack))  # type: ignore[arg-type]
    HANDLERS.clear()
    HANDLERS[EffectKind.SLACK_THREAD] = HANDLERS[EffectKind.SLACK_REMINDER] = handler
    HANDLERS[EffectKind.SLACK_CARD] = _Silent()
    house.reps.link_slack("1", "UADA", "DADA")
    yield slack
    HANDLERS.clear()


class _Silent:
    def deliver(self, house: House, effect: object, in_doubt: bool) -> str:
        return "shown"


@pytest.fixture
def carded(house: House, lead: int, clock: StandingClock) -> int:
    """The lead with a card in Ada's conversation, posted now."""
    with house.db.transaction():
        house.cards.save(Card(lead, "dm:1", "DADA", f"{clock.now().timestamp():.6f}", "x"))
    clock.move(30)
    return lead


def happen(house: House, lead: int, kind: EngagementKind, key: str, clock: StandingClock, machine: bool = False) -> None:
    event = EngagementEvent(key, kind, clock.now(), machine=machine)
    with house.db.transaction():
        house.leads.add_engagements("crm", [event], lead, live=True)
        ask_threads(house, lead, "1")


def replies(slack: FakeSlack) -> list[str]:
    return [json.dumps(message.blocks, ensure_ascii=False) for message in slack.messages.values() if message.thread_ts]


def test_what_happened_is_gathered_merged_and_told_once_in_order(
    house: House, threads: FakeSlack, carded: int, clock: StandingClock
) -> None:
    for number in range(3):
        happen(house, carded, EngagementKind.EMAIL_OPENED, f"o{number}", clock)
        clock.move(1)
    happen(house, carded, EngagementKind.EMAIL_OPENED, "bot", clock, machine=True)
    happen(house, carded, EngagementKind.FORM_SUBMITTED, "f", clock)
    deliver(house, "slack")
    assert replies(threads) == []  # it gathers
    clock.move(61)
    deliver(house, "slack")
    (said,) = replies(threads)
    assert said.index("Opened an e-mail ×3") < said.index("Submitted a form")
    assert "Jane" not in next(message.text for message in threads.messages.values())
    clock.move(61)
    ask_threads(house, carded, "1")
    clock.move(61)
    deliver(house, "slack")
    assert len(replies(threads)) == 1  # nothing new: nothing said
    happen(house, carded, EngagementKind.MEETING_BOOKED, "m", clock)
    clock.move(61)
    deliver(house, "slack")
    assert "Booked a meeting" in replies(threads)[1]
    assert "Opened" not in replies(threads)[1]


def test_a_crash_after_the_reply_tells_nothing_twice(house: House, threads: FakeSlack, carded: int, clock: StandingClock) -> None:
    happen(house, carded, EngagementKind.FORM_SUBMITTED, "f", clock)
    clock.move(61)
    (effect,) = [effect for effect in house.effects.claim("slack", 20) if effect.kind is EffectKind.SLACK_THREAD]
    handler = HANDLERS[EffectKind.SLACK_THREAD]
    first = handler.deliver(house, effect, False)
    house.threads.save(carded, "dm:1", Told())  # as if the crash had come before it was noted
    assert handler.deliver(house, effect, True) == first
    assert len(replies(threads)) == 1


def test_deeds_are_told_with_who_did_them(house: House, threads: FakeSlack, carded: int, clock: StandingClock) -> None:
    assert commands.accept(house, carded, ADA).ok
    clock.move(61)
    deliver(house, "slack")
    (said,) = replies(threads)
    assert "Accepted by Ada Rep" in said
    assert "<@" not in said  # nobody is pinged


def test_in_quiet_hours_a_thread_waits_for_their_end(house: House, threads: FakeSlack, carded: int, clock: StandingClock) -> None:
    house.reps.set("1", {"quiet_hours": "11:00-14:00", "timezone": "UTC"})
    happen(house, carded, EngagementKind.FORM_SUBMITTED, "f", clock)
    clock.move(61)
    deliver(house, "slack")
    assert replies(threads) == []
    clock.moment = clock.moment.replace(hour=14, minute=0, second=1)
    deliver(house, "slack")
    assert len(replies(threads)) == 1


def test_the_thread_of_an_earlier_owner_rests(house: House, threads: FakeSlack, carded: int, clock: StandingClock) -> None:
    boss = Actor("slack", "UBOSS", Role.MANAGER, "3")
    assert commands.reassign(house, carded, "2", boss, "holiday").ok
    clock.move(61)
    deliver(house, "slack")
    assert replies(threads) == []


def test_a_snoozed_lead_comes_back_at_its_moment_with_one_reminder(
    house: House, threads: FakeSlack, carded: int, clock: StandingClock
) -> None:
    until = clock.now().replace(hour=15, minute=0, second=0)
    assert commands.snooze(house, carded, until, ADA).ok
    state = commands.card(house, carded)
    assert state is not None
    assert state.snoozed_until == until
    deliver(house, "slack")
    assert not any("is back" in said for said in replies(threads))
    clock.moment = until
    deliver(house, "slack")
    deliver(house, "slack")
    (said,) = [said for said in replies(threads) if "is back" in said]
    assert "<@UADA>" in said
    state = commands.card(house, carded)
    assert state is not None
    assert state.snoozed_until is None


def test_a_lead_that_went_on_does_not_come_back(house: House, threads: FakeSlack, carded: int, clock: StandingClock) -> None:
    until = clock.now().replace(hour=15, minute=0, second=0)
    assert commands.snooze(house, carded, until, ADA).ok
    assert commands.pass_on(house, carded, ADA, "no_capacity").ok
    clock.moment = until
    deliver(house, "slack")
    assert not any("is back" in said for said in replies(threads))


def test_a_very_busy_lead_is_told_of_whole_and_in_order(
    house: House, threads: FakeSlack, carded: int, clock: StandingClock
) -> None:
    """More happened than one statement reads: a rest that came later would be out of order."""
    events = [
        EngagementEvent(f"e{number}", kind, clock.now() + timedelta(milliseconds=number))
        for number, kind in enumerate([EngagementKind.PAGE_VIEWED] * 450 + [EngagementKind.MEETING_BOOKED])
    ]
    with house.db.transaction():
        house.leads.add_engagements("crm", events, carded, live=True)
    clock.move(10)
    assert commands.accept(house, carded, ADA).ok
    clock.move(61)
    deliver(house, "slack")
    (said,) = replies(threads)
    assert said.index("Viewed a page ×450") < said.index("Booked a meeting") < said.index("Accepted by Ada Rep")


def test_a_crash_after_the_reminder_of_a_lead_without_a_card_reminds_once(
    house: House, threads: FakeSlack, lead: int, clock: StandingClock
) -> None:
    assert commands.snooze(house, lead, clock.now() + timedelta(hours=1), ADA).ok
    clock.move(3601)
    (effect,) = [effect for effect in house.effects.claim("slack", 20) if effect.kind is EffectKind.SLACK_REMINDER]
    handler, killed = HANDLERS[EffectKind.SLACK_REMINDER], RuntimeError("killed")
    with pytest.MonkeyPatch.context() as dying:
        dying.setattr(house.snoozes, "run_out", lambda _: (_ for _ in ()).throw(killed))
        with pytest.raises(RuntimeError, match="killed"):
            handler.deliver(house, effect, False)
    assert handler.deliver(house, effect, True)
    assert len(threads.messages) == 1


def test_two_workers_tell_one_thread_in_order(house: House, threads: FakeSlack, carded: int, clock: StandingClock) -> None:
    """Each has turns of its own; what a thread tells next is decided by the row that is being sent, and there is one at a time."""
    other = Threads(Sender(threads))  # type: ignore[arg-type]
    happen(house, carded, EngagementKind.FORM_SUBMITTED, "f", clock)
    clock.move(61)
    (mine,) = [effect for effect in house.effects.claim("slack", 20) if effect.kind is EffectKind.SLACK_THREAD]
    receipt = HANDLERS[EffectKind.SLACK_THREAD].deliver(house, mine, False)
    happen(house, carded, EngagementKind.MEETING_BOOKED, "m", clock)
    clock.move(61)
    assert not [one for one in house.effects.claim("slack", 20) if one.kind is EffectKind.SLACK_THREAD], "the other worker waits"
    house.effects.finish(mine, receipt)
    (late,) = [one for one in house.effects.claim("slack", 20) if one.kind is EffectKind.SLACK_THREAD]
    assert other.deliver(house, late, False)
    first, second = replies(threads)
    assert "Submitted a form" in first
    assert "Booked a meeting" in second
    assert "Submitted" not in second
