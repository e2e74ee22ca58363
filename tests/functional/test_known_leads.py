"""The whole way on real leads: import them, train on them, and let a signed HubSpot webhook speak of one. It comes out as an
explained, assigned lead in a Slack Web API made by others, and as writes that HubSpot's interface description accepts."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import hmac
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = [pytest.mark.needs_shared, pytest.mark.needs_node]

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).parent
SECRET = "hubspot-secret"
OWNER = "rep@example.com"  # the owner in the example answers of HubSpot's description
CONTACT = "101"  # and the contact
Wait = Callable[..., Any]


@dataclass
class Program:
    """A program of others that runs beside us."""

    url: str
    log: Path
    process: subprocess.Popen[bytes]

    def text(self) -> str:
        return self.log.read_text(errors="replace")


@pytest.fixture
def start(tmp_path: Path, eventually: Wait) -> Iterator[Callable[..., Program]]:
    """`start(name, port, *command, ready=…)` runs a program until the end of the test."""
    running: list[Program] = []

    def begin(name: str, port: int, *command: str, ready: Callable[[Program], bool], **environment: str) -> Program:
        log = tmp_path / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment})
        program = Program(f"http://127.0.0.1:{port}", log, process)
        running.append(program)
        eventually(lambda: ready(program), timeout=90, what=f"{name} is ready")
        return program

    yield begin
    for program in reversed(running):
        program.process.send_signal(signal.SIGTERM)
        program.process.wait(timeout=40)


@pytest.fixture
def hubspot(start: Callable[..., Program], shared_dir: Path, node_tools: Any, free_port: Callable[[], int]) -> Program:
    """HubSpot's own interface description, served by Prism, which refuses what it does not allow."""
    port = free_port()
    document = shared_dir / "contracts/hubspot/hubspot-crm-v3.openapi.json"
    command = (str(node_tools.prism), "mock", "--errors", "-h", "127.0.0.1", "-p", str(port), str(document))
    return start("prism", port, *command, ready=lambda one: "Prism is listening" in one.text())


@pytest.fixture
def slack(start: Callable[..., Program], node_tools: Any, free_port: Callable[[], int], tmp_path: Path) -> Program:
    """npm's `emulate`, with a workspace in which the CRM's owner is a member."""
    port = free_port()
    seed = (HERE / "slack_emulate" / "seed.yaml").read_text().replace("ada@northwind.example", OWNER)
    (tmp_path / "seed.yaml").write_text(seed)
    command = (
        str(node_tools.node),
        str(node_tools.emulate),
        "start",
        "-p",
        str(port),
        "-s",
        "slack",
        "--seed",
        str(tmp_path / "seed.yaml"),
    )

    def answers(one: Program) -> bool:
        try:
            return httpx.post(f"{one.url}/api/auth.test", headers={"authorization": "Bearer xoxb-full"}).status_code == 200
        except httpx.TransportError:
            return False

    return start("emulate", port, *command, ready=answers, NODE_OPTIONS=f"--require {HERE / 'slack_emulate' / 'loopback.cjs'}")


@dataclass
class Leadswitch:
    """An installation and its command line."""

    home: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *words: str) -> Any:
        command = [sys.executable, "-m", "connector", *words, "--json"]
        done = subprocess.run(command, env=os.environ | self.environment, capture_output=True, text=True, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def hear(self, event: dict[str, Any]) -> int:
        """One signed delivery from HubSpot; the status that it got."""
        path = "/webhooks/hubspot-main"
        body = json.dumps([event]).encode()
        stamp = str(round(time.time() * 1000))
        signed = f"POST{self.environment['LEADSWITCH_PUBLIC_URL']}{path}".encode() + body + stamp.encode()
        headers = {
            "content-type": "application/json",
            "x-hubspot-request-timestamp": stamp,
            "x-hubspot-signature-v3": base64.b64encode(hmac.digest(SECRET.encode(), signed, hashlib.sha256)).decode(),
        }
        return httpx.post(f"http://127.0.0.1:{self.port}{path}", content=body, headers=headers).status_code


@pytest.fixture
def leadswitch(tmp_path: Path, hubspot: Program, slack: Program, free_port: Callable[[], int]) -> Leadswitch:
    config = tmp_path / "leadswitch.toml"
    config.write_text(
        f"""
        [connections.hubspot-main]
        adapter = "hubspot"
        base_url = "{hubspot.url}"
        trust_private_host = true
        token = "env:HUBSPOT_TOKEN"
        webhook_secrets = ["env:HUBSPOT_SECRET"]
        external_id_property = "prospect_id"

        [slack]
        base_url = "{slack.url}/api/"
        bot_token = "env:SLACK_TOKEN"
        signing_secret = "env:SLACK_SECRET"
        channel = "#leads"
        """
    )
    port = free_port()
    return Leadswitch(
        tmp_path / "home",
        port,
        {
            "LEADSWITCH_CONFIG": str(config),
            "LEADSWITCH_HOME": str(tmp_path / "home"),
            "LEADSWITCH_BIND": f"127.0.0.1:{port}",
            "LEADSWITCH_PUBLIC_URL": "https://leads.example.com",
            "HUBSPOT_TOKEN": "x",
            "HUBSPOT_SECRET": SECRET,
            "SLACK_TOKEN": "xoxb-full",
            "SLACK_SECRET": "s",
        },
    )


def hot_prospect(data: Path) -> str:
    """A lead that looks like those who buy: it should be announced as hot."""
    with gzip.open(data, "rt", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    return max(
        (row for row in rows if row["Converted"] == "0" and row["Lead Origin"] == "Lead Add Form"),
        key=lambda row: int(row["Total Time Spent on Website"] or 0),
    )["Prospect ID"]


def messages(slack: Program) -> list[dict[str, Any]]:
    """Every message of the app's in the channel and in the owner's direct conversation."""

    def ask(method: str, **given: str) -> Any:
        answer = httpx.post(f"{slack.url}/api/{method}", headers={"authorization": "Bearer xoxb-full"}, data=given).json()
        assert answer["ok"], answer
        return answer

    owner = ask("users.lookupByEmail", email=OWNER)["user"]["id"]
    places = [ask("conversations.open", users=owner)["channel"]["id"]]
    places += [channel["id"] for channel in ask("conversations.list")["channels"] if channel["name"] == "leads"]
    told = [
        message for place in places for message in ask("conversations.history", channel=place, include_all_metadata="1")["messages"]
    ]
    return [message for message in told if message.get("metadata")]


def accepted(hubspot: Program, path: str) -> bool:
    """Whether there were calls to this path, and all of them were what the description allows."""
    calls = [call for call in hubspot.text().split("[HTTP SERVER]") if call.startswith(f" post /crm/v3/objects/{path} ")]
    return bool(calls) and all(re.search(r'Responding with "20\d"', call) for call in calls)


def test_a_webhook_about_an_imported_lead_is_scored_by_the_model_and_told_everywhere(
    leadswitch: Leadswitch, hubspot: Program, slack: Program, shared_dir: Path, start: Callable[..., Program], eventually: Wait
) -> None:
    data = shared_dir / "data" / "x_education_leads.csv.gz"
    imported = leadswitch("import", str(data), "--map", "examples/x_education_map.toml")
    assert (imported["rows"], imported["created"], imported["failed"]) == (9240, 9240, 0)
    model = leadswitch("train")
    assert model["state"] == "champion"
    assert model["metrics"]["auc"] > 0.87
    assert leadswitch("connections", "backfill", "hubspot-main")["owners"] == 1

    prospect = hot_prospect(data)
    command = (sys.executable, "-m", "connector", "up")
    start("up", leadswitch.port, *command, ready=lambda one: "ready after" in one.text(), **leadswitch.environment)
    event = {
        "eventId": 1,
        "subscriptionId": 1,
        "portalId": 62515,
        "appId": 54321,
        "occurredAt": round(time.time() * 1000),
        "subscriptionType": "contact.propertyChange",
        "attemptNumber": 0,
        "objectId": int(CONTACT),
        "propertyName": "prospect_id",
        "propertyValue": prospect,
        "changeSource": "CRM_UI",
        "sourceId": "userId:1001",
    }
    assert leadswitch.hear(event) == 200

    shown = eventually(lambda: messages(slack), timeout=60, what="a card in Slack")
    (lead,) = {message["metadata"]["event_payload"]["lead_id"] for message in shown}
    why = leadswitch("why", str(lead))
    assert why["score"]["source"] == "model"
    assert why["score"]["model_version"] == model["version"]
    assert why["score"]["reasons"], "the score is explained"
    assert why["score"]["features"].keys() >= {"source"}
    assert [verdict["kind"] for verdict in why["verdicts"]] == ["chosen"]
    for path in ("contacts/batch/update", "tasks/batch/create"):
        eventually(lambda path=path: accepted(hubspot, path), timeout=60, what=f"{path} was accepted")
    assert leadswitch("deadletters", "list") == []
