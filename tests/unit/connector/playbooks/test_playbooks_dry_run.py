"""A dry run on past leads: who would have got what, and nothing is done."""

from __future__ import annotations

from datetime import timedelta

from connector.playbooks.dry_run import dry_run
from connector.playbooks.plan import Playbook
from connector.playbooks.reading import parse_playbooks
from leads.enums import EngagementKind
from tests.unit.connector.pipeline.scripted import CRM, MAIL, Desk, act, change
from tests.unit.connector.playbooks.conftest import play, shipped

EMAIL = "a@corp.example"


def read(text: str) -> list[Playbook]:
    return list(parse_playbooks(text).by_name.values())


def lived(desk: Desk) -> int:
    """A lead that came, asked for something, and fell silent."""
    desk.tell(CRM, change("1", desk.clock.now(), email=EMAIL, title="Chief Executive Officer", lifecycle_stage="lead"))
    play(desk)
    desk.clock.move(86_400)
    desk.tell(MAIL, act(EMAIL, desk.clock.now(), EngagementKind.FORM_SUBMITTED))
    play(desk)
    desk.clock.move(40 * 86_400)
    return desk.lead("1")


def test_who_would_have_got_what(desk: Desk) -> None:
    lead_id, now = lived(desk), desk.clock.now()
    any_tier = 'tier = ["a", "b", "c", "d"]'
    text = shipped("hot-inbound").replace('tier = ["a", "b"]', any_tier) + shipped("gone-quiet").replace(
        'tier = ["a", "b", "c"]', any_tier
    )
    found = dry_run(desk.house, read(text), now - timedelta(days=90))
    asked_at = now - timedelta(days=40)
    assert [(one.playbook, one.lead_id, one.cause, one.at) for one in found] == [
        ("hot-inbound", lead_id, "act", asked_at),
        ("gone-quiet", lead_id, "quiet", asked_at + timedelta(days=14)),
    ]
    assert desk.house.playbooks.of_lead(lead_id) == []
    assert dry_run(desk.house, read(text), now - timedelta(days=30)) == []


def test_an_if_that_does_not_hold_takes_nobody_in(desk: Desk) -> None:
    lived(desk)
    text = shipped("hot-inbound").replace('tier = ["a", "b"]', 'facts = { country = "DE" }')
    assert dry_run(desk.house, read(text), desk.clock.now() - timedelta(days=90)) == []
