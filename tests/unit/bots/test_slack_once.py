"""A request whose worker dies after the deed is not carried out a second time."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from bots.slack import names, worker
from connector.actors import COMMAND_S, handle_command
from connector.bootstrap import House
from connector.pipeline import simulation
from connector.ports import Delivery
from connector.storage.intake import seal_delivery
from connector.storage.models import Inbox
from connector.testing import StandingClock
from tests.unit.bots.slack_fakes import FakeSlack
from tests.unit.bots.test_slack_verbs import rep, select
from tests.unit.bots.test_slack_worker import chosen, click, command, note, submit

_keys = count(1)


class Killed(BaseException):
    """What no handler catches: the end of the process."""


@pytest.fixture
def _here(monkeypatch: pytest.MonkeyPatch, slack: FakeSlack) -> None:
    monkeypatch.setattr(worker, "api_for", lambda house: slack)


def store(house: House, payload: dict[str, Any]) -> int:
    delivery = Delivery("POST", "https://x.example/", {}, json.dumps(payload).encode(), house.clock.now())
    row = {"connection": "slack", "delivery_key": f"k{next(_keys)}", "received_at": house.clock.now(), "signed": True}
    with house.db.connected():
        made = Inbox.create(**row, envelope=seal_delivery(house.vault, delivery), trace_id="t", due_at=house.clock.now())
        return int(made.id)


def die_after_the_deed(house: House, inbox_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Carry the request out, up to the moment before its row is closed."""

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(house.inbox, "finish", killed)
        with pytest.raises(Killed):
            handle_command(house, [inbox_id])


def acts(house: House) -> int:
    with house.db.connected():
        return int(house.db.run("SELECT COUNT(*) FROM act").fetchone()[0])


@pytest.mark.usefixtures("_here")
def test_a_deed_is_done_once_whenever_its_worker_dies(
    house: House, slack: FakeSlack, clock: StandingClock, lead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle_command(house, [store(house, click(names.OUTCOME, lead))])
    no_answer = submit(slack.forms[-1], {**chosen(names.REASON, "no_answer"), **note(None)})
    for payload in (command("pto 24 Dec to 2 Jan"), select(names.SNOOZE, f"1h:{lead}"), no_answer, command("pause for 2 hours")):
        before, inbox_id = acts(house), store(house, payload)
        die_after_the_deed(house, inbox_id, monkeypatch)
        assert acts(house) == before + 1
        clock.move(120)
        handle_command(house, [inbox_id])
        assert acts(house) == before + 1
    assert len(rep(house, "1")["pto"]) == 1
    assert len([one for one in house.feedback.of_lead(lead) if one.value == "no_answer"]) == 1


@pytest.mark.usefixtures("_here")
def test_one_undo_takes_back_one_act_whenever_its_worker_dies(
    house: House, clock: StandingClock, lead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle_command(house, [store(house, command("pto 24 Dec to 2 Jan"))])
    handle_command(house, [store(house, command("pause for 2 hours"))])
    inbox_id = store(house, command("undo"))
    die_after_the_deed(house, inbox_id, monkeypatch)
    clock.move(120)
    handle_command(house, [inbox_id])
    assert "paused_until" not in rep(house, "1")
    assert len(rep(house, "1")["pto"]) == 1, "the act before stays"


@pytest.mark.usefixtures("_here")
def test_of_two_workers_with_one_request_the_slower_takes_its_deed_back(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox_id = store(house, command("pto 24 Dec to 2 Jan"))
    handle_command(house, [inbox_id])
    monkeypatch.setattr(house.inbox, "claim", lambda *_: True)  # of a worker that took it before and was thought dead
    handle_command(house, [inbox_id])
    assert acts(house) == 1
    assert len(rep(house, "1")["pto"]) == 1


@pytest.mark.usefixtures("_here")
def test_no_other_worker_begins_a_simulation_that_takes_long(
    house: House, clock: StandingClock, slack: FakeSlack, lead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, others = simulation.run, []

    def slow(house: House, policy: Any, since: Any, report: Any) -> Any:
        for step in range(5):
            clock.move(50)
            others.append(house.inbox.claim(inbox_id, COMMAND_S))
            report(step / 5, "")
        return real(house, policy, since, report)

    monkeypatch.setattr(simulation, "run", slow)
    inbox_id = store(house, command("simulate 7", user="UBOSS"))
    handle_command(house, [inbox_id])
    assert others == [False] * 5
    assert "The last 7 days" in slack.said
