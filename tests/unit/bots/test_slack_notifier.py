"""Cards and digests leaving the outbox: one message a lead and destination, edited, paced, and never sent twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bots.slack.cards import ERASED
from bots.slack.client import NeedsMending, RateLimited, Refused
from bots.slack.notifier import Notifier
from connector import commands
from connector.bootstrap import House
from connector.errors import Configuration, Fatal, Retriable, Skippable
from connector.http import Unsure
from connector.pipeline.deliver import HANDLERS, deliver
from connector.storage.effects import LEASE_S, Effect
from connector.testing import StandingClock
from leads.enums import EffectKind, Role, Tier
from leads.records import RepRecord
from tests.unit.bots.slack_fakes import FakeSlack, add_lead

BOSS = commands.Actor("slack", "UBOSS", Role.MANAGER, "3")


def card_effect(house: House, lead: int, destination: str = "dm:1") -> Effect:
    at = house.clock.now()
    return Effect(
        9, EffectKind.SLACK_CARD, "slack", f"card:{lead}:{destination}", lead, {"destination": destination}, created_at=at
    )


def digest_effect(house: House, *lead_ids: int) -> Effect:
    payload = {"rep_id": "1", "lead_ids": list(lead_ids)}
    return Effect(5, EffectKind.SLACK_DIGEST, "slack", "digest:1", None, payload, created_at=house.clock.now())


@pytest.fixture
def notifier(slack: FakeSlack) -> Notifier:
    return Notifier(slack)  # type: ignore[arg-type]


def test_a_card_is_posted_once_and_edited_from_then_on(house: House, slack: FakeSlack, notifier: Notifier, lead: int) -> None:
    receipt = notifier.deliver(house, card_effect(house, lead), False)
    (posted,) = slack.messages.values()
    assert receipt == f"DUADA:{next(iter(slack.messages))}"
    assert posted.text == "New A lead (92) for you"
    assert posted.metadata == {
        "event_type": "leadswitch_card",
        "event_payload": {"lead_id": lead, "destination": "dm:1", "external_id": "51"},
    }
    commands.accept(house, lead, commands.Actor("slack", "UADA", Role.REP, "1"))
    assert notifier.deliver(house, card_effect(house, lead), False) == receipt
    (edited,) = slack.messages.values()
    assert edited.edits == 1
    assert "Accepted" in str(edited.blocks)


def test_an_erased_person_leaves_no_trace_on_a_card_and_gets_no_new_one(
    house: House, slack: FakeSlack, notifier: Notifier, lead: int
) -> None:
    known = house.leads.get(lead)
    assert known is not None
    for destination in ("dm:1", "channel:#leads"):
        notifier.deliver(house, card_effect(house, lead, destination), False)
    assert known.name in str([message.blocks for message in slack.messages.values()])
    house.leads.erase(lead)
    for destination in ("dm:1", "channel:#leads"):
        notifier.deliver(house, card_effect(house, lead, destination), False)
    assert [message.text for message in slack.messages.values()] == [ERASED, ERASED]
    for value in (known.name, *(str(value) for value in known.fields.values() if isinstance(value, str) and len(value) > 4)):
        assert value not in str([(message.blocks, message.metadata) for message in slack.messages.values()])
    with pytest.raises(Skippable):
        notifier.deliver(house, card_effect(house, lead, "dm:2"), False)


def test_an_unchanged_card_is_not_sent_again(house: House, slack: FakeSlack, notifier: Notifier, lead: int) -> None:
    for _ in range(3):
        notifier.deliver(house, card_effect(house, lead), False)
    assert slack.calls.count("post") == 1
    assert slack.calls.count("edit") == 0


def test_the_rep_is_looked_up_in_slack_once(
    house: House, slack: FakeSlack, notifier: Notifier, clock: StandingClock, lead: int
) -> None:
    other = add_lead(house, clock, "52", "Janet", "janet@acme.example")
    notifier.deliver(house, card_effect(house, lead), False)
    notifier.deliver(house, card_effect(house, other), False)
    assert slack.calls.count("user_by_email") == 1
    assert slack.calls.count("open_dm") == 1
    rep = house.reps.get("1")
    assert rep
    assert (rep.slack_user_id, rep.slack_dm) == ("UADA", "DUADA")


def test_channel_and_direct_message_are_two_cards(house: House, slack: FakeSlack, notifier: Notifier, lead: int) -> None:
    notifier.deliver(house, card_effect(house, lead), False)
    notifier.deliver(house, card_effect(house, lead, "channel:#leads"), False)
    assert [message.channel for message in slack.messages.values()] == ["DUADA", "CLEADS"]
    assert [message.text for message in slack.messages.values()] == ["New A lead (92) for you", "New A lead (92)"]


def test_a_card_in_doubt_is_looked_for_and_edited_and_not_posted_again(
    house: House, slack: FakeSlack, notifier: Notifier, lead: int
) -> None:
    notifier.deliver(house, card_effect(house, lead), False)
    house.cards.forget(lead, "dm:1")  # as after a crash between posting and remembering
    notifier.deliver(house, card_effect(house, lead), True)
    assert slack.calls.count("post") == 1
    assert house.cards.get(lead, "dm:1")


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


@pytest.mark.parametrize("moment", ["before posting", "after posting"])
def test_a_worker_killed_around_the_posting_leaves_one_card_a_destination(
    house: House,
    slack: FakeSlack,
    notifier: Notifier,
    clock: StandingClock,
    lead: int,
    moment: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(HANDLERS, EffectKind.SLACK_CARD, notifier)

    def die(*_: Any) -> Any:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(*((slack, "post") if moment == "before posting" else (house.cards, "save")), die)
        with pytest.raises(Killed):
            deliver(house, "slack")
    deliver(house, "slack")  # another worker: the row in hand is still leased
    clock.move(LEASE_S + 1)
    deliver(house, "slack")
    assert sorted(message.channel for message in slack.messages.values()) == ["CLEADS", "DUADA"]
    assert {card.destination for card in house.cards.of_lead(lead)} == {"channel:#leads", "dm:1"}
    assert "find" in slack.calls


def test_a_card_in_doubt_that_never_got_there_is_posted(house: House, slack: FakeSlack, notifier: Notifier, lead: int) -> None:
    notifier.deliver(house, card_effect(house, lead), True)
    assert slack.calls.count("find") == 1
    assert len(slack.messages) == 1


def test_a_card_that_somebody_deleted_is_posted_anew(house: House, slack: FakeSlack, notifier: Notifier, lead: int) -> None:
    notifier.deliver(house, card_effect(house, lead), False)
    slack.messages.clear()
    commands.accept(house, lead, commands.Actor("slack", "UADA", Role.REP, "1"))
    notifier.deliver(house, card_effect(house, lead), False)
    assert len(slack.messages) == 1


def test_the_card_of_the_rep_before_says_that_the_lead_went_on(
    house: House, slack: FakeSlack, notifier: Notifier, lead: int
) -> None:
    notifier.deliver(house, card_effect(house, lead), False)
    commands.reassign(house, lead, "2", BOSS, "holiday")
    notifier.deliver(house, card_effect(house, lead), False)
    (message,) = slack.messages.values()
    assert "*Re-assigned* to Ben Rep" in str(message.blocks)
    assert "lead_accept" not in str(message.blocks)


@pytest.mark.parametrize("in_doubt", [False, True])
def test_a_rep_who_lost_the_lead_before_hearing_of_it_gets_no_card(
    house: House, slack: FakeSlack, notifier: Notifier, lead: int, in_doubt: bool
) -> None:
    commands.reassign(house, lead, "2", BOSS, "holiday")
    with pytest.raises(Skippable):
        notifier.deliver(house, card_effect(house, lead), in_doubt)
    assert slack.messages == {}


def test_a_lead_that_is_gone_needs_no_card(house: House, notifier: Notifier) -> None:
    with pytest.raises(Skippable):
        notifier.deliver(house, card_effect(house, 4711), False)


def test_a_rep_slack_does_not_know_is_somebodys_to_mend(house: House, slack: FakeSlack, notifier: Notifier, lead: int) -> None:
    slack.failing["user_by_email"] = NeedsMending("users.lookupByEmail", "users_not_found")
    with pytest.raises(Configuration, match=r"Rep 1.*e-mail"):
        notifier.deliver(house, card_effect(house, lead), False)
    house.reps.sync("crm", [RepRecord("1", None, "Ada Rep", True)])
    with pytest.raises(Configuration, match="Rep 1 has no e-mail"):
        notifier.deliver(house, card_effect(house, lead), False)


def test_an_unknown_destination_is_given_up(house: House, notifier: Notifier, lead: int) -> None:
    with pytest.raises(Fatal):
        notifier.deliver(house, card_effect(house, lead, "pigeon:1"), False)


def test_a_channel_gets_three_messages_at_once_and_then_one_a_second(
    house: House, slack: FakeSlack, notifier: Notifier, clock: StandingClock
) -> None:
    leads = [add_lead(house, clock, str(number), f"L{number}", f"l{number}@x.example") for number in range(100, 105)]
    waits = {}
    for lead in leads:
        effect = replace(card_effect(house, lead, "channel:#leads"), id=lead)
        try:
            notifier.deliver(house, effect, False)
        except Retriable as error:
            waits[lead] = error.delay_s
    assert len(slack.messages) == 3
    assert list(waits.values()) == [pytest.approx(moment, abs=0.05) for moment in (1.0, 2.0)]  # each a turn of their own
    notifier.deliver(house, card_effect(house, leads[3], "channel:#other"), False)  # another channel has its own
    for lead in leads[3:]:
        clock.sleep(1.01)
        notifier.deliver(house, replace(card_effect(house, lead, "channel:#leads"), id=lead), False)
    assert len(slack.messages) == 6


def test_a_newcomer_queues_behind_those_who_wait(house: House, slack: FakeSlack, notifier: Notifier, clock: StandingClock) -> None:
    leads = [add_lead(house, clock, str(number), f"L{number}", f"l{number}@x.example") for number in range(100, 105)]

    def send(lead: int) -> float:
        try:
            notifier.deliver(house, replace(card_effect(house, lead, "channel:#leads"), id=lead), False)
        except Retriable as error:
            return error.delay_s or 0.0
        return 0.0

    assert [send(lead) for lead in leads[:4]] == [0.0, 0.0, 0.0, pytest.approx(1.0, abs=0.05)]
    clock.sleep(0.5)
    assert send(leads[4]) == pytest.approx(1.5, abs=0.05)
    clock.sleep(0.51)
    assert send(leads[4]) == pytest.approx(1.0, abs=0.05)  # too early: the other one's turn
    assert send(leads[3]) == 0.0
    clock.sleep(1.0)
    assert send(leads[4]) == 0.0


def test_edits_do_not_wait_for_posts(house: House, slack: FakeSlack, notifier: Notifier, clock: StandingClock) -> None:
    leads = [add_lead(house, clock, str(number), f"L{number}", f"l{number}@x.example") for number in range(100, 103)]
    for lead in leads:
        notifier.deliver(house, card_effect(house, lead), False)
        commands.accept(house, lead, commands.Actor("slack", "UADA", Role.REP, "1"))
    for lead in leads:
        notifier.deliver(house, card_effect(house, lead), False)
    assert slack.calls.count("edit") == 3


def test_a_429_for_one_edit_keeps_all_edits_back(house: House, slack: FakeSlack, notifier: Notifier, clock: StandingClock) -> None:
    leads = [add_lead(house, clock, str(number), f"L{number}", f"l{number}@x.example") for number in range(100, 102)]
    for lead in leads:
        notifier.deliver(house, card_effect(house, lead), False)
        commands.accept(house, lead, commands.Actor("slack", "UADA", Role.REP, "1"))
    slack.failing["edit"] = RateLimited("too fast", 20.0)
    for lead in leads:
        with pytest.raises(Retriable) as caught:
            notifier.deliver(house, card_effect(house, lead), False)
        assert caught.value.delay_s == pytest.approx(20.0, abs=0.5)
    assert slack.calls.count("edit") == 1
    clock.sleep(20.1)
    notifier.deliver(house, card_effect(house, leads[0]), False)
    assert slack.calls.count("edit") == 2


def test_429_keeps_every_worker_back_as_long_as_slack_asks(
    house: House, slack: FakeSlack, notifier: Notifier, clock: StandingClock, lead: int
) -> None:
    slack.failing["post"] = RateLimited("too fast", 30.0)
    with pytest.raises(Retriable) as caught:
        notifier.deliver(house, card_effect(house, lead), False)
    assert caught.value.delay_s == 30.0
    clock.sleep(20)
    with pytest.raises(Retriable) as caught:
        notifier.deliver(house, card_effect(house, lead), False)
    assert caught.value.delay_s == pytest.approx(10.0, abs=1.0)
    assert slack.messages == {}


@pytest.mark.parametrize(
    "error", [Unsure("lost"), NeedsMending("chat.postMessage", "not_in_channel"), Refused("chat.postMessage", "no_text")]
)
def test_other_errors_of_slack_go_to_the_outbox_as_they_are(
    house: House, slack: FakeSlack, notifier: Notifier, lead: int, error: Exception
) -> None:
    slack.failing["post"] = error
    with pytest.raises(type(error)):
        notifier.deliver(house, card_effect(house, lead), False)
    assert house.cards.get(lead, "dm:1") is None


def test_a_refused_edit_is_not_taken_for_a_deleted_message(house: House, slack: FakeSlack, notifier: Notifier, lead: int) -> None:
    notifier.deliver(house, card_effect(house, lead), False)
    commands.accept(house, lead, commands.Actor("slack", "UADA", Role.REP, "1"))
    slack.failing["edit"] = Refused("chat.update", "msg_too_long")
    with pytest.raises(Refused):
        notifier.deliver(house, card_effect(house, lead), False)
    assert slack.calls.count("post") == 1


def test_a_digest_lists_its_leads_and_is_posted_once(
    house: House, slack: FakeSlack, notifier: Notifier, clock: StandingClock, lead: int
) -> None:
    other = add_lead(house, clock, "52", "Janet", "janet@acme.example", Tier.C)
    notifier.deliver(house, digest_effect(house, lead, other), False)
    (message,) = slack.messages.values()
    assert message.channel == "DUADA"
    assert message.text == "2 more leads for you to look at"
    assert message.metadata["event_payload"]["lead_ids"] == [lead, other]
    third = add_lead(house, clock, "53", "Joan", "joan@acme.example", Tier.C)
    notifier.deliver(house, digest_effect(house, lead, other), True)
    assert len(slack.messages) == 1
    notifier.deliver(house, digest_effect(house, lead, other, third), True)  # it came after the digest that was in doubt
    assert [message.metadata["event_payload"]["lead_ids"] for message in slack.messages.values()] == [[lead, other], [third]]


def test_a_digest_of_leads_that_are_all_gone_is_not_sent(house: House, slack: FakeSlack, notifier: Notifier) -> None:
    with pytest.raises(Skippable):
        notifier.deliver(house, digest_effect(house, 4711), False)
    assert slack.messages == {}


def test_without_a_token_nothing_is_registered(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from bots.slack import notifier as module

    handlers: dict[EffectKind, Any] = {}
    monkeypatch.setattr(module, "HANDLERS", handlers)
    module.register(house)
    assert {EffectKind.SLACK_CARD, EffectKind.SLACK_DIGEST, EffectKind.SLACK_ROUNDUP} <= set(handlers)
    handlers.clear()
    house.settings = house.settings.model_copy(update={"slack": house.settings.slack.model_copy(update={"bot_token": None})})
    module.register(house)
    assert handlers == {}


def test_a_card_effect_without_a_lead_is_given_up(house: House, notifier: Notifier, lead: int) -> None:
    with pytest.raises(Fatal):
        notifier.deliver(house, replace(card_effect(house, lead), lead_id=None), False)


@pytest.mark.parametrize(("end", "because"), [("missed", "did not take it in time"), ("reassigned", "had it before")])
def test_the_first_card_of_the_next_rep_is_news_to_them(
    house: House, slack: FakeSlack, notifier: Notifier, lead: int, end: str, because: str
) -> None:
    commands.reassign(house, lead, "2", BOSS, "on holiday")
    with house.db.transaction():
        house.db.run("UPDATE assignment SET closed_as = ? WHERE closed_at IS NOT NULL", end)
    notifier.deliver(house, card_effect(house, lead, "dm:2"), False)
    (card,) = slack.messages.values()
    assert card.text == "New A lead (92) for you"
    assert "*New to you*: another rep" in str(card.blocks)
    assert because in str(card.blocks)
    assert "Expired" not in str(card.blocks)


@pytest.mark.parametrize("end", ["moved on", "won"])
@pytest.mark.parametrize("destination", ["dm:1", "channel:#leads"])
def test_a_deleted_card_that_nobody_needs_is_not_posted_again(
    house: House, slack: FakeSlack, notifier: Notifier, lead: int, end: str, destination: str
) -> None:
    notifier.deliver(house, card_effect(house, lead, destination), False)
    slack.messages.clear()
    if end == "won":
        commands.log_outcome(house, lead, BOSS, "won")
    else:
        commands.reassign(house, lead, "2", BOSS, "on holiday")
    if (destination, end) == ("channel:#leads", "moved on"):  # the channel still has to see it
        notifier.deliver(house, card_effect(house, lead, destination), False)
        assert len(slack.messages) == 1
        return
    for _ in range(2):
        with pytest.raises(Skippable):
            notifier.deliver(house, card_effect(house, lead, destination), False)
    assert slack.messages == {}


def test_a_digest_of_very_many_leads_fits_into_what_slack_takes(
    house: House, slack: FakeSlack, notifier: Notifier, clock: StandingClock
) -> None:
    ids = [add_lead(house, clock, str(n), f"L{n}", f"l{n}@x.example", Tier.D) for n in range(300, 505)]
    notifier.deliver(house, digest_effect(house, *ids), False)
    (message,) = slack.messages.values()
    assert message.metadata["event_payload"]["lead_ids"] == ids[-200:]
    assert message.text == "205 more leads for you to look at"
