"""Past leads kept for comparison: as they stood, with what came next, gone with the person."""

from __future__ import annotations

from datetime import timedelta

from connector.pipeline import look_alikes
from connector.storage.models import PastLook as Row
from connector.testing import NOON
from leads.enums import ChangeKind, EngagementKind, Outcome
from tests.unit.connector.pipeline.scripted import CRM, MAIL, Desk, act, change

MADE = NOON - timedelta(days=20)


def won_lead(desk: Desk, number: str = "1") -> int:
    """Made twenty days ago, clicked after a day and after eight, won after ten."""
    email = f"ann{number}@corp.example"
    desk.crm.records[number] = change(number, MADE, ChangeKind.CREATED, email=email, title="CEO")
    desk.tell(CRM, change(number, MADE, ChangeKind.CREATED, email=email, title="CEO"))
    desk.tell(MAIL, act(email, MADE + timedelta(days=1)), act(email, MADE + timedelta(days=8)))
    desk.tell(CRM, change(number, MADE + timedelta(days=10), lifecycle_stage="customer"))
    desk.tell(MAIL, act(email, MADE + timedelta(days=11)))
    return desk.lead(number)


def test_a_lead_is_kept_as_it_stood_with_what_came_next(desk: Desk) -> None:
    lead_id = won_lead(desk)
    assert look_alikes.refresh(desk.house) == 1
    looks = desk.house.past_looks.all()
    assert {look.lead_id for look in looks} == {lead_id}
    assert [look.features["clicks_30d"] for look in looks] == [0, 1, 1]
    assert [len(look.acts_after) for look in looks] == [2, 1, 1], "what came after the end is not looked at"
    assert looks[0].acts_after[0] == (EngagementKind.EMAIL_CLICKED, MADE + timedelta(days=1))
    assert {(look.outcome, look.ended_at) for look in looks} == {(Outcome.WON, MADE + timedelta(days=10))}


def test_refreshing_again_reads_only_what_changed(desk: Desk) -> None:
    lead_id = won_lead(desk)
    look_alikes.refresh(desk.house)
    before = desk.house.past_looks.mark()
    assert look_alikes.refresh(desk.house) == 0
    assert desk.house.past_looks.mark() == before
    desk.house.leads.settle(lead_id, Outcome.LOST, NOON)
    assert desk.house.past_looks.all() == [], "what is no longer true is not shown"
    assert look_alikes.refresh(desk.house) == 1
    assert {look.outcome for look in desk.house.past_looks.all()} == {Outcome.LOST}


def test_an_erased_person_leaves_no_look(desk: Desk) -> None:
    lead_id = won_lead(desk)
    look_alikes.refresh(desk.house)
    desk.house.leads.erase(lead_id)
    with desk.house.db.connected():
        assert Row.select().count() == 0
    look_alikes.refresh(desk.house)
    assert desk.house.past_looks.all() == []


def test_a_merged_lead_is_shown_once(desk: Desk) -> None:
    one, other = won_lead(desk, "1"), won_lead(desk, "2")
    look_alikes.refresh(desk.house)
    with desk.house.db.transaction():
        desk.house.leads.merge(one, other)
    assert {look.lead_id for look in desk.house.past_looks.all()} == {one}
    look_alikes.refresh(desk.house)
    with desk.house.db.connected():
        assert Row.select().where(Row.lead_id == other).count() == 0
