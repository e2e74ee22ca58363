"""What people write is personal: it stands nowhere in the clear, is read by those who may, and goes with the person it is about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playhouse.migrations import Runner

from connector import commands
from connector.bootstrap import House
from connector.commands import Actor
from connector.pipeline.deliver import HANDLERS
from connector.storage.db import MIGRATIONS, Database
from leads.enums import ChangeKind, Role
from tests.unit.connector.pipeline.scripted import CRM, Desk, change, open_desk

BOSS = Actor("slack", "UBOSS", Role.MANAGER)
SAID = "she is Bo Smith's sister in Lyon"


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


def holder(desk: Desk, lead_id: int) -> str:
    lead = desk.house.leads.get(lead_id)
    assert lead is not None
    assert lead.owner_id is not None
    return lead.owner_id


def in_the_clear(house: House, text: str) -> list[str]:
    """Tables in which these words can be read."""
    found = []
    with house.db.connected():
        for table in house.db.raw.get_tables():
            for row in house.db.run(f'SELECT * FROM "{table}"').fetchall():  # noqa: S608 - the tables' own names
                if any(
                    text.encode() in (value.encode() if isinstance(value, str) else bytes(value))
                    for value in row
                    if isinstance(value, str | bytes | memoryview)
                ):
                    found.append(table)
    return found


def reasons(desk: Desk, lead: int) -> list[str]:
    return [entry.reason for entry in desk.house.audit.entries(lead_id=lead) if entry.reason]


def test_what_is_written_beside_a_pass_or_a_reassignment_is_sealed_and_goes_with_the_person(desk: Desk, lead: int) -> None:
    first = holder(desk, lead)
    assert commands.pass_on(desk.house, lead, Actor("slack", "U1", Role.REP, first), f"wrong_territory: {SAID}").ok
    card, why = commands.card(desk.house, lead), commands.why(desk.house, lead)
    assert card
    assert why
    assert card.passed_reason == why.reason == f"wrong_territory: {SAID}"
    other = next(rep for rep in ("1", "2", "3") if rep != holder(desk, lead))
    assert commands.reassign(desk.house, lead, other, BOSS, SAID, cause="absent").ok
    assert commands.log_outcome(desk.house, lead, BOSS, "no_answer", SAID).ok
    why = commands.why(desk.house, lead)
    assert why
    assert why.reason == f"absent: {SAID}"
    assert f"wrong_territory: {SAID}" in reasons(desk, lead)
    assert f"absent: {SAID}" in reasons(desk, lead)
    assert in_the_clear(desk.house, SAID) == []

    desk.tell(CRM, change("1", desk.clock.now(), ChangeKind.ERASED))
    desk.run()
    assert not any(SAID in reason for reason in reasons(desk, lead))
    assert "absent" in reasons(desk, lead), "that it was overridden, and for which cause, may be known"
    decision = desk.house.decisions.newest(lead)
    assert decision
    assert decision.sealed is None
    assert desk.house.audit.seal()
    assert desk.house.audit.verify()[1] is None, "shredding leaves the chain whole"


def test_the_words_go_along_when_two_leads_become_one_and_come_back_when_they_part(desk: Desk, lead: int) -> None:
    desk.tell(CRM, change("2", first_name="Bea", last_name="Moor", title="CEO", email="bea@else.example"))
    desk.run()
    other = desk.lead("2")
    assert commands.reassign(desk.house, other, "3" if holder(desk, other) != "3" else "1", BOSS, SAID).ok
    with desk.house.db.transaction():
        desk.house.leads.merge(lead, other)
    why = commands.why(desk.house, lead)
    assert why
    assert why.reason == SAID
    merge = desk.house.leads.merges()[0]
    desk.house.leads.part(merge.id, "cli:x")
    why = commands.why(desk.house, other)
    assert why
    assert why.reason == SAID
    assert in_the_clear(desk.house, SAID) == []


def test_a_reason_for_a_bulk_or_about_a_rep_is_sealed(desk: Desk, lead: int) -> None:
    giver = holder(desk, lead)
    taker = next(rep for rep in ("1", "2", "3") if rep != giver)
    bulk = commands.ask_bulk(desk.house, BOSS, giver, taker, SAID)
    assert not isinstance(bulk, str)
    assert bulk.reason == SAID
    commands.set_rep(desk.house, giver, {"paused_until": "2099-01-01T00:00:00+00:00"}, BOSS, SAID)
    assert [entry.reason for entry in desk.house.audit.entries() if entry.action in ("bulk.asked", "rep.set")] == [SAID, SAID]
    assert in_the_clear(desk.house, SAID) == []


def test_what_stood_in_the_clear_goes_when_the_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/old.db")
    kept: dict[str, tuple[str | None, str | None]] = {
        "slack:U1": ("wrong_territory: lives in Lyon", "wrong_territory"),
        "slack:U2": (SAID, None),
        "slack:U3": ("undo", "undo"),
    }
    kept |= {
        "engine": ("deadline to accept passed", "deadline to accept passed"),
        "api:x": ("other", "other"),
        "cli:x": (None, None),
    }
    with database.connected():
        runner = Runner(database.raw, str(MIGRATIONS))
        names = [migration.name for migration in runner.migrations()]
        runner.up(names[names.index("0016_words_sealed") - 1])
        for actor, (reason, _) in kept.items():
            row = "(lead_id, outcome, method, policy_version, because, record, actor, reason, at)"
            database.run(f"INSERT INTO decision {row} VALUES (1, 'held', 'm', 'p', '', '{{}}', ?, ?, 0)", actor, reason)  # noqa: S608
    database.migrate()
    with database.connected():
        found = database.run("SELECT actor, reason FROM decision").fetchall()
        columns = [column.name for column in database.raw.get_columns("bulk")]
    database.close()
    assert dict(found) == {actor: word for actor, (_, word) in kept.items()}
    assert "reason" not in columns
