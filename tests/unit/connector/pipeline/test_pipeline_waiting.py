"""The waiting list: nobody free, and then somebody. Hot first, oldest first, at the moment room returns, and quiet until then."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from connector import commands
from connector.bootstrap import House
from connector.commands import Actor
from connector.pipeline import waiting as module
from connector.pipeline.waiting import Drain
from connector.storage.scores import Scores
from leads.enums import DecisionOutcome, Outcome, Role, Tier
from tests.unit.connector.pipeline.scripted import CRM, Desk, change

BOSS = Actor("cli", "boss", Role.ADMIN)
HOLD = '[teams.sales]\nreps = ["*"]\nnobody_free = "hold"\n'


@pytest.fixture
def policy(desk: Desk) -> Callable[[str], None]:
    """Puts a policy in force."""

    def put(text: str) -> None:
        Path(desk.house.settings.policy).write_text(text, encoding="utf-8")
        desk.house.__dict__.pop("policy_shelf", None)

    return put


def everybody(desk: Desk, **settings: object) -> None:
    for rep in desk.house.reps.all():
        commands.set_rep(desk.house, rep.id, settings, BOSS)


def arrive(desk: Desk, number: str, **fields: str) -> int:
    desk.tell(CRM, change(number, first_name="P", last_name=number, email=f"p{number}@corp.example", **fields))
    desk.run()
    return desk.lead(number)


def waiting(desk: Desk) -> list[int]:
    return [held.lead_id for held in desk.house.waiting.all()]


def settle(drain: Drain, turns: int = 4) -> int:
    return sum(drain.turn() for _ in range(turns))


def test_a_held_lead_is_on_the_list_with_its_reason_and_leaves_it_with_its_rep(desk: Desk) -> None:
    everybody(desk, active=False)
    lead = arrive(desk, "1")
    (held,) = desk.house.waiting.all()
    assert (held.lead_id, held.team, held.pool) == (lead, "sales", False)
    why = commands.why(desk.house, lead)
    assert why is not None
    assert "3 not active; on the waiting list" in why.because
    drain = Drain(desk.house)
    assert settle(drain) == 0
    everybody(desk, active=None)
    assert drain.turn() == 1
    assert waiting(desk) == []
    assert desk.house.decisions.open_assignment(lead) is not None
    assert desk.house.decisions.of_lead(lead)[0].outcome is DecisionOutcome.HELD
    assert len(desk.house.decisions.of_lead(lead)) == 2


def test_the_hot_go_first_and_then_the_oldest(desk: Desk, policy: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    everybody(desk, active=False)
    tiers = {"1": Tier.C, "2": Tier.A, "3": Tier.C, "4": Tier.A, "5": Tier.B}
    leads = {}
    for number in tiers:
        leads[number] = arrive(desk, number)
        desk.clock.move(60)
    with desk.house.db.transaction():
        for number, tier in tiers.items():
            desk.house.waiting.put(leads[number], "sales", tier, desk.clock.now())
    order: list[int] = []
    allocate = module.allocate
    monkeypatch.setattr(module, "allocate", lambda house, lead: order.append(lead) or allocate(house, lead))  # type: ignore[func-returns-value]
    everybody(desk, active=None)
    assert settle(Drain(desk.house)) == 5
    assert order == [leads[number] for number in ("2", "4", "5", "1", "3")]


@pytest.mark.parametrize("returning", ["closed", "raised", "hour", "leave", "policy"])
def test_whatever_brings_room_back_wakes_the_list_at_once(desk: Desk, policy: Callable[[str], None], returning: str) -> None:
    house = desk.house
    for number in ("2", "3"):
        commands.set_rep(house, number, {"active": False}, BOSS)
    cap = {"hour": "hour = 1", "leave": "", "policy": "open = 1"}.get(returning, "open = 1")
    policy(f"{HOLD}[caps]\n{cap}")
    if returning == "leave":
        commands.set_rep(house, "1", {"pto": [["2026-03-02T00:00:00+00:00", "2026-03-02T12:30:00+00:00"]]}, BOSS)
    else:
        arrive(desk, "1")
    lead = arrive(desk, "2")
    assert waiting(desk) == [lead]
    drain = Drain(house)
    assert settle(drain) == 0
    desk.clock.move(2)
    assert settle(drain) == 0
    if returning == "closed":
        desk.tell(CRM, change("1", desk.clock.now(), lifecycle_stage="customer"))
    elif returning == "raised":
        commands.set_rep(house, "1", {"capacity": 2}, BOSS)
    elif returning == "policy":
        house.policies.publish("v2", "wider", f"{HOLD}[caps]\nopen = 2", "cli:boss", "more room")
        desk.clock.move(3)
    else:
        desk.clock.move(3600)
    assert drain.turn() == 1
    assert waiting(desk) == []


def test_without_a_change_it_is_tried_with_growing_pauses(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    everybody(desk, active=False)
    arrive(desk, "1")
    tried: list[float] = []
    start, allocate = desk.clock.now(), module.allocate

    def note(house: object, lead: int) -> object:
        tried.append((desk.clock.now() - start).total_seconds())
        return allocate(desk.house, lead)

    monkeypatch.setattr(module, "allocate", note)
    drain = Drain(desk.house)
    for _ in range(3600):
        drain.turn()
        desk.clock.move(1)
    assert len(tried) < 15, "an hour in vain"
    pauses = [after - before for before, after in pairwise(tried[1:])]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 600
    assert len(desk.house.decisions.of_lead(desk.lead("1"))) == 1, "waiting is recorded once"


def test_a_skill_is_relaxed_when_its_time_has_come(desk: Desk, policy: Callable[[str], None]) -> None:
    policy(f'{HOLD}skills = ["language"]\nrelax_skills_after_minutes = 10\n')
    everybody(desk, languages=["en"])
    lead = arrive(desk, "1", language="German")
    drain = Drain(desk.house)
    settle(drain)
    desk.clock.move(10 * 60 - 1)
    assert settle(drain) == 0
    desk.clock.move(2)
    assert settle(drain) == 1
    assert desk.house.decisions.open_assignment(lead) is not None


def test_many_that_cannot_be_placed_do_not_hold_up_the_one_that_can(desk: Desk, policy: Callable[[str], None]) -> None:
    policy(f'{HOLD}skills = ["language"]\n')
    everybody(desk, languages=["en"])
    for number in range(30):
        arrive(desk, str(number), language="Finnish")
    desk.clock.move(5)
    everybody(desk, active=False)
    last = arrive(desk, "99", language="English")
    drain = Drain(desk.house)
    settle(drain)
    everybody(desk, active=None)
    assert settle(drain) == 1
    assert desk.house.decisions.open_assignment(last) is not None
    assert len(waiting(desk)) == 30


def test_room_that_returns_again_and_again_starves_nobody_at_the_end(desk: Desk, policy: Callable[[str], None]) -> None:
    """Each turn somebody else gets more room, which is first offered to the oldest; those behind have their turn all the same."""
    policy(f'{HOLD}skills = ["language"]\n')
    everybody(desk, active=False, languages=["en"])
    for number in range(60):
        arrive(desk, str(number), language="Finnish")
        desk.clock.move(1)
    last = arrive(desk, "99", language="English")
    drain = Drain(desk.house)
    settle(drain)
    everybody(desk, active=None, capacity=100)
    for turn in range(8):
        drain.turn()
        everybody(desk, capacity=101 + turn)
    assert desk.house.decisions.open_assignment(last) is not None
    assert len(waiting(desk)) == 60


def test_a_lead_that_breaks_is_put_off_and_the_others_go_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    everybody(desk, active=False)
    broken, well = arrive(desk, "1"), arrive(desk, "2")
    everybody(desk, active=None)
    newest = Scores.newest

    def fall(self: Scores, lead_id: int) -> object:
        if lead_id == broken:
            raise ZeroDivisionError
        return newest(self, lead_id)

    monkeypatch.setattr(Scores, "newest", fall)
    drain = Drain(desk.house)
    assert settle(drain) == 1
    assert waiting(desk) == [broken]
    assert desk.house.decisions.open_assignment(well) is not None
    held = desk.house.waiting.get(broken)
    assert held is not None
    assert held.try_at > desk.clock.now()


@pytest.mark.parametrize("end", ["won", "erased", "claimed"])
def test_who_needs_nobody_any_more_is_taken_off(desk: Desk, end: str) -> None:
    everybody(desk, active=False)
    lead = arrive(desk, "1")
    drain = Drain(desk.house)
    settle(drain)
    if end == "won":
        desk.house.leads.settle(lead, Outcome.WON, desk.clock.now())
    elif end == "erased":
        desk.house.leads.erase(lead)
    else:
        commands.set_rep(desk.house, "2", {"active": None}, BOSS)
        assert commands.claim(desk.house, lead, Actor("slack", "U2", Role.REP, "2")).ok
        assert waiting(desk) == []
    everybody(desk, active=None)
    settle(drain)
    assert waiting(desk) == []


def test_a_claim_pool_waits_to_be_claimed_and_is_shown_where_it_can_be(desk: Desk, policy: Callable[[str], None]) -> None:
    policy('[teams.sales]\nreps = ["*"]\nmethod = "claim_pool"\n')
    lead = arrive(desk, "1")
    (held,) = desk.house.waiting.all()
    assert held.pool
    assert (lead, "channel:#leads") in desk.slack.posted
    drain = Drain(desk.house)
    assert settle(drain) == 0
    done = commands.claim(desk.house, lead, Actor("slack", "U2", Role.REP, "2"))
    assert done.ok
    assert waiting(desk) == []
    late = commands.claim(desk.house, lead, Actor("slack", "U3", Role.REP, "3"))
    assert late.text.endswith("was taken by Ben.")


@pytest.mark.parametrize(
    ("terms", "chosen"),
    [
        ('nobody_free = "hold"', None),
        ('nobody_free = "overflow"\noverflow = "rest"', "3"),
        ('nobody_free = "default"\ndefault_rep = "2"', "2"),
        ('nobody_free = "route_anyway"', "1"),
    ],
)
def test_each_behaviour_when_nobody_is_free(desk: Desk, policy: Callable[[str], None], terms: str, chosen: str | None) -> None:
    policy(f'[teams.sales]\nreps = ["1"]\n{terms}\n[teams.rest]\nreps = ["3"]\n')
    commands.set_rep(desk.house, "1", {"paused_until": "2026-03-03T00:00:00+00:00"}, BOSS)
    lead = arrive(desk, "1")
    assignment = desk.house.decisions.open_assignment(lead)
    assert (assignment.rep_id if assignment else None) == chosen
    assert waiting(desk) == ([] if chosen else [lead])


def test_a_fresh_lead_does_not_overtake_those_that_wait(desk: Desk, policy: Callable[[str], None]) -> None:
    policy(HOLD)
    everybody(desk, capacity=0)
    first, second = arrive(desk, "1"), arrive(desk, "2")
    assert waiting(desk) == [first, second]
    desk.clock.move(1)
    commands.set_rep(desk.house, "1", {"capacity": 1}, BOSS)
    third = arrive(desk, "3")
    assert waiting(desk) == [second, third]
    assert desk.house.decisions.open_assignment(first).rep_id == "1"  # type: ignore[union-attr]
    desk.clock.move(1)
    commands.set_rep(desk.house, "1", {"capacity": 4}, BOSS)
    fourth = arrive(desk, "4")
    assert waiting(desk) == []
    order = desk.house.decisions.since(None, 0, 100)
    assert [one.lead_id for one in order if one.rep_id][-3:] == [second, third, fourth]


def test_a_fresh_lead_that_is_hotter_goes_first_and_so_does_one_of_another_team(desk: Desk, policy: Callable[[str], None]) -> None:
    policy('[teams.sales]\nreps = ["1"]\n[teams.other]\nreps = ["2"]\n[[rules]]\nwhen = { country = "AT" }\nteam = "other"\n')
    everybody(desk, capacity=0)
    cold, other = arrive(desk, "1"), arrive(desk, "2", country="AT")
    with desk.house.db.transaction():
        desk.house.waiting.put(cold, "sales", Tier.D, desk.clock.now())
    desk.clock.move(60)
    everybody(desk, capacity=1)
    fresh = arrive(desk, "3")
    assert waiting(desk) == [other, cold]
    assert desk.house.decisions.open_assignment(fresh).rep_id == "1"  # type: ignore[union-attr]


def test_who_was_just_tried_in_vain_is_not_tried_before_each_fresh_lead(desk: Desk, policy: Callable[[str], None]) -> None:
    policy(HOLD)
    everybody(desk, capacity=0)
    for number in range(6):
        arrive(desk, str(number))
    assert [held.tries for held in desk.house.waiting.all()] == [0] * 6


def test_one_that_breaks_holds_up_no_fresh_lead(desk: Desk, policy: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    policy(HOLD)
    everybody(desk, capacity=0)
    broken = arrive(desk, "1")
    desk.clock.move(1)
    everybody(desk, capacity=1)
    real = module.allocate

    def breaks(house: House, lead: int) -> object:
        if lead == broken:
            raise ZeroDivisionError
        return real(house, lead)

    monkeypatch.setattr(module, "allocate", breaks)
    assert desk.house.decisions.open_assignment(arrive(desk, "2")) is not None
    assert waiting(desk) == [broken]
