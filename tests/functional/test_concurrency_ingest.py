"""Many workers at the same people at once: nobody is made twice, nothing is lost, nothing ends as a dead letter."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector import commands
from connector.commands import Actor
from connector.pipeline.allocate import allocate
from connector.pipeline.deliver import HANDLERS, deliver
from connector.pipeline.evaluate import evaluate
from connector.storage.models import Engagement, Identity
from connector.testing import NOON
from leads.enums import ChangeKind, Role
from tests.unit.connector.pipeline.scripted import CRM, MAIL, Desk, act, change, open_desk

PEOPLE, THREADS = 12, 8


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs_postgres)])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    made = open_desk(tmp_path, database_url=url)
    yield made
    made.house.close()
    HANDLERS.clear()


def at_once(jobs: list[Callable[[], Any]]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for one in [pool.submit(job) for job in jobs]:
            one.result(120)


def test_the_same_new_people_in_many_deliveries_from_two_sources(desk: Desk) -> None:
    """Two sources hear of the same strangers at the same moment; each delivery names them in another order."""
    chance = random.Random(7)
    deliveries: list[int] = []
    acts = 0
    for turn in range(10):
        people = chance.sample(range(PEOPLE), PEOPLE)
        emails = [act(f"p{number}@corp.example", NOON - timedelta(minutes=turn)) for number in people]
        acts += len(emails)
        deliveries.append(desk.store(MAIL, emails))
        deliveries.append(desk.store(MAIL, emails))  # and again
        moved = [
            replace(change(str(number), NOON - timedelta(minutes=turn), email=f"p{number}@corp.example", title=f"T{turn}"))
            for number in people
        ]
        deliveries.append(desk.store(CRM, moved))
    chance.shuffle(deliveries)
    at_once([lambda one=one: desk.work(one) for one in deliveries])  # type: ignore[misc]
    for _ in range(3):  # those that were put back
        desk.clock.move(600)
        at_once([lambda one=one: desk.work(one) for one in deliveries])  # type: ignore[misc]
    house = desk.house
    assert house.deadletters.all() == []
    assert house.inbox.counts() == {}
    assert house.leads.count() == PEOPLE
    for number in range(PEOPLE):
        (found,) = house.leads.find(house.leads.tokens(CRM, str(number), {"email": f"p{number}@corp.example"}))
        history = house.histories.at(found, NOON)
        assert history is not None
        assert len(history.engagements) == 10
        assert history.facts["title"] == "T0", "the newest, whichever came last"
    with house.db.connected():
        assert Engagement.select().count() == acts
        assert Identity.select().count() == 2 * PEOPLE


def test_scoring_allocating_and_delivering_by_many_workers_at_once(desk: Desk) -> None:
    """Every doorbell is answered several times, by several workers: each lead is decided, written and told of once."""
    house = desk.house
    for number in range(PEOPLE):
        desk.tell(CRM, change(str(number), email=f"p{number}@corp.example", title="CEO", country="DE"))
    leads = [desk.lead(str(number)) for number in range(PEOPLE)]
    at_once([lambda one=one: evaluate(house, one) for one in leads * 4])  # type: ignore[misc]
    at_once([lambda one=one: allocate(house, one) for one in leads * 4])  # type: ignore[misc]
    at_once([lambda to=to: deliver(house, to) for to in (CRM, "slack") * 8])  # type: ignore[misc]
    assert [len(house.decisions.of_lead(one)) for one in leads] == [1] * PEOPLE
    assert sum(house.decisions.open_counts().values()) == PEOPLE
    assert set(house.decisions.open_counts().values()) == {PEOPLE // 3}, "the rotation is as fair as without a crowd"
    assert sorted(write.external_id for write in desk.crm.made) == sorted(str(number) for number in range(PEOPLE))
    assert len(desk.slack.posted) == len(set(desk.slack.posted))
    assert house.effects.counts() == {}


def test_owners_from_all_sides_at_once_stay_in_step(desk: Desk) -> None:
    """The CRM names owners for many leads in one delivery while the engine decides and managers reassign the same leads."""
    house, chance = desk.house, random.Random(5)
    boss = Actor("cli", "boss", Role.ADMIN)
    for number in range(PEOPLE):
        desk.tell(CRM, change(str(number), email=f"p{number}@corp.example", title="CEO"))
    leads = [desk.lead(str(number)) for number in range(PEOPLE)]
    for one in leads:
        evaluate(house, one)
    deliveries = [
        desk.store(
            CRM,
            [
                change(str(number), NOON + timedelta(seconds=turn), owner_id=str(chance.randint(100, 102)))
                for number in chance.sample(range(PEOPLE), PEOPLE)
            ],
        )
        for turn in range(6)
    ]
    desk.clock.move(60)
    jobs: list[Callable[[], Any]] = [lambda one=one: desk.work(one) for one in deliveries]  # type: ignore[misc]
    jobs += [lambda one=one: allocate(house, one) for one in leads * 3]  # type: ignore[misc]
    jobs += [lambda one=one: commands.reassign(house, one, str(one % 3 + 1), boss, "") for one in leads[::2]]  # type: ignore[misc]
    jobs += [lambda: deliver(house, CRM), lambda: deliver(house, "slack")] * 3
    chance.shuffle(jobs)
    at_once(jobs)
    assert house.deadletters.all() == []
    assert house.inbox.counts() == {}
    desk.run()
    for one in leads:
        lead, assignment = house.leads.get(one), house.decisions.open_assignment(one)
        assert lead is not None
        assert assignment is not None
        assert lead.owner_id == assignment.rep_id
    assert sum(house.decisions.open_counts().values()) == PEOPLE
    deliver(house, CRM)
    for number, one in enumerate(leads):
        rep = house.reps.get(getattr(house.leads.get(one), "owner_id", "") or "")
        assert rep is not None
        assert desk.crm.held[str(number)]["owner_id"] == rep.external_id, "the CRM holds what we decided"
    house.audit.seal()
    assert house.audit.verify()[1] is None


def test_merging_the_same_people_from_both_sides_at_once(desk: Desk) -> None:
    """Each delivery tells of merges in another order, while acts for all of them come in."""
    house, chance = desk.house, random.Random(3)
    for number in range(8):
        desk.tell(CRM, change(str(number), NOON, email=f"p{number}@corp.example"))
    pairs = [(str(number), str(number + 4)) for number in range(4)]
    jobs: list[int] = []
    for _ in range(4):
        merges = [replace(change(a, NOON, ChangeKind.MERGED), merged_ids=(b,)) for a, b in chance.sample(pairs, 4)]
        jobs.append(desk.store(CRM, merges))
        jobs.append(desk.store(MAIL, [act(f"p{number}@corp.example") for number in chance.sample(range(8), 8)]))
    at_once([lambda one=one: desk.work(one) for one in jobs])  # type: ignore[misc]
    assert house.deadletters.all() == []
    assert house.inbox.counts() == {}
    assert house.leads.count() == 4
    for a, b in pairs:
        assert desk.lead(a) == desk.lead(b)
        history = house.histories.at(desk.lead(a), NOON)
        assert history is not None
        assert len(history.engagements) == 8
