"""A CRM that tells of a change before it commits it is read once the change has settled, and never believed before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from connector.clock import from_ms, to_ms
from connector.pipeline.ingest import TRIES
from connector.testing import NOON
from leads.records import LeadChange
from tests.unit.connector.pipeline.scripted import CRM, LONG_AGO, Desk, change


def told(external_id: str) -> LeadChange:
    return replace(change(external_id, NOON), fetch=True, settles_at=NOON + timedelta(seconds=2))


def test_the_record_is_read_after_it_has_settled_and_not_before(desk: Desk) -> None:
    desk.crm.records["7"] = change("7", LONG_AGO, first_name="Before")
    inbox_id = desk.tell(CRM, told("7"))
    assert desk.house.leads.find_external(CRM, "7") is None
    (waiting,) = desk.house.inbox.read([inbox_id])
    assert (waiting.state, waiting.attempts) == ("pending", 0), "waiting is not a failed try"
    desk.crm.records["7"] = change("7", NOON, first_name="After")
    desk.clock.move(2)
    desk.work(inbox_id)
    lead = desk.house.leads.get(desk.lead("7"))
    assert lead is not None
    assert lead.fields["first_name"] == "After"


def test_a_moment_inside_a_millisecond_holds_nothing_up(desk: Desk) -> None:
    """A delivery is stored to the millisecond, rounded; the clock knows microseconds."""
    desk.clock.move(0.0006)
    desk.crm.records["7"] = change("7", NOON, first_name="After")
    at = desk.clock.now()
    desk.tell(CRM, replace(change("7", NOON), fetch=True, settles_at=from_ms(to_ms(at))))
    assert desk.house.leads.get(desk.lead("7")) is not None


def test_a_change_that_was_rolled_back_makes_no_lead(desk: Desk) -> None:
    desk.crm.missing = {"8"}
    inbox_id = desk.tell(CRM, told("8"))
    for _ in range(TRIES):
        desk.clock.move(600)
        desk.work(inbox_id)
    assert desk.house.leads.find_external(CRM, "8") is None
    assert desk.states(inbox_id) == ["unknown"]
    assert desk.run() == 0, "nobody is scored"
