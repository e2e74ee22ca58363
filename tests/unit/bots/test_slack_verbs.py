"""Every verb of the command, and the buttons and forms behind it: what they read and change, and the sentence for what is wrong."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from bots.slack import names
from bots.slack.client import NeedsMending, Refused
from bots.slack.grammar import HELP, VERBS
from bots.slack.listeners.commands import leads, lists
from bots.slack.worker import handle
from connector import commands
from connector.bootstrap import House
from connector.commands import bulks, search
from connector.commands.policies import publish_policy
from connector.errors import Retriable
from connector.pipeline.identity import near_tokens
from connector.testing import StandingClock
from leads.enums import Outcome, Role, Tier
from leads.records import RepRecord
from tests.unit.bots.slack_fakes import FakeSlack, add_lead
from tests.unit.bots.test_slack_worker import chosen, click, command, holder, note, submit


def rep(house: House, number: str) -> dict[str, Any]:
    found = house.reps.get(number)
    assert found is not None
    return dict(found.settings)


def configure(house: House, **slack: Any) -> None:
    """Another setting of Slack; settings themselves do not change."""
    object.__setattr__(house.settings, "slack", house.settings.slack.model_copy(update=slack))


def shown(slack: FakeSlack) -> str:
    """The blocks of the one answer."""
    (answer,) = slack.answers
    slack.answers.clear()
    return json.dumps(answer.get("blocks"), ensure_ascii=False)


def select(action: str, value: str, user: str = "UADA") -> dict[str, Any]:
    made = click(action, "", user)
    made["actions"][0] = {"action_id": action, "type": "static_select", "selected_option": {"value": value}}
    return made


# -- the whole list


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_answers_and_tells_its_usage(house: House, slack: FakeSlack, lead: int, verb: str) -> None:
    handle(house, command(verb, user="UADMIN"), slack)
    assert slack.answers or slack.forms
    slack.answers.clear()
    handle(house, command(f"help {verb}"), slack)
    assert HELP[verb][0].partition(" ")[0] in slack.said  # type: ignore[index]


def test_the_name_of_the_command_is_a_setting(house: House, slack: FakeSlack) -> None:
    configure(house, command="/prospect")
    handle(house, command("wyh"), slack)
    assert "`/prospect why`" in slack.said


# -- availability


def test_a_rep_who_was_paused_by_a_date_alone_can_resume(house: House, slack: FakeSlack) -> None:
    """As the command line's own example sets it."""
    house.reps.set("1", {"paused_until": "2099-01-07"})
    handle(house, command("resume"), slack)
    assert "again" in slack.said
    rep = house.reps.get("1")
    assert rep is not None
    assert "paused_until" not in rep.settings


def test_a_rep_pauses_and_resumes_in_their_own_zone(house: House, slack: FakeSlack, clock: StandingClock) -> None:
    slack.zones["UADA"] = "America/New_York"
    handle(house, command("pause until tomorrow because dentist"), slack)
    assert "You get no new leads until <!date" in slack.said
    assert datetime.fromisoformat(rep(house, "1")["paused_until"]).isoformat() == "2026-03-03T05:00:00+00:00"
    handle(house, command("resume"), slack)
    assert slack.said == "You get new leads again."
    assert "paused_until" not in rep(house, "1")
    handle(house, command("resume"), slack)
    assert slack.said == "You are not paused."
    handle(house, command("pause"), slack)
    assert "until somebody resumes" in slack.said


def test_a_manager_pauses_somebody_else_and_a_rep_does_not(house: House, slack: FakeSlack) -> None:
    handle(house, command("pause ben@x.example for 2 hours", user="UBOSS"), slack)
    assert "Ben Rep gets no new leads" in slack.said
    handle(house, command("resume ben", user="UADA"), slack)
    assert slack.said == "Only Ben Rep, a manager or an admin can do that."
    assert "paused_until" in rep(house, "2")


def add_simon(house: House) -> None:
    """A rep whose name holds a day."""
    people = [*((one.external_id, one.email, one.name) for one in house.reps.all()), ("4", "simon@x.example", "Simon Rep")]
    house.reps.sync("crm", [RepRecord(number, email, name, True) for number, email, name in people])


@pytest.mark.parametrize(("typed", "paused"), [("pause mon", "3"), ("pause simon", "4"), ("pause simon mon", "4")])
def test_a_day_is_no_part_of_a_name(house: House, slack: FakeSlack, typed: str, paused: str) -> None:
    add_simon(house)
    handle(house, command(typed, user="UBOSS"), slack)
    assert "no new leads until" in slack.said
    assert [one.id for one in house.reps.all() if one.settings.get("paused_until")] == [paused]


def test_part_of_a_word_names_nobody(house: House, slack: FakeSlack) -> None:
    add_simon(house)
    handle(house, command("pause imo until friday", user="UBOSS"), slack)
    assert slack.said.startswith("No active rep is called imo")


def test_a_name_may_stand_before_days_and_numbers(house: House, slack: FakeSlack) -> None:
    for typed in ("caps Ben Rep 20", "pto Ben 24 Dec to 2 Jan", "pto ben rep 3 Feb"):
        handle(house, command(typed, user="UBOSS"), slack)
        assert slack.said.startswith("Ben Rep")
    assert rep(house, "2")["capacity"] == 20
    assert len(rep(house, "2")["pto"]) == 2
    handle(house, command("pto ben clear", user="UBOSS"), slack)
    assert slack.said == "Ben Rep has no days off any more."


def test_dates_are_of_the_zone_of_whom_they_are_for(house: House, slack: FakeSlack) -> None:
    house.reps.set("2", {"timezone": "Asia/Tokyo"})
    slack.zones["UBOSS"] = "America/New_York"
    handle(house, command("pto ben 24 Dec", user="UBOSS"), slack)
    assert slack.said
    assert rep(house, "2")["pto"] == [["2026-12-23T15:00:00+00:00", "2026-12-24T15:00:00+00:00"]]


def test_a_lead_is_put_off_to_a_morning_of_whoever_holds_it(house: House, slack: FakeSlack, lead: int) -> None:
    house.reps.set("1", {"timezone": "Asia/Tokyo"})
    slack.zones["UBOSS"] = "America/New_York"
    handle(house, select(names.SNOOZE, f"tomorrow:{lead}", user="UBOSS"), slack)
    assert slack.said.startswith("Snoozed.")
    snoozed = house.snoozes.open(lead)
    assert snoozed is not None
    assert (snoozed.until.hour, snoozed.until.minute) == (0, 0), "nine in Tokyo"


def test_a_moment_that_cannot_be_read_changes_nothing(house: House, slack: FakeSlack) -> None:
    handle(house, command("pause until whenever"), slack)
    assert "I cannot read that date" in slack.said
    assert "paused_until" not in rep(house, "1")


def test_days_off_by_words_and_by_form(house: House, slack: FakeSlack) -> None:
    handle(house, command("pto 24 Dec to 2 Jan"), slack)
    assert "from <!date" in slack.said
    handle(house, command("pto"), slack)
    (form,) = slack.forms
    dates = {
        names.FIRST_DAY: {names.FIRST_DAY: {"type": "datepicker", "selected_date": "2026-04-01"}},
        names.LAST_DAY: {names.LAST_DAY: {"type": "datepicker", "selected_date": "2026-04-03"}},
    }
    handle(house, submit(form, dates), slack)
    slack.answers.clear()
    assert [span[0][:10] for span in rep(house, "1")["pto"]] == ["2026-04-01", "2026-12-24"]
    swapped = {
        names.FIRST_DAY: {names.FIRST_DAY: {"selected_date": "2026-04-03"}},
        names.LAST_DAY: {names.LAST_DAY: {"selected_date": "2026-04-01"}},
    }
    handle(house, submit(form, swapped), slack)
    assert "before the first" in slack.said
    handle(house, command("pto clear"), slack)
    assert "no days off" in slack.said
    assert "pto" not in rep(house, "1")


def test_caps_are_shown_to_reps_and_set_by_managers(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, command("caps"), slack)
    assert slack.said.startswith("You hold 1 open lead.")
    handle(house, command("caps 5"), slack)
    assert slack.said.startswith("Only managers")
    handle(house, command("caps ada@x.example 5", user="UBOSS"), slack)
    assert rep(house, "1")["capacity"] == 5
    slack.answers.clear()
    handle(house, command("caps ada@x.example", user="UBOSS"), slack)
    (form,) = slack.forms
    values = {cap: {cap: {"value": number}} for cap, number in (("capacity", None), ("per_day", "7"))}
    handle(house, submit(form, values, user="UBOSS"), slack)
    assert rep(house, "1") == {"per_day": 7}
    slack.answers.clear()
    handle(house, submit(form, values, user="UADA"), slack)
    assert slack.said.startswith("Only managers")


# -- lists


def test_a_queue_and_a_bulk_say_when_they_do_not_hold_all(
    house: House, slack: FakeSlack, clock: StandingClock, lead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "LOOKED_AT", 1)
    monkeypatch.setattr(leads, "MOST", 2)
    monkeypatch.setattr(bulks, "MOST", 2)
    for number in range(2):
        add_lead(house, clock, f"9{number}", "Carl", f"c{number}@x.example")
    handle(house, command("queue"), slack)
    said = shown(slack)
    assert "3 open leads" in said
    assert "and 2 more; the most urgent of the 1 held longest" in said
    handle(house, command("reassign all of ada to ben", user="UBOSS"), slack)
    assert "Move the 2 oldest open leads of *Ada Rep*" in shown(slack)


def test_the_queue_shows_what_is_most_urgent_first(house: House, slack: FakeSlack, clock: StandingClock, lead: int) -> None:
    cold = add_lead(house, clock, "52", "Carl", "carl@x.example", Tier.C)
    handle(house, command("queue"), slack)
    said = shown(slack)
    assert said.index("Jane Doe") < said.index("Carl Doe")
    handle(house, command("queue ada", user="UBEN"), slack)
    assert slack.said.startswith("Only managers")
    handle(house, command("queue ada", user="UBOSS"), slack)
    assert f'"{cold}"' in shown(slack)


def test_the_pool_is_claimed_from(house: House, slack: FakeSlack, clock: StandingClock, lead: int) -> None:
    handle(house, command("pool"), slack)
    assert "each has its rep" in slack.said
    with house.db.transaction():
        house.decisions.close(lead, clock.now(), "gone")
        house.leads.set_owner(lead, None, pinned=False)
        house.waiting.put(lead, "everyone", Tier.A, clock.now())
    handle(house, command("pool"), slack)
    assert names.CLAIM in shown(slack)
    handle(house, click(names.CLAIM, lead, user="UBEN"), slack)
    assert slack.said == "Jane Doe is yours."
    handle(house, click(names.CLAIM, lead), slack)
    assert slack.said == "Jane Doe was taken by Ben Rep."


def test_an_answer_is_shared_only_on_purpose(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, command(f"show {lead} --share"), slack)
    (answer,) = slack.answers
    assert answer["response_type"] == "in_channel"
    slack.answers.clear()
    for text in (f"show {lead}", "show Market Share"):
        handle(house, command(text), slack)
        assert slack.answers.pop()["response_type"] == "ephemeral"


# -- the engine


def test_rules_model_health_replay_and_simulate_tell_what_is_there(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, command("rules"), slack)
    assert house.policy.version in slack.said
    handle(house, command("model"), slack)
    assert "scored by rules" in slack.said
    handle(house, command("health", user="UADMIN"), slack)
    assert "All is well" in slack.said
    handle(house, command("health"), slack)
    assert slack.said.startswith("Only admins")
    decision = house.decisions.newest(lead)
    assert decision is not None
    handle(house, command(f"replay {decision.id}", user="UBOSS"), slack)
    assert "It comes out the same" in slack.said
    handle(house, command("replay jane@acme.example", user="UBOSS"), slack)
    assert f"Decision {decision.id}" in slack.said
    handle(house, command("replay 1"), slack)
    assert slack.said.startswith("Only managers")
    handle(house, command("simulate 7", user="UBOSS"), slack)
    assert house.policy.version in slack.said
    handle(house, command("simulate forever", user="UBOSS"), slack)
    assert "Write a number" in slack.said


# -- why not me


def test_why_tells_the_one_verdict_on_whoever_asks(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, command(f"why {lead}"), slack)
    assert "*You*: chosen" in shown(slack)
    handle(house, command(f"why {lead}", user="UBEN"), slack)
    said = shown(slack)
    assert said.count("*You*: ") == 1
    assert "*You*: chosen" not in said


# -- the buttons


def test_snooze_takes_the_chosen_time_and_undo_takes_it_back(
    house: House, slack: FakeSlack, clock: StandingClock, lead: int
) -> None:
    slack.zones["UADA"] = "Europe/Berlin"
    handle(house, select(names.SNOOZE, f"tomorrow:{lead}"), slack)
    assert slack.said.startswith("Snoozed. It comes back <!date")
    snoozed = house.snoozes.open(lead)
    assert snoozed is not None
    assert snoozed.until.isoformat() == "2026-03-03T08:00:00+00:00"
    handle(house, select(names.SNOOZE, f"1h:{lead}", user="UBEN"), slack)
    assert slack.said == "This lead is Ada Rep's: only Ada Rep, a manager or an admin can snooze it."
    handle(house, select(names.SNOOZE, f"never:{lead}"), slack)
    assert "do not know that time" in slack.said
    handle(house, command("undo"), slack)
    assert slack.said == "Undone: Jane Doe is back."
    assert house.snoozes.open(lead) is None


def test_an_outcome_is_logged_through_its_form(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, click(names.OUTCOME, lead), slack)
    (form,) = slack.forms
    handle(house, submit(form, {**chosen(names.REASON, "won"), **note("signed today")}), slack)
    assert slack.said == "Jane Doe: won. Written down here and in the CRM."
    stored = house.leads.get(lead)
    assert stored is not None
    assert stored.outcome is Outcome.WON
    handle(house, click(names.OUTCOME, lead), slack)
    handle(house, submit(slack.forms[-1], {**chosen(names.REASON, "perhaps")}), slack)
    assert slack.said == "Please choose what came of it."


def test_an_outcome_form_of_a_lead_that_was_closed_since_changes_nothing(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, click(names.OUTCOME, lead), slack)
    stale = slack.forms[-1]
    handle(house, submit(stale, {**chosen(names.REASON, "won"), **note(None)}), slack)
    slack.answers.clear()
    handle(house, submit(stale, {**chosen(names.REASON, "lost"), **note(None)}), slack)
    assert slack.said == "While the form was open this lead was closed (won). Nothing was changed."
    found = house.leads.get(lead)
    assert found is not None
    assert found.outcome is Outcome.WON
    handle(house, click(names.OUTCOME, lead), slack)  # whoever sees that it is closed may correct it
    handle(house, submit(slack.forms[-1], {**chosen(names.REASON, "lost"), **note(None)}), slack)
    assert "Jane Doe" in slack.said


def test_wrong_score_becomes_a_label_also_from_who_does_not_hold_the_lead(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, click(names.MORE, f"{names.WRONG}:{lead}", user="UBEN"), slack)
    (form,) = slack.forms
    handle(house, submit(form, {**chosen(names.REASON, "too_high"), **note("a student of mine")}, user="UBEN"), slack)
    assert slack.said.startswith("Thank you")
    (said,) = house.feedback.labels().values()
    assert (said.kind, said.value, said.label, said.lead_id) == ("wrong_score", "too_high", Outcome.LOST, lead)


def test_the_reassign_form_shows_load_and_warns_of_who_is_not_eligible(house: House, slack: FakeSlack, lead: int) -> None:
    boss = commands.actor_for_slack(house, "UBOSS", "boss@x.example")
    commands.set_rep(house, "2", {"paused_until": "2026-12-01T00:00:00+00:00"}, boss)
    handle(house, click(names.MORE, f"{names.REASSIGN}:{lead}", user="UBOSS"), slack)
    form = slack.forms[-1]
    offered = json.dumps(form["blocks"][1], ensure_ascii=False)
    assert "Bo Boss · 0 open" in offered
    assert "⚠ availability" in offered
    chose = {
        **select(names.REP, "2", user="UBOSS"),
        "view": {"id": "V1", "private_metadata": form["private_metadata"], "callback_id": form["callback_id"]},
    }
    handle(house, chose, slack)
    assert slack.calls[-1] == "update_form"
    assert "You can still choose them" in json.dumps(slack.forms[-1], ensure_ascii=False)
    values = {**chosen(names.REP, "2"), **chosen(names.CAUSE, "relationship"), **note("old friends")}
    handle(house, submit(form, values, user="UBOSS"), slack)
    assert slack.said == "Jane Doe goes to Ben Rep."
    (said,) = [one for one in house.feedback.of_lead(lead) if one.kind == "override"]
    assert said.value == "relationship"


def test_a_warning_for_a_form_that_was_closed_hurts_nobody(house: House, slack: FakeSlack, lead: int) -> None:
    slack.failing["update_form"] = Refused("views.update", "not_found")
    view = {"id": "V1", "private_metadata": json.dumps({"lead_id": lead})}
    handle(house, {**select(names.REP, "2", user="UBOSS"), "view": view}, slack)
    handle(house, {**select(names.REP, "2", user="UBOSS"), "view": {"id": "V1", "private_metadata": "x"}}, slack)
    assert slack.answers == []


def test_a_pass_keeps_its_reason_as_feedback_on_the_decision(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, click(names.PASS_ON, lead), slack)
    handle(house, submit(slack.forms[0], {**chosen(names.REASON, "not_a_fit"), **note(None)}), slack)
    assert slack.said.startswith("Passed.")
    (said,) = [one for one in house.feedback.of_lead(lead) if one.kind == "passed"]
    assert (said.value, said.label) == ("not_a_fit", Outcome.LOST)
    assert said.decision_id is not None


# -- many leads


def test_all_leads_of_a_rep_move_after_a_yes(house: House, slack: FakeSlack, clock: StandingClock, lead: int) -> None:
    add_lead(house, clock, "52", "Carl", "carl@x.example")
    handle(house, command("reassign all of ada to ben because she left", user="UADA"), slack)
    assert slack.said.startswith("Only managers")
    handle(house, command("reassign all of ada to ben because she left", user="UBOSS"), slack)
    (answer,) = slack.answers
    slack.answers.clear()
    assert "2 open leads of *Ada Rep* to *Ben Rep*" in json.dumps(answer["blocks"])
    yes = answer["blocks"][1]["elements"][0]
    assert holder(house, lead) == "1"
    handle(house, click(names.BULK_YES, yes["value"], user="UBOSS"), slack)
    assert slack.said.startswith("2 of 2 leads moved")
    assert holder(house, lead) == "2"
    handle(house, click(names.BULK_YES, yes["value"], user="UBOSS"), slack)
    assert slack.said == "This was decided already."
    handle(house, command("undo", user="UBOSS"), slack)
    assert slack.said == "Undone for 2 of 2 leads."
    assert holder(house, lead) == "1"


def test_many_leads_want_an_approval_in_the_channel(house: House, slack: FakeSlack, clock: StandingClock, lead: int) -> None:
    for number in range(60, 71):
        add_lead(house, clock, str(number), "Carl", f"c{number}@x.example")
    handle(house, command("reassign all of ada to ben", user="UBOSS"), slack)
    value = slack.answers.pop()["blocks"][1]["elements"][0]["value"]
    handle(house, click(names.BULK_YES, value, user="UBOSS"), slack)
    assert "approval of another manager" in slack.said
    (asked,) = slack.messages.values()
    assert asked.channel == "CLEADS"
    handle(house, click(names.BULK_APPROVE, value, user="UBOSS"), slack)
    assert slack.said.startswith("Somebody else has to approve")
    assert holder(house, lead) == "1"
    handle(house, click(names.BULK_APPROVE, value, user="UADMIN"), slack)
    assert slack.said.startswith("12 of 12 leads moved")
    assert holder(house, lead) == "2"


def ask_for_many(house: House, slack: FakeSlack, clock: StandingClock) -> str:
    """Twelve leads of Ada's are to go to Ben; the value of the buttons."""
    for number in range(60, 71):
        add_lead(house, clock, str(number), "Carl", f"c{number}@x.example")
    handle(house, command("reassign all of ada to ben", user="UBOSS"), slack)
    value = str(slack.answers.pop()["blocks"][1]["elements"][0]["value"])
    handle(house, click(names.BULK_YES, value, user="UBOSS"), slack)
    slack.answers.clear()
    return value


def pressed(action: str, value: str, ts: str, user: str = "UADMIN") -> dict[str, Any]:
    """A click on a message that others see, too."""
    return {**click(action, value, user), "container": {"type": "message", "message_ts": ts, "is_ephemeral": False}}


@pytest.mark.parametrize(
    ("action", "left"),
    [
        (names.BULK_APPROVE, "Approved by <@UADMIN>. 12 of 12 leads moved"),
        (names.BULK_NO, "Declined by <@UADMIN>. Declined. No lead"),
    ],
)
def test_who_was_asked_sees_how_it_ended_and_finds_nothing_to_press(
    house: House, slack: FakeSlack, clock: StandingClock, lead: int, action: str, left: str
) -> None:
    value = ask_for_many(house, slack, clock)
    ((ts, asked),) = slack.messages.items()
    handle(house, pressed(action, value, ts, "UBOSS" if action == names.BULK_APPROVE else "UBEN"), slack)
    assert slack.messages[ts] is asked, "who may not decide it leaves it as it is"
    slack.answers.clear()
    handle(house, pressed(action, value, ts), slack)
    assert left in str(slack.messages[ts].blocks)
    assert "button" not in str(slack.messages[ts].blocks)
    assert slack.said


def test_a_request_that_somebody_deleted_is_decided_all_the_same(
    house: House, slack: FakeSlack, clock: StandingClock, lead: int
) -> None:
    value = ask_for_many(house, slack, clock)
    ts = next(iter(slack.messages))
    slack.messages.clear()
    handle(house, pressed(names.BULK_APPROVE, value, ts), slack)
    assert slack.said.startswith("12 of 12 leads moved")


def test_a_lead_that_went_on_before_the_approval_stays_where_it_is(
    house: House, slack: FakeSlack, clock: StandingClock, lead: int
) -> None:
    value = ask_for_many(house, slack, clock)
    handle(house, command(f"reassign {lead} to bo", user="UBOSS"), slack)
    slack.answers.clear()
    handle(house, click(names.BULK_APPROVE, value, user="UADMIN"), slack)
    assert slack.said.startswith("11 of 12 leads moved")
    assert holder(house, lead) == "3"


@pytest.mark.parametrize(("press", "user"), [(names.BULK_APPROVE, "UADMIN"), (names.BULK_YES, "UBOSS")])
def test_what_was_asked_for_more_than_a_day_ago_is_not_done(
    house: House, slack: FakeSlack, clock: StandingClock, lead: int, press: str, user: str
) -> None:
    value = ask_for_many(house, slack, clock)
    clock.move(25 * 3600)
    handle(house, click(press, value, user=user), slack)
    assert "more than a day ago" in slack.said
    assert holder(house, lead) == "1"


def test_a_bulk_that_was_stopped_half_way_goes_on_and_gives_nothing_twice(
    house: House, slack: FakeSlack, clock: StandingClock, lead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    value, moved = ask_for_many(house, slack, clock), commands.reassign

    def stopped(house: House, lead_id: int, *args: Any, **more: Any) -> object:
        if lead_id > 6:
            raise Retriable("The database did not answer.")
        return moved(house, lead_id, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr("connector.commands.bulks.reassign", stopped)
        with pytest.raises(Retriable):
            handle(house, click(names.BULK_APPROVE, value, user="UADMIN"), slack)
    clock.move(25 * 3600)  # what has begun is ended, however late
    handle(house, click(names.BULK_APPROVE, value, user="UADMIN"), slack)
    assert slack.said.startswith("12 of 12 leads moved")
    handle(house, click(names.BULK_APPROVE, value, user="UADMIN"), slack)
    assert slack.said == "This was decided already."
    assert all(len(house.decisions.history(one)) == 2 for one in range(lead, lead + 12))


def test_approval_is_asked_for_once(house: House, slack: FakeSlack, clock: StandingClock, lead: int) -> None:
    value = ask_for_many(house, slack, clock)
    handle(house, click(names.BULK_YES, value, user="UBOSS"), slack)
    assert "already" in slack.said
    assert len(slack.messages) == 1


# -- who may


def test_user_groups_give_roles(house: House, slack: FakeSlack, lead: int) -> None:
    configure(house, manager_groups=("@sales-leads",))
    handle(house, command(f"reassign {lead} to ben", user="UADA"), slack)
    assert slack.said.startswith("Only managers")
    slack.groups["@sales-leads"] = ("UADA",)
    handle(house, command(f"reassign {lead} to ben", user="UADA"), slack)
    assert slack.said.startswith("Jane Doe goes to Ben Rep.")


def test_without_the_scope_for_groups_nobody_gets_a_role_and_everything_else_works(
    house: House, slack: FakeSlack, lead: int
) -> None:
    configure(house, manager_groups=("@sales-leads",))
    slack.failing["in_group"] = NeedsMending("usergroups.list", "missing_scope")
    handle(house, command(f"show {lead}", user="UADA"), slack)
    assert "Jane Doe" in shown(slack)


def test_somebody_unknown_asks_to_be_linked_and_an_admin_agrees(house: House, slack: FakeSlack, lead: int) -> None:
    slack.users["UNEW"] = "ada.private@mail.example"
    handle(house, command(f"show {lead}", user="UNEW"), slack)
    assert names.LINK_ASK in shown(slack)
    handle(house, click(names.LINK_ASK, "me", user="UNEW"), slack)
    form = slack.forms[-1]
    handle(house, submit(form, chosen(names.REP, "1"), user="UNEW"), slack)
    slack.answers.clear()
    assert house.reps.by_slack("UNEW") is None, "not before an admin agrees"
    (asked,) = slack.messages.values()
    assert asked.channel == "DUADMIN"
    value = asked.blocks[1]["elements"][0]["value"]
    handle(house, click(names.LINK_YES, value, user="UBOSS"), slack)
    assert slack.said.startswith("Only admins")
    handle(house, click(names.LINK_YES, value, user="UADMIN"), slack)
    assert slack.said == "Ada Rep is linked."
    handle(house, click(names.ACCEPT, lead, user="UNEW"), slack)
    assert slack.said == "Jane Doe is yours."
    assert "rep.linked" in [entry.action for entry in house.audit.entries()]


def test_an_old_approval_takes_no_rep_away_from_anybody(house: House, slack: FakeSlack) -> None:
    house.reps.link_slack("2", "UBEN")
    handle(house, click(names.LINK_YES, "2/UNEW", user="UADMIN"), slack)
    assert slack.said.startswith("Ben Rep is linked to somebody else meanwhile")
    handle(house, click(names.LINK_YES, "1/UBEN", user="UADMIN"), slack)
    assert slack.said.startswith("That person is linked to Ben Rep meanwhile")
    assert [getattr(house.reps.by_slack(user), "id", None) for user in ("UNEW", "UBEN", "UADA")] == [None, "2", None]


def test_an_address_links_whom_nobody_is_linked_to_and_that_is_kept(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, click(names.ACCEPT, lead), slack)
    assert slack.said == "Jane Doe is yours."
    assert [entry.actor for entry in house.audit.entries() if entry.action == "rep.linked"] == ["slack:UADA"]
    slack.users["UTHIEF"] = "ada@x.example"
    handle(house, click(names.PASS_ON, lead, user="UTHIEF"), slack)
    assert slack.said.startswith("I do not know you yet")
    ada = house.reps.by_slack("UADA")
    assert ada is not None
    assert ada.id == "1"


def test_admins_by_group_are_asked_to_link(house: House, slack: FakeSlack) -> None:
    configure(house, admins=(), admin_groups=("@admins",))
    slack.groups["@admins"] = ("UBEN", "UBOSS")
    slack.users["UNEW"] = "ada.private@mail.example"
    handle(house, click(names.LINK_ASK, "me", user="UNEW"), slack)
    handle(house, submit(slack.forms[-1], chosen(names.REP, "1"), user="UNEW"), slack)
    assert [message.channel for message in slack.messages.values()] == ["DUBEN", "DUBOSS"]


@pytest.mark.parametrize("value", ["1", "1/", "1/<!channel>", "x/UNEW", "99/UNEW"])
def test_a_made_up_link_request_links_nobody(house: House, slack: FakeSlack, value: str) -> None:
    handle(house, click(names.LINK_YES, value, user="UADMIN"), slack)
    assert slack.said.endswith((".", "again."))
    assert house.reps.by_slack("UNEW") is None


# -- what cannot be


@pytest.mark.parametrize(
    "action", [names.PASS_ON, names.OUTCOME, f"{names.MORE}", names.SNOOZE, names.CLAIM, names.BULK_YES, names.LINK_YES]
)
@pytest.mark.parametrize("value", ["", "x", "999999", "12345678901234567890", "why:", "1h:", "1h:x", "\u0661"])
def test_a_made_up_value_gets_a_sentence(house: House, slack: FakeSlack, lead: int, action: str, value: str) -> None:
    handle(house, click(action, value, user="UADMIN"), slack)
    assert slack.said.endswith(".")


@pytest.mark.parametrize("form", [names.PTO_FORM, names.CAPS_FORM, names.OUTCOME_FORM, names.WRONG_FORM, names.LINK_FORM])
def test_a_made_up_form_gets_a_sentence(house: House, slack: FakeSlack, lead: int, form: str) -> None:
    made = {
        "callback_id": form,
        "private_metadata": json.dumps({"channel": "C1", "rep_id": "77", "lead_id": lead, "owner_id": "1"}),
    }
    handle(house, submit(made, {"x": {"y": None}}, user="UADMIN"), slack)
    assert len(slack.whispers) == 1
    assert slack.whispers[0][2].endswith(".")


def test_a_deactivated_rep_is_refused_with_a_sentence_everywhere(house: House, slack: FakeSlack, lead: int) -> None:
    house.reps.link_slack("1", "UADA")
    house.reps.set("1", {"active": False})
    for request in (command("queue"), command("pause"), click(names.ACCEPT, lead), select(names.SNOOZE, f"1h:{lead}")):
        handle(house, request, slack)
        assert "not an active rep" in slack.said


def test_a_form_after_the_lead_was_reassigned_changes_nothing(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, click(names.OUTCOME, lead), slack)
    boss = commands.actor_for_slack(house, "UBOSS", "boss@x.example")
    assert commands.reassign(house, lead, "2", boss, "holiday").ok
    handle(house, submit(slack.forms[0], chosen(names.REASON, "lost")), slack)
    assert slack.said == "While the form was open this lead went to Ben Rep. Nothing was changed."
    stored = house.leads.get(lead)
    assert stored is not None
    assert stored.outcome is Outcome.OPEN


def test_a_form_that_comes_too_late_says_so(house: House, slack: FakeSlack, lead: int) -> None:
    for request in (click(names.OUTCOME, lead), command("pto"), command("caps ada", user="UBOSS")):
        slack.failing["open_form"] = Refused("views.open", "expired_trigger_id")
        handle(house, request, slack)
        assert "press again" in slack.said


def test_a_large_bulk_that_cannot_be_asked_for_moves_nothing_and_says_why(
    house: House, slack: FakeSlack, clock: StandingClock, lead: int
) -> None:
    for number in range(60, 71):
        add_lead(house, clock, str(number), "Carl", f"c{number}@x.example")
    handle(house, command("reassign all of ada to ben", user="UBOSS"), slack)
    value = slack.answers.pop()["blocks"][1]["elements"][0]["value"]
    slack.failing["post"] = NeedsMending("chat.postMessage", "not_in_channel")
    handle(house, click(names.BULK_YES, value, user="UBOSS"), slack)
    assert "/invite" in slack.said
    handle(house, click(names.BULK_APPROVE, value, user="UADMIN"), slack)
    assert slack.said == "This was decided already."
    assert holder(house, lead) == "1"


def test_asking_for_approval_is_tried_again_after_a_trouble_that_passes(
    house: House, slack: FakeSlack, clock: StandingClock, lead: int
) -> None:
    for number in range(60, 71):
        add_lead(house, clock, str(number), "Carl", f"c{number}@x.example")
    handle(house, command("reassign all of ada to ben", user="UBOSS"), slack)
    value = slack.answers.pop()["blocks"][1]["elements"][0]["value"]
    slack.failing["post"] = Retriable("Slack limits chat.postMessage.", 1.0)
    with pytest.raises(Retriable):
        handle(house, click(names.BULK_YES, value, user="UBOSS"), slack)
    assert slack.messages == {}
    handle(house, click(names.BULK_YES, value, user="UBOSS"), slack)  # the queue tries again
    assert len(slack.messages) == 1


def test_what_was_done_is_not_done_twice_when_its_answer_cannot_be_given(house: House, slack: FakeSlack, lead: int) -> None:
    for request in (command("pause for 2 hours"), select(names.SNOOZE, f"1h:{lead}"), command("undo")):
        slack.failing["respond"] = Retriable("Slack cannot be reached.")
        handle(house, request, slack)
    assert house.snoozes.open(lead) is None
    assert "paused_until" in rep(house, "1"), "one undo takes back one act"


# -- simulating another policy


def publish(house: House, name: str, reps: str) -> str:
    text = f"name = '{name}'\n[teams.one]\nreps = [{reps}]\n"
    return publish_policy(house, text, name, commands.Actor("cli", "ops", Role.ADMIN), "new quarter").policy.version


@pytest.mark.parametrize(
    "words", ["simulate 7 with Quarter four", "simulate with quarter FOUR", "simulate 30 days with policy {version}", "simulate"]
)
def test_past_leads_are_made_again_by_the_policy_that_is_named(house: House, slack: FakeSlack, lead: int, words: str) -> None:
    """Three policies were published; without a name the one in force is meant."""
    publish(house, "Quarter three", "'1'")
    version = publish(house, "Quarter four", "'2'")
    force = publish(house, "Quarter one", "'3'")
    handle(house, command(words.format(version=version[:6]), user="UBOSS"), slack)
    assert f"through policy {force if words == 'simulate' else version}" in slack.said


def test_a_policy_that_nobody_published_is_answered_with_those_there_are(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, command("simulate with Quarter nine", user="UBOSS"), slack)
    assert slack.said == "No published policy is called Quarter nine. Published: none yet."
    version = publish(house, "Quarter four", "'2'")
    handle(house, command("simulate 7 with <!channel>", user="UBOSS"), slack)
    assert slack.said == f"No published policy is called &lt;!channel&gt;. Published: Quarter four (`{version}`)."
    handle(house, command("simulate 7 Quarter four", user="UBOSS"), slack)
    assert "For how many days?" in slack.said


# -- finding a lead that is not among the newest


def test_a_search_by_name_says_how_far_it_looked(
    house: House, slack: FakeSlack, lead: int, clock: StandingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "SEARCHED", 2)
    monkeypatch.setattr(leads, "SEARCHED", 2)
    with house.db.transaction():
        fields = {"first_name": "Jane", "last_name": "Doe", "company": "Acme"}
        house.namesakes.write(lead, near_tokens(house, fields))
    handle(house, command("show nobody"), slack)
    assert "looked through" not in slack.said
    for number in range(2):
        clock.move(60)
        add_lead(house, clock, f"8{number}", "Newer", f"n{number}@x.example")
    handle(house, command("show jane"), slack)
    assert "By name I looked through the 2 leads touched last" in slack.said
    handle(house, command("show newer"), slack)
    assert "Among the 2 leads touched last" in shown(slack)
    handle(house, command("show Jane Doe Acme"), slack)
    assert "Jane Doe" in shown(slack)


# -- taking a link away


def test_an_admin_unlinks_a_rep_who_was_linked_to_the_wrong_person(house: House, slack: FakeSlack) -> None:
    house.reps.link_slack("1", "UWRONG", "DWRONG")
    wrong = commands.actor_for_slack(house, "UWRONG", None)
    assert wrong.rep_id == "1"
    assert not commands.unlink_rep(house, "1", commands.Actor("slack", "UBOSS", Role.MANAGER)).ok
    done = commands.unlink_rep(house, "1", commands.Actor("cli", "ops", Role.ADMIN), "her namesake")
    assert done == commands.Done(True, "Ada Rep is linked to nobody any more.")
    assert commands.actor_for_slack(house, "UWRONG", None).role is Role.UNKNOWN
    found = house.reps.get("1")
    assert found
    assert (found.slack_user_id, found.slack_dm) == (None, None)
    assert next((one.action, one.reason) for one in house.audit.entries()) == ("rep.unlinked", "her namesake")
    assert commands.actor_for_slack(house, "UADA", "ada@x.example").rep_id == "1", "who has the address is linked by it"
