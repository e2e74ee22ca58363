"""How much reaches whom, and when: quiet hours, mutes, digests at the rep's hour, and bursts that become few messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bots.slack.cards import ERASED
from bots.slack.client import NeedsMending, RateLimited
from bots.slack.notifier import TOKEN_WAIT_S, Notifier
from bots.slack.redraw import Redraw
from bots.slack.reminders import Reminders
from bots.slack.threads import Threads
from connector import commands, testing
from connector.bootstrap import House
from connector.pipeline.deliver import HANDLERS, PATIENCE, deliver
from connector.pipeline.ownership import refresh_cards
from connector.pipeline.sla import sweep_clocks
from connector.testing import StandingClock
from leads.enums import EffectKind, Role, Tier
from leads.records import RepRecord
from tests.unit.bots.slack_fakes import FakeSlack, add_lead

BOSS = commands.Actor("slack", "UBOSS", Role.MANAGER, "3")
CHANNELS = {"EMEA": "#emea", "APAC": "#apac", "AMER": "#amer"}


class TimelySlack(FakeSlack):
    """Stamps messages with the clock's time, as Slack does, and notes when each was posted."""

    clock: StandingClock

    def post(self, channel: str, *about: object) -> tuple[str, str]:  # type: ignore[override]
        channel, made = super().post(channel, *about)  # type: ignore[arg-type]
        ts = f"{self.clock.now().timestamp() + len(self.messages) / 1e6:.6f}"
        self.messages[ts] = self.messages.pop(made)
        return channel, ts

    def user_by_email(self, email: str) -> str:
        return f"U{email.partition('@')[0].upper()}"


@pytest.fixture
def slack(clock: StandingClock) -> TimelySlack:
    made = TimelySlack()
    made.clock = clock
    return made


@pytest.fixture
def handlers(slack: TimelySlack, monkeypatch: pytest.MonkeyPatch) -> Notifier:
    notifier = Notifier(slack)  # type: ignore[arg-type]
    for kind in (EffectKind.SLACK_CARD, EffectKind.SLACK_DIGEST, EffectKind.SLACK_ROUNDUP):
        monkeypatch.setitem(HANDLERS, kind, notifier)
    monkeypatch.setitem(HANDLERS, EffectKind.SLACK_REDRAW, Redraw(notifier.sender))
    return notifier


def send(house: House, clock: StandingClock, seconds: int = 0) -> None:
    """Deliver what is due now and in each of the next seconds."""
    deliver(house, "slack")
    for _ in range(seconds):
        clock.move(1.0)
        deliver(house, "slack")


def where(slack: TimelySlack) -> Counter[tuple[str, str]]:
    """(channel, kind of message) → how many."""
    kinds = [(one.channel, one.metadata["event_type"].removeprefix("leadswitch_")) for one in slack.messages.values()]
    return Counter(kinds)


# ---- quiet hours


def test_in_quiet_hours_a_warm_lead_waits_for_their_end_and_a_hot_one_does_not(
    house: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock
) -> None:
    house.reps.set("1", {"quiet_hours": "12:00-14:30", "timezone": "Etc/GMT+1"})  # at 12:00 UTC it is 11:00 there
    clock.move(3600)
    add_lead(house, clock, "60", "Warm", "w@x.example", Tier.B)
    add_lead(house, clock, "61", "Hot", "h@x.example", Tier.A)
    send(house, clock)
    assert where(slack) == {("DUADA", "card"): 1, ("CLEADS", "card"): 1}
    assert "Hot" in str(slack.messages)
    clock.move(2.4 * 3600)
    send(house, clock)
    assert len(slack.messages) == 2
    clock.move(0.11 * 3600)
    send(house, clock)
    assert where(slack)["DUADA", "card"] == 2
    assert house.deadletters.count() == 0


def test_a_house_may_let_hot_leads_wait_too_and_a_lead_that_becomes_hot_does_not_wait(
    house: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock
) -> None:
    silent = house.settings.slack.model_copy(update={"quiet_hours": "10:00-18:00", "hot_in_quiet_hours": False})
    house.settings = house.settings.model_copy(update={"slack": silent})
    lead = add_lead(house, clock, "61", "Hot", "h@x.example", Tier.A)
    send(house, clock)
    assert where(slack) == {("CLEADS", "card"): 1}  # a channel is nobody's night
    house.settings = house.settings.model_copy(update={"slack": silent.model_copy(update={"hot_in_quiet_hours": True})})
    commands.accept(house, lead, commands.Actor("slack", "UADA", Role.REP, "1"))
    send(house, clock)
    assert where(slack)["DUADA", "card"] == 1


def test_a_card_that_stands_is_edited_in_quiet_hours(
    house: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock
) -> None:
    lead = add_lead(house, clock, "60", "Warm", "w@x.example", Tier.B)
    send(house, clock)
    house.reps.set("1", {"quiet_hours": "11:00-13:00"})
    commands.accept(house, lead, commands.Actor("slack", "UADA", Role.REP, "1"))
    send(house, clock)
    assert [message.edits for message in slack.messages.values()] == [1]


# ---- mutes, and the digest's hour


def test_a_rep_who_muted_warm_leads_finds_them_in_the_digest_at_their_hour(
    house: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock
) -> None:
    house.reps.set("1", {"mutes": ["warm"], "digest_at": "15:30", "timezone": "America/New_York"})
    add_lead(house, clock, "60", "Warm", "w@x.example", Tier.B)
    add_lead(house, clock, "62", "Cold", "c@x.example", Tier.D)
    send(house, clock)
    clock.moment = datetime(2026, 3, 2, 20, 29, tzinfo=UTC)
    send(house, clock)
    assert not slack.messages
    clock.move(61)
    send(house, clock)
    (digest,) = slack.messages.values()
    assert digest.text == "2 more leads for you to look at"


def test_a_muted_digest_is_not_sent_and_its_leads_are_still_held(
    house: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock
) -> None:
    house.reps.set("1", {"mutes": ["digest"]})
    lead = add_lead(house, clock, "62", "Cold", "c@x.example", Tier.D)
    clock.move(48 * 3600)
    send(house, clock)
    assert not slack.messages
    assert house.decisions.open_assignment(lead)


@pytest.mark.parametrize(
    ("name", "value"), [("mutes", ["hot"]), ("quiet_hours", "nights"), ("quiet_hours", "8:00-8:00"), ("digest_at", "25:00")]
)
def test_a_wish_that_cannot_be_is_named(house: House, name: str, value: object) -> None:
    from connector.errors import Configuration

    with pytest.raises(Configuration, match=name):
        commands.set_rep(house, "1", {name: value}, BOSS)


# ---- bursts


@pytest.fixture
def crowd(tmp_path: Path, clock: StandingClock) -> Iterator[House]:
    """Twenty reps in four teams."""
    built = testing.house(
        tmp_path / "crowd",
        clock=clock,
        policy=str(tmp_path / "policy.toml"),
        connections={"crm": {"name": "crm", "adapter": "hubspot", "token": "pat"}},
        slack={"bot_token": "xoxb", "channels": CHANNELS, "digest_minutes": 0.5},
    )
    reps = [RepRecord(str(n), f"rep{n}@x.example", f"Rep {n}", True) for n in range(1, 21)]
    built.reps.sync("crm", reps)
    for n in range(1, 21):
        built.reps.set(str(n), {"team": ["", *CHANNELS][n % 4]})
    yield built
    built.close()


def burst(house: House, clock: StandingClock, tiers: list[Tier]) -> dict[int, tuple[Tier, str]]:
    """Leads of these tiers, one after another to each rep; returns lead → (tier, rep)."""
    made = {}
    for number, tier in enumerate(tiers):
        rep = str(number % 20 + 1)
        lead = add_lead(house, clock, str(1000 + number), f"Lead{number}", f"l{number}@x.example", tier, rep)
        made[lead] = (tier, rep)
    return made


@pytest.mark.parametrize("kinds", ["ABCD", "A", "D"])
def test_a_burst_makes_few_messages_to_channels_and_digests_and_names_every_lead(
    crowd: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock, kinds: str
) -> None:
    leads = burst(crowd, clock, [Tier.read(kinds[n % len(kinds)]) for n in range(100)])
    send(crowd, clock, 45)
    counted = where(slack)
    shared = sum(count for (channel, kind), count in counted.items() if channel.startswith("C") or kind == "digest")
    assert shared <= 44, counted  # a digest a rep, and in each of four channels five cards and one message for the rest
    direct = {
        (one.metadata["event_payload"]["lead_id"], one.channel)
        for one in slack.messages.values()
        if one.metadata["event_type"] == "leadswitch_card"
    }
    listed = Counter(
        (lead, one.channel) for one in slack.messages.values() for lead in one.metadata["event_payload"].get("lead_ids", ())
    )
    assert not [what for what, times in listed.items() if times > 1]
    for lead, (tier, rep) in leads.items():
        dm = f"DUREP{rep}"
        if tier in (Tier.A, Tier.B):
            assert (lead, dm) in direct
        else:
            assert listed[lead, dm] == 1
        if tier is Tier.A:
            team = ["", *CHANNELS][int(rep) % 4]
            channel = "C" + (CHANNELS.get(team) or "#leads").strip("#").upper()
            assert ((lead, channel) in direct) != bool(listed[lead, channel]), "in the channel once: a card or a line"
    assert not crowd.deadletters.count()


def test_the_deadlines_of_a_burst_share_a_message_a_place(
    crowd: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(HANDLERS, EffectKind.SLA_ALERT, Reminders(handlers.sender))
    leads = burst(crowd, clock, [Tier.D] * 100)
    places = [*(("remind", "reminded", f"dm:{n}") for n in range(1, 21)), ("alert", "alerted", "channel:#leads")]
    with crowd.db.transaction():
        for stage, result, place in places:
            for lead, (_, rep) in leads.items():
                if place in (f"dm:{rep}", "channel:#leads"):
                    told = {"stage": stage, "result": result, "assignment_id": lead, "rep_id": rep, "destination": place}
                    crowd.effects.add(EffectKind.SLA_ALERT, "slack", f"sla:{lead}:{stage}:{result}:{place}", lead, told)
    send(crowd, clock, 5)
    told = [one for one in slack.messages.values() if one.metadata["event_type"] == "leadswitch_deadline"]
    assert Counter(one.channel for one in told) == Counter(["CLEADS", *(f"DUREP{n}" for n in range(1, 21))])
    channel = next(one for one in told if one.channel == "CLEADS")
    assert channel.text == "100 deadlines need you"
    assert "and 60 more" in str(channel.blocks)
    assert {one.text for one in told} == {"100 deadlines need you", "5 leads wait for you"}
    lead = min(leads)
    late = {"stage": "accept", "result": "missed", "assignment_id": lead, "rep_id": leads[lead][1], "destination": "channel:#leads"}
    with crowd.db.transaction():
        crowd.effects.add(EffectKind.SLA_ALERT, "slack", "sla:late", lead, late)
    send(crowd, clock, 2)
    assert where(slack)["CLEADS", "deadline"] == 1, "edited, not posted"
    assert "has not accepted *Lead0 Doe* in time" in str([one.blocks for one in slack.messages.values() if one.channel == "CLEADS"])
    clock.move(crowd.settings.slack.merge_minutes * 60)
    with crowd.db.transaction():
        crowd.effects.add(EffectKind.SLA_ALERT, "slack", "sla:later", lead, {**late, "stage": "contact"})
    send(crowd, clock, 2)
    assert where(slack)["CLEADS", "deadline"] == 2
    assert not crowd.deadletters.count()


def test_a_lead_in_a_roundup_shows_there_how_it_stands(
    crowd: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock
) -> None:
    leads = burst(crowd, clock, [Tier.A] * 40)
    send(crowd, clock, 20)
    (roundup,) = (
        one for one in slack.messages.values() if one.metadata["event_type"] == "leadswitch_roundup" and one.channel == "CLEADS"
    )
    lead = roundup.metadata["event_payload"]["lead_ids"][0]
    rep = leads[lead][1]
    commands.accept(crowd, lead, commands.Actor("slack", "U1", Role.REP, rep))
    before = len(slack.messages)
    send(crowd, clock, 6)
    (again,) = (
        one for one in slack.messages.values() if one.metadata["event_type"] == "leadswitch_roundup" and one.channel == "CLEADS"
    )
    assert f"Accepted by Rep {rep}" in str(again.blocks)
    assert len(slack.messages) == before


def test_who_would_wait_long_for_a_turn_is_named_in_the_roundup_at_once(
    house: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock
) -> None:
    leads = {add_lead(house, clock, str(200 + number), "Hot", f"h{number}@x.example", Tier.A) for number in range(20)}
    send(house, clock, 8)
    channel = [one for one in slack.messages.values() if one.channel == "CLEADS"]
    named = {lead for one in channel for lead in one.metadata["event_payload"].get("lead_ids", ())}
    carded = {one.metadata["event_payload"]["lead_id"] for one in channel if "lead_id" in one.metadata["event_payload"]}
    assert len(carded) == 5
    assert named | carded == leads
    assert not named & carded


def test_a_roundup_that_somebody_deleted_is_posted_again(
    crowd: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock
) -> None:
    leads = burst(crowd, clock, [Tier.A] * 40)
    send(crowd, clock, 20)
    gone = [ts for ts, one in slack.messages.items() if one.metadata["event_type"] == "leadswitch_roundup"]
    lead = slack.messages[gone[0]].metadata["event_payload"]["lead_ids"][0]
    for ts in gone:
        del slack.messages[ts]
    commands.accept(crowd, lead, commands.Actor("slack", "U1", Role.REP, leads[lead][1]))
    send(crowd, clock, 8)
    named = [one for one in slack.messages.values() if lead in one.metadata["event_payload"].get("lead_ids", ())]
    assert len(named) == 1


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


def test_a_worker_killed_after_posting_a_roundup_does_not_post_it_twice(
    crowd: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    burst(crowd, clock, [Tier.A] * 40)

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(crowd.cards, "place", die)
        with pytest.raises(Killed):
            send(crowd, clock, 60)
    clock.move(91)
    send(crowd, clock, 30)
    named = Counter(
        (lead, one.channel) for one in slack.messages.values() for lead in one.metadata["event_payload"].get("lead_ids", ())
    )
    assert set(named.values()) == {1}


# ---- a lead that was merged, a token that was refused


def test_a_card_asked_for_a_merged_lead_is_the_card_of_the_one_it_became(
    house: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock
) -> None:
    gone = add_lead(house, clock, "70", "Twin", "t1@x.example", Tier.B)
    keep = add_lead(house, clock, "71", "Twin", "t2@x.example", Tier.B)
    send(house, clock)
    assert len(slack.messages) == 2
    with house.db.transaction():
        house.effects.add(EffectKind.SLACK_CARD, "slack", f"card:{gone}:dm:1", gone, {"destination": "dm:1"})
        house.leads.merge(keep, gone)
    send(house, clock)
    assert len(slack.messages) == 2, "no second card of the lead"
    assert house.cards.get(keep, "dm:1")


@pytest.mark.parametrize("code", ["account_inactive", "token_revoked", "invalid_auth"])
def test_a_refused_token_loses_no_alert(
    house: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock, code: str
) -> None:
    add_lead(house, clock, "60", "Warm", "w@x.example", Tier.B)
    slack.failing["post"] = NeedsMending("chat.postMessage", code)
    send(house, clock)
    assert not slack.messages
    assert house.deadletters.count() == 0
    clock.move(TOKEN_WAIT_S + 1)
    send(house, clock)
    assert len(slack.messages) == 1


def test_patience_is_counted_from_the_first_refusal_and_not_from_the_asking(
    house: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock
) -> None:
    """A digest may be asked for long before its hour; being told to wait a minute then is no reason to give it up."""
    with house.db.transaction():
        add_lead(house, clock, "62", "Cold", "c@x.example", Tier.D)
        house.effects.move(EffectKind.SLACK_DIGEST, "digest:1", clock.now() + 2 * PATIENCE)
    clock.move(2 * PATIENCE.total_seconds() + 1)
    slack.failing["post"] = RateLimited("Slack limits chat.postMessage.", 60.0)
    send(house, clock)
    assert (len(slack.messages), house.deadletters.count()) == (0, 0)
    clock.move(61)
    send(house, clock)
    assert where(slack) == {("DUADA", "digest"): 1}


def test_whoever_is_told_to_wait_for_a_whole_day_is_given_up(
    house: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock
) -> None:
    add_lead(house, clock, "60", "Warm", "w@x.example", Tier.B)
    for _ in range(29):
        slack.failing["post"] = RateLimited("Slack limits chat.postMessage.", 3600.0)
        send(house, clock)
        clock.move(3601)
    assert not slack.messages
    (letter,) = house.deadletters.all()
    assert "limits" in letter.error


# ---- what stands is edited, and blanked when a person is erased


def erase(house: House, lead: int) -> None:
    """As the notice of an erasure in the CRM does."""
    with house.db.transaction():
        house.leads.erase(lead)
        refresh_cards(house, lead)
        house.decisions.close(lead, house.clock.now(), "gone")


def test_a_digest_shows_how_its_leads_stand(house: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock) -> None:
    house.reps.set("1", {"digest_at": "12:30", "timezone": "Etc/UTC"})
    for number, name in enumerate(("Taken", "Given", "Stays")):
        add_lead(house, clock, str(60 + number), name, f"{name}@x.example", Tier.D)
    clock.move(1801)
    send(house, clock)
    assert commands.accept(house, 1, commands.Actor("slack", "UADA", Role.REP, "1")).ok
    assert commands.reassign(house, 2, "2", BOSS, "holiday").ok
    clock.move(3600)
    send(house, clock)
    (digest,) = [one for one in slack.messages.values() if one.channel == "DUADA"]
    shown = str(digest.blocks)
    assert digest.edits == 1, "what changed within a few seconds shares an edit"
    assert "Accepted by Ada Rep" in shown
    assert "With *Ben Rep*, not accepted yet" in shown
    assert "With *Ada Rep*" not in shown


def test_nothing_about_an_erased_person_stays_in_digests_roundups_deadlines_threads_or_reminders(
    crowd: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = Threads(handlers.sender)
    for kind, handler in (
        (EffectKind.SLA_ALERT, Reminders(handlers.sender)),
        (EffectKind.SLACK_THREAD, threads),
        (EffectKind.SLACK_REMINDER, threads),
    ):
        monkeypatch.setitem(HANDLERS, kind, handler)
    leads = burst(crowd, clock, [Tier.A] * 40 + [Tier.D] * 20)
    send(crowd, clock, 45)
    hot, cold = min(leads), max(leads)
    for lead, (_, rep) in leads.items():
        if lead in (hot, cold):
            told = {"stage": "accept", "result": "missed", "assignment_id": lead, "rep_id": rep, "destination": f"dm:{rep}"}
            crowd.effects.add(EffectKind.SLA_ALERT, "slack", f"sla:{lead}", lead, told)
            actor = commands.Actor("slack", f"UREP{rep}", Role.REP, rep)
            assert commands.accept(crowd, lead, actor).ok
            assert commands.snooze(crowd, lead, clock.now() + timedelta(minutes=2), actor).ok
    send(crowd, clock, 130)
    everything = str(slack.messages)
    assert "is back" in everything
    assert "has not accepted" in everything
    assert "Accepted by" in everything
    before = len(slack.messages)
    in_roundup = next(iter(one for one in slack.messages.values() if one.metadata["event_type"] == "leadswitch_roundup"))
    rounded = in_roundup.metadata["event_payload"]["lead_ids"][0]
    for lead in (hot, cold, rounded):
        erase(crowd, lead)
    send(crowd, clock, 30)
    for lead in (hot, cold, rounded):
        named = [one for one in slack.messages.values() if f"Lead{lead - 1} Doe" in str(one)]
        assert not named, named
        where_it_stood = {card.ts for card in crowd.cards.of_lead(lead) if card.destination.startswith(("dm:", "channel:"))}
        of_thread = [one for one in slack.messages.values() if one.thread_ts in where_it_stood]
        assert {one.text for one in of_thread} <= {ERASED}
    assert len(slack.messages) == before
    assert not crowd.deadletters.count()


SLA = "".join(f"[sla.{tier}]\nremind_minutes = 2\nalert_minutes = 4\naccept_minutes = 6\n" for tier in "abcd")


def test_a_burst_of_500_leads_with_deadlines_makes_at_most_60_messages_to_channels_and_digests(
    crowd: House, slack: TimelySlack, handlers: Notifier, clock: StandingClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every tier evenly, nobody answers, every clock runs out: cards, roundups, digests, reminders, alerts, missed deadlines."""
    for kind, handler in ((EffectKind.SLA_ALERT, Reminders(handlers.sender)), (EffectKind.SLACK_THREAD, Threads(handlers.sender))):
        monkeypatch.setitem(HANDLERS, kind, handler)
    (tmp_path / "policy.toml").write_text(f"{SLA}[teams.sales]\nreps = ['*']\n")
    leads = burst(crowd, clock, [Tier.read("ABCD"[n % 4]) for n in range(500)])
    send(crowd, clock, 60)
    for _ in range(7):
        clock.move(60)
        sweep_clocks(crowd)
        send(crowd, clock, 10)
    counted = where(slack)
    of_channels = sum(count for (channel, kind), count in counted.items() if channel.startswith("C") and kind != "thread")
    digests = sum(count for (_, kind), count in counted.items() if kind == "digest")
    assert of_channels + digests <= 60, counted
    reminders = Counter(channel for channel, kind in counted.elements() if kind == "deadline" and channel.startswith("D"))
    assert set(reminders.values()) == {1}, "a rep's reminders share one message of their own"
    direct = [one.metadata["event_payload"]["lead_id"] for one in slack.messages.values() if one.channel.startswith("D")
              and one.metadata["event_type"] == "leadswitch_card"]  # fmt: skip
    assert Counter(direct) == Counter([lead for lead, (tier, _) in leads.items() if tier in (Tier.A, Tier.B)]), (
        "no hot lead dropped"
    )
    assert not crowd.deadletters.count()
