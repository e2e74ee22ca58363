"""Stored scores: what they say of the tenant's own columns is sealed, and old ones go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
from peewee import SqliteDatabase
from playhouse.migrate import SchemaMigrator

from connector import testing
from connector.bootstrap import House
from connector.pipeline.old_scores import forget_old_scores
from connector.testing import NOON
from leads.enums import ChangeKind, DecisionOutcome, Tier
from leads.records import LeadChange
from leads.results import Decision, Reason, Score

OWN = Score(
    as_of=NOON,
    probability=0.4,
    score=40,
    tier=Tier.B,
    confidence=0.5,
    model_version="m1",
    source="model",
    base=-1.0,
    raw=-0.4,
    reasons=(Reason("extra.Plan", 0.5, "Gold", "Plan: Gold"), Reason("opens_7d", 0.1, 2, "opened 2 emails this week")),
    contributions={"extra.Plan": 0.5, "opens_7d": 0.1},
    features={"extra.Plan": "Gold", "opens_7d": 2},
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = testing.house(tmp_path)
    yield opened
    opened.close()


def a_lead(house: House, number: int = 1) -> int:
    fields = {"email": f"a{number}@acme.example"}
    change = LeadChange(f"k{number}", str(number), NOON, ChangeKind.CREATED, fields=fields)
    return house.leads.apply("crm", change, live=True).lead_id


def test_what_a_score_says_of_the_tenants_columns_is_sealed(house: House) -> None:
    lead_id = a_lead(house)
    score_id = house.scores.add(lead_id, 1, OWN)
    with house.db.transaction():
        house.scores.add_many(
            [(lead_id, 2, OWN), (a_lead(house, 2), 1, replace(OWN, features={"opens_7d": 2}, reasons=OWN.reasons[1:]))]
        )
    rows = house.db.run("SELECT * FROM score ORDER BY id").fetchall()
    assert len(rows) == 3
    assert all("Gold" not in str(cell) for row in rows for cell in row)
    for stored in (house.scores.get(score_id), house.scores.newest(lead_id)):
        assert stored is not None
        assert stored.score == OWN


def test_of_an_erased_person_nothing_of_it_is_left(house: House) -> None:
    lead_id = a_lead(house)
    house.scores.add(lead_id, 1, OWN)
    with house.db.transaction():
        house.leads.erase(lead_id)
    stored = house.scores.newest(lead_id)
    assert stored is not None
    assert (stored.score.features, stored.score.reasons) == ({}, ())
    assert house.db.run("SELECT sealed FROM score").fetchall() == [(None,)]
    house.scores.add(lead_id, 2, OWN)  # a scoring that was under way meanwhile
    stored = house.scores.newest(lead_id)
    assert stored is not None
    assert stored.score.features == {"opens_7d": 2}
    assert stored.score.reasons[0] == Reason("extra.Plan", 0.5, None, "Plan")


def test_old_scores_go_but_for_those_that_stand_and_those_that_were_decided_on(house: House) -> None:
    lead_id = a_lead(house)
    long_ago = NOON - timedelta(days=house.settings.scoring.keep_scores_days + 1)
    ids = [house.scores.add(lead_id, version, replace(OWN, as_of=long_ago)) for version in (1, 2, 3)]
    ids.append(house.scores.add(lead_id, 4, OWN))
    house.leads.mark_scored(lead_id, 3, ids[2])
    house.decisions.add(lead_id, ids[1], Decision(DecisionOutcome.HELD, None, "m", "p", "b", (), NOON), {}, "engine")
    assert forget_old_scores(house) == 1
    assert [row[0] for row in house.db.run("SELECT id FROM score ORDER BY id").fetchall()] == ids[1:]
    assert forget_old_scores(house) == 0


def test_the_migration_takes_out_of_the_clear_what_stood_in_it() -> None:
    db = SqliteDatabase(":memory:")
    db.execute_sql("CREATE TABLE score (id INTEGER PRIMARY KEY, as_of INTEGER, features TEXT, reasons TEXT)")  # type: ignore[no-untyped-call]
    told = [[one.feature, one.contribution, one.value, one.text] for one in OWN.reasons]
    db.execute_sql("INSERT INTO score VALUES (1, 5, ?, ?)", (json.dumps(dict(OWN.features)), json.dumps(told)))  # type: ignore[no-untyped-call]
    import_module("connector.storage.migrations.0020_scores_sealed").up(SchemaMigrator.from_database(db), db)
    features, reasons, sealed = db.execute_sql("SELECT features, reasons, sealed FROM score").fetchone()  # type: ignore[no-untyped-call]
    assert json.loads(features) == {"opens_7d": 2}
    assert json.loads(reasons) == [["extra.Plan", 0.5, None, "Plan"], told[1]]
    assert sealed is None
