"""The way out: every row ends for itself, three tries and then a person, and nothing is made twice."""

from __future__ import annotations

from collections import Counter

import pytest

from connector import commands, letters
from connector.commands import Actor
from connector.errors import Configuration, Fatal, Retriable, Skippable
from connector.http import Unsure
from connector.pipeline.deliver import HANDLERS, TRIES, _wanted, deliver
from connector.ports import LeadWrite, TaskWrite
from connector.storage.effects import LEASE_S
from leads.enums import ChangeKind, ChangeOrigin, EffectKind, Role, Tier
from leads.records import LeadChange
from tests.unit.connector.pipeline.scripted import CRM, Desk, change, gone

BOSS = Actor("cli", "boss", Role.ADMIN)


def lead(desk: Desk, external_id: str = "1") -> int:
    """A routed lead whose effects wait in the outbox."""
    desk.tell(CRM, change(external_id, title="CEO", email=f"a{external_id}@corp.example"))
    desk.route()
    return desk.lead(external_id)


def states(desk: Desk, lead_id: int, kind: EffectKind) -> list[tuple[str, int]]:
    return [(one.state, one.attempts) for one in desk.house.effects.of_lead(lead_id) if one.kind is kind]


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (Retriable("Down."), TRIES),
        (Unsure("No answer."), TRIES),
        (Unsure("No answer.", 5.0), TRIES),
        (KeyError("a1@corp.example"), TRIES),
        (Fatal("Refused."), 1),
        (Configuration("The token is wrong.", "Make a new one."), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_alert_that_fails_has_its_tries_and_then_waits_for_a_person(desk: Desk, error: Exception, tries: int) -> None:
    lead_id = lead(desk)
    cards = len(states(desk, lead_id, EffectKind.SLACK_CARD))
    assert cards
    desk.slack.fails = [error] * 50
    rounds = 0
    while desk.house.effects.counts().get(("slack", "dead"), 0) < cards:
        deliver(desk.house, "slack")
        rounds += 1
        assert rounds <= tries
        desk.clock.move(120)
    assert rounds == tries
    assert states(desk, lead_id, EffectKind.SLACK_CARD) == [("dead", tries)] * cards
    dead = desk.house.deadletters.all()
    assert len(dead) == cards
    assert "corp.example" not in str(dead)
    desk.slack.fails = []
    for letter in dead:
        letters.replay_letter(desk.house, letter.id, "cli:me")
    desk.run()
    assert Counter(desk.slack.posted).most_common(1)[0][1] == 1
    assert all(desk.slack.doubts), "whatever was tried before is looked up before it is sent again"
    assert desk.house.deadletters.count() == 0


def test_an_unsure_row_comes_back_in_doubt(desk: Desk) -> None:
    lead(desk)
    desk.slack.fails = [Unsure("No answer.")]
    deliver(desk.house, "slack")
    desk.clock.move(120)
    deliver(desk.house, "slack")
    assert desk.slack.doubts.count(True) == 1


@pytest.mark.parametrize("asked_s", [30.0, 0.0, -5.0])
def test_waiting_because_the_receiver_asked_is_not_a_failed_try_nor_a_busy_loop(desk: Desk, asked_s: float) -> None:
    lead_id = lead(desk)
    desk.slack.fails = [Retriable("Slow down.", asked_s)] * 500
    for _ in range(10):
        deliver(desk.house, "slack")
        desk.clock.move(31)
    assert len(desk.slack.fails) > 400, "it asked again at once, and again"
    assert all(state == "pending" and attempts == 0 for state, attempts in states(desk, lead_id, EffectKind.SLACK_CARD))
    assert not desk.house.deadletters.all()
    desk.clock.move(25 * 3600)
    for _ in range(TRIES + 1):
        deliver(desk.house, "slack")
        desk.clock.move(120)
    assert desk.house.deadletters.all(), "patience ends after a day"


def test_what_is_gone_is_noted_and_nobodys_business(desk: Desk) -> None:
    lead_id = lead(desk)
    desk.slack.fails = [Skippable("The channel is gone.")] * 9
    deliver(desk.house, "slack")
    assert {state for state, _ in states(desk, lead_id, EffectKind.SLACK_CARD)} == {"done"}
    assert not desk.house.deadletters.all()


def test_without_a_slack_its_rows_wait_and_a_kind_that_nobody_knows_is_somebodys_to_mend(desk: Desk) -> None:
    lead_id = lead(desk)
    slack = HANDLERS.pop(EffectKind.SLACK_CARD)
    HANDLERS.clear()
    deliver(desk.house, "slack")
    assert {state for state, _ in states(desk, lead_id, EffectKind.SLACK_CARD)} == {"pending"}
    HANDLERS[EffectKind.SLACK_DIGEST] = slack
    deliver(desk.house, "slack")
    assert {state for state, _ in states(desk, lead_id, EffectKind.SLACK_CARD)} == {"dead"}


# -- CRM


def test_in_a_batch_each_record_ends_for_itself(desk: Desk) -> None:
    ids = {name: lead(desk, name) for name in ("1", "2", "3", "4", "5")}
    desk.crm.refuses = {"2": Fatal("Refused."), "3": Retriable("Locked."), "4": gone(), "5": Retriable("Slow down.", 60.0)}
    deliver(desk.house, CRM)
    assert {name: states(desk, one, EffectKind.CRM_LEAD) for name, one in ids.items()} == {
        "1": [("done", 1)],
        "2": [("dead", 1)],
        "3": [("pending", 1)],
        "4": [("done", 1)],
        "5": [("pending", 0)],
    }


@pytest.mark.parametrize("error", [Retriable("Down."), KeyError("x"), Unsure("No answer.")], ids=lambda error: type(error).__name__)
def test_when_the_whole_batch_fails_every_row_has_its_tries(desk: Desk, error: Exception) -> None:
    first, second = lead(desk, "1"), lead(desk, "2")
    desk.crm.fails = [error] * 9
    for _ in range(TRIES):
        deliver(desk.house, CRM)
        desk.clock.move(120)
    for one in (first, second):
        assert states(desk, one, EffectKind.CRM_LEAD) == [("dead", TRIES)]


def test_a_row_that_cannot_even_be_worded_holds_up_no_other(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = lead(desk, "1"), lead(desk, "2")
    newest = desk.house.scores.newest

    def trip(lead_id: int) -> object:
        if lead_id == bad:
            raise KeyError("a1@corp.example")
        return newest(lead_id)

    monkeypatch.setattr(desk.house.scores, "newest", trip)
    deliver(desk.house, CRM)
    assert states(desk, good, EffectKind.CRM_LEAD) == [("done", 1)]
    assert states(desk, bad, EffectKind.CRM_LEAD) == [("pending", 1)]
    assert "corp.example" not in str(desk.house.effects.of_lead(bad))


def test_a_crash_in_the_middle_is_looked_up_before_it_is_sent_again(desk: Desk) -> None:
    lead(desk)
    (task,) = [one for one in desk.house.effects.claim(CRM, 100) if one.kind is EffectKind.CRM_TASK]
    desk.crm.write([_wanted(desk.house, CRM, task)])  # sent, and then the power went
    deliver(desk.house, CRM)
    assert len(desk.crm.made) == 1, "the lease still runs"
    desk.clock.move(LEASE_S + 1)
    assert CRM in desk.house.effects.due_destinations()
    deliver(desk.house, CRM)
    assert len(desk.crm.made) == 1
    assert all(doubt for _, doubt in desk.crm.writes[1:])


def test_an_erased_lead_is_not_written_any_more(desk: Desk) -> None:
    lead_id = lead(desk)
    desk.tell(CRM, change("1", desk.clock.now(), ChangeKind.ERASED))
    deliver(desk.house, CRM)
    assert desk.crm.writes == []
    assert {state for state, _ in states(desk, lead_id, EffectKind.CRM_LEAD)} == {"done"}


def test_one_follow_up_task_a_lead_that_moves_with_it(desk: Desk) -> None:
    lead_id = lead(desk)
    desk.run()
    deliver(desk.house, CRM)
    first = desk.crm.made[0]
    held = desk.house.leads.get(lead_id)
    assert held is not None
    for rep_id in ("1", "2", "3"):
        desk.clock.move(60)
        if rep_id != held.owner_id:
            commands.reassign(desk.house, lead_id, rep_id, BOSS, "")
            desk.run()
    assert len(desk.crm.made) == 1
    tasks = [write for write, _ in desk.crm.writes if isinstance(write, TaskWrite)]
    assert len(tasks) == 3
    assert {task.made_as for task in tasks[1:]} == {"task-1"}
    assert {task.marker for task in tasks} == {first.marker}
    assert tasks[-1].owner_id == "102"


def test_a_write_back_says_what_the_lead_is_now(desk: Desk) -> None:
    lead_id = lead(desk)
    commands.reassign(desk.house, lead_id, "2", BOSS, "")
    desk.run()
    leads = [write for write, _ in desk.crm.writes if isinstance(write, LeadWrite)]
    assert leads[-1].owner_id == "101"
    assert leads[-1].tier in Tier
    assert leads[-1].routed_because is not None
    assert "Ada" not in str(leads[-1].reasons)
    assert desk.house.effects.counts() == {}


# -- echoes and loops


def test_our_own_write_coming_back_changes_nothing(desk: Desk) -> None:
    lead_id = lead(desk)
    deliver(desk.house, CRM)
    before = desk.house.leads.get(lead_id)
    assert before is not None
    (write,) = [write for write, _ in desk.crm.writes if isinstance(write, LeadWrite)]
    echoes = [LeadChange("echo1", "1", desk.clock.now(), ChangeKind.CHANGED, fields={"owner_id": write.owner_id})]
    if write.stage:
        echoes.append(LeadChange("echo2", "1", desk.clock.now(), ChangeKind.CHANGED, fields={"lifecycle_stage": write.stage}))
    echoes.append(
        LeadChange("echo3", "1", desk.clock.now(), ChangeKind.CHANGED, ChangeOrigin.OURSELVES, extra={"leadswitch_score": 1})
    )
    for echo in echoes:
        assert desk.states(desk.tell(CRM, echo)) == ["echo"]
    assert desk.house.leads.get(lead_id) == before
    written = len(desk.crm.writes)
    desk.run()
    deliver(desk.house, CRM)
    assert len(desk.crm.writes) == written


def test_an_echo_of_long_ago_is_news(desk: Desk) -> None:
    lead(desk)
    deliver(desk.house, CRM)
    (write,) = [write for write, _ in desk.crm.writes if isinstance(write, LeadWrite)]
    desk.clock.move(31 * 60)
    assert desk.states(desk.tell(CRM, change("1", desk.clock.now(), owner_id=write.owner_id))) == ["applied"]


def test_a_ping_pong_with_another_integration_is_broken_off(desk: Desk) -> None:
    lead_id = lead(desk)
    desk.run()
    deliver(desk.house, CRM)
    for turn in range(60):
        desk.clock.move(5)
        desk.tell(CRM, change("1", desk.clock.now(), owner_id=str(100 + turn % 2)))
        desk.run()
    writes = [write for write, _ in desk.crm.writes if isinstance(write, LeadWrite)]
    assert len(writes) <= desk.house.settings.write_back.loop_limit
    assert ("pending", 0) in states(desk, lead_id, EffectKind.CRM_LEAD), "the last word waits, it is not lost"
    desk.clock.move(3700)
    deliver(desk.house, CRM)
    assert states(desk, lead_id, EffectKind.CRM_LEAD)[-1][0] == "done"


# -- digests


def test_a_digest_lists_each_lead_once_and_not_what_had_a_card(desk: Desk) -> None:
    house = desk.house
    for number in range(4):
        desk.tell(CRM, change(str(number), email=f"x{number}@gmail.com"))
    desk.run()
    cold = {one for one in range(1, 5) if not house.cards.of_lead(one) and house.scores.newest(one)}
    assert cold, "these leads have nothing to their credit"
    for rep in ("1", "2", "3"):
        if house.cards.without_card(rep):
            house.effects.add(EffectKind.SLACK_DIGEST, "slack", f"digest:{rep}", None, {"rep_id": rep})
    desk.clock.move(24 * 3600)
    deliver(house, "slack")
    listed = [one for _, leads in desk.slack.digests for one in leads]
    assert sorted(listed) == sorted(set(listed))
    assert set(listed) == cold
    house.effects.add(EffectKind.SLACK_DIGEST, "slack", "digest:1", None, {"rep_id": "1"})
    deliver(house, "slack")
    assert [one for _, leads in desk.slack.digests for one in leads] == listed, "nothing is listed twice"
