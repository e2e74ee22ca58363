"""A record that was deleted before its notice came makes no lead without a face."""

from __future__ import annotations

from dataclasses import replace

from connector.pipeline.ingest import TRIES
from tests.unit.connector.pipeline.scripted import CRM, Desk, change


def test_a_record_deleted_before_delivery_makes_no_lead(desk: Desk) -> None:
    desk.crm.missing = {"9"}
    inbox_id = desk.tell(CRM, replace(change("9"), fetch=True))
    for _ in range(TRIES):
        desk.clock.move(600)
        desk.work(inbox_id)
    assert desk.house.leads.find_external(CRM, "9") is None
    assert desk.states(inbox_id) == ["unknown"], "kept, should the record come back"
    assert desk.run() == 0, "nobody is scored"


def test_fields_that_were_emptied_make_no_lead_either(desk: Desk) -> None:
    desk.crm.missing = {"9"}
    inbox_id = desk.tell(CRM, replace(change("9", email=None), fetch=True), change("9", title=None))
    for _ in range(TRIES):
        desk.clock.move(600)
        desk.work(inbox_id)
    assert desk.house.leads.find_external(CRM, "9") is None
    assert desk.states(inbox_id) == ["unknown", "unknown"]


def test_of_a_lead_that_is_known_already_nothing_is_lost(desk: Desk) -> None:
    desk.tell(CRM, change("9", title="CEO"))
    desk.crm.missing = {"9"}
    inbox_id = desk.tell(CRM, replace(change("9"), fetch=True))
    assert desk.states(inbox_id) == ["applied"]
    lead = desk.house.leads.get(desk.lead("9"))
    assert lead is not None
    assert lead.fields["title"] == "CEO"
