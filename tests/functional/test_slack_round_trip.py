"""From a click in a workspace to the card's next state: signed request, web process, inbox, worker, Slack again. Only the queue is
stood in for, by a test that carries its doorbell."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import uvicorn

from bots.slack import names
from bots.slack.cards import ERASED
from bots.slack.notifier import register
from connector import testing
from connector.actors import handle_command
from connector.bootstrap import House
from connector.clock import SystemClock
from connector.pipeline.deliver import HANDLERS, deliver
from connector.pipeline.ownership import refresh_cards
from connector.sandbox.world.team import team
from connector.testing import RecordingBell
from leads.enums import EffectKind
from leads.records import RepRecord
from tests.unit.bots.slack_fakes import add_lead

REP, OTHER, MANAGER = (next(member for member in team() if member.number == number) for number in (0, 1, 20))


@pytest.fixture
def ports(free_port: Callable[[], int]) -> tuple[int, int]:
    return free_port(), free_port()


@pytest.fixture
def workspace(ports: tuple[int, int]) -> Iterator[httpx.Client]:
    """The sandbox's Slack, in a process of its own."""
    web_port, slack_port = ports
    base = f"http://127.0.0.1:{slack_port}"
    command = [sys.executable, "-m", "connector.sandbox", "slack", "--port", str(slack_port), "--token", "xoxb-test"]
    command += ["--base-url", base, "--target", f"http://127.0.0.1:{web_port}/slack/events", "--signing-secret", "shh"]
    with subprocess.Popen(command) as process, httpx.Client(base_url=base, timeout=10, trust_env=False) as client:
        _until_it_answers(client, "/sandbox/people")
        yield client
        process.terminate()


@pytest.fixture
def house(tmp_path: Path, ports: tuple[int, int]) -> Iterator[House]:
    """The reps of the sandbox's world; its first one holds a lead."""
    slack = {
        "base_url": f"http://127.0.0.1:{ports[1]}/api/",
        "bot_token": "xoxb-test",
        "signing_secret": "shh",
        "managers": [MANAGER.email],
    }
    built = testing.house(tmp_path, clock=cast(Any, SystemClock()), policy=str(tmp_path / "policy.toml"), slack=slack)
    built.reps.sync("crm", [RepRecord(member.owner_id, member.email, member.name, True) for member in team() if member.owner_id])
    before = dict(HANDLERS)
    register(built)
    yield built
    HANDLERS.clear()
    HANDLERS.update(before)
    built.close()


@pytest.fixture
def web(house: House, ports: tuple[int, int]) -> Iterator[httpx.Client]:
    """Our web process, on a thread."""
    from webhooks.app import create_app

    server = uvicorn.Server(uvicorn.Config(create_app(house), host="127.0.0.1", port=ports[0], log_level="critical"))
    thread = threading.Thread(target=server.run)
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{ports[0]}", trust_env=False) as client:
        _until_it_answers(client, "/healthz")
        yield client
    server.should_exit = True
    thread.join()


def _until_it_answers(client: httpx.Client, path: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            client.get(path).raise_for_status()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


@dataclass
class Desk:
    """What people see and do in the workspace; `work` is our workers' turn."""

    workspace: httpx.Client
    house: House
    eventually: Callable[..., Any]

    def act(self, what: str, **arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.workspace.post(f"/sandbox/act/{what}", json=arguments).json()
        assert answer["ok"], answer
        return answer

    def press(self, user: str, message: dict[str, Any], action_id: str, option: str = "") -> None:
        elements = [e for block in message["blocks"] for e in [*block.get("elements", []), block.get("accessory", {})]]
        element = next(element for element in elements if element.get("action_id") == action_id)
        chosen = [one for one in element.get("options", []) if one["value"].startswith(option)]
        pressed = {"type": element["type"], "action_id": action_id, "block_id": message["blocks"][-1]["block_id"]}
        pressed |= {"selected_option": chosen[0]} if chosen else {"value": element["value"]}
        self.act("press", user=user, channel=message["channel"], ts=message["ts"], action=pressed)

    def work(self, requests: int = 1) -> None:
        """Wait for so many requests that the web process stored, then do them and send what they ask for."""
        bell = cast(RecordingBell, self.house.queue)
        self.eventually(lambda: sum(actor == "handle_command" for actor, _ in bell.rung) >= requests, what="the stored requests")
        self.send()

    def send(self) -> None:
        bell = cast(RecordingBell, self.house.queue)
        while bell.rung:
            actor, arguments = bell.rung.pop(0)
            if actor == "handle_command":
                handle_command(self.house, *arguments)
        deliver(self.house, "slack")

    def messages(self, user: str = "") -> list[dict[str, Any]]:
        """Every message; with a user, those that only that user sees."""
        found = self.workspace.get("/sandbox/state", params={"user": user}).json()["messages"]
        return [message for message in found if (message["only_for"] or "") == user]

    def form(self, user: str) -> dict[str, Any]:
        view: dict[str, Any] = self.workspace.get("/sandbox/state", params={"user": user}).json()["view"]
        return view

    def thread(self, user: str) -> str:
        """What is told in the threads of a person's direct conversation."""
        replies = [message for message in self.messages() if message["channel"] == "D" + user[1:] and message.get("thread_ts")]
        return json.dumps([message["blocks"] for message in replies], ensure_ascii=False)

    def card(self, user: str) -> dict[str, Any]:
        """The one card in a person's direct conversation."""
        (found,) = [message for message in self.messages() if message["channel"] == "D" + user[1:]]
        return found


@pytest.fixture
def desk(workspace: httpx.Client, house: House, web: httpx.Client, eventually: Callable[..., Any]) -> Desk:
    return Desk(workspace, house, eventually)


@pytest.fixture
def lead(house: House) -> int:
    return add_lead(house, cast(Any, house.clock), "51", "Jane", "jane@acme.example")


def test_the_workspace_verifies_our_address(desk: Desk) -> None:
    assert desk.act("verify")["ok"]


def test_accept_by_one_and_too_late_by_another(desk: Desk, lead: int) -> None:
    desk.send()
    channel_card = next(message for message in desk.messages() if message["channel"].startswith("C"))
    desk.press(REP.slack_id, desk.card(REP.slack_id), names.ACCEPT)
    desk.press(OTHER.slack_id, channel_card, names.ACCEPT)
    desk.work(requests=2)
    assert "Jane Doe is yours." in [message["text"] for message in desk.messages(REP.slack_id)]
    (late,) = desk.messages(OTHER.slack_id)
    assert "already taken by" in late["text"]
    for message in desk.messages():
        assert f"*Accepted* by {REP.name}" in json.dumps(message["blocks"])
    assert len(desk.messages()) == 2  # one in the channel, one to the rep: edited, not repeated


def test_pass_with_a_reason_moves_the_card(desk: Desk, lead: int) -> None:
    desk.send()
    desk.press(REP.slack_id, desk.card(REP.slack_id), names.PASS_ON)
    desk.work()
    form = desk.form(REP.slack_id)
    option = {"selected_option": {"value": "no_capacity"}, "type": "static_select"}
    desk.act("submit", user=REP.slack_id, view_id=form["id"], values={names.REASON: {names.REASON: option}})
    desk.work()
    assert "*Re-assigned* to" in json.dumps(desk.card(REP.slack_id)["blocks"])
    taker = desk.house.reps.get(str((desk.house.leads.get(lead) or pytest.fail("gone")).owner_id))
    assert taker
    assert taker.id != "1"
    new = desk.card(str(taker.slack_user_id))
    assert "passed before: No capacity" in json.dumps(new["blocks"])


def test_reassign_by_form_and_by_command(desk: Desk, lead: int) -> None:
    desk.send()
    card = desk.card(REP.slack_id)
    desk.press(MANAGER.slack_id, next(m for m in desk.messages() if m["channel"].startswith("C")), names.MORE, "reassign")
    desk.work()
    form = desk.form(MANAGER.slack_id)
    other = desk.house.reps.by_email(OTHER.email)
    assert other
    values = {
        names.REP: {names.REP: {"type": "static_select", "selected_option": {"value": other.id}}},
        names.NOTE: {names.NOTE: {"type": "plain_text_input", "value": "knows them"}},
    }
    desk.act("submit", user=MANAGER.slack_id, view_id=form["id"], values=values)
    desk.work()
    assert "*New to you*" in json.dumps(desk.card(OTHER.slack_id)["blocks"])
    assert f"*Re-assigned* to {OTHER.name}" in json.dumps(desk.card(REP.slack_id)["blocks"])
    desk.act("say", user=MANAGER.slack_id, channel=card["channel"], text=f"/lead reassign {lead} to {REP.email} because back")
    desk.work()
    assert (desk.house.leads.get(lead) or pytest.fail("gone")).owner_id == "1"
    assert len(desk.messages()) == 3


@pytest.mark.parametrize(
    ("text", "answer"),
    [("show jane@acme.example", "A lead · 92 · "), ("why Jane Doe", "*You*: chosen"), ("wyh 1", "Did you mean"), ("", "/lead why")],
)
def test_commands_are_answered_to_the_person_alone(desk: Desk, lead: int, text: str, answer: str) -> None:
    desk.send()
    channel = desk.card(REP.slack_id)["channel"]
    desk.act("say", user=REP.slack_id, channel=channel, text=f"/lead {text}")
    desk.work()
    (said,) = desk.messages(REP.slack_id)
    assert answer in json.dumps(said, ensure_ascii=False)


def test_a_click_while_no_worker_runs_is_kept_and_its_form_asks_to_press_again(desk: Desk, lead: int) -> None:
    desk.send()
    card = desk.card(REP.slack_id)
    desk.press(REP.slack_id, card, names.ACCEPT)
    desk.press(REP.slack_id, card, names.PASS_ON)
    pressed = time.monotonic()
    desk.eventually(lambda: time.monotonic() - pressed > 3.1, what="the trigger to expire")
    desk.work()
    texts = [message["text"] for message in desk.messages(REP.slack_id)]
    assert "Jane Doe is yours." in texts
    assert any("please press again" in text for text in texts)
    assert desk.form(REP.slack_id) is None


def test_what_an_erased_person_did_is_taken_out_of_the_thread_too(desk: Desk, lead: int) -> None:
    house = desk.house
    desk.send()
    desk.press(REP.slack_id, desk.card(REP.slack_id), names.ACCEPT)
    desk.work()
    with house.db.transaction():  # the thread gathers for a minute
        house.effects.move(EffectKind.SLACK_THREAD, f"thread:{lead}:dm:1", house.clock.now())
    desk.send()
    assert "Accepted by" in desk.thread(REP.slack_id)
    with house.db.transaction():
        house.leads.erase(lead)
        refresh_cards(house, lead)
    desk.send()
    assert ERASED in desk.thread(REP.slack_id)
    assert "Accepted by" not in desk.thread(REP.slack_id)
    assert "Jane" not in json.dumps(desk.messages())
    assert house.deadletters.count() == 0
