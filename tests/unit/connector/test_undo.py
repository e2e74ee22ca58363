"""Undo: what somebody did last, really reversed, and only as long as nobody has built on it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector import commands
from connector.commands import Actor
from connector.commands.ledger import standing
from connector.pipeline.deliver import HANDLERS
from connector.pipeline.overrides import by_week, lately
from connector.pipeline.training import endings
from connector.ports import LeadWrite
from leads.enums import EffectKind, Outcome, Role
from tests.unit.connector.pipeline.scripted import CRM, Desk, change, open_desk

BOSS = Actor("slack", "UBOSS", Role.MANAGER)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = open_desk(tmp_path)
    yield made
    made.house.close()
    HANDLERS.clear()


@pytest.fixture
def lead(desk: Desk) -> int:
    desk.tell(CRM, change("1", first_name="Ann", last_name="Lee", title="CEO", email="ann@corp.example"))
    desk.run()
    desk.clock.move(60)
    return desk.lead("1")


def rep(number: str) -> Actor:
    return Actor("slack", f"U{number}", Role.REP, number)


def stands(desk: Desk, lead_id: int) -> dict[str, Any]:
    lead = desk.house.leads.get(lead_id)
    assert lead is not None
    return standing(desk.house, lead)


def owner(desk: Desk, lead_id: int) -> str:
    lead = desk.house.leads.get(lead_id)
    assert lead is not None
    assert lead.owner_id is not None
    return lead.owner_id


def test_there_is_nothing_to_undo_for_who_did_nothing(desk: Desk, lead: int) -> None:
    done = commands.undo(desk.house, BOSS)
    assert not done.ok
    assert "nothing to undo" in done.text


@pytest.mark.parametrize("act", ["accept", "pass", "reassign", "won", "lost", "contacted"])
def test_each_act_on_a_lead_is_reversed(desk: Desk, lead: int, act: str) -> None:
    house, first = desk.house, owner(desk, lead)
    other = next(one for one in ("1", "2", "3") if one != first)
    who = BOSS if act == "reassign" else rep(first)
    before = stands(desk, lead)
    done = {
        "accept": lambda: commands.accept(house, lead, who),
        "pass": lambda: commands.pass_on(house, lead, who, "no_capacity: away"),
        "reassign": lambda: commands.reassign(house, lead, other, who, "they know each other", cause="relationship"),
    }.get(act, lambda: commands.log_outcome(house, lead, who, act))()
    assert done.ok, done.text
    assert stands(desk, lead) != before
    desk.clock.move(5)
    undone = commands.undo(house, who)
    assert undone.ok, undone.text
    assert stands(desk, lead) == before
    assert house.timers.contact(lead) is None
    assert not commands.undo(house, who).ok, "an act is undone once"


def test_a_pass_that_is_undone_bars_nobody_and_teaches_nothing(desk: Desk, lead: int) -> None:
    house, first = desk.house, owner(desk, lead)
    assert commands.pass_on(house, lead, rep(first), "wrong_territory").ok
    assert lately(house).overrides == 1
    desk.clock.move(5)
    assert commands.undo(house, rep(first)).ok
    assert all(past.closed_as != "passed" for past in house.decisions.history(lead))
    assert lately(house).overrides == 0


def test_what_others_built_on_stays(desk: Desk, lead: int) -> None:
    house, first = desk.house, owner(desk, lead)
    other = next(one for one in ("1", "2", "3") if one != first)
    assert commands.reassign(house, lead, other, BOSS, "because").ok
    assert commands.accept(house, lead, rep(other)).ok
    done = commands.undo(house, BOSS)
    assert not done.ok
    assert "has happened to it since" in done.text
    assert owner(desk, lead) == other


def test_after_a_day_an_act_stays(desk: Desk, lead: int) -> None:
    assert commands.accept(desk.house, lead, rep(owner(desk, lead))).ok
    desk.clock.move(25 * 3600)
    assert not commands.undo(desk.house, rep(owner(desk, lead))).ok


def test_who_is_a_manager_no_more_cannot_undo_what_they_did_as_one(desk: Desk, lead: int) -> None:
    other = next(one for one in ("1", "2", "3") if one != owner(desk, lead))
    assert commands.reassign(desk.house, lead, other, BOSS, "because").ok
    done = commands.undo(desk.house, Actor("slack", "UBOSS", Role.REP, "3"))
    assert not done.ok
    assert "manager" in done.text
    assert owner(desk, lead) == other


def test_settings_snoozes_and_corrections_are_undone_in_the_order_of_the_last_first(desk: Desk, lead: int) -> None:
    house, first = desk.house, owner(desk, lead)
    me = rep(first)
    commands.set_rep(house, first, {"capacity": 3}, me)
    assert commands.snooze(house, lead, desk.clock.now() + timedelta(hours=1), me).ok
    assert commands.correct_score(house, lead, me, "too_high", "a student").ok
    assert [said.label for said in house.feedback.labels().values()] == [Outcome.LOST]
    assert commands.undo(house, me).ok
    assert house.feedback.labels() == {}
    assert commands.undo(house, me).ok
    assert house.snoozes.open(lead) is None
    assert commands.undo(house, me).ok
    stored = house.reps.get(first)
    assert stored is not None
    assert stored.settings.get("capacity") is None


def test_a_setting_that_somebody_else_changed_since_stays(desk: Desk, lead: int) -> None:
    house = desk.house
    commands.set_rep(house, "1", {"capacity": 3}, rep("1"))
    commands.set_rep(house, "1", {"capacity": 9}, BOSS)
    done = commands.undo(house, rep("1"))
    assert not done.ok
    stored = house.reps.get("1")
    assert stored is not None
    assert stored.settings["capacity"] == 9


def test_every_act_is_audited_and_so_is_undoing_it(desk: Desk, lead: int) -> None:
    first = owner(desk, lead)
    assert commands.accept(desk.house, lead, rep(first)).ok
    assert commands.undo(desk.house, rep(first)).ok
    actions = [entry.action for entry in desk.house.audit.entries(lead_id=lead)]
    assert actions[:2] == ["accept.undone", "lead.accepted"]


# -- outcomes and the CRM


@pytest.mark.parametrize(
    ("outcome", "written"),
    [("lost", {"lead_status": "unqualified"}), ("won", {"stage": "customer"}), ("contacted", {"lead_status": "connected"})],
)
def test_an_outcome_is_written_to_the_crm(desk: Desk, lead: int, outcome: str, written: dict[str, str]) -> None:
    first = owner(desk, lead)
    assert commands.log_outcome(desk.house, lead, rep(first), outcome, "told on the phone").ok
    assert desk.house.effects.is_open(EffectKind.CRM_LEAD, lead)
    desk.run()
    sent = [write for write, _ in desk.crm.writes if isinstance(write, LeadWrite)][-1]
    assert {name: getattr(sent, name) for name in written} == written


def test_a_lead_that_was_lost_stays_lost_when_the_crm_speaks_of_something_else(desk: Desk, lead: int) -> None:
    assert commands.log_outcome(desk.house, lead, rep(owner(desk, lead)), "lost").ok
    desk.clock.move(60)
    desk.tell(CRM, change("1", city="Rome"))
    desk.run()
    stored = desk.house.leads.get(lead)
    assert stored is not None
    assert stored.outcome is Outcome.LOST


def test_only_the_owner_or_a_manager_says_what_came_of_it(desk: Desk, lead: int) -> None:
    other = next(one for one in ("1", "2", "3") if one != owner(desk, lead))
    assert not commands.log_outcome(desk.house, lead, rep(other), "won").ok
    assert commands.log_outcome(desk.house, lead, BOSS, "won").ok


def test_reaching_somebody_is_their_first_contact_and_the_card_says_so(desk: Desk, lead: int) -> None:
    assert commands.log_outcome(desk.house, lead, rep(owner(desk, lead)), "contacted").ok
    card = commands.card(desk.house, lead)
    assert card is not None
    assert (card.state, card.contacted_after_s) == ("contacted", 60.0)
    assert card.deadline is None


# -- what people say is learnt from


def test_what_people_say_of_an_open_lead_is_learnt_from_until_it_really_ends(desk: Desk, lead: int) -> None:
    house, me = desk.house, rep(owner(desk, lead))
    assert endings(house) == []
    assert commands.correct_score(house, lead, me, "wrong_facts").ok
    assert endings(house) == [], "that says nothing of how it ends"
    assert commands.correct_score(house, lead, me, "too_low").ok
    assert [(one, outcome) for one, _, outcome, _ in endings(house)] == [(lead, Outcome.WON)]
    desk.clock.move(60)
    assert commands.log_outcome(house, lead, me, "lost").ok
    assert [(one, outcome) for one, _, outcome, _ in endings(house)] == [(lead, Outcome.LOST)]


def test_saying_it_again_replaces_what_was_said(desk: Desk, lead: int) -> None:
    me = rep(owner(desk, lead))
    for correction in ("too_low", "too_high"):
        assert commands.correct_score(desk.house, lead, me, correction).ok
    assert [said.value for said in desk.house.feedback.of_lead(lead)] == ["too_high"]


# -- many leads at once


def give(desk: Desk, count: int) -> list[int]:
    for number in range(count):
        desk.tell(CRM, change(f"b{number}", first_name="Many", title="CEO", email=f"b{number}@corp.example"))
    desk.run()
    leads = [desk.lead(f"b{number}") for number in range(count)]
    for lead_id in leads:
        if owner(desk, lead_id) != "1":
            assert commands.reassign(desk.house, lead_id, "1", Actor("cli", "x", Role.ADMIN), "to begin with").ok
    return leads


def test_a_small_bulk_is_done_when_confirmed_and_undone_as_one(desk: Desk) -> None:
    leads = give(desk, 3)
    bulk = commands.ask_bulk(desk.house, BOSS, "1", "2", "left the company")
    assert not isinstance(bulk, str)
    assert {owner(desk, one) for one in leads} == {"1"}, "nothing moves before somebody says yes"
    other = Actor("slack", "UOTHER", Role.MANAGER)
    refused = commands.confirm_bulk(desk.house, bulk.id, other)
    assert refused is not None
    assert not refused.ok
    done = commands.confirm_bulk(desk.house, bulk.id, BOSS)
    assert done is not None
    assert done.ok
    assert {owner(desk, one) for one in leads} == {"2"}
    again = commands.confirm_bulk(desk.house, bulk.id, BOSS)
    assert again is not None
    assert not again.ok
    assert commands.undo(desk.house, BOSS).ok
    assert {owner(desk, one) for one in leads} == {"1"}


def test_a_large_bulk_wants_a_second_person(desk: Desk) -> None:
    leads = give(desk, 11)
    bulk = commands.ask_bulk(desk.house, BOSS, "1", "2", "left the company")
    assert not isinstance(bulk, str)
    assert commands.confirm_bulk(desk.house, bulk.id, BOSS) is None
    assert not commands.approve_bulk(desk.house, bulk.id, BOSS).ok, "not by whoever asked"
    assert not commands.approve_bulk(desk.house, bulk.id, rep("3")).ok, "not by a rep"
    assert {owner(desk, one) for one in leads} == {"1"}
    assert commands.approve_bulk(desk.house, bulk.id, Actor("slack", "UOTHER", Role.MANAGER)).ok
    assert {owner(desk, one) for one in leads} == {"2"}
    assert not commands.decline_bulk(desk.house, bulk.id, BOSS).ok, "it was decided"


def test_a_bulk_that_is_declined_moves_nothing(desk: Desk) -> None:
    leads = give(desk, 2)
    bulk = commands.ask_bulk(desk.house, BOSS, "1", "2", "")
    assert not isinstance(bulk, str)
    assert commands.decline_bulk(desk.house, bulk.id, BOSS).ok
    done = commands.confirm_bulk(desk.house, bulk.id, BOSS)
    assert done is not None
    assert not done.ok
    assert {owner(desk, one) for one in leads} == {"1"}


def test_reps_move_no_bulk(desk: Desk) -> None:
    assert isinstance(commands.ask_bulk(desk.house, rep("1"), "1", "2", ""), str)


# -- how often the engine was wrong


def test_a_pick_is_an_error_once_when_it_is_overridden_or_passed_on_for_a_fault_of_it(desk: Desk) -> None:
    """One number: whoever asks for it gets this one."""
    house = desk.house
    assert lately(house).rate is None
    kinds = ["wrong_territory", "customer_wish", "pass:no_capacity", "pass:not_a_fit", "pass:conflict", "kept"]
    for number, _ in enumerate(kinds):
        desk.tell(CRM, change(f"e{number}", first_name="Eve", title="CEO", email=f"e{number}@corp.example"))
    desk.run()
    for number, kind in enumerate(kinds):
        lead_id = desk.lead(f"e{number}")
        held = owner(desk, lead_id)
        if kind.startswith("pass:"):
            assert commands.pass_on(house, lead_id, rep(held), kind.removeprefix("pass:")).ok
        elif kind != "kept":
            assert commands.reassign(house, lead_id, next(one for one in ("1", "2", "3") if one != held), BOSS, "", cause=kind).ok
    errors = lately(house)
    assert dict(errors.causes) == {"wrong_territory": 1, "customer_wish": 1, "no_capacity": 1, "conflict": 1}
    picks = len(kinds) + 3  # and whom the passed ones went to
    assert (errors.picks, errors.overrides) == (picks, 4)
    assert errors.rate == pytest.approx(4 / picks)
    (week,) = by_week(house, 1)
    assert (week.picks, week.overrides, dict(week.causes)) == (errors.picks, errors.overrides, dict(errors.causes))
    desk.clock.move(8 * 86400)
    assert lately(house).overrides == 0


@pytest.mark.parametrize("act", ["reassign", "won"])
def test_undo_gives_no_lead_to_a_rep_who_was_switched_off(desk: Desk, lead: int, act: str) -> None:
    house, first = desk.house, owner(desk, lead)
    other = next(one for one in ("1", "2", "3") if one != first)
    if act == "reassign":
        assert commands.reassign(house, lead, other, BOSS, "because").ok
    else:
        assert commands.log_outcome(house, lead, BOSS, act).ok
    house.reps.set(first, {"active": False})
    before = stands(desk, lead)
    done = commands.undo(house, BOSS)
    assert not done.ok
    assert "not active" in done.text
    assert stands(desk, lead) == before
