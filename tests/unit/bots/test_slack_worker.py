"""Commands, clicks and forms: what they do, what they answer, and the sentence for each thing that can be wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bots.slack import names
from bots.slack.client import NeedsMending, Refused
from bots.slack.worker import handle
from connector import commands
from connector.bootstrap import House
from connector.errors import Fatal, Retriable
from connector.http import Unsure
from connector.testing import StandingClock
from leads.enums import ChangeKind, Outcome
from leads.records import LeadChange, RepRecord
from tests.unit.bots.slack_fakes import FakeSlack, add_lead

URL = "https://hooks.slack.com/actions/T1/1/abc"


def command(text: str, user: str = "UADA") -> dict[str, Any]:
    return {
        "command": "/lead",
        "text": text,
        "user_id": user,
        "channel_id": "C1",
        "response_url": URL,
        "trigger_id": "1.2.abc",
    }


def click(action: str, value: object, user: str = "UADA") -> dict[str, Any]:
    element: dict[str, Any] = {"action_id": action, "block_id": "b", "action_ts": "1.1"}
    if action == names.MORE:
        element |= {"type": "overflow", "selected_option": {"value": str(value)}}
    else:
        element |= {"type": "button", "value": str(value)}
    return {
        "type": "block_actions",
        "user": {"id": user},
        "channel": {"id": "C1"},
        "response_url": URL,
        "trigger_id": "1.2.abc",
        "actions": [element],
    }


def submit(form: dict[str, Any], values: dict[str, Any], user: str = "UADA") -> dict[str, Any]:
    view = {
        "id": "V1",
        "hash": "1.h",
        "type": "modal",
        "callback_id": form["callback_id"],
        "private_metadata": form["private_metadata"],
        "state": {"values": values},
    }
    return {"type": "view_submission", "user": {"id": user}, "view": view, "trigger_id": "3.4.x"}


def chosen(block: str, value: str) -> dict[str, Any]:
    return {block: {block: {"type": "static_select", "selected_option": {"value": value}}}}


def note(text: str | None) -> dict[str, Any]:
    return {names.NOTE: {names.NOTE: {"type": "plain_text_input", "value": text}}}


def holder(house: House, lead_id: int) -> str | None:
    found = house.leads.get(lead_id)
    assert found
    return found.owner_id


# -- commands


def test_help_and_did_you_mean_need_no_link(house: House, slack: FakeSlack) -> None:
    handle(house, command("", user="USTRANGER"), slack)
    assert "/lead reassign" in slack.said
    handle(house, command("wyh 1"), slack)
    assert "Did you mean `/lead why`?" in slack.said
    handle(house, command("xyzzy <!channel>"), slack)
    said = slack.said
    assert "I do not know" in said
    assert "<!channel>" not in said
    handle(house, command("show"), slack)
    assert slack.said.startswith("Which lead?")


@pytest.mark.parametrize("query", ["Jane Doe", "jane@acme.example", "51", "https://app.crm.example/contacts/1/record/0-1/51/"])
def test_show_finds_a_lead_and_answers_with_its_card(house: House, slack: FakeSlack, lead: int, query: str) -> None:
    handle(house, command(f"show {query}"), slack)
    (answer,) = slack.answers
    assert answer["blocks"][0]["text"]["text"] == "A lead · 92 · Jane Doe"
    assert "Jane" not in answer["text"]


def test_show_by_number_and_bare_number(house: House, slack: FakeSlack, lead: int) -> None:
    for text in (f"show {lead}", f"show #{lead}", str(lead)):
        handle(house, command(text), slack)
        (answer,) = slack.answers
        assert "Jane Doe" in json.dumps(answer["blocks"])
        slack.answers.clear()


def test_several_leads_are_listed_to_choose_from(house: House, slack: FakeSlack, clock: StandingClock, lead: int) -> None:
    other = add_lead(house, clock, "52", "Janet", "janet@acme.example")
    handle(house, command("why doe"), slack)
    (answer,) = slack.answers
    buttons = {block["accessory"]["value"]: block["accessory"]["action_id"] for block in answer["blocks"] if "accessory" in block}
    assert set(buttons) == {str(lead), str(other)}
    slack.answers.clear()
    handle(house, click(buttons[str(other)], other), slack)
    assert slack.said == f"Why lead {other} is where it is"


def test_no_lead_found_says_how_to_look(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, command("show *nobody*"), slack)
    said = slack.said
    assert "No lead matches ∗nobody∗" in said
    assert "e-mail" in said


def test_why_shows_reasons_and_the_own_verdict(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, command(f"why {lead}", user="UBEN"), slack)
    (answer,) = slack.answers
    said = json.dumps(answer["blocks"], ensure_ascii=False)
    assert "Booked a meeting" in said
    assert "*You*: " in said
    assert "Ada Rep: chosen" in said


def test_a_manager_reassigns_by_command_with_a_reason(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, command(f"reassign {lead} to ben@x.example because on holiday", user="UBOSS"), slack)
    assert slack.said == "Jane Doe goes to Ben Rep."
    assert holder(house, lead) == "2"
    decision = house.decisions.newest(lead)
    assert decision
    assert decision.actor == "slack:UBOSS"
    why = commands.why(house, lead)
    assert why
    assert why.reason == "on holiday"


def test_reassign_finds_the_rep_by_name_or_mention_or_asks(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, command(f"reassign {lead} to nobody at all", user="UBOSS"), slack)
    assert "No active rep is called nobody at all" in slack.said
    handle(house, command(f"reassign {lead} to rep", user="UBOSS"), slack)
    assert "Several reps fit rep: Ada Rep, Ben Rep" in slack.said
    handle(house, command(f"show {lead}", user="UBEN"), slack)  # links Ben's Slack user
    slack.answers.clear()
    handle(house, command(f"reassign {lead} to <@UBEN|ben>", user="UBOSS"), slack)
    assert slack.said == "Jane Doe goes to Ben Rep."
    handle(house, command(f"reassign {lead}", user="UBOSS"), slack)
    (form,) = slack.forms
    assert [option["value"] for option in form["blocks"][1]["element"]["options"]] == ["1", "3"]


def test_a_rep_may_not_reassign_and_learns_who_may(house: House, slack: FakeSlack, lead: int) -> None:
    for request in (
        command(f"reassign {lead} to ben@x.example"),
        command(f"reassign {lead}"),
        click(names.MORE, f"reassign:{lead}"),
    ):
        handle(house, request, slack)
        assert "Only managers and admins can reassign" in slack.said
    assert slack.forms == []
    assert holder(house, lead) == "1"


# -- who


def test_somebody_unknown_is_told_how_to_be_known(house: House, slack: FakeSlack, lead: int) -> None:
    for request in (
        command(f"show {lead}", "USTRANGER"),
        click(names.ACCEPT, lead, "USTRANGER"),
        click(names.MORE, f"why:{lead}", "U0"),
    ):
        handle(house, request, slack)
        assert "e-mail address" in slack.said
    assert holder(house, lead) == "1"


def test_a_rep_who_was_switched_off_is_told_so(house: House, slack: FakeSlack, lead: int) -> None:
    house.reps.sync("crm", [RepRecord("1", "ada@x.example", "Ada Rep", False)])
    handle(house, click(names.ACCEPT, lead), slack)
    assert "not an active rep" in slack.said


def test_the_role_is_that_of_the_moment_not_of_the_card(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, click(names.MORE, f"reassign:{lead}", "UBOSS"), slack)
    (form,) = slack.forms
    values = chosen(names.REP, "2") | note("busy")
    handle(house, submit(form, values, user="UADA"), slack)  # a form taken over by somebody else
    assert "Only managers and admins" in slack.said
    handle(house, submit(form, values, user="UBOSS"), slack)
    assert slack.said == "Jane Doe goes to Ben Rep."


def test_an_admin_who_is_no_rep_may_reassign_but_not_accept(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, click(names.ACCEPT, lead, "UADMIN"), slack)
    assert slack.said.startswith("Only a rep can accept a lead")
    handle(house, command(f"reassign {lead} to ben@x.example", "UADMIN"), slack)
    assert slack.said == "Jane Doe goes to Ben Rep."


# -- clicks


def test_accept_is_done_once_however_often_it_is_clicked(house: House, slack: FakeSlack, clock: StandingClock, lead: int) -> None:
    clock.sleep(130)
    handle(house, click(names.ACCEPT, lead), slack)
    assert slack.said == "Jane Doe is yours."
    handle(house, click(names.ACCEPT, lead), slack)
    assert slack.said == "You have accepted Jane Doe already."
    card = commands.card(house, lead)
    assert card
    assert (card.state, card.accepted_by, card.accepted_after_s) == ("accepted", "Ada Rep", 130.0)


def test_a_late_click_learns_who_has_the_lead(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, click(names.ACCEPT, lead, "UBEN"), slack)
    assert slack.said == "This lead went to Ada Rep: only Ada Rep can accept it. A manager or an admin can reassign it."
    handle(house, click(names.ACCEPT, lead), slack)
    slack.answers.clear()
    handle(house, click(names.ACCEPT, lead, "UBEN"), slack)
    assert slack.said == "This lead is already taken by Ada Rep."
    handle(house, click(names.PASS_ON, lead, "UBEN"), slack)
    assert "only Ada Rep, a manager or an admin can pass it" in slack.said
    assert slack.forms == []


def test_pass_asks_for_the_reason_and_gives_the_lead_on(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, click(names.PASS_ON, lead), slack)
    (form,) = slack.forms
    handle(house, submit(form, chosen(names.REASON, "other") | note("  my\ncousin ")), slack)
    assert slack.answers[0]["response_url"] == URL
    assert slack.said.startswith("Passed. Jane Doe goes to ")
    why = commands.why(house, lead)
    assert why
    assert why.reason == "my cousin"
    assert holder(house, lead) in ("2", "3")


@pytest.mark.parametrize(
    "values", [{}, note("words"), chosen(names.REASON, "made_up"), {names.REASON: {names.REASON: {"selected_option": None}}}]
)
def test_a_pass_without_a_known_reason_does_nothing(house: House, slack: FakeSlack, lead: int, values: dict[str, Any]) -> None:
    handle(house, click(names.PASS_ON, lead), slack)
    handle(house, submit(slack.forms[0], values), slack)
    assert "A reason is needed" in slack.said
    assert holder(house, lead) == "1"


def test_a_form_sent_after_the_lead_moved_on_does_nothing(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, click(names.PASS_ON, lead), slack)
    handle(house, command(f"reassign {lead} to ben@x.example", "UBOSS"), slack)
    slack.answers.clear()
    handle(house, submit(slack.forms[0], chosen(names.REASON, "conflict")), slack)
    assert slack.said == "While the form was open this lead went to Ben Rep. Nothing was changed."
    assert holder(house, lead) == "2"


def test_reassigning_to_a_rep_who_left_meanwhile_does_nothing(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, click(names.MORE, f"reassign:{lead}", "UBOSS"), slack)
    house.reps.sync("crm", [RepRecord("1", "ada@x.example", "Ada Rep", True), RepRecord("3", "boss@x.example", "Bo Boss", True)])
    handle(house, submit(slack.forms[0], chosen(names.REP, "2") | note("x"), "UBOSS"), slack)
    assert "not active any more" in slack.said
    assert holder(house, lead) == "1"


def test_a_lead_that_is_gone_is_said_to_be_gone(house: House, slack: FakeSlack, lead: int) -> None:
    for request in (click(names.ACCEPT, 4711), click(names.MORE, "why:4711")):
        handle(house, request, slack)
        assert "This lead is gone" in slack.said


def test_a_lead_that_nobody_holds_is_nobodys_to_accept_or_pass(house: House, slack: FakeSlack, lead: int) -> None:
    with house.db.transaction():
        house.decisions.close(lead, house.clock.now(), "gone")
        house.leads.set_owner(lead, None)
    handle(house, click(names.ACCEPT, lead), slack)
    assert "it waits for the next free rep" in slack.said
    handle(house, click(names.PASS_ON, lead), slack)
    assert slack.said == "Nobody holds this lead now: nobody can pass it."


@pytest.mark.parametrize("outcome", [Outcome.WON, Outcome.LOST])
def test_a_closed_lead_is_closed_for_everybody(house: House, slack: FakeSlack, lead: int, outcome: Outcome) -> None:
    with house.db.transaction():
        house.leads.settle(lead, outcome, house.clock.now())
    for request in (click(names.ACCEPT, lead), click(names.PASS_ON, lead), click(names.MORE, f"reassign:{lead}", "UBOSS")):
        handle(house, request, slack)
        assert slack.said.startswith(f"This lead is closed ({outcome.value})")
    assert slack.forms == []


def test_a_form_is_checked_again_when_it_comes_back(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, click(names.PASS_ON, lead), slack)
    (form,) = slack.forms
    values = chosen(names.REASON, "conflict")
    for user, answer in (("U0", "I do not know you yet"), ("UBEN", "only Ada Rep, a manager or an admin can pass it")):
        handle(house, submit(form, values, user), slack)
        assert answer in slack.said
    gone = json.dumps(json.loads(form["private_metadata"]) | {"lead_id": 4711})
    handle(house, submit(form | {"private_metadata": gone}, values), slack)
    assert "This lead is gone" in slack.said
    assert holder(house, lead) == "1"


def test_with_nobody_else_there_is_nobody_to_reassign_to(house: House, slack: FakeSlack, lead: int) -> None:
    house.reps.sync("crm", [RepRecord("1", "ada@x.example", "Ada Rep", True)])
    handle(house, click(names.MORE, f"reassign:{lead}", "UADMIN"), slack)
    assert slack.said == "There is no other active rep to give this lead to."


def test_why_of_a_lead_that_was_never_given_out(house: House, slack: FakeSlack, clock: StandingClock) -> None:
    change = LeadChange("e9", "99", clock.now(), ChangeKind.CREATED, fields={"first_name": "New"})
    with house.db.transaction():
        fresh = house.leads.apply("crm", change, live=True).lead_id
    handle(house, command(f"why {fresh}"), slack)
    assert "has not been given to anybody" in slack.said
    handle(house, command(f"show {fresh}"), slack)
    assert "not scored yet" in json.dumps(slack.answers[0]["blocks"])


def test_a_trigger_that_expired_asks_to_press_again(house: House, slack: FakeSlack, lead: int) -> None:
    for code in ("expired_trigger_id", "exchanged_trigger_id"):
        slack.failing["open_form"] = Refused("views.open", code)
        handle(house, click(names.PASS_ON, lead), slack)
        assert "please press again" in slack.said


def test_buttons_and_forms_that_we_do_not_know_are_answered(house: House, slack: FakeSlack, lead: int) -> None:
    for request in (click("old_button", lead), click(names.ACCEPT, "x"), click(names.MORE, f"snooze:{lead}")):
        handle(house, request, slack)
        assert "older version" in slack.said
    handle(house, submit({"callback_id": "old", "private_metadata": json.dumps({"response_url": URL})}, {}), slack)
    assert "older version" in slack.said
    handle(house, submit({"callback_id": "old", "private_metadata": "not json"}, {}), slack)
    assert slack.answers == []  # no way to answer: nothing happens, and nothing breaks


def test_opening_the_crm_needs_no_answer(house: House, slack: FakeSlack, lead: int) -> None:
    handle(house, click(names.OPEN, lead), slack)
    assert slack.calls == []


# -- answers


def test_when_the_response_url_is_used_up_the_answer_goes_to_the_channel(house: House, slack: FakeSlack, lead: int) -> None:
    slack.failing["respond"] = Fatal("used up")
    handle(house, click(names.ACCEPT, lead), slack)
    assert slack.whispers == [("C1", "UADA", "Jane Doe is yours.")]
    slack.failing = {"respond": Fatal("used up"), "whisper": NeedsMending("chat.postEphemeral", "not_in_channel")}
    handle(house, click(names.ACCEPT, lead), slack)  # lost, but nothing breaks


def test_slack_out_of_reach_repeats_a_question_but_never_a_deed(house: House, slack: FakeSlack, lead: int) -> None:
    slack.failing["respond"] = Unsure("no answer")
    with pytest.raises(Retriable):
        handle(house, command(f"show {lead}"), slack)
    slack.failing["respond"] = Unsure("no answer")
    handle(house, click(names.ACCEPT, lead), slack)
    card = commands.card(house, lead)
    assert card
    assert card.state == "accepted"


def test_what_somebody_must_mend_is_told_to_the_person_too(house: House, slack: FakeSlack, lead: int) -> None:
    slack.failing["open_form"] = NeedsMending("views.open", "missing_scope", " (needs chat:write)")
    handle(house, click(names.PASS_ON, lead), slack)
    said = slack.said
    assert "Please show this to an admin" in said
    assert "chat:write" in said


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"type": "block_actions"},
        {"type": "view_submission"},
        {"type": "view_closed"},
        {"type": "event_callback"},
        {"command": "/lead"},
    ],
)
def test_payloads_cut_short_break_nothing(house: House, slack: FakeSlack, payload: dict[str, Any]) -> None:
    handle(house, payload, slack)


def test_the_removal_of_the_app_is_reported(house: House, slack: FakeSlack, capsys: pytest.CaptureFixture[str]) -> None:
    handle(house, {"type": "event_callback", "event": {"type": "app_uninstalled"}}, slack)
    assert "slack.app_removed" in capsys.readouterr().out


def test_an_answer_links_no_name_by_itself(house: House, slack: FakeSlack, clock: StandingClock) -> None:
    """A name that is a bare address, or a channel's, stays a name."""
    lead = add_lead(house, clock, "77", "evil.example #general", "e@x.example")
    handle(house, click(names.ACCEPT, lead), slack)
    handle(house, command("help"), slack)
    for answer in slack.answers:
        texts = [block["text"] for block in answer["blocks"]]
        assert all(text["verbatim"] is True and len(text["text"]) <= 3000 for text in texts)
        assert "".join(text["text"] for text in texts).replace("\n", "") == answer["text"].replace("\n", "")
