"""Cards in npm's `emulate`: a Slack Web API with state, made by other people."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from bots.slack import names
from bots.slack.check import check
from bots.slack.client import NeedsMending, Refused, SlackApi
from bots.slack.notifier import Notifier
from bots.slack.worker import handle
from connector import commands, testing
from connector.bootstrap import House
from connector.settings import Settings, SlackSettings
from connector.storage.effects import Effect
from connector.testing import StandingClock
from leads.enums import EffectKind, Role
from leads.records import RepRecord
from tests.unit.bots.slack_fakes import add_lead

pytestmark = pytest.mark.needs_node

HERE = Path(__file__).parent / "slack_emulate"
BLOCKS = [{"type": "section", "text": {"type": "plain_text", "text": "hello"}}]


@pytest.fixture(scope="module")
def base_url(node_tools: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(node_tools.node), str(node_tools.emulate), "start", "-p", str(port), "-s", "slack"]
    environment = {**os.environ, "NODE_OPTIONS": f"--require {HERE / 'loopback.cjs'}"}
    log = tmp_path_factory.mktemp("emulate") / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen([*command, "--seed", str(HERE / "seed.yaml")], env=environment, stdout=output, stderr=output) as server,
    ):
        url = f"http://127.0.0.1:{port}/api/"
        _wait_until_it_answers(url, server, log)
        yield url
        server.terminate()


def _wait_until_it_answers(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            httpx.post(f"{url}auth.test", headers={"authorization": "Bearer xoxb-full"}, timeout=5)
        except httpx.TransportError:
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"emulate did not start: {log.read_text()}")
            time.sleep(0.05)
        else:
            return


@pytest.fixture
def api(base_url: str) -> SlackApi:
    return SlackApi(base_url, "xoxb-full")


@pytest.fixture
def house(tmp_path: Path, base_url: str) -> Iterator[House]:
    slack = {"base_url": base_url, "bot_token": "xoxb-full", "managers": ["ben@northwind.example"]}
    built = testing.house(tmp_path, clock=StandingClock(), policy=str(tmp_path / "policy.toml"), slack=slack)
    people = [("1", "ada@northwind.example", "Ada Rep"), ("2", "ben@northwind.example", "Ben Rep")]
    built.reps.sync("crm", [RepRecord(number, email, name, True) for number, email, name in people])
    yield built
    built.close()


@pytest.fixture
def lead(house: House) -> int:
    """A lead of Ada's under a number of its own: the workspace lives as long as this module's tests."""
    number = str(secrets.randbelow(10**9))
    return add_lead(house, StandingClock(), number, "Jane", f"jane{number}@acme.example")


def effect_for(lead: int, destination: str) -> Effect:
    return Effect(1, EffectKind.SLACK_CARD, "slack", f"card:{lead}:{destination}", lead, {"destination": destination})


def history(base_url: str, channel: str) -> list[dict[str, Any]]:
    answer = httpx.post(
        f"{base_url}conversations.history",
        headers={"authorization": "Bearer xoxb-full"},
        data={"channel": channel, "include_all_metadata": "1", "limit": "200"},
    )
    messages: list[dict[str, Any]] = answer.json()["messages"]
    return messages


def cards(base_url: str, channel: str, lead_external: str) -> list[dict[str, Any]]:
    """Messages in a channel about one lead."""
    found = [message for message in history(base_url, channel) if "metadata" in message]
    return [message for message in found if message["metadata"]["event_payload"].get("external_id") == lead_external]


@pytest.mark.parametrize("destination", ["dm:1", "channel:#leads"])
def test_a_card_is_posted_found_again_and_edited(house: House, api: SlackApi, base_url: str, lead: int, destination: str) -> None:
    stored = house.leads.get(lead)
    assert stored
    assert stored.external_id
    notifier = Notifier(api)
    receipt = notifier.deliver(house, effect_for(lead, destination), False)
    assert receipt
    channel, _, ts = receipt.partition(":")
    (posted,) = cards(base_url, channel, stored.external_id)
    assert posted["ts"] == ts
    assert posted["text"] == ("New A lead (92) for you" if destination == "dm:1" else "New A lead (92)")
    assert posted["metadata"]["event_payload"]["destination"] == destination
    assert posted["blocks"][0]["text"]["text"] == "A lead · 92 · Jane Doe"

    house.cards.forget(lead, destination)  # a crash between posting and remembering
    commands.accept(house, lead, commands.Actor("slack", "U1", Role.REP, "1"))
    assert notifier.deliver(house, effect_for(lead, destination), True) == receipt
    (edited,) = cards(base_url, channel, stored.external_id)
    assert "*Accepted* by Ada Rep" in str(edited["blocks"])


def test_a_stored_click_is_answered_and_the_form_of_a_late_one_is_refused_kindly(
    house: House, api: SlackApi, base_url: str, lead: int
) -> None:
    ada, channel = api.user_by_email("ada@northwind.example"), api.channel_id("#leads")
    click = {
        "type": "block_actions",
        "user": {"id": ada},
        "channel": {"id": channel},
        "response_url": "https://evil.example/",  # not called: the answer goes to the channel
        "trigger_id": "1.2.late",
        "actions": [{"action_id": names.ACCEPT, "type": "button", "value": str(lead)}],
    }
    handle(house, click, api)
    card = commands.card(house, lead)
    assert card
    assert card.state == "accepted"
    rep = house.reps.get("1")
    assert rep
    assert rep.slack_user_id == ada
    handle(house, click | {"actions": [{"action_id": names.PASS_ON, "type": "button", "value": str(lead)}]}, api)


def test_a_channel_is_known_by_name_and_by_id(api: SlackApi) -> None:
    number = api.channel_id("#leads")
    assert number.startswith("C")
    assert api.channel_id("leads") == number
    assert api.channel_id(number) == number
    assert api.channel_id("#nowhere") == "#nowhere"


def test_refusals_are_sorted(api: SlackApi, base_url: str) -> None:
    metadata = {"event_type": "leadswitch_card", "event_payload": {"lead_id": 1}}
    with pytest.raises(NeedsMending, match="users_not_found"):
        api.user_by_email("nobody@northwind.example")
    with pytest.raises(Refused, match="message_not_found"):
        api.edit(api.channel_id("#leads"), "1.000001", "x", BLOCKS, metadata)
    with pytest.raises(NeedsMending, match="channel_not_found"):
        api.post("#nowhere", "x", BLOCKS, metadata)
    with pytest.raises(NeedsMending, match="missing_scope"):
        SlackApi(base_url, "xoxb-poor").user_by_email("ada@northwind.example")


def test_an_archived_channel_is_somebodys_to_mend(api: SlackApi, base_url: str) -> None:
    attic = api.channel_id("#attic")
    httpx.post(f"{base_url}conversations.archive", headers={"authorization": "Bearer xoxb-full"}, data={"channel": attic})
    with pytest.raises(NeedsMending, match="is_archived"):
        api.post(attic, "x", BLOCKS, {"event_type": "x", "event_payload": {}})


def test_each_of_slacks_refusals_is_a_sentence_somebody_can_act_on(api: SlackApi, base_url: str) -> None:
    """Slack says `ok: false` with status 200; what it means and how to mend it is ours to say."""
    metadata = {"event_type": "x", "event_payload": {}}
    with pytest.raises(NeedsMending, match=r"channel_not_found\. Check slack\.channel"):
        api.post("#nowhere-at-all", "x", BLOCKS, metadata)
    with pytest.raises(Refused, match="message_not_found"):
        api.edit(api.channel_id("#leads"), "1.000001", "x", BLOCKS, metadata)


def test_a_home_is_published(house: House, api: SlackApi, lead: int) -> None:
    ada = api.user_by_email("ada@northwind.example")
    handle(house, {"type": "event_callback", "event": {"type": "app_home_opened", "user": ada, "tab": "home"}}, api)
    effect = Effect(1, EffectKind.SLACK_HOME, "slack", f"home:{ada}", None, {"user": ada})
    assert Notifier(api).deliver(house, effect, False) == "published"
    assert Notifier(api).deliver(house, effect, False) == "equal"


def doctor(base_url: str, token: str, **slack: Any) -> dict[str, bool]:
    settings = Settings(slack=SlackSettings(base_url=base_url, bot_token=SecretStr(token), **slack))
    return {result.name: result.ok for result in check(settings)}


def test_doctor_sees_what_is_there_and_what_is_not(base_url: str) -> None:
    found = doctor(base_url, "xoxb-full", channels={"x": "#nowhere", "y": "#random"}, signing_secret=SecretStr("s"))
    assert found == {
        "slack clicks": True,
        "slack token": True,
        "slack scopes": True,
        "slack channel #leads": True,
        "slack channel #nowhere": False,
        "slack channel #random": False,
    }
    assert doctor(base_url, "xoxb-poor")["slack channels"] is False
