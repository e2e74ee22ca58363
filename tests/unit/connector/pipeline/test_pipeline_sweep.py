"""A doorbell that was missed is rung again: whatever stage a lead waits in, it goes on, and old waiting hides no young work."""

from __future__ import annotations

import pytest

from connector import commands
from connector.actors import give_up
from connector.commands import Actor
from connector.errors import Fatal
from connector.pipeline import sweep
from connector.pipeline.evaluate import evaluate
from connector.pipeline.sweep import MISSED_S, PAUSE_S, Sweeper
from connector.storage.effects import LEASE_S
from connector.storage.models import Inbox
from leads.enums import Role
from tests.unit.connector.pipeline.scripted import CRM, Desk, change

BOSS = Actor("cli", "boss", Role.ADMIN)


def forget(desk: Desk) -> list[str]:
    """The broker loses everything; returns what was lost."""
    rung = desk.house.queue.rung  # type: ignore[attr-defined]
    lost = [actor for actor, _ in rung]
    rung.clear()
    return lost


def test_at_every_stage_a_lost_bell_is_rung_again(desk: Desk) -> None:
    sweeper = Sweeper(desk.house)
    desk.store(CRM, [change("1", title="CEO", email="ann@corp.example")])
    assert set(sweeper.sweep().values()) == {0}, "the bell may still be on its way"
    for stage in ("inbox", "score", "allocate", "deliver"):
        desk.clock.move(PAUSE_S)
        assert sweeper.sweep()[stage] >= 1, stage
        desk.step()
        forget(desk)
    assert desk.house.decisions.open_assignment(desk.lead("1")) is not None
    assert desk.crm.writes
    assert desk.slack.posted


def test_a_row_is_not_rung_for_again_and_again(desk: Desk) -> None:
    sweeper = Sweeper(desk.house)
    desk.store(CRM, [change("1")])
    desk.clock.move(MISSED_S + 1)
    assert [sweeper.sweep()["inbox"] for _ in range(3)] == [1, 0, 0]
    desk.clock.move(PAUSE_S)
    assert sweeper.sweep()["inbox"] == 1


def test_clicks_have_a_bell_of_their_own(desk: Desk) -> None:
    desk.sources["slack"] = desk.sources[CRM]
    desk.store("slack", [])
    desk.clock.move(MISSED_S + 1)
    Sweeper(desk.house).sweep()
    assert forget(desk) == ["handle_command"]


def test_a_lapsed_lease_is_seen(desk: Desk) -> None:
    desk.tell(CRM, change("1", title="CEO"))
    desk.route()
    sweeper = Sweeper(desk.house)
    assert desk.house.effects.claim(CRM, 100)
    assert CRM not in desk.house.effects.due_destinations()
    desk.clock.move(LEASE_S + 1)
    sweeper.sweep()
    assert f"deliver:{CRM}" in forget(desk)


def test_leads_that_wait_for_a_free_rep_are_not_the_sweepers(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are drained from the waiting list (`test_pipeline_waiting`), and hide no younger work."""
    monkeypatch.setattr(sweep, "LIMIT", 3)
    for number in ("1", "2", "3"):
        commands.set_rep(desk.house, number, {"active": False}, BOSS)
    for number in range(5):
        desk.tell(CRM, change(str(number), title="CEO"))
    desk.route()
    desk.clock.move(1)
    desk.tell(CRM, change("9", title="CEO"))
    evaluate(desk.house, desk.lead("9"))
    forget(desk)
    desk.clock.move(MISSED_S + 1)
    Sweeper(desk.house).sweep()
    rung = [args for actor, args in desk.house.queue.rung if actor == "allocate"]  # type: ignore[attr-defined]
    assert rung == [(desk.lead("9"),)]


@pytest.mark.parametrize(
    ("actor", "queue"), [("evaluate", "lead.score"), ("evaluate_first", "lead.score.first"), ("allocate", "lead.allocate")]
)
def test_a_job_that_was_given_up_is_a_dead_letter_and_leaves_the_sweeper_alone(desk: Desk, actor: str, queue: str) -> None:
    desk.tell(CRM, change("1", title="CEO"))
    lead_id = desk.lead("1")
    if actor == "allocate":
        desk.step()
    forget(desk)
    message = {
        "actor_name": actor,
        "queue_name": queue,
        "args": [lead_id],
        "options": {"traceback": "x\nconnector.errors.Retriable: Down."},
    }
    give_up(desk.house, message)
    (letter,) = desk.house.deadletters.all()
    assert (letter.origin, letter.reference, letter.queue, letter.error) == ("lead", lead_id, queue, "Retriable: Down.")
    desk.clock.move(60)
    Sweeper(desk.house).sweep()
    assert forget(desk) == []
    desk.tell(CRM, change("1", title="Chairwoman"))
    desk.run()
    assert desk.house.decisions.open_assignment(lead_id) is not None, "news of the lead sets it going again"


def test_a_delivery_whose_job_was_given_up_is_a_dead_letter_once(desk: Desk) -> None:
    inbox_id = desk.store(CRM, [change("1")])
    message = {"actor_name": "ingest", "queue_name": "lead.new", "args": [[inbox_id]], "options": {}}
    give_up(desk.house, message)
    give_up(desk.house, message)
    (letter,) = desk.house.deadletters.all()
    assert (letter.origin, letter.reference, letter.error) == ("inbox", inbox_id, "unknown error")
    with pytest.raises(Fatal):
        give_up(desk.house, {"actor_name": "no such job", "queue_name": "x", "args": []})


def test_a_click_that_does_not_open_any_more_is_given_up_and_not_rung_for_for_ever(desk: Desk) -> None:
    desk.sources["slack"] = desk.sources[CRM]
    inbox_id = desk.store("slack", [])
    with desk.house.db.connected():
        Inbox.update({Inbox.envelope: b"\x04test" + bytes(40)}).where(Inbox.id == inbox_id).execute()
    give_up(desk.house, {"actor_name": "handle_command", "queue_name": "lead.command", "args": [[inbox_id]], "options": {}})
    (letter,) = desk.house.deadletters.all()
    assert letter.reference == inbox_id
    desk.clock.move(60)
    Sweeper(desk.house).sweep()
    assert forget(desk) == []


def test_the_first_score_of_a_new_lead_is_rung_for_past_the_further_scores_of_others(desk: Desk) -> None:
    desk.tell(CRM, change("1", title="CEO"))
    assert [actor for actor in forget(desk) if actor.startswith("evaluate")] == ["evaluate_first"]
    desk.tell(CRM, change("1", title="Chairwoman"))
    assert [actor for actor in forget(desk) if actor.startswith("evaluate")] == ["evaluate"]
