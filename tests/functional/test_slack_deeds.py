"""Snooze, outcomes, corrections and undo from a workspace: signed request, web process, inbox, worker, Slack again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bots.slack import names
from connector import commands
from leads.enums import Outcome
from tests.functional.test_slack_round_trip import (  # noqa: F401 - fixtures
    MANAGER,
    OTHER,
    REP,
    Desk,
    desk,
    house,
    lead,
    ports,
    web,
    workspace,
)


def choose(block: str, value: str) -> dict[str, Any]:
    return {block: {block: {"type": "radio_buttons", "selected_option": {"value": value}}}}


def said(desk: Desk, user: str) -> list[str]:  # noqa: F811
    return [message["text"] for message in desk.messages(user)]


def test_snoozing_is_one_press_and_the_card_says_until_when(desk: Desk, lead: int) -> None:  # noqa: F811
    desk.send()
    desk.press(REP.slack_id, desk.card(REP.slack_id), names.SNOOZE, "1h")
    desk.work()
    assert said(desk, REP.slack_id)[-1].startswith("Snoozed. It comes back <!date")
    assert "*snoozed* until" in json.dumps(desk.card(REP.slack_id)["blocks"])
    desk.act("say", user=REP.slack_id, channel=desk.card(REP.slack_id)["channel"], text="/lead undo")
    desk.work()
    assert "Undone: Jane Doe is back." in said(desk, REP.slack_id)
    assert "*snoozed*" not in json.dumps(desk.card(REP.slack_id)["blocks"])


def test_an_outcome_ends_the_lead_on_every_card(desk: Desk, lead: int) -> None:  # noqa: F811
    desk.send()
    desk.press(REP.slack_id, desk.card(REP.slack_id), names.OUTCOME)
    desk.work()
    form = desk.form(REP.slack_id)
    desk.act("submit", user=REP.slack_id, view_id=form["id"], values=choose(names.REASON, "won"))
    desk.work()
    for message in desk.messages():
        assert "*Won*" in json.dumps(message["blocks"])
        assert names.ACCEPT not in json.dumps(message["blocks"])


def test_a_wrong_score_is_told_by_whoever_sees_the_card(desk: Desk, lead: int) -> None:  # noqa: F811
    desk.send()
    card = next(message for message in desk.messages() if message["channel"].startswith("C"))
    desk.press(OTHER.slack_id, card, names.MORE, "wrong")
    desk.work()
    form = desk.form(OTHER.slack_id)
    desk.act("submit", user=OTHER.slack_id, view_id=form["id"], values=choose(names.REASON, "too_high"))
    desk.work()
    assert said(desk, OTHER.slack_id) == ["Thank you. The next training learns from it; the score itself stays until then."]
    assert [one.label for one in desk.house.feedback.labels().values()] == [Outcome.LOST]


def test_the_reassign_form_warns_of_a_rep_who_is_away(desk: Desk, lead: int) -> None:  # noqa: F811
    other = desk.house.reps.by_email(OTHER.email)
    assert other is not None
    boss = commands.actor_for_slack(desk.house, MANAGER.slack_id, MANAGER.email)
    commands.set_rep(desk.house, other.id, {"paused_until": "2999-01-01T00:00:00+00:00"}, boss)
    desk.send()
    desk.press(MANAGER.slack_id, next(m for m in desk.messages() if m["channel"].startswith("C")), names.MORE, "reassign")
    desk.work()
    offered = json.dumps(desk.form(MANAGER.slack_id), ensure_ascii=False)
    assert f"{OTHER.name} · 0 open" in offered
    assert "⚠ availability" in offered


@pytest.mark.parametrize("verb", ["pool", "queue", "rules", "model", "caps", "pto", "pause until tomorrow", "resume", "undo"])
def test_each_verb_is_answered_in_the_workspace(desk: Desk, lead: int, verb: str) -> None:  # noqa: F811
    desk.send()
    desk.act("say", user=REP.slack_id, channel=desk.card(REP.slack_id)["channel"], text=f"/lead {verb}")
    desk.work()
    assert desk.messages(REP.slack_id) or desk.form(REP.slack_id)
