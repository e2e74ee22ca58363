"""A lead known from another system: found by that id, given a home in the CRM, worked again when it comes back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connector import commands, testing
from connector.bootstrap import House
from connector.testing import NOON
from leads.enums import ChangeKind, Outcome
from leads.records import Lead, LeadChange

BEFORE = NOON - timedelta(days=30)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = testing.house(tmp_path, connections={"crm": {"name": "crm", "adapter": "hubspot"}})
    yield built
    built.close()


@pytest.fixture
def imported(house: House) -> int:
    """A lead that an import brought, lost long ago."""
    change = LeadChange("import:p-1", "p-1", BEFORE, ChangeKind.CREATED, fields={"source": "fair"}, extra={"visits": 7})
    with house.db.transaction():
        lead_id = house.leads.apply("old-system", change, live=False).lead_id
        house.leads.known_elsewhere_as(lead_id, "p-1")
        house.leads.settle(lead_id, Outcome.LOST, BEFORE + timedelta(days=1))
    return lead_id


def hear(house: House, key: str = "e1", **given: object) -> Lead:
    """A live notice of the CRM about its contact 101."""
    extra = {"external_id": "p-1"} if given.pop("names_it", True) else {}
    change = LeadChange(key, "101", NOON, ChangeKind.CHANGED, fields=given, extra=extra)  # type: ignore[arg-type]
    with house.db.transaction():
        lead = house.leads.get(house.leads.apply("crm", change, live=True).lead_id)
    assert lead
    return lead


def test_a_record_that_carries_the_id_is_the_same_lead_and_its_home(house: House, imported: int) -> None:
    lead = hear(house)
    assert (lead.id, lead.connection, lead.external_id) == (imported, "crm", "101")
    assert lead.fields["source"] == "fair"
    assert lead.extra["visits"] == 7
    assert [found.id for found in commands.find_leads(house, "p-1")] == [imported]
    assert hear(house, "e2", names_it=False, city="Bonn").id == imported, "from now on by the CRM's own id"


def test_a_record_that_was_there_before_is_joined_with_it(house: House, imported: int) -> None:
    first = hear(house, names_it=False, city="Bonn")
    assert first.id != imported
    joined = hear(house, "e2")
    assert (joined.id, joined.external_id) == (first.id, "101")
    assert (joined.fields["source"], joined.fields["city"], joined.extra["visits"]) == ("fair", "Bonn", 7)
    assert house.leads.get(imported) == joined


def test_what_ended_elsewhere_is_worked_again(house: House, imported: int) -> None:
    lead = hear(house)
    assert (lead.outcome, lead.routable) == (Outcome.OPEN, True)
    assert lead.scored_version < lead.version


@pytest.mark.parametrize("told", [{"lead_status": "unqualified"}, {"lifecycle_stage": "customer"}])
def test_what_the_crm_itself_calls_ended_stays_ended(house: House, imported: int, told: dict[str, str]) -> None:
    assert hear(house, **told).outcome is Outcome.LOST


def test_a_late_notice_of_before_the_end_opens_nothing(house: House, imported: int) -> None:
    change = LeadChange("late", "101", BEFORE, ChangeKind.CHANGED, fields={"city": "Bonn"}, extra={"external_id": "p-1"})
    with house.db.transaction():
        house.leads.apply("crm", change, live=True)
    lead = house.leads.get(imported)
    assert lead
    assert lead.outcome is Outcome.LOST
