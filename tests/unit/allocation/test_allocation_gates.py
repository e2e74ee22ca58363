"""The gates: who is stopped, by what, and in which order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from allocation.gates import FOREVER, Clocks, Closed, first_closed
from allocation.hours import ALWAYS, parse_week
from allocation.policy import parse_policy
from allocation.rep import Caps, LeadFacts, Rep, Taken, Territory
from leads.enums import Gate, Tier

AT = datetime(2026, 11, 18, 10, 0, tzinfo=UTC)  # a Wednesday
POLICY = parse_policy(
    """
[caps]
open = 50
[caps.tier.a]
day = 2
open = 4
[teams.sales]
reps = ["*"]
skills = ["language", "product"]
caps = { open = 30 }
weights = { nought = 0 }
"""
)
LEAD = LeadFacts(1, Tier.B, language="German", product="crm", country="DE", region="BY", postcode="80331")
REP = Rep("1", languages=frozenset({"de", "en"}), products=frozenset({"crm"}))


def closed(rep: Rep = REP, lead: LeadFacts = LEAD, at: datetime = AT, exclude: frozenset[str] = frozenset()) -> Closed | None:
    return first_closed(rep, lead, POLICY.plan(lead), POLICY, Clocks(at), exclude)


def gate(rep: Rep = REP, lead: LeadFacts = LEAD, at: datetime = AT, exclude: frozenset[str] = frozenset()) -> Gate | None:
    found = closed(rep, lead, at, exclude)
    return found.gate if found else None


def test_a_rep_who_fits_is_let_through() -> None:
    assert closed() is None


def test_a_rep_who_is_not_active() -> None:
    assert gate(replace(REP, active=False)) is Gate.ACTIVE


def test_a_weight_of_nought_takes_nothing() -> None:
    assert gate(replace(REP, weight=0)) is Gate.ACTIVE
    assert closed(replace(REP, id="nought")) == (Gate.ACTIVE, "has weight 0 in team sales", True, False)


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        (datetime(2026, 11, 18, 13, 59, tzinfo=UTC), False),  # 08:59 in New York
        (datetime(2026, 11, 18, 14, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 18, 21, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 18, 22, 0, tzinfo=UTC), False),
        (datetime(2026, 7, 15, 13, 0, tzinfo=UTC), True),  # summer time: 09:00 is 13:00 UTC
        (datetime(2026, 11, 21, 15, 0, tzinfo=UTC), False),  # Saturday
        (datetime(2026, 11, 26, 15, 0, tzinfo=UTC), False),  # Thanksgiving
    ],
)
def test_hours_are_those_of_the_reps_own_zone(at: datetime, is_open: bool) -> None:
    rep = replace(REP, timezone="America/New_York", hours=parse_week({"mon-fri": "09:00-17:00"}), holiday_country="US")
    assert (gate(rep, at=at) is None) == is_open


def test_leave_and_pause_end_at_their_moment() -> None:
    leave = replace(REP, pto=((AT, AT + timedelta(days=2)),))
    found = closed(leave)
    assert found is not None
    assert (found.gate, found.away, found.leave) == (Gate.AVAILABILITY, True, True)
    assert "2026-11-20" in found.detail
    assert gate(leave, at=AT + timedelta(days=2)) is None
    assert gate(leave, at=AT - timedelta(seconds=1)) is None
    assert gate(replace(REP, paused_until=AT + timedelta(minutes=1))) is Gate.AVAILABILITY
    assert gate(replace(REP, paused_until=AT)) is None
    found = closed(replace(REP, paused_until=FOREVER))
    assert found is not None
    assert (found.detail, found.leave) == ("paused", False)


def test_the_more_specific_cap_wins() -> None:
    assert gate(replace(REP, open_leads=29)) is None
    assert gate(replace(REP, open_leads=30)) is Gate.CAPACITY  # the team's
    assert gate(replace(REP, open_leads=30, caps=Caps(open=31))) is None  # the rep's own
    assert gate(replace(REP, open_leads=100, caps=Caps(open=5))) is Gate.CAPACITY  # a cap below the load


def test_caps_of_a_day_count_on_the_reps_clock() -> None:
    rep = replace(REP, timezone="Asia/Tokyo", caps=Caps(day=2))
    # Tokyo's Wednesday began at 15:00 UTC on Tuesday.
    yesterday, today = Taken(datetime(2026, 11, 17, 14, 59, tzinfo=UTC)), Taken(datetime(2026, 11, 17, 15, 0, tzinfo=UTC))
    assert gate(replace(rep, recent=(yesterday, today))) is None
    assert gate(replace(rep, recent=(today, today))) is Gate.CAPACITY
    rolling = replace(rep, caps=Caps(day=2, rolling=True))
    assert gate(replace(rolling, recent=(yesterday, today))) is Gate.CAPACITY


def test_caps_of_hour_and_week() -> None:
    rep = replace(REP, timezone="Asia/Kolkata")  # half an hour off the others
    assert gate(replace(rep, caps=Caps(hour=1), recent=(Taken(datetime(2026, 11, 18, 9, 30, tzinfo=UTC)),))) is Gate.CAPACITY
    assert gate(replace(rep, caps=Caps(hour=1), recent=(Taken(datetime(2026, 11, 18, 9, 29, tzinfo=UTC)),))) is None
    monday = Taken(datetime(2026, 11, 15, 18, 30, tzinfo=UTC))
    assert gate(replace(rep, caps=Caps(week=1), recent=(monday,))) is Gate.CAPACITY
    assert gate(replace(rep, caps=Caps(week=1), recent=(Taken(monday.at - timedelta(seconds=1)),))) is None
    assert gate(replace(rep, caps=Caps(hour=0))) is Gate.CAPACITY


def test_caps_by_tier_count_that_tier_only() -> None:
    hot = replace(LEAD, tier=Tier.A)
    two = (Taken(AT, Tier.A), Taken(AT, Tier.A))
    assert gate(replace(REP, recent=two), hot) is Gate.CAPACITY
    assert gate(replace(REP, recent=(Taken(AT, Tier.B), *two[:1])), hot) is None
    assert gate(replace(REP, recent=two)) is None
    found = closed(replace(REP, open_by_tier={Tier.A: 4}), hot)
    assert found is not None
    assert found.detail == "4 open leads of tier A, the cap is 4"


def test_a_skill_that_is_asked_for_must_be_there() -> None:
    assert closed(replace(REP, languages=frozenset({"fr"}))) == (Gate.SKILL, "lacks language de", False, False)
    assert gate(replace(REP, products=frozenset())) is Gate.SKILL
    assert gate(replace(REP, languages=frozenset()), replace(LEAD, language=None)) is None  # nothing is asked


def test_languages_match_however_they_are_written() -> None:
    assert gate(replace(REP, languages=frozenset({"German"})), replace(LEAD, language="de-AT")) is None


@pytest.mark.parametrize(
    ("territory", "covers"),
    [
        (Territory(frozenset({"DE"})), True),
        (Territory(frozenset({"FR"})), False),
        (Territory(regions=frozenset({"BY"})), True),
        (Territory(regions=frozenset({"BE"})), False),
        (Territory(postcodes=(("80", "81"),)), True),
        (Territory(postcodes=(("10000", "79999"),)), False),
        (Territory(postcodes=(("10", "19"), ("80331", "80331"))), True),
    ],
)
def test_territory(territory: Territory, covers: bool) -> None:
    rep = replace(REP, territory=territory)
    assert (gate(rep) is None) == covers
    assert gate(rep, replace(LEAD, country=None, region=None, postcode=None)) is None  # an unknown place stops nobody


def test_the_first_closed_gate_is_the_verdict() -> None:
    rep = replace(REP, paused_until=FOREVER, open_leads=99, languages=frozenset(), territory=Territory(frozenset({"FR"})))
    order = []
    for mend in (
        {"paused_until": None},
        {"open_leads": 0},
        {"languages": frozenset({"de"})},
        {"territory": Territory()},
        {"id": "2"},
    ):
        order.append(gate(rep, exclude=frozenset({"1"})))
        rep = replace(rep, **mend)  # type: ignore[arg-type]
    assert order == [Gate.AVAILABILITY, Gate.CAPACITY, Gate.SKILL, Gate.TERRITORY, Gate.EXCLUDED]
    assert gate(rep, exclude=frozenset({"1"})) is None


def test_a_zone_that_does_not_exist_falls_back_to_the_policys() -> None:
    assert gate(replace(REP, timezone="Mars/Olympus", hours=parse_week({"mon-fri": "09:00-17:00"}))) is None


def test_a_rep_may_have_companies_of_a_size() -> None:
    """Companies of a size nobody knows are everybody's."""
    rep = replace(REP, territory=Territory(employees=(50, 200)))
    policy = parse_policy('[teams.x]\nreps = ["*"]')
    open_for = {}
    for size in (None, 49, 50, 200, 201):
        lead = LeadFacts(1, employees=size)
        open_for[size] = first_closed(rep, lead, policy.plan(lead), policy, Clocks(AT)) is None
    assert open_for == {None: True, 49: False, 50: True, 200: True, 201: False}


def test_the_hours_of_a_team_hold_for_members_without_their_own() -> None:
    policy = parse_policy('[hours]\nmon-sun = "00:00-24:00"\n[teams.x]\nreps = ["*"]\n[teams.x.hours]\nmon-sun = "05:00-05:01"')
    plan = policy.plan(LeadFacts(1))
    closed = first_closed(replace(REP, timezone=None, hours=None), LeadFacts(1), plan, policy, Clocks(AT))
    assert closed is not None
    assert closed.gate is Gate.AVAILABILITY
    assert first_closed(replace(REP, hours=ALWAYS), LeadFacts(1), plan, policy, Clocks(AT)) is None
