"""No statement on a lead's way reads a whole table that grows with the leads: a base of a million is as quick as an empty one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector import commands
from connector.commands import Actor
from connector.commands.playbooks import playbook_history
from connector.pipeline.accounts import match_account
from connector.pipeline.backfill import take_page
from connector.pipeline.deliver import HANDLERS
from connector.pipeline.import_map import ImportMap
from connector.pipeline.importing import run as run_import
from connector.pipeline.sweep import Sweeper
from connector.playbooks.runs import sweep_playbooks
from connector.ports import BackfillPage
from connector.schedule import chores
from connector.storage.census import take_census
from connector.testing import NOON
from leads.enums import ChangeKind, EngagementKind, Outcome, Role
from leads.records import AccountRecord, FieldValue
from tests.unit.connector.pipeline.scripted import CRM, MAIL, Desk, act, change, open_desk
from tests.unit.connector.playbooks.conftest import publish

GROWING = {
    "account", "account_name", "act", "assignment", "audit", "card", "decision", "effect", "engagement", "enriched", "enrichment",
    "feedback", "first_contact", "identity", "inbound_event", "inbox", "lead", "lead_change", "merge", "near_name", "playbook_look",
    "playbook_run", "playbook_step", "score", "snooze", "thread", "timer", "tombstone", "waiting", "written",
}  # fmt: skip
#: Asked once in ten minutes, of everything that ended.
SELDOM = "closed_as IN ('won', 'lost') GROUP BY rep_id, tier"
#: Rows that are open are few, and stand in an index of their own.
OF_THE_OPEN = re.compile(
    r"USING (COVERING )?INDEX (lead_un|assignment_o|effect_o|audit_unsealed|timer_|waiting_|playbook_look_due|playbook_run_due)"
)


class Knowing:
    """An enrichment service that gives everybody a title."""

    def find(self, email: str) -> Mapping[str, FieldValue] | None:
        return {"title": "CEO"}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = open_desk(tmp_path)
    yield made
    made.house.close()
    HANDLERS.clear()


@pytest.fixture
def asked(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Each statement that was run, with the values it was last run with."""
    statements: dict[str, Any] = {}
    run = desk.house.db.raw.execute_sql

    def listen(statement: str, values: Any = None, *rest: Any, **more: Any) -> Any:
        statements[statement] = values
        return run(statement, values, *rest, **more)

    monkeypatch.setattr(desk.house.db.raw, "execute_sql", listen)
    return statements


def scans(desk: Desk, asked: dict[str, Any]) -> set[tuple[str, str]]:
    """(step of the plan, statement) of each that reads a whole growing table."""
    found = set()
    with desk.house.db.connected():
        for statement, values in list(asked.items()):
            if SELDOM in statement or not re.match(r"\s*(SELECT|UPDATE|DELETE|INSERT)", statement):
                continue
            for *_, step in desk.house.db.raw.connection().execute(f"EXPLAIN QUERY PLAN {statement}", values or ()):
                scanned = re.match(r"SCAN (\w+)", step)
                alias = re.search(rf'"(\w+)" AS "{scanned[1]}"', statement) if scanned else None
                if scanned and (alias or scanned)[1] in GROWING and not OF_THE_OPEN.search(step):
                    found.add((step, statement[:200]))
    return found


def test_what_runs_for_each_event_and_click_reads_by_index(desk: Desk, asked: dict[str, Any]) -> None:
    house, boss = desk.house, Actor("cli", "boss", Role.ADMIN)
    hot = {"title": "Chief Executive Officer", "first_name": "Ann", "last_name": "Berger", "company": "Acme Systems"}
    for number in range(1, 4):
        desk.tell(CRM, change(str(number), NOON, email=f"p{number}@acme{number}.example", phone=f"+4930901820{number}", **hot))
    desk.run()
    desk.tell(MAIL, act("p1@acme1.example"), act("p2@acme2.example", kind=EngagementKind.UNSUBSCRIBED))
    desk.run()
    lead_id = desk.lead("1")
    lead = house.leads.get(lead_id)
    assert lead is not None
    assert lead.owner_id is not None
    holder = Actor("slack", "U1", Role.REP, lead.owner_id)
    commands.accept(house, lead_id, holder)
    commands.pass_on(house, lead_id, holder, "no time")
    commands.reassign(house, lead_id, "1", boss, "known")
    desk.tell(CRM, change("1", NOON + timedelta(minutes=1), owner_id="101"))
    desk.run()
    commands.why(house, lead_id)
    commands.card(house, lead_id)
    commands.find_leads(house, "p1@acme1.example")
    take_page(house, CRM, BackfillPage([change("9", NOON, email="n@x.example")], [], {"9": (Outcome.WON, NOON)}, None), live=True)
    desk.tell(CRM, change("3", desk.clock.now(), ChangeKind.ERASED), change("2", desk.clock.now(), ChangeKind.DELETED))
    desk.clock.move(600)
    Sweeper(house).sweep()
    desk.run()
    assert len(asked) > 60, "or this test listens in the wrong place"
    found = scans(desk, asked)
    assert not found, "\n".join(f"{step}: {statement}" for step, statement in sorted(found))


def test_what_playbooks_ask_reads_by_index(desk: Desk, asked: dict[str, Any]) -> None:
    form = '[playbooks.form.when]\non = "act"\nkinds = ["form_submitted"]\n'
    steps = '[[playbooks.form.steps]]\ndo = "note"\ntext = "n"\n[[playbooks.form.steps]]\ndo = "wait"\nfor = "1h"\n'
    publish(desk, form + steps)
    asked.clear()  # publishing looks at every lead, on purpose
    desk.tell(CRM, change("1", NOON, email="p1@acme1.example"))
    desk.run()
    desk.clock.move(60)
    desk.tell(MAIL, act("p1@acme1.example", desk.clock.now(), EngagementKind.FORM_SUBMITTED))
    desk.run()
    assert sweep_playbooks(desk.house)
    desk.clock.move(86_400)
    assert sweep_playbooks(desk.house)
    lead_id = desk.lead("1")
    assert [run.state for run in desk.house.playbooks.of_lead(lead_id)] == ["done"]
    playbook_history(desk.house, lead_id)
    found = scans(desk, asked)
    assert not found, "\n".join(f"{step}: {statement}" for step, statement in sorted(found))


def test_what_an_import_asks_reads_by_index_and_not_all_that_was_imported(desk: Desk, asked: dict[str, Any]) -> None:
    file = desk.house.settings.home / "leads.csv"
    twice = "3,p2@acme.example,Ann,Bergre,Acme\n"  # known by then, and alike to somebody
    file.write_text("Id,Mail,First,Last,Firm\n1,p1@acme.example,Ann,Berger,Acme\n2,p2@acme.example,Bo,Lind,Acme\n" + twice)
    told = {"email": "Mail", "first_name": "First", "last_name": "Last", "company": "Firm"}
    report = run_import(desk.house, file, ImportMap("import", "Id", fields=told))
    assert (report.rows, report.created) == (3, 2)
    found = scans(desk, asked)
    assert not found, "\n".join(f"{step}: {statement}" for step, statement in sorted(found))
    by_connection = [
        (statement, step)
        for statement, values in asked.items()
        if " lead " in statement and statement.startswith("SELECT")
        for *_, step in desk.house.db.raw.connection().execute(f"EXPLAIN QUERY PLAN {statement}", values or ())
        if step.endswith("(connection=?)")
    ]
    assert not by_connection, "all leads of an import share its connection"


def test_enriching_and_finding_the_company_read_by_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = open_desk(tmp_path / "more", enrichment={"url": "https://enrich.example/find"})
    statements: dict[str, Any] = {}
    run = desk.house.db.raw.execute_sql

    def listen(statement: str, values: Any = None, *rest: Any, **more: Any) -> Any:
        statements[statement] = values
        return run(statement, values, *rest, **more)

    monkeypatch.setattr(desk.house.db.raw, "execute_sql", listen)
    desk.house.__dict__["enricher"] = Knowing()
    with desk.house.db.transaction():
        desk.house.accounts.take(CRM, [AccountRecord("c1", "Acme", ("acme.com",), "DE", None, False, None)], NOON)
    desk.tell(CRM, change("1", email="ann@acme.com", company="Acme"))
    desk.clock.move(600)
    Sweeper(desk.house).sweep()
    desk.run()
    lead = desk.house.leads.get(desk.lead("1"))
    assert lead is not None
    assert lead.fields["title"] == "CEO"
    assert match_account(desk.house, lead) is not None
    desk.house.breakers.of(CRM)
    found = scans(desk, statements)
    desk.house.close()
    assert any("FROM enrichment" in statement for statement in statements)
    assert any("FROM account_name" in statement for statement in statements)
    assert not found, "\n".join(f"{step}: {statement}" for step, statement in sorted(found))


def test_what_the_clock_asks_again_and_again_reads_by_index(desk: Desk, asked: dict[str, Any]) -> None:
    for chore in chores(desk.house):
        if chore.every_s <= 10:
            chore.call()
    take_census(desk.house.db, NOON)
    assert asked
    found = scans(desk, asked)
    assert not found, "\n".join(f"{step}: {statement}" for step, statement in sorted(found))
