"""Many leads at once: nobody gets a lead back that they passed on, and owners come before the optimum."""

from __future__ import annotations

from pathlib import Path

import pytest

from allocation.replay import replay
from connector import commands
from connector.commands import Actor
from connector.pipeline.campaign import place_leads
from leads.enums import Role
from tests.unit.connector.pipeline.scripted import CRM, Desk, change

BOSS = Actor("cli", "boss", Role.ADMIN)


@pytest.fixture
def held_back(desk: Desk) -> Desk:
    """Nobody takes anything until `open_doors`."""
    Path(desk.house.settings.policy).write_text('[teams.sales]\nreps = ["*"]\n', encoding="utf-8")
    everybody(desk, active=False)
    return desk


def everybody(desk: Desk, **settings: object) -> None:
    for rep in desk.house.reps.all():
        commands.set_rep(desk.house, rep.id, settings, BOSS)


def arrive(desk: Desk, number: str, **fields: str) -> int:
    desk.tell(CRM, change(number, first_name="P", last_name=number, email=f"p{number}@corp.example", **fields))
    desk.run()
    return desk.lead(number)


def test_who_passed_a_lead_on_does_not_get_it_back_with_its_campaign(desk: Desk) -> None:
    lead = arrive(desk, "1")
    first = desk.house.decisions.open_assignment(lead)
    assert first is not None
    for rep in desk.house.reps.all():
        if rep.id != first.rep_id:
            commands.set_rep(desk.house, rep.id, {"active": False}, BOSS)
    assert commands.pass_on(desk.house, lead, Actor("slack", "U1", Role.REP, first.rep_id), "no time").ok
    desk.run()
    assert [held.lead_id for held in desk.house.waiting.all()] == [lead]
    assert place_leads(desk.house, [lead], "cli:boss").waiting == (lead,)
    everybody(desk, active=None)
    placed = place_leads(desk.house, [lead], "cli:boss")
    assert placed.given[lead] != first.rep_id


def test_the_owner_of_an_account_has_the_lead_by_precedence_and_it_replays(held_back: Desk) -> None:
    desk = held_back
    owned, free = arrive(desk, "1", account_owner_id="101"), arrive(desk, "2")
    everybody(desk, active=None)
    placed = place_leads(desk.house, [owned, free], "cli:boss")
    assert placed.given[owned] == "2"
    methods = {}
    for lead in (owned, free):
        decision = desk.house.decisions.newest(lead)
        assert decision is not None
        methods[lead] = decision.method
        again = replay(decision.record)
        assert (again.rep_id, again.because, again.method) == (decision.rep_id, decision.because, decision.method)
    assert methods == {owned: "account_owner", free: "batch"}
