"""App Home and the leaderboard: what each role sees, kept up to date for those who look, and its controls."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bots.slack import names
from bots.slack.board import Board
from bots.slack.home import MAX_BLOCKS, HomeTab, bar, home
from bots.slack.notifier import Notifier
from bots.slack.worker import handle
from connector import commands
from connector.bootstrap import House
from connector.commands.policies import publish_policy
from connector.pipeline.deliver import HANDLERS, deliver
from connector.pipeline.homes import PAUSE_S, HomeWatch
from connector.pipeline.leaderboard import ask_leaderboard
from connector.sandbox.slack.blocks import faults_of_blocks, faults_of_view
from connector.storage.effects import LEASE_S
from connector.testing import StandingClock
from leads.enums import ChangeKind, EffectKind, Outcome, Role, Tier
from leads.records import LeadChange
from tests.unit.bots.slack_fakes import FakeSlack, add_lead

ADA = commands.Actor("slack", "UADA", Role.REP, "1")
BOSS = commands.Actor("slack", "UBOSS", Role.MANAGER, None)
ADMIN = commands.Actor("slack", "UADMIN", Role.ADMIN, None)


@pytest.fixture
def sending(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> FakeSlack:
    notifier = Notifier(slack)  # type: ignore[arg-type]
    for kind in (EffectKind.SLACK_CARD, EffectKind.SLACK_DIGEST, EffectKind.SLACK_HOME):
        monkeypatch.setitem(HANDLERS, kind, notifier)
    monkeypatch.setitem(HANDLERS, EffectKind.SLACK_BOARD, Board(notifier.sender))
    return slack


def open_home(house: House, slack: FakeSlack, user: str) -> None:
    event = {"type": "app_home_opened", "user": user, "channel": f"D{user}", "tab": "home"}
    handle(house, {"type": "event_callback", "event_id": "Ev1", "event": event}, slack)  # type: ignore[arg-type]
    deliver(house, "slack")


def press(house: House, slack: FakeSlack, user: str, **action: Any) -> None:
    payload = {
        "type": "block_actions",
        "user": {"id": user},
        "trigger_id": "1.2.x",
        "view": {"id": "V1", "type": "home"},
        "container": {"type": "view", "view_id": "V1"},
        "actions": [action],
    }
    handle(house, payload, slack)  # type: ignore[arg-type]


def said(view: dict[str, Any]) -> str:
    return str(view["blocks"])


def test_a_rep_sees_queue_clocks_share_and_wishes(house: House, clock: StandingClock) -> None:
    first = add_lead(house, clock, "60", "Warm", "w@x.example", Tier.B)
    add_lead(house, clock, "61", "Hot", "h@x.example", Tier.A)
    commands.accept(house, first, ADA)
    view = home(house, ADA, clock.now())
    assert faults_of_view(view) == []
    shown = said(view)
    assert "Your queue (2)" in shown
    assert shown.index("Hot Doe") < shown.index("Warm Doe"), "what is not accepted yet comes first"
    assert "2 of 2 of your team (100%), by weight 33%" in shown
    assert "Unassigned" not in shown


def test_a_manager_and_an_admin_see_theirs(house: House, clock: StandingClock) -> None:
    lead = add_lead(house, clock, "61", "Hot", "h@x.example", Tier.A)
    clock.move(130)
    commands.accept(house, lead, ADA)
    house.deadletters.add("effect", 1, "lead.notify", "Slack refused chat.postMessage: is_archived.")
    manager, admin = home(house, BOSS, clock.now()), home(house, ADMIN, clock.now())
    for view in (manager, admin):
        assert faults_of_view(view) == []
        assert "Unassigned (0)" in said(view)
        assert "accepts in 2m10s" in said(view)
    assert "is_archived" in said(admin).replace("\u02cd", "_")
    assert "Policy" in said(admin)
    assert "Policy" not in said(manager)


def test_a_full_house_fits_into_one_view(house: House, clock: StandingClock) -> None:
    for number in range(60):
        add_lead(house, clock, str(100 + number), "<!channel> " + "ש" * 400, f"l{number}@x.example", Tier.A)
    everything = commands.Actor("slack", "UADA", Role.ADMIN, "1")
    view = home(house, everything, clock.now())
    assert faults_of_view(view) == []
    assert len(view["blocks"]) <= MAX_BLOCKS
    assert "and 45 more" in said(view)


def test_somebody_unknown_is_told_why(house: House, sending: FakeSlack) -> None:
    open_home(house, sending, "USTRANGER")
    assert "I do not know you yet" in said(sending.homes["USTRANGER"])


def test_home_follows_what_happens_for_those_who_opened_it(house: House, sending: FakeSlack, clock: StandingClock) -> None:
    watch = HomeWatch(house)
    add_lead(house, clock, "60", "Warm", "w@x.example", Tier.B)
    assert watch.turn() == 0, "nobody has opened Home"
    open_home(house, sending, "UADA")
    open_home(house, sending, "UBEN")
    clock.move(PAUSE_S)
    watch.turn()
    deliver(house, "slack")
    before = sending.calls.count("publish_home")
    lead = add_lead(house, clock, "61", "Hot", "h@x.example", Tier.A)
    for _ in range(5):
        clock.move(1.0)
        watch.turn()
        deliver(house, "slack")
    assert "Hot Doe" in said(sending.homes["UADA"])
    assert sending.calls.count("publish_home") == before + 2, "Ada's queue and Ben's part of the team's leads, each once"
    commands.accept(house, lead, ADA)
    for number in range(4):  # changes that come fast share a view
        add_lead(house, clock, f"7{number}", "More", f"m{number}@x.example", Tier.B)
        watch.turn()
    clock.move(PAUSE_S)
    watch.turn()
    deliver(house, "slack")
    assert "Your queue (6)" in said(sending.homes["UADA"])
    assert sending.calls.count("publish_home") <= before + 6


POLICY = "name = 'Quarter four'\n[teams.one]\nreps = ['*']\n"


def changes(house: House, clock: StandingClock) -> dict[str, Any]:
    """What is done elsewhere, and what Home says of it: (whose Home, what to do, what is said then)."""
    lead = add_lead(house, clock, "60", "Warm", "w@x.example", Tier.B)
    house.model_versions.add("m-new", {"auc": 0.91})

    def publish() -> None:
        publish_policy(house, POLICY, "Quarter four", commands.Actor("cli", "ops", Role.ADMIN), "new quarter")

    def rename() -> None:
        change = LeadChange("e9", "60", clock.now(), ChangeKind.CHANGED, fields={"first_name": "Renamed"})
        with house.db.transaction():
            house.leads.apply("crm", change, live=True)

    def give_to_ben() -> None:
        add_lead(house, clock, "77", "Other", "o@x.example", Tier.B, "2")

    def champion() -> None:
        house.model_versions.promote("m-new")

    def wait() -> None:
        with house.db.transaction():
            house.effects.add(EffectKind.CRM_LEAD, "elsewhere", "lead:9", lead)

    def fall_due() -> None:
        with house.db.transaction():
            held = house.decisions.open_assignment(lead)
            assert held
            house.timers.start(lead, held.id, {"accept": clock.now() + timedelta(minutes=5)})

    return {
        "policy": ("UADMIN", publish, "Quarter four"),
        "name": ("UADA", rename, "Renamed Doe"),
        "share": ("UADA", give_to_ben, "1 of 2 of your team (50%)"),
        "weight": ("UADA", lambda: house.reps.set("2", {"weight": 2.0}), "by weight 25%"),
        "model": ("UADMIN", champion, "m-new"),
        "outbox": ("UADMIN", wait, "elsewhere: 1"),
        "deadline": ("UADA", fall_due, "due "),
        "letter": ("UADMIN", lambda: house.deadletters.add("effect", 1, "lead.notify", "Slack said no."), "Slack said no."),
    }


@pytest.mark.parametrize("what", ["policy", "name", "share", "weight", "model", "outbox", "deadline", "letter"])
def test_home_is_live_within_five_seconds_of_whatever_it_shows(
    house: House, sending: FakeSlack, clock: StandingClock, what: str
) -> None:
    watch = HomeWatch(house)
    user, change, told = changes(house, clock)[what]
    open_home(house, sending, user)
    settle(house, sending, clock, watch)
    assert told not in said(sending.homes[user])
    change()
    for _ in range(5):
        clock.move(1.0)
        watch.turn()
        deliver(house, "slack")
    assert told in said(sending.homes[user])
    before = sending.calls.count("publish_home")
    settle(house, sending, clock, watch)
    assert sending.calls.count("publish_home") <= before + 1, "a view does not ask for itself"


def settle(house: House, slack: FakeSlack, clock: StandingClock, watch: HomeWatch) -> None:
    """Let everything be delivered, until Home has nothing left to show."""
    for _ in range(4):
        clock.move(PAUSE_S)
        watch.turn()
        deliver(house, "slack")


def test_a_pause_that_ends_by_itself_shows(house: House, sending: FakeSlack, clock: StandingClock) -> None:
    watch = HomeWatch(house)
    house.reps.set("1", {"paused_until": "2026-03-02T13:00:00"})
    open_home(house, sending, "UADA")
    watch.turn()
    deliver(house, "slack")
    assert "*paused* until" in said(sending.homes["UADA"])
    clock.move(3601)
    watch.turn()
    deliver(house, "slack")
    assert "You *get leads*" in said(sending.homes["UADA"])


def test_controls_set_the_reps_wishes(house: House, sending: FakeSlack, clock: StandingClock) -> None:
    open_home(house, sending, "UADA")
    press(house, sending, "UADA", action_id=names.HOME_PAUSE, value="1h")
    press(house, sending, "UADA", action_id=names.HOME_MUTES, selected_options=[{"value": "warm"}])
    press(house, sending, "UADA", action_id=names.HOME_DIGEST, selected_time="15:30")
    press(house, sending, "UADA", action_id=names.HOME_QUIET, selected_option={"value": "20:00-08:00"})
    deliver(house, "slack")
    rep = house.reps.get("1")
    assert rep
    assert rep.settings["mutes"] == ["warm"]
    assert (rep.settings["digest_at"], rep.settings["quiet_hours"]) == ("15:30", "20:00-08:00")
    assert rep.settings["paused_until"] == (clock.now() + timedelta(hours=1)).isoformat(timespec="seconds")
    shown = said(sending.homes["UADA"])
    assert "*paused* until" in shown
    assert "Get leads again" in shown
    assert "'initial_time': '15:30'" in shown
    press(house, sending, "UADA", action_id=names.HOME_RESUME, value="now")
    press(house, sending, "UADA", action_id=names.HOME_MUTES, selected_options=[])
    again = house.reps.get("1")
    assert again
    assert "paused_until" not in again.settings
    assert "mutes" not in again.settings


def test_a_digest_that_waits_goes_out_at_the_hour_that_was_chosen_now(
    house: House, sending: FakeSlack, clock: StandingClock
) -> None:
    open_home(house, sending, "UADA")
    add_lead(house, clock, "62", "Cold", "c@x.example", Tier.D)
    press(house, sending, "UADA", action_id=names.HOME_DIGEST, selected_time="12:30")
    clock.move(1801)
    deliver(house, "slack")
    assert [message.text for message in sending.messages.values()] == ["1 more lead for you to look at"]


def test_a_wish_that_cannot_be_is_answered(house: House, sending: FakeSlack) -> None:
    open_home(house, sending, "UADA")
    press(house, sending, "UADA", action_id=names.HOME_MUTES, selected_options=[{"value": "hot"}])
    assert "cannot mute" in str(sending.whispers)


def test_a_lead_is_shown_in_a_window_and_accepted_from_the_queue(house: House, sending: FakeSlack, clock: StandingClock) -> None:
    lead = add_lead(house, clock, "61", "Hot", "h@x.example", Tier.A)
    open_home(house, sending, "UADA")
    press(house, sending, "UADA", action_id=names.SHOW, value=str(lead))
    (form,) = sending.forms
    assert faults_of_view(form) == []
    press(house, sending, "UADA", action_id=names.ACCEPT, value=str(lead))
    assignment = house.decisions.open_assignment(lead)
    assert assignment
    assert assignment.accepted_at


@pytest.mark.parametrize(("part", "drawn"), [(0.0, "░" * 20), (1.0, "█" * 20), (7.0, "█" * 20), (0.26, "█" * 5 + "░" * 15)])
def test_a_bar(part: float, drawn: str) -> None:
    assert bar(part) == drawn


# ---- the leaderboard


def opted_in(house: House) -> None:
    slack = house.settings.slack.model_copy(update={"leaderboard_channel": "#sales", "leaderboard_at": "mon 09:00"})
    house.settings = house.settings.model_copy(update={"slack": slack})


def test_without_a_channel_there_is_no_leaderboard(house: House) -> None:
    assert not ask_leaderboard(house)


def test_the_leaderboard_is_posted_once_a_week(house: House, sending: FakeSlack, clock: StandingClock) -> None:
    opted_in(house)
    won = add_lead(house, clock, "61", "Hot", "h@x.example", Tier.A)
    clock.move(45)
    commands.accept(house, won, ADA)
    lost = add_lead(house, clock, "62", "Cold", "c@x.example", Tier.D, "2")
    with house.db.transaction():
        house.leads.settle(won, Outcome.WON, clock.now())
        house.leads.settle(lost, Outcome.LOST, clock.now())
    house.db.run("DELETE FROM effect")
    assert ask_leaderboard(house), "it is Monday noon"
    assert not ask_leaderboard(house)
    deliver(house, "slack")
    (post,) = [message for message in sending.messages.values() if message.channel == "CSALES"]
    assert faults_of_blocks(post.blocks) == []
    shown = str(post.blocks)
    assert "1. *Ada Rep* · accepts in *45s*" in shown
    assert "1 won of 1 that ended; 0.9 expected" in shown
    assert "Tier A: 1 of 1 won (100%)" in shown
    clock.move(6 * 86400)
    assert not ask_leaderboard(house)
    clock.move(86400)
    assert ask_leaderboard(house)


def test_who_does_not_want_to_be_on_it_is_not(house: House, sending: FakeSlack, clock: StandingClock) -> None:
    opted_in(house)
    add_lead(house, clock, "61", "Hot", "h@x.example", Tier.A)
    add_lead(house, clock, "62", "Cold", "c@x.example", Tier.D, "2")
    house.reps.set("1", {"mutes": ["leaderboard"]})
    house.db.run("DELETE FROM effect")
    ask_leaderboard(house)
    deliver(house, "slack")
    assert "Ada Rep" not in str(sending.messages)
    assert "Ben Rep" in str(sending.messages)


def test_a_post_in_doubt_is_not_posted_twice(
    house: House, sending: FakeSlack, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    opted_in(house)
    add_lead(house, clock, "61", "Hot", "h@x.example", Tier.A)
    house.db.run("DELETE FROM effect")
    ask_leaderboard(house)
    (taken,) = house.effects.claim("slack")  # a worker that posted, and died before it could say so
    HANDLERS[EffectKind.SLACK_BOARD].deliver(house, taken, False)
    clock.move(LEASE_S + 1)
    deliver(house, "slack")
    assert len(sending.messages) == 1


def test_home_handler_forgets_those_who_never_opened(house: House, slack: FakeSlack, clock: StandingClock) -> None:
    from connector.storage.effects import Effect

    tab = HomeTab(slack)  # type: ignore[arg-type]
    assert tab.deliver(house, Effect(1, EffectKind.SLACK_HOME, "slack", "home:U9", None, {"user": "U9"}), False) == "nobody looks"
