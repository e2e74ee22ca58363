"""What a lead's card shows, also when the change came from the CRM, the clock or another rep."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connector import commands
from connector.commands import Actor, CardState
from connector.pipeline.allocate import allocate
from connector.pipeline.deliver import HANDLERS
from leads.enums import ChangeOrigin, Role
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


def card(desk: Desk, lead: int) -> CardState:
    found = commands.card(desk.house, lead)
    assert found is not None
    return found


def test_the_states_of_a_lead_that_goes_well(desk: Desk, lead: int) -> None:
    shown = card(desk, lead)
    assert shown.state == "new"
    me = Actor("slack", "U", Role.REP, shown.owner_id)
    desk.clock.move(70)
    commands.accept(desk.house, lead, me)
    shown = card(desk, lead)
    assert (shown.state, shown.accepted_after_s) == ("accepted", 130.0)
    commands.log_outcome(desk.house, lead, me, "meeting")
    assert card(desk, lead).state == "contacted"
    commands.log_outcome(desk.house, lead, me, "won")
    assert card(desk, lead).state == "won"


def test_a_known_deal_size_is_told_as_expected_value(desk: Desk, lead: int) -> None:
    assert card(desk, lead).expected_value is None
    desk.tell(CRM, change("1", deal_amount=8_000))
    desk.run()
    stored = desk.house.scores.newest(lead)
    assert stored is not None
    assert card(desk, lead).expected_value == round(8_000 * stored.score.probability, 2)


def test_an_owner_chosen_in_the_crm_and_an_end_there_show_too(desk: Desk, lead: int) -> None:
    first = card(desk, lead).owner_id
    other = next(rep for rep in desk.house.reps.all() if rep.active and rep.id != first)
    desk.tell(CRM, change("1", owner_id=other.external_id, origin=ChangeOrigin.PERSON))
    desk.run()
    shown = card(desk, lead)
    assert (shown.state, shown.owner_id) == ("reassigned", other.id)
    desk.clock.move(60)
    desk.tell(CRM, change("1", lead_status="unqualified", origin=ChangeOrigin.PERSON))
    desk.run()
    assert card(desk, lead).state == "lost"


def test_a_lead_that_nobody_took_in_time_is_expired_until_somebody_accepts(desk: Desk, lead: int) -> None:
    first = card(desk, lead).owner_id
    other = next(rep for rep in desk.house.reps.all() if rep.active and rep.id != first)
    with desk.house.db.transaction():
        desk.house.decisions.close(lead, desk.clock.now(), "missed")
        desk.house.leads.set_owner(lead, None, pinned=False)
    assert card(desk, lead).state == "expired"
    commands.reassign(desk.house, lead, other.id, BOSS, "take it")
    assert card(desk, lead).state == "expired"
    commands.accept(desk.house, lead, Actor("slack", "U", Role.REP, other.id))
    assert card(desk, lead).state == "accepted"


def test_a_lead_whose_owner_was_taken_away_in_the_crm_has_been_reassigned(desk: Desk, lead: int) -> None:
    first = card(desk, lead).owner_id
    desk.clock.move(60)
    desk.tell(CRM, change("1", desk.clock.now(), owner_id=None))
    shown = card(desk, lead)
    assert shown.state == "reassigned"
    assert shown.owner_id not in (first, None)


def test_the_deadline_is_that_of_whoever_holds_the_lead_now(desk: Desk, lead: int) -> None:
    first = desk.house.decisions.open_assignment(lead)
    assert first is not None
    soon, later = desk.clock.now() + timedelta(minutes=10), desk.clock.now() + timedelta(hours=2)
    with desk.house.db.transaction():
        desk.house.timers.start(lead, first.id, {"accept": soon, "contact": later})
    shown = card(desk, lead)
    assert (shown.deadline_for, shown.deadline) == ("accept", desk.house.timers.running(first.id)["accept"])
    commands.accept(desk.house, lead, Actor("slack", "U", Role.REP, first.rep_id))
    assert card(desk, lead).deadline_for == "contact"
    other = next(rep for rep in desk.house.reps.all() if rep.active and rep.id != first.rep_id)
    commands.reassign(desk.house, lead, other.id, BOSS, "take it")
    now = desk.house.decisions.open_assignment(lead)
    assert now is not None
    assert card(desk, lead).deadline == desk.house.timers.running(now.id).get("accept")


def test_candidates_tell_load_and_what_stands_against_each(desk: Desk, lead: int) -> None:
    owner = card(desk, lead).owner_id
    others = [rep for rep in desk.house.reps.all() if rep.active and rep.id != owner]
    commands.set_rep(desk.house, others[0].id, {"capacity": 0}, BOSS)
    found = {one.rep_id: one for one in commands.candidates(desk.house, lead)}
    assert set(found) == {rep.id for rep in others}
    assert found[others[0].id].cap == 0
    assert found[others[0].id].against.startswith("capacity")
    assert found[others[1].id].against == ""
    assert list(found)[-1] == others[0].id, "whom something stands against comes last"


def test_whoever_lost_a_lead_in_any_way_has_that_against_them_and_the_cap_is_the_policys(desk: Desk, lead: int) -> None:
    Path(desk.house.settings.policy).write_text('[caps]\nopen = 9\n[teams.x]\nreps = ["*"]\n', encoding="utf-8")
    desk.house.__dict__.pop("policy_shelf", None)
    for ended_as in ("passed", "missed", "cleared"):
        held = desk.house.decisions.open_assignment(lead)
        assert held is not None
        with desk.house.db.transaction():
            desk.house.decisions.close(lead, desk.clock.now(), ended_as)
            desk.house.leads.set_owner(lead, None, pinned=False)
        found = {one.rep_id: one for one in commands.candidates(desk.house, lead)}
        assert found[held.rep_id].against == "excluded: had this lead before", ended_as
        assert {one.cap for one in found.values()} == {9}
        desk.clock.move(60)
        allocate(desk.house, lead, again=True)
