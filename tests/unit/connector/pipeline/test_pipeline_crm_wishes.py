"""What a playbook's step asks of the CRM is worded when it is sent, and each step makes its own thing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from connector.pipeline.deliver import deliver
from connector.playbooks.texts import fill
from connector.ports import CrmWrite, DealWrite, LeadWrite, NoteWrite, TaskWrite
from leads.enums import EffectKind
from tests.unit.connector.pipeline.scripted import CRM, Desk, change


def written(desk: Desk, kind: EffectKind, *payloads: dict[str, Any]) -> list[CrmWrite]:
    """What goes to the CRM for these steps of a routed lead, beside the house's own writes."""
    desk.tell(CRM, change("1", title="CEO", email="a@corp.example", country="DE"))
    desk.run()
    deliver(desk.house, CRM)
    lead_id, before = desk.lead("1"), len(desk.crm.writes)
    for step, payload in enumerate(payloads):
        with desk.house.db.transaction():
            desk.house.effects.add(kind, CRM, f"playbook:7:{step}", lead_id, {"playbook": "Gone quiet", **payload})
    deliver(desk.house, CRM)
    return [write for write, _ in desk.crm.writes[before:]]


def test_a_note(desk: Desk) -> None:
    (note,) = written(desk, EffectKind.CRM_NOTE, {"text": "{playbook}: from {country}, in {city}."})
    assert isinstance(note, NoteWrite)
    assert note.body == "Gone quiet: from DE, in."


def test_two_steps_make_two_notes(desk: Desk) -> None:
    one, two = written(desk, EffectKind.CRM_NOTE, {"text": "One."}, {"text": "Two."})
    assert isinstance(one, NoteWrite)
    assert isinstance(two, NoteWrite)
    assert one.marker != two.marker


def test_a_deal(desk: Desk) -> None:
    (deal,) = written(desk, EffectKind.CRM_DEAL, {"title": "From {playbook}", "amount": "1200.50", "currency": "EUR"})
    assert isinstance(deal, DealWrite)
    assert (deal.title, deal.amount, deal.currency) == ("From Gone quiet", Decimal("1200.50"), "EUR")
    assert deal.owner_id in {"100", "101", "102"}


def test_a_task_of_its_own_beside_the_follow_up(desk: Desk) -> None:
    payload = {"subject": "Call again", "text": "Tier {tier}", "due_minutes": 90, "priority": "high"}
    (task,) = written(desk, EffectKind.CRM_TASK, payload)
    assert isinstance(task, TaskWrite)
    assert (task.subject, task.priority, task.made_as) == ("Call again", "high", None)
    assert task.due_at == desk.clock.now() + timedelta(minutes=90)
    assert len({made.marker for made in desk.crm.made}) == 2


def test_a_stage_goes_alone_and_its_notice_is_known(desk: Desk) -> None:
    (write,) = written(desk, EffectKind.CRM_LEAD, {"stage": "sales_qualified"})
    assert write == LeadWrite("1", stage="sales_qualified")
    assert desk.house.echoes.is_echo(CRM, "1", {"lifecycle_stage": "sales_qualified"})


def test_what_is_not_known_leaves_no_gap() -> None:
    assert fill("Hello {first_name}, from {company}!", {"first_name": None, "company": "Acme"}) == "Hello, from Acme!"
