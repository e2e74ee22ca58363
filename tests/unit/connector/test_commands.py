"""What people do: late clicks, double clicks, many at once. One owner, one open assignment, and whoever lost learns who won."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from connector import commands
from connector.commands import Actor, Done
from connector.errors import Configuration
from connector.pipeline.allocate import allocate
from connector.pipeline.backfill import take_page
from connector.pipeline.deliver import HANDLERS
from connector.pipeline.waiting import Drain
from connector.ports import BackfillPage
from leads.enums import ChangeKind, DecisionOutcome, Role
from tests.unit.connector.pipeline.scripted import CRM, MAIL, Desk, act, change, open_desk

BOSS = Actor("cli", "boss", Role.ADMIN)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = open_desk(tmp_path)
    yield made
    made.house.close()
    HANDLERS.clear()


def rep(number: str, role: Role = Role.REP) -> Actor:
    return Actor("slack", f"U{number}", role, number)


@pytest.fixture
def lead(desk: Desk) -> int:
    """A routed lead with somebody who holds it."""
    desk.tell(CRM, change("1", first_name="Ann", last_name="Lee", title="CEO", email="ann@corp.example"))
    desk.run()
    return desk.lead("1")


def holder(desk: Desk, lead_id: int) -> str:
    """Who holds the lead, after checking that everything agrees on it."""
    stored, assignment = desk.house.leads.get(lead_id), desk.house.decisions.open_assignment(lead_id)
    assert stored is not None
    assert assignment is not None
    assert stored.owner_id == assignment.rep_id
    assert sum(desk.house.decisions.open_counts().values()) == 1
    return assignment.rep_id


def test_accepting_once_twice_and_too_late(desk: Desk, lead: int) -> None:
    first = holder(desk, lead)
    other = next(one for one in ("1", "2", "3") if one != first)
    name = desk.house.reps.names()[first]
    assert commands.accept(desk.house, lead, rep(first)) == Done(True, "Ann Lee is yours.")
    desk.clock.move(60)
    assert commands.accept(desk.house, lead, rep(first)) == Done(True, "You have accepted Ann Lee already.")
    late = commands.accept(desk.house, lead, rep(other))
    assert not late.ok
    assert name in late.text
    card = commands.card(desk.house, lead)
    assert card is not None
    assert (card.state, card.accepted_by, card.accepted_after_s) == ("accepted", name, 0.0)
    accepted = [entry for entry in desk.house.audit.entries(lead_id=lead) if entry.action == "lead.accepted"]
    assert [entry.actor for entry in accepted] == [f"slack:U{first}"]


def test_a_pass_goes_to_somebody_who_has_not_had_it_until_nobody_is_left(desk: Desk, lead: int) -> None:
    had: list[str] = []
    for _ in range(2):
        had.append(holder(desk, lead))
        done = commands.pass_on(desk.house, lead, rep(had[-1]), "not my region")
        assert done.ok
        assert holder(desk, lead) not in had
        assert desk.house.reps.names()[holder(desk, lead)] in done.text
        desk.run()
    last = holder(desk, lead)
    done = commands.pass_on(desk.house, lead, rep(last), "full")
    assert done.ok
    assert "waits" in done.text
    assert desk.house.decisions.open_assignment(lead) is None
    card = commands.card(desk.house, lead)
    assert card is not None
    assert (card.state, card.owner_id, card.passed_reason) == ("waiting", None, "full")
    late = commands.pass_on(desk.house, lead, rep(last), "again")
    assert late == Done(False, "Nobody holds this lead now.")


def test_a_pass_wants_a_reason_and_the_right_person(desk: Desk, lead: int) -> None:
    first = holder(desk, lead)
    other = next(one for one in ("1", "2", "3") if one != first)
    assert not commands.pass_on(desk.house, lead, rep(first), "  ").ok
    assert not commands.pass_on(desk.house, lead, rep(other), "mine!").ok
    assert holder(desk, lead) == first
    assert commands.pass_on(desk.house, lead, rep(other, Role.MANAGER), "holiday").ok
    assert holder(desk, lead) != first


def test_with_nobody_free_a_lead_is_held_and_drained_later(desk: Desk) -> None:
    house = desk.house
    for number in ("1", "2", "3"):
        commands.set_rep(house, number, {"active": False}, BOSS)
    desk.tell(CRM, change("1", title="CEO"))
    desk.run()
    lead_id = desk.lead("1")
    decision = house.decisions.newest(lead_id)
    assert decision is not None
    assert decision.outcome is DecisionOutcome.HELD
    assert allocate(house, lead_id) is not None
    assert len(house.decisions.of_lead(lead_id)) == 1, "waiting is recorded once"
    drain = Drain(house)
    assert drain.turn() == 0
    commands.set_rep(house, "2", {"active": None}, BOSS)
    assert drain.turn() == 1
    desk.run()
    assert holder(desk, lead_id) == "2"
    assert house.leads.unfinished("allocate", desk.clock.now(), 10) == []


def test_reassigning_is_for_managers_to_reps_who_are_there(desk: Desk, lead: int) -> None:
    house, first = desk.house, holder(desk, lead)
    other = next(one for one in ("1", "2", "3") if one != first)
    for actor in (rep(first), Actor("api", "t", Role.INGEST), Actor("slack", "U9", Role.UNKNOWN)):
        assert not commands.reassign(house, lead, other, actor, "").ok
    for nobody in ("99", "x", "", "²", "9" * 30, "-1", "1.0"):
        assert not commands.reassign(house, lead, nobody, BOSS, "").ok
    assert not commands.reassign(house, 999, other, BOSS, "").ok
    assert commands.reassign(house, lead, first, BOSS, "") == Done(True, f"{house.reps.names()[first]} holds Ann Lee already.")
    assert commands.reassign(house, lead, other, rep("1", Role.MANAGER), "she knows them").ok
    assert holder(desk, lead) == other
    why = commands.why(house, lead)
    assert why is not None
    assert (why.reason, why.actor) == ("she knows them", "slack:U1")
    commands.set_rep(house, first, {"active": False}, BOSS)
    assert not commands.reassign(house, lead, first, BOSS, "").ok


@pytest.mark.parametrize(
    "what", ["1", "#1", "ann@corp.example", "<mailto:ann@corp.example>", "ann LEE", "https://crm.example/contact/1"]
)
def test_a_lead_is_found_however_a_person_names_it(desk: Desk, lead: int, what: str) -> None:
    assert [found.id for found in commands.find_leads(desk.house, what)] == [lead]


@pytest.mark.parametrize(
    "what", ["", " ", "²", "#٣", "9" * 40, "-1", "%", "'; --", "nobody@corp.example", "\x00", "\ud83d", "x" * 10_000, "//"]
)
def test_what_names_nobody_finds_nobody(desk: Desk, lead: int, what: str) -> None:
    assert commands.find_leads(desk.house, what) == []


@pytest.mark.parametrize("number", [0, -1, 999, 2**31, 2**63, 10**30])
def test_a_number_that_is_no_lead(desk: Desk, number: int) -> None:
    assert commands.card(desk.house, number) is None
    assert commands.why(desk.house, number) is None
    for done in (
        commands.accept(desk.house, number, rep("1")),
        commands.pass_on(desk.house, number, rep("1"), "x"),
        commands.claim(desk.house, number, rep("1")),
    ):
        assert not done.ok


@pytest.mark.parametrize(
    "changes",
    [
        {"nonsense": 1},
        {"weight": "much"},
        {"weight": -1},
        {"weight": float("nan")},
        {"weight": float("inf")},
        {"active": "no"},
        {"capacity": True},
        {"capacity": 1.5},
        {"capacity": -1},
        {"paused_until": "tomorrow"},
        {"hours": {"mon": "nine to five"}},
        {"hours": {"mon": 3}},
        {"hours": {"blursday": "09:00-17:00"}},
        {"timezone": "Mars/Olympus"},
        {"timezone": "../../etc/passwd"},
        {"holidays": "ZZ"},
        {"holidays": "DE-XX"},
        {"pto": ["2026-01-01"]},
        {"pto": [["now", "then"]]},
        {"languages": [1, {}]},
    ],
    ids=str,
)
def test_a_setting_that_makes_no_sense_is_refused_and_stops_no_allocation(desk: Desk, changes: dict[str, Any]) -> None:
    with pytest.raises(Configuration, match=next(iter(changes))):
        commands.set_rep(desk.house, "1", changes, BOSS)
    desk.tell(CRM, change("1", title="CEO"))
    desk.run()
    holder(desk, desk.lead("1"))


def test_settings_that_make_sense_are_kept_and_taken_back(desk: Desk) -> None:
    good: dict[str, Any] = {
        "weight": 2,
        "capacity": 0,
        "timezone": "Europe/Berlin",
        "hours": {"mon-fri": "09:00-17:00"},
        "holidays": "DE-BY",
        "pto": [["2026-01-01", "2026-01-08T12:00:00+01:00"]],
        "paused_until": "2026-12-01",
        "languages": ["de", "English"],
        "team": "Inside",
    }
    assert commands.set_rep(desk.house, "1", good, BOSS).settings == good
    assert commands.set_rep(desk.house, "1", dict.fromkeys(good), BOSS).settings == {}
    with pytest.raises(Configuration):
        commands.set_rep(desk.house, "99", {"weight": 1}, BOSS)


# -- many at once


def at_once(jobs: list[Any]) -> list[Any]:
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [one.result(60) for one in [pool.submit(job) for job in jobs]]


def many_claims(desk: Desk) -> None:
    """A hundred claims and the repeats of the webhook that made the lead: one wins, all others learn who."""
    house = desk.house
    for number in range(1, 4):
        commands.set_rep(house, str(number), {"paused_until": "2099-01-01T00:00:00Z"}, BOSS)  # nobody is chosen: the lead waits
    created = change("1", title="CEO", first_name="Ann", email="ann@corp.example")
    desk.tell(CRM, created)
    desk.run()
    lead_id = desk.lead("1")
    repeats = [desk.store(CRM, [created]) for _ in range(20)]

    def claim(number: int) -> Done:
        return commands.claim(house, lead_id, rep(str(number % 3 + 1)))

    answers = at_once(
        [lambda number=number: claim(number) for number in range(100)] + [lambda one=one: desk.work(one) for one in repeats]
    )
    done = [answer for answer in answers if isinstance(answer, Done)]
    desk.run()
    winner = holder(desk, lead_id)
    name = house.reps.names()[winner]
    assert len(done) == 100
    assert {answer.text for answer in done if answer.ok} == {"Ann is yours."}
    assert {answer.text for answer in done if not answer.ok} == {f"Ann was taken by {name}."}
    overrides = [one for one in house.decisions.of_lead(lead_id) if one.outcome is DecisionOutcome.OVERRIDDEN]
    assert len(overrides) == 1
    assert house.leads.count() == 1
    assert len(desk.crm.made) == 1
    assert house.deadletters.count() == 0


def many_hands(desk: Desk) -> None:
    """Accept, pass, reassign and owner changes in the CRM, all at once: whatever order they end in, everything agrees."""
    house = desk.house
    desk.tell(CRM, change("1", title="CEO", first_name="Ann", email="ann@corp.example"))
    desk.run()
    lead_id = desk.lead("1")
    moved = [desk.store(CRM, [change("1", desk.clock.now(), owner_id=str(100 + turn % 3))]) for turn in range(6)]
    jobs: list[Any] = [lambda one=one: desk.work(one) for one in moved]
    for turn in range(12):
        who = str(turn % 3 + 1)
        jobs.append(lambda who=who: commands.reassign(house, lead_id, who, BOSS, ""))
        jobs.append(lambda who=who: commands.accept(house, lead_id, rep(who)))
        jobs.append(lambda who=who: commands.pass_on(house, lead_id, rep(who), "busy"))
        jobs.append(lambda: allocate(house, lead_id))
    at_once(jobs)
    desk.run()
    commands.claim(house, lead_id, rep("1"))
    holder(desk, lead_id)
    history = house.decisions.history(lead_id)
    assert [one.closed_at is None for one in history].count(True) == 1
    assert house.audit.seal() > 0
    assert house.audit.verify()[1] is None


def test_a_hundred_claims_and_repeated_webhooks(desk: Desk) -> None:
    many_claims(desk)


def test_many_hands_on_one_lead(desk: Desk) -> None:
    many_hands(desk)


def test_a_lead_that_is_not_in_the_crm_any_more_cannot_be_taken(desk: Desk, lead: int) -> None:
    desk.tell(CRM, change("1", desk.clock.now(), ChangeKind.DELETED))
    desk.tell(MAIL, act("bo@corp.example"))
    (stranger,) = desk.house.leads.find(desk.house.leads.tokens("", None, {"email": "bo@corp.example"}))
    for one in (lead, stranger):
        assert not commands.claim(desk.house, one, rep("1")).ok
        assert not commands.reassign(desk.house, one, "2", BOSS, "").ok
    assert desk.house.decisions.open_counts() == {}


def test_a_lead_of_the_past_that_somebody_takes_up_is_live_again(desk: Desk) -> None:
    past = change("1", title="CEO", email="ann@corp.example")
    take_page(desk.house, CRM, BackfillPage([past], [], {}, None), live=False)
    desk.run()
    lead_id = desk.lead("1")
    assert commands.claim(desk.house, lead_id, rep("1")).ok
    desk.run()
    card = commands.card(desk.house, lead_id)
    assert card is not None
    assert (card.state, card.owner_id) == ("accepted", "1")
    assert card.score is not None
    assert holder(desk, lead_id) == "1"


def test_only_reps_claim_and_only_what_nobody_holds(desk: Desk, lead: int) -> None:
    first = holder(desk, lead)
    assert commands.claim(desk.house, lead, rep(first)) == Done(True, "Ann Lee is yours.")
    assert not commands.claim(desk.house, lead, BOSS).ok
    other = next(one for one in ("1", "2", "3") if one != first)
    assert desk.house.reps.names()[first] in commands.claim(desk.house, lead, rep(other)).text


def test_a_slack_user_is_known_by_link_then_by_address_and_only_while_active(desk: Desk) -> None:
    house = desk.house
    assert commands.actor_for_slack(house, "U7", None) == Actor("slack", "U7", Role.UNKNOWN)
    assert commands.actor_for_slack(house, "U7", "ADA@seller.example") == Actor("slack", "U7", Role.REP, "1")
    assert commands.actor_for_slack(house, "U7", None).rep_id == "1", "remembered"
    commands.set_rep(house, "1", {"active": False}, BOSS)
    assert commands.actor_for_slack(house, "U7", None) == Actor("slack", "U7", Role.UNKNOWN)
    assert [Actor("api", "t", role).may(Role.MANAGER) for role in Role] == [False, False, True, True, False]
