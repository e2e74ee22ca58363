"""What allocation is told of reps and leads: people over the file over the CRM; tiers, accounts, waits, skill, chance."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from allocation.hours import Calendar
from allocation.rep import Caps
from allocation.replay import replay
from connector import commands
from connector.commands import Actor
from connector.pipeline.roster import build_roster, check_setting
from connector.tier_skill import skills
from leads.enums import ChangeOrigin, Role, Tier
from tests.unit.connector.pipeline.scripted import CRM, Desk, change, records_of_reps

BOSS = Actor("cli", "boss", Role.ADMIN)


def policy(desk: Desk, text: str) -> None:
    Path(desk.house.settings.policy).write_text(text, encoding="utf-8")
    desk.house.__dict__.pop("policy_shelf", None)


def arrive(desk: Desk, number: str, origin: ChangeOrigin = ChangeOrigin.PERSON, **fields: str) -> int:
    desk.tell(CRM, replace(change(number, email=f"p{number}@corp.example", **fields), origin=origin))
    desk.run()
    return desk.lead(number)


def test_people_win_over_the_file_and_the_file_over_the_crm(desk: Desk) -> None:
    house = desk.house
    house.reps.sync(CRM, [replace(one, teams=("Inside",)) for one in records_of_reps()])
    policy(
        desk,
        '[teams.x]\nreps = ["*"]\n[reps.1]\nweight = 2\nlanguages = ["de"]\nteams = ["field"]\ncaps = { open = 9, day = 3 }\n'
        "[reps.2]\nweight = 2\n",
    )
    commands.set_rep(house, "1", {"weight": 0.5, "capacity": 4, "countries": ["AT"]}, BOSS)
    one, two, three = [house.policy.settled(rep) for rep in build_roster(house, desk.clock.now())]
    assert (one.weight, two.weight, three.weight) == (0.5, 2.0, 1.0)
    assert one.caps == Caps(open=4, day=3), "each cap for itself"
    assert one.languages == {"de"}
    assert (one.teams, two.teams) == ({"field"}, {"inside"})
    assert one.territory.countries == {"AT"}
    commands.set_rep(house, "1", {"team": "North"}, BOSS)
    assert house.policy.settled(build_roster(house, desk.clock.now())[0]).teams == {"north"}


def test_the_crms_teams_are_the_policys_where_it_names_no_reps(desk: Desk) -> None:
    desk.house.reps.sync(CRM, [replace(one, teams=("Emea",) if one.name == "Cleo" else ()) for one in records_of_reps()])
    policy(desk, '[teams.emea]\nnobody_free = "hold"\n')
    assert desk.house.decisions.open_assignment(arrive(desk, "1")).rep_id == "3"  # type: ignore[union-attr]


def test_loads_are_counted_by_tier(desk: Desk) -> None:
    lead = arrive(desk, "1")
    tier = desk.house.scores.newest(lead).score.tier  # type: ignore[union-attr]
    held = desk.house.decisions.open_assignment(lead).rep_id  # type: ignore[union-attr]
    rep = next(one for one in build_roster(desk.house, desk.clock.now()) if one.id == held)
    assert rep.open_by_tier == {tier: 1}
    assert [taken.tier for taken in rep.recent] == [tier]
    policy(desk, f'[caps.tier.{tier}]\nopen = 1\n[teams.x]\nreps = ["{held}"]\n')
    verdicts = commands.why(desk.house, arrive(desk, "2")).verdicts  # type: ignore[union-attr]
    assert f"1 open leads of tier {tier.upper()}, the cap is 1" in {one.detail for one in verdicts}


def test_the_owner_of_the_account_comes_before_the_rotation_and_by_order_before_the_leads(desk: Desk) -> None:
    by_account = arrive(desk, "1", account_owner_id="101")
    assert desk.house.decisions.newest(by_account).method == "account_owner"  # type: ignore[union-attr]
    assert desk.house.leads.get(by_account).owner_id == "2"  # type: ignore[union-attr]
    both = arrive(desk, "2", ChangeOrigin.MACHINE, account_owner_id="101", owner_id="100")
    assert desk.house.leads.get(both).owner_id == "1"  # type: ignore[union-attr]
    policy(desk, '[owners]\norder = ["account", "existing"]\n[teams.x]\nreps = ["*"]\n')
    turned = arrive(desk, "3", ChangeOrigin.MACHINE, account_owner_id="101", owner_id="100")
    assert desk.house.leads.get(turned).owner_id == "2"  # type: ignore[union-attr]
    chosen = arrive(desk, "4", ChangeOrigin.PERSON, account_owner_id="101", owner_id="100")
    assert desk.house.leads.get(chosen).owner_id == "1", "a person's choice wins over any order"  # type: ignore[union-attr]


def test_a_part_is_given_out_at_random_and_replays(desk: Desk) -> None:
    policy(desk, 'explore = 1.0\n[teams.x]\nreps = ["*"]\n')
    desk.house.chance.seed(3)
    chosen = []
    for number in range(12):
        lead = arrive(desk, str(number))
        decision = desk.house.decisions.newest(lead)
        assert decision is not None
        assert decision.record["draw"] is not None
        assert replay(decision.record).rep_id == decision.rep_id
        chances = [one["factors"]["propensity"] for one in decision.record["verdicts"] if "propensity" in one["factors"]]
        assert all(abs(chance - 1 / len(chances)) < 1e-6 for chance in chances)
        chosen.append(decision.rep_id)
    assert [chosen.count(rep) for rep in ("1", "2", "3")] == [4, 4, 4], "what is due to everybody stands"
    assert len({tuple(chosen[start : start + 3]) for start in range(0, 12, 3)}) > 1, "the rotation would go round"


def test_skill_by_tier_is_drawn_towards_that_of_all() -> None:
    found = skills({("1", Tier.A): (30, 40), ("2", Tier.A): (10, 40), ("3", Tier.A): (1, 1), ("4", Tier.B): (0, 5)})
    assert found["1"][Tier.A] > found["3"][Tier.A] > 0.5 > found["2"][Tier.A]
    assert "4" not in found, "nobody has won any of that tier"
    even = skills({("1", Tier.A): (5, 10), ("2", Tier.A): (5, 10)})
    assert even["1"][Tier.A] == even["2"][Tier.A] == 0.5


def test_postcodes_and_sizes_close_the_gate_of_territory(desk: Desk) -> None:
    """The same by what people set and by the file."""
    commands.set_rep(desk.house, "1", {"postcodes": ["10-19"]}, BOSS)
    commands.set_rep(desk.house, "2", {"employees": [200, None]}, BOSS)
    policy(desk, '[teams.x]\nreps = ["*"]\n[reps.3.territory]\npostcodes = ["80000-89999"]\nemployees = { max = 50 }\n')
    verdicts = {one.rep_id: one for one in commands.why(desk.house, arrive(desk, "1", postcode="12345", employees="90")).verdicts}  # type: ignore[union-attr]
    assert {rep: one.detail for rep, one in verdicts.items()} == {
        "1": "",
        "2": "does not cover companies of 90",
        "3": "does not cover postcode 12345",
    }
    big = arrive(desk, "2", postcode="80331", employees="900")
    assert desk.house.decisions.open_assignment(big).rep_id == "2"  # type: ignore[union-attr]
    small = arrive(desk, "3", postcode="80331", employees="12")
    assert desk.house.decisions.open_assignment(small).rep_id == "3"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("weight", 1e308, "0 or from 0.001 to 1000"),
        ("weight", math.inf, "0 or from 0.001 to 1000"),
        ("weight", math.nan, "0 or more"),
        ("weight", 10**400, "0 or from 0.001 to 1000"),
        ("weight", 1e-320, "0 or from 0.001 to 1000"),
        ("capacity", 10**400, "at most 1,000,000"),
        ("employees", [1, 10**400], "the least and the most"),
    ],
)
def test_numbers_that_would_stop_every_decision_are_refused(name: str, value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words) as told:
        check_setting(name, value)
    assert len(str(told.value)) < 200


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+05:00"])
def test_moments_at_the_edge_of_the_calendar_stop_no_decision(desk: Desk, text: str) -> None:
    commands.set_rep(desk.house, "1", {"paused_until": text}, BOSS)
    commands.set_rep(desk.house, "2", {"pto": [sorted(["2026-01-01T00:00:00Z", text])]}, BOSS)
    lead = arrive(desk, "1")
    assert desk.house.decisions.open_assignment(lead) is not None
    decision = desk.house.decisions.newest(lead)
    assert decision is not None
    assert replay(decision.record).rep_id == decision.rep_id


def test_countries_of_a_rep_are_codes_and_those_of_leads_as_they_come(desk: Desk) -> None:
    with pytest.raises(ValueError, match='"Germany" is not an ISO 3166 country code of two letters; did you mean "DE"'):
        check_setting("countries", ["at", "Germany"])
    for rep, country in (("1", "de"), ("2", "AT"), ("3", "gb")):
        commands.set_rep(desk.house, rep, {"countries": [country]}, BOSS)
    for place, (country, rep) in enumerate([("Germany", "1"), ("AT", "2"), ("United Kingdom", "3"), ("de", "1")]):
        assert desk.house.decisions.open_assignment(arrive(desk, str(place), country=country)).rep_id == rep  # type: ignore[union-attr]


def test_regions_of_holidays_are_read_regardless_of_case(desk: Desk) -> None:
    commands.set_rep(desk.house, "1", {"holidays": "de-by"}, BOSS)
    rep = build_roster(desk.house, desk.clock.now())[0]
    assert rep.calendar(Calendar()).is_holiday(date(2026, 1, 6))


@pytest.mark.parametrize(("kept", "read"), [(1e-9, 0.001), (1e9, 1000.0), (0, 0.0), (2, 2.0)])
def test_a_weight_from_before_there_were_bounds_is_read_within_them(desk: Desk, kept: float, read: float) -> None:
    desk.house.reps.set("1", {"weight": kept})
    assert build_roster(desk.house, desk.clock.now())[0].weight == read
