"""Who holds a lead when the CRM, the engine and people each have a word in it, and on whose account it is booked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector import commands
from connector.commands import Actor
from connector.pipeline import reconcile as reconciling
from connector.pipeline.leavers import release_leads
from connector.pipeline.sla import sweep_clocks
from connector.ports import BackfillPage
from connector.testing import NOON
from leads.enums import ChangeKind, ChangeOrigin, Outcome, Role
from leads.records import LeadChange, RepRecord
from tests.unit.connector.pipeline.scripted import CRM, Desk, change, records_of_reps

BOSS = Actor("cli", "boss", Role.ADMIN)
SLA = "\n".join(f"[sla.{tier}]\naccept_minutes = 15\nreroute = true" for tier in "abcd")
EVERYBODY = '[teams.sales]\nreps = ["*"]\n'


@pytest.fixture
def policy(desk: Desk) -> Callable[[str], None]:
    def put(text: str) -> None:
        Path(desk.house.settings.policy).write_text(text, encoding="utf-8")
        desk.house.__dict__.pop("policy_shelf", None)

    return put


def arrive(desk: Desk, number: str = "1", **fields: str) -> int:
    made = change(number, desk.clock.now(), first_name="P", last_name=number, email=f"p{number}@corp.example", **fields)
    desk.tell(CRM, made)
    desk.run()
    return desk.lead(number)


def holder(desk: Desk, lead: int) -> str | None:
    """Whoever holds the lead, by the lead and by its assignment alike."""
    assignment, stored = desk.house.decisions.open_assignment(lead), desk.house.leads.get(lead)
    assert stored is not None
    assert stored.owner_id == (assignment.rep_id if assignment else None)
    return stored.owner_id


def pinned(desk: Desk, lead: int) -> bool:
    stored = desk.house.leads.get(lead)
    assert stored is not None
    return stored.pinned


def rep(number: str | None) -> Actor:
    return Actor("slack", f"U{number}", Role.REP, number)


def booked(desk: Desk, line: str) -> dict[str, int]:
    """How many leads each rep has had by one line of the ledger; those who had none are left out."""
    seats = desk.house.decisions.rotation(line).get("seats", {})
    return {one: seat[4] for one, seat in seats.items() if seat[4]}


def _cleared(desk: Desk) -> LeadChange:
    return change("1", desk.clock.now(), owner_id=None)


def in_crm(desk: Desk, lead: int) -> str:
    """The CRM's id of a rep other than the one who holds the lead."""
    return "100" if holder(desk, lead) != "1" else "101"


# -- a person's word in the CRM


def test_a_person_in_the_crm_wins_over_whatever_the_engine_decided_meanwhile(desk: Desk, policy: Callable[[str], None]) -> None:
    """The notice of their choice comes late: a deadline had moved the lead by then."""
    policy(f"{SLA}\n{EVERYBODY}")
    lead = arrive(desk)
    first, chosen_at = holder(desk, lead), desk.clock.now() + timedelta(minutes=14)
    desk.clock.move(15 * 60)
    sweep_clocks(desk.house)
    second = holder(desk, lead)
    (wanted,) = {"1", "2", "3"} - {first, second}
    desk.tell(CRM, change("1", chosen_at, owner_id=str(99 + int(wanted))))
    assert (holder(desk, lead), pinned(desk, lead)) == (wanted, True)


def test_a_later_choice_of_a_person_here_stands_against_an_earlier_one_in_the_crm(desk: Desk) -> None:
    lead = arrive(desk)
    chosen = change("1", desk.clock.now(), owner_id="102")
    desk.clock.move(5)
    assert commands.reassign(desk.house, lead, "2", BOSS, "").ok
    desk.clock.move(5)
    desk.tell(CRM, chosen)
    assert holder(desk, lead) == "2"


def test_of_two_choices_in_the_crm_that_come_late_the_later_stands(desk: Desk) -> None:
    lead = arrive(desk)
    first = change("1", desk.clock.now(), owner_id="101")
    desk.clock.move(5)
    second = change("1", desk.clock.now(), owner_id="102")
    desk.clock.move(60)
    desk.tell(CRM, first)
    desk.clock.move(60)
    desk.tell(CRM, second)
    assert holder(desk, lead) == "3"


def test_a_machines_older_word_moves_nothing_that_was_decided_since(desk: Desk) -> None:
    lead = arrive(desk)
    first = holder(desk, lead)
    said = replace(change("1", desk.clock.now(), owner_id=in_crm(desk, lead)), origin=ChangeOrigin.MACHINE)
    desk.clock.move(5)
    assert commands.pass_on(desk.house, lead, rep(first), "other").ok
    second = holder(desk, lead)
    desk.tell(CRM, said)
    assert holder(desk, lead) == second


def test_a_choice_in_the_crm_for_a_lead_that_ended_gives_nobody_anything_to_do(desk: Desk) -> None:
    lead = arrive(desk)
    reps_owner = in_crm(desk, lead)
    assert commands.log_outcome(desk.house, lead, BOSS, "lost").ok
    desk.clock.move(5)
    desk.tell(CRM, change("1", desk.clock.now(), owner_id=reps_owner))
    assert desk.house.decisions.open_counts() == {}
    stored = desk.house.leads.get(lead)
    assert stored is not None
    assert stored.owner_id == desk.house.reps.for_owner(CRM, reps_owner).id


@pytest.mark.parametrize("end", [ChangeKind.DELETED, ChangeKind.ERASED])
def test_an_owner_of_a_record_that_goes_in_the_same_delivery_holds_nothing(desk: Desk, end: ChangeKind) -> None:
    lead = arrive(desk)
    desk.clock.move(5)
    given = change("1", desk.clock.now(), owner_id=in_crm(desk, lead))
    desk.clock.move(5)
    desk.tell(CRM, given, change("1", desk.clock.now(), end))
    desk.run()
    assert desk.house.decisions.open_counts() == {}


def test_an_owner_taken_away_in_the_crm_is_credited_and_does_not_get_the_lead_again(desk: Desk) -> None:
    lead = arrive(desk)
    had: list[str | None] = []
    for _ in range(2):
        had.append(holder(desk, lead))
        desk.clock.move(60)
        desk.tell(CRM, _cleared(desk))
        assert holder(desk, lead) not in (*had, None)
        assert booked(desk, "sales/c") == {holder(desk, lead): 1}
    desk.clock.move(60)
    desk.tell(CRM, _cleared(desk))
    assert holder(desk, lead) is None
    assert [held.lead_id for held in desk.house.waiting.all()] == [lead], "nobody is left: it has its place on the list"
    assert booked(desk, "sales/c") == {}
    assert [past.closed_as for past in desk.house.decisions.history(lead)] == ["cleared"] * 3


def test_who_got_the_lead_since_is_not_meant_by_an_owner_taken_away_before(desk: Desk, policy: Callable[[str], None]) -> None:
    policy(f"{SLA}\n{EVERYBODY}")
    lead = arrive(desk)
    desk.clock.move(14 * 60)
    cleared = _cleared(desk)
    desk.clock.move(60)
    sweep_clocks(desk.house)
    second = holder(desk, lead)
    desk.tell(CRM, cleared)
    assert holder(desk, lead) == second


# -- whose account a lead is booked on


@pytest.mark.parametrize("act", ["pass", "reassign", "crm", "clear"])
def test_a_lead_goes_off_the_line_where_it_was_booked_whatever_line_it_is_in_now(
    desk: Desk, policy: Callable[[str], None], act: str
) -> None:
    policy(EVERYBODY)
    lead = arrive(desk)
    first = holder(desk, lead)
    policy(EVERYBODY.replace("sales", "inside"))
    for number in "234":
        arrive(desk, number)
    before = booked(desk, "inside/c")
    assert booked(desk, "sales/c") == {first: 1}
    desk.clock.move(60)
    if act == "pass":
        assert commands.pass_on(desk.house, lead, rep(first), "other").ok
    elif act == "reassign":
        assert commands.reassign(desk.house, lead, next(one for one in "123" if one != first), BOSS, "").ok
    else:
        owner = in_crm(desk, lead) if act == "crm" else None
        desk.tell(CRM, change("1", desk.clock.now(), owner_id=owner))
    second = holder(desk, lead)
    assert second not in (first, None)
    assert booked(desk, "sales/c") == {}
    assert booked(desk, "inside/c") == {**before, second: before.get(second, 0) + 1}


def test_a_claim_that_is_undone_is_off_the_account_and_back_on_the_list(desk: Desk, policy: Callable[[str], None]) -> None:
    policy(f'{EVERYBODY}method = "claim_pool"\n')
    lead = arrive(desk)
    assert commands.claim(desk.house, lead, rep("2")).ok
    assert booked(desk, "sales/c") == {"2": 1}
    assert desk.house.waiting.count() == 0
    desk.clock.move(5)
    assert commands.undo(desk.house, rep("2")).ok
    assert holder(desk, lead) is None
    assert [(held.lead_id, held.pool) for held in desk.house.waiting.all()] == [(lead, True)]
    assert booked(desk, "sales/c") == {}
    desk.run()
    assert desk.house.waiting.count() == 1


def test_an_end_that_is_undone_charges_its_owner_once(desk: Desk) -> None:
    lead = arrive(desk)
    first = holder(desk, lead)
    assert commands.log_outcome(desk.house, lead, rep(first), "lost").ok
    desk.clock.move(5)
    assert commands.undo(desk.house, rep(first)).ok
    assert holder(desk, lead) == first
    assert booked(desk, "sales/c") == {first: 1}


# -- claims


def pool(*lines: str) -> str:
    return '[teams.sales]\nreps = ["1", "2"]\nmethod = "claim_pool"\n' + "\n".join(lines)


@pytest.mark.parametrize(
    ("terms", "settings", "who", "why"),
    [
        (pool(), {}, "3", "not in team sales"),
        (pool(), {"capacity": 0}, "2", "0 open leads, the cap is 0"),
        (pool('skills = ["product"]'), {}, "2", "lacks product ski"),
        (pool(), {"countries": ["FR"]}, "2", "does not cover DE"),
    ],
)
def test_a_rep_cannot_claim_what_the_gates_would_not_give_them_and_a_manager_can(
    desk: Desk, policy: Callable[[str], None], terms: str, settings: dict[str, Any], who: str, why: str
) -> None:
    policy(terms)
    if settings:
        commands.set_rep(desk.house, who, settings, BOSS)
    lead = arrive(desk, country="DE", product="ski")
    refused = commands.claim(desk.house, lead, rep(who))
    assert (refused.ok, refused.text) == (False, f"P 1 is not for you: {why}.")
    assert holder(desk, lead) is None
    assert [held.lead_id for held in desk.house.waiting.all()] == [lead]
    assert commands.claim(desk.house, lead, replace(rep(who), role=Role.MANAGER)).ok
    assert holder(desk, lead) == who


def test_a_team_to_which_a_lead_overflows_may_claim_it_and_hours_keep_nobody(desk: Desk, policy: Callable[[str], None]) -> None:
    policy(
        '[hours]\nsun = "01:00-02:00"\n[teams.sales]\nreps = ["1"]\nnobody_free = "overflow"\noverflow = "help"\n'
        '[teams.help]\nreps = ["2"]\n[[rules]]\nteam = "sales"\n'
    )
    lead = arrive(desk)
    assert [held.lead_id for held in desk.house.waiting.all()] == [lead]
    assert not commands.claim(desk.house, lead, rep("3")).ok
    assert commands.claim(desk.house, lead, rep("2")).ok
    assert holder(desk, lead) == "2"


# -- pins


@pytest.mark.parametrize("free", [True, False])
def test_a_pick_of_the_engine_is_nobodys_choice(desk: Desk, free: bool) -> None:
    """A person's choice falls with the rep whom they chose: whom the engine picks instead is held to deadlines as any other."""
    desk.tell(CRM, change("1", NOON, email="p1@corp.example", owner_id="100"))
    lead = desk.lead("1")
    assert pinned(desk, lead)
    for one in ("1",) if free else ("1", "2", "3"):
        commands.set_rep(desk.house, one, {"active": False}, BOSS)
    desk.run()
    assert (holder(desk, lead) in ("2", "3")) is free
    assert not pinned(desk, lead)


# -- leads that ended


def reconcile(desk: Desk, page: BackfillPage) -> None:
    desk.crm.changed_since = lambda since, after_id=None: iter([page])  # type: ignore[attr-defined]
    reconciling.reconcile(desk.house, CRM)


@pytest.mark.parametrize("outcome", [Outcome.WON, Outcome.LOST])
def test_a_lead_whose_end_only_reconciling_tells_is_nobodys_and_no_deadline_moves_it(
    desk: Desk, policy: Callable[[str], None], outcome: Outcome
) -> None:
    policy(f"{SLA}\n{EVERYBODY}")
    lead = arrive(desk)
    desk.clock.move(60)
    reconcile(desk, BackfillPage([change("1", desk.clock.now(), title="CEO")], [], {"1": (outcome, desk.clock.now())}, None))
    assert [past.closed_as for past in desk.house.decisions.history(lead)] == [outcome.value]
    assert desk.house.decisions.open_counts() == {}
    desk.clock.move(3600)
    sweep_clocks(desk.house)
    desk.run()
    assert len(desk.house.decisions.history(lead)) == 1


def test_an_older_word_from_the_crm_does_not_end_a_lead_that_is_open_again(desk: Desk) -> None:
    lead = arrive(desk)
    first = holder(desk, lead)
    desk.clock.move(60)
    desk.house.leads.settle(lead, Outcome.OPEN, desk.clock.now())
    reconcile(desk, BackfillPage([change("1", desk.clock.now(), title="CEO")], [], {"1": (Outcome.LOST, NOON)}, None))
    assert holder(desk, lead) == first


def test_a_deadline_of_a_lead_that_ended_is_void_whoever_still_holds_it(desk: Desk, policy: Callable[[str], None]) -> None:
    policy(f"{SLA}\n{EVERYBODY}")
    lead = arrive(desk)
    first = holder(desk, lead)
    desk.house.leads.settle(lead, Outcome.WON, desk.clock.now())
    desk.clock.move(3600)
    sweep_clocks(desk.house)
    assert holder(desk, lead) == first
    assert {state for _, _, state, _ in desk.house.timers.of_lead(lead)} == {"void"}


def test_a_lead_that_ended_is_not_routed_anew_when_its_rep_leaves(desk: Desk) -> None:
    lead = arrive(desk)
    first = holder(desk, lead)
    desk.house.leads.settle(lead, Outcome.LOST, desk.clock.now())
    desk.clock.move(60)
    desk.house.reps.sync(CRM, [RepRecord(one.external_id, one.email, one.name, False) for one in records_of_reps()])
    assert release_leads(desk.house) == 0
    assert [(past.rep_id, past.closed_as) for past in desk.house.decisions.history(lead)] == [(first, "lost")]
    assert desk.house.waiting.count() == 0


# -- the users of the CRM


def test_the_users_of_the_crm_are_read_before_anything_is_locked(desk: Desk) -> None:
    inside = []

    def pages() -> Any:
        for one in records_of_reps():
            inside.append(desk.house.db.raw.in_transaction())
            yield one

    assert desk.house.reps.sync(CRM, pages()) == 3
    assert inside == [False] * 3
