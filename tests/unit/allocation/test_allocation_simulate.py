"""Past leads through another policy."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from allocation.decide import decide, override, pass_back, rotation_key
from allocation.fairness import Rotation, take_back, unfairness
from allocation.policy import Policy, parse_policy
from allocation.rep import Caps, LeadFacts, Rep, Taken
from allocation.replay import record
from allocation.simulate import Past, simulate
from leads.enums import Tier

START = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
PLAIN = parse_policy("[hours]\nmon-fri = '08:00-18:00'\n[caps]\nday = 9\n[teams.all]\nreps = ['*']\nskills = ['language']\n")


class World:
    """A small past: leads come, are held, passed on, moved and closed, and every decision is kept."""

    def __init__(self, policy: Policy, seed: int, open_cap: int | None = 6, *, tiers_move: bool = False) -> None:
        self.policy, self.tiers_move = policy, tiers_move
        self.booked: dict[int, str] = {}
        self.rng = random.Random(seed)
        self.reps = [
            Rep(
                f"r{place}",
                languages=frozenset({"de", "en"} if place % 2 else {"en"}),
                caps=Caps(open=open_cap),
                weight=1 + place % 2,
            )
            for place in range(5)
        ]
        self.ledgers: dict[str, Rotation] = {}
        self.owner: dict[int, str] = {}
        self.closes: dict[int, datetime] = {}
        self.given: list[tuple[str, datetime]] = []
        self.past: list[Past] = []

    def roster(self, at: datetime) -> list[Rep]:
        load = Counter(rep for lead, rep in self.owner.items() if self.closes[lead] > at)
        return [
            replace(rep, open_leads=load[rep.id], recent=tuple(Taken(moment) for owner, moment in self.given if owner == rep.id))
            for rep in self.reps
        ]

    def decide(self, lead: LeadFacts, at: datetime, exclude: frozenset[str] = frozenset(), person: str | None = None) -> None:
        key, roster = rotation_key(lead, self.policy), self.roster(at)
        before = self.ledgers.get(key, Rotation(key))
        line = self.booked.get(lead.lead_id, key)
        booked = before if line == key else self.ledgers[line]
        for passed in exclude:
            booked = pass_back(booked, passed, self.policy, at)
        if person:
            booked = take_back(booked, self.owner[lead.lead_id], self.policy.fairness)
        self.ledgers[line] = booked
        before = booked if line == key else before
        if person:
            decision, after = override(lead, person, roster, self.policy, before, at)
        else:
            decision, after = decide(lead, roster, self.policy, before, at, exclude)
        stored = json.loads(json.dumps(record(lead, roster, self.policy, before, at, decision, exclude)))
        self.past.append(Past(stored, self.closes[lead.lead_id]))
        self.ledgers[key] = after
        if decision.rep_id:
            self.owner[lead.lead_id], self.booked[lead.lead_id] = decision.rep_id, key
            self.given.append((decision.rep_id, at))

    def live(self, leads: int) -> World:
        waiting: list[LeadFacts] = []
        at = START
        for number in range(leads):
            at += timedelta(minutes=self.rng.randrange(5, 90))
            waiting = [held for held in waiting if self.closes[held.lead_id] > at]
            for held in sorted(waiting, key=lambda held: (held.tier.value, held.lead_id)):
                self.decide(held, at)
                if held.lead_id in self.owner:
                    waiting.remove(held)
            tier, language = self.rng.choice((Tier.A, Tier.B)), self.rng.choice(("de", "en", None))
            lead = LeadFacts(number, tier, probability=self.rng.random(), language=language)
            self.closes[number] = at + timedelta(hours=self.rng.randrange(2, 60))
            self.decide(lead, at)
            owner = self.owner.get(number)
            if owner is None:
                waiting.append(lead)
                continue
            if self.tiers_move:
                lead = replace(lead, tier=self.rng.choice((Tier.A, Tier.B)))
            if self.rng.random() < 0.2:
                del self.owner[number]
                self.decide(lead, at + timedelta(minutes=1), frozenset({owner}))
            elif self.rng.random() < 0.05:
                self.decide(lead, at + timedelta(minutes=1), person="r4")
        return self


@pytest.mark.parametrize("seed", range(3))
def test_the_same_policy_gives_back_every_owner(seed: int) -> None:
    world = World(PLAIN, seed).live(150)
    assert any("waiting list" in past.record["answer"]["because"] for past in world.past)
    assert any(past.record["exclude"] for past in world.past)
    found = simulate(world.past, PLAIN)
    assert {lead.lead_id: lead.now for lead in found.placed if lead.now} == world.owner
    assert found.moved == []
    assert all(lead.waited == lead.waited_was for lead in found.placed)
    assert any(lead.waited > 0 for lead in found.placed)
    assert found.unfairness_was == pytest.approx(found.unfairness_now)
    assert sum(share.now for share in found.shares.values()) == len(world.owner)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["", "name = 'renamed'\n"])
def test_a_lead_whose_tier_moved_goes_off_the_line_where_it_was_booked(seed: int, name: str) -> None:
    world = World(PLAIN, seed, tiers_move=True).live(150)
    renamed = parse_policy(
        f"{name}[hours]\nmon-fri = '08:00-18:00'\n[caps]\nday = 9\n[teams.all]\nreps = ['*']\nskills = ['language']\n"
    )
    found = simulate(world.past, renamed)
    assert [(lead.lead_id, lead.was, lead.now) for lead in found.moved] == []
    assert found.unfairness_now == pytest.approx(max(map(unfairness, world.ledgers.values())))


@pytest.mark.parametrize("seed", range(3))
def test_a_policy_that_only_reads_otherwise_gives_back_every_owner_from_the_load_it_made_itself(seed: int) -> None:
    """Another name is another version: from the first lead on, load, caps, ledger and waiting list are the simulation's own."""
    world = World(PLAIN, seed).live(150)
    renamed = parse_policy(
        "name = 'renamed'\n[hours]\nmon-fri = '08:00-18:00'\n[caps]\nday = 9\n[teams.all]\nreps = ['*']\nskills = ['language']\n"
    )
    assert renamed.version != PLAIN.version
    found = simulate(world.past, renamed)
    assert [(lead.lead_id, lead.was, lead.now) for lead in found.moved] == []


def test_another_policy_shows_who_would_have_got_what() -> None:
    world = World(PLAIN, 5, open_cap=None).live(150)
    only = parse_policy("[teams.few]\nreps = ['r1', 'r3']\n")
    found = simulate(world.past, only)
    assert len(found.placed) == 150
    picked = {lead.lead_id for lead in found.placed if lead.now not in ("r1", "r3")}
    assert all("person" in lead.because for lead in found.placed if lead.lead_id in picked)
    assert found.moved
    assert found.shares["r0"].was > 0
    assert found.shares["r0"].now == 0
    assert sum(share.was for share in found.shares.values()) == len(world.owner)
    assert found.policy_version == only.version


def test_caps_count_the_load_as_it_would_have_become() -> None:
    world = World(PLAIN, 6, open_cap=None).live(120)
    tight = parse_policy("[teams.few]\nreps = ['r1']\n[reps.r1]\ncaps = { open = 3 }\n")
    found = simulate(world.past, tight)
    taken: list[tuple[datetime, datetime]] = []
    for lead in found.placed:
        if lead.now == "r1":
            begins = lead.at + timedelta(minutes=lead.waited)
            taken.append((begins, world.closes[lead.lead_id]))
    by_engine = [span for span in taken if span[0] < span[1]]
    busiest = max(sum(begins <= moment < ends for begins, ends in by_engine) for moment, _ in by_engine)
    assert busiest <= 3
    assert found.waiting_now > found.waiting_was
    assert any(lead.waited > 0 and lead.now for lead in found.placed)


def test_expected_value_is_shown_beside_the_count() -> None:
    world = World(PLAIN, 7).live(60)
    found = simulate(world.past, PLAIN)
    for share in found.shares.values():
        assert share.expected_was == pytest.approx(share.expected_now)
        assert share.conversions_was == pytest.approx(share.conversions_now)
        assert sum(share.tiers_now.values()) == share.now
    total = sum(share.expected_now for share in found.shares.values())
    assert 0 < total < 60


def test_no_past_is_an_empty_result() -> None:
    found = simulate([], PLAIN)
    assert (found.placed, found.shares, found.unfairness_now) == ((), {}, 0.0)
