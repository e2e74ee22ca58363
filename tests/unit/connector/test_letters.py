"""Second chances: what was given up goes through again once, or is dropped for good; both are audited."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from connector import testing
from connector.bootstrap import House
from connector.errors import LeadswitchError
from connector.letters import drop_letter, replay_delivery, replay_letter
from connector.ports import Delivery
from connector.storage.intake import seal_delivery
from connector.storage.models import Inbox
from connector.testing import NOON, RecordingBell
from leads.enums import ChangeKind, EffectKind
from leads.records import LeadChange


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = testing.house(tmp_path)
    yield built
    built.close()


def rung(house: House) -> list[tuple[str, tuple[object, ...]]]:
    return cast(RecordingBell, house.queue).rung


def delivery(house: House, connection: str = "mail") -> int:
    """A delivery that was given up."""
    sealed = seal_delivery(house.vault, Delivery("POST", "https://x.example/webhooks/mail", {}, b"[]", NOON))
    with house.db.connected():
        row = Inbox.create(
            connection=connection,
            delivery_key="k",
            received_at=NOON,
            signed=True,
            envelope=sealed,
            trace_id="t",
            state="dead",
            due_at=NOON,
        )
    house.deadletters.add("inbox", row.id, "lead.new", "Fatal")
    return int(row.id)


def effect(house: House) -> int:
    """An effect that was given up."""
    with house.db.transaction():
        house.effects.add(EffectKind.CRM_LEAD, "crm", "lead:1", 1)
    (claimed,) = house.effects.claim("crm")
    with house.db.transaction():
        house.effects.bury(claimed, "Fatal")
    house.deadletters.add("effect", claimed.id, "lead.notify.crm", "Fatal")
    return claimed.id


def test_a_delivery_goes_through_again(house: House) -> None:
    inbox_id = delivery(house)
    assert "goes through the pipeline again" in replay_letter(house, 1, "cli:me")
    assert [row.state for row in house.inbox.read([inbox_id])] == ["pending"]
    assert rung(house) == [("ingest", ([inbox_id],))]
    assert [entry.action for entry in house.audit.entries()] == ["deadletter.replay"]


def test_a_click_rings_its_own_bell(house: House) -> None:
    inbox_id = delivery(house, "slack")
    replay_letter(house, 1, "cli:me")
    assert rung(house) == [("handle_command", ([inbox_id],))]


def test_an_effect_goes_to_its_destination_again_in_doubt(house: House) -> None:
    effect(house)
    assert "goes to crm again" in replay_letter(house, 1, "cli:me")
    assert [name for name, _ in rung(house)] == ["deliver:crm"]
    cast(testing.StandingClock, house.clock).move(timedelta(hours=1).total_seconds())
    (again,) = house.effects.claim("crm")
    assert again.in_doubt, "it may have been done before it was given up: look it up first"


def test_a_lead_whose_stage_was_given_up_is_scored_again(house: House) -> None:
    change = LeadChange("e1", "101", NOON, ChangeKind.CREATED, fields={"city": "Bonn"})
    with house.db.transaction():
        lead_id = house.leads.apply("crm", change, live=True).lead_id
    house.leads.stop_stage(lead_id, "score")
    house.deadletters.add("lead", lead_id, "lead.score", "Fatal")
    assert "scored and allocated again" in replay_letter(house, 1, "cli:me")
    assert rung(house) == [("evaluate", (lead_id,))]
    lead = house.leads.get(lead_id)
    assert lead
    assert lead.scored_version < lead.version


def test_an_effect_for_which_an_equal_one_waits_is_not_doubled(house: House) -> None:
    effect(house)
    with house.db.transaction():
        house.effects.add(EffectKind.CRM_LEAD, "crm", "lead:1", 1)
    assert "needs nothing" in replay_letter(house, 1, "cli:me")
    assert rung(house) == []


@pytest.mark.parametrize("ended", ["replayed", "dropped"])
def test_a_letter_has_one_end(house: House, ended: str) -> None:
    delivery(house)
    if ended == "replayed":
        replay_letter(house, 1, "cli:me")
    else:
        drop_letter(house, 1, "cli:me", "test record")
        assert [(entry.action, entry.reason) for entry in house.audit.entries()] == [("deadletter.drop", "test record")]
    with pytest.raises(LeadswitchError, match="no open dead letter 1"):
        replay_letter(house, 1, "cli:me")
    with pytest.raises(LeadswitchError, match="no open dead letter 1"):
        drop_letter(house, 1, "cli:me", None)
    assert [letter.state for letter in house.deadletters.all(ended)] == [ended]


def test_a_delivery_that_waits_already_or_is_not_there_is_left_alone(house: House) -> None:
    inbox_id = delivery(house)
    assert replay_delivery(house, inbox_id, "cli:me")
    assert not replay_delivery(house, inbox_id, "cli:me")
    assert not replay_delivery(house, 99, "cli:me")
    assert rung(house) == [("ingest", ([inbox_id],))]
