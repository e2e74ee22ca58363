"""The worker is killed in the middle of its deliveries, again and again: every lead ends assigned, written back and announced,
each exactly once. The CRM and Slack are stand-ins over HTTP that remember every call."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from connector.bootstrap import House, open_house
from connector.ports import Delivery
from connector.settings import read_settings
from connector.storage.intake import seal_delivery
from connector.storage.models import Effect, Inbox
from tests.fixtures.hubspot.standin import StandIn

Wait = Callable[..., Any]
LEADS, HOT_EVERY = 200, 20
CONFIG = """
[connections.crm]
adapter = "hubspot"
base_url = "{crm}"
trust_private_host = true
client_id = "env:CRM_CLIENT"
client_secret = "env:CRM_SECRET"
refresh_token = "env:CRM_REFRESH"
webhook_secrets = ["env:CRM_SECRET"]

[slack]
base_url = "{slack}"
bot_token = "env:SLACK_TOKEN"
digest_minutes = 0.02
"""


@dataclass
class Workspace:
    """Slack's side: every message that was posted, by channel."""

    posted: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, server: HTTPServer) -> str:
        server.expect_request("/api/chat.postMessage").respond_with_handler(self._post)
        server.expect_request("/api/chat.update").respond_with_handler(lambda _: self._ok(ts="1.0", channel="D1"))
        server.expect_request("/api/users.lookupByEmail").respond_with_handler(self._user)
        server.expect_request("/api/conversations.open").respond_with_handler(self._open)
        server.expect_request("/api/conversations.history").respond_with_handler(self._history)
        server.expect_request("/api/conversations.list").respond_with_json(
            {"ok": True, "channels": [{"id": "C1", "name": "leads"}]}
        )
        return server.url_for("/api/")

    @staticmethod
    def _ok(**more: Any) -> Response:
        return Response(json.dumps({"ok": True, **more}), content_type="application/json")

    @staticmethod
    def _said(request: Request) -> dict[str, Any]:
        return dict(request.get_json(silent=True) or request.values.to_dict())

    def _user(self, request: Request) -> Response:
        return self._ok(user={"id": "U" + self._said(request)["email"].partition("@")[0].upper()})

    def _open(self, request: Request) -> Response:
        return self._ok(channel={"id": "D" + self._said(request)["users"]})

    def _post(self, request: Request) -> Response:
        said = self._said(request)
        metadata = said["metadata"] if isinstance(said["metadata"], dict) else json.loads(said["metadata"])
        with self.lock:
            message = {"channel": said["channel"], "ts": f"{time.time():.6f}", "metadata": metadata, "blocks": str(said["blocks"])}
            self.posted.append(message)
        return self._ok(channel=said["channel"], ts=message["ts"])

    def _history(self, request: Request) -> Response:
        channel = self._said(request)["channel"]
        with self.lock:
            return self._ok(messages=[one for one in reversed(self.posted) if one["channel"] == channel])

    def cards(self) -> Counter[tuple[Any, Any]]:
        """How often each card was posted, by lead and destination."""
        payloads = [one["metadata"]["event_payload"] for one in self.posted]
        return Counter((one["lead_id"], one["destination"]) for one in payloads if "lead_id" in one)


class Installation:
    """A house and the processes that work in it."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.environment, self.log = environment, home / "processes.log"
        self.house: House = open_house(read_settings(environment), migrate=True)
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, name: str) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "connector", name]
            self.running[name] = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | self.environment)

    def kill_worker(self) -> None:
        """As the kernel does when memory runs out; what it had in hand is as if its lease had lapsed since."""
        self.running["worker"].kill()
        self.running["worker"].wait(10)
        with self.house.db.connected():
            Effect.update({Effect.lease_until: 1}).where(Effect.state == "sending").execute()

    def hear(self, contact: int) -> None:
        """A webhook about a new contact, stored and rung for as intake does it."""
        now = self.house.clock.now()
        event = {"eventId": contact, "subscriptionType": "contact.creation", "objectId": contact, "changeSource": "CRM_UI"}
        body = json.dumps([{**event, "occurredAt": round(now.timestamp() * 1000)}]).encode()
        with self.house.db.connected():
            row = Inbox.create(
                connection="crm",
                delivery_key=f"d{contact}",
                received_at=now,
                signed=True,
                envelope=seal_delivery(self.house.vault, Delivery("POST", "https://x.example/", {}, body, now)),
                trace_id=f"t{contact}",
                due_at=now,
            )
        self.house.queue.ring_new([row.id])

    def is_quiet(self) -> bool:
        """Everything that was heard is worked off, and nothing waits to go out."""
        waiting = [state for (_, state), _ in self.house.effects.counts().items() if state != "dead"]
        now = self.house.clock.now()
        unrouted = [*self.house.leads.unfinished("score", now, 10), *self.house.leads.unfinished("allocate", now, 10)]
        return not (self.house.inbox.counts() or waiting or unrouted)

    def stop(self) -> None:
        for process in self.running.values():
            process.send_signal(signal.SIGTERM)
        for process in self.running.values():
            process.wait(40)
        self.house.close()


@pytest.fixture
def crm(httpserver: HTTPServer) -> StandIn:
    return StandIn(httpserver)


@pytest.fixture
def slack() -> Workspace:
    return Workspace()


@pytest.fixture(
    params=[
        pytest.param(("redis_url",), id="sqlite-redis", marks=pytest.mark.needs_redis),
        pytest.param(
            ("redis_url", "postgres_url"), id="postgresql-redis", marks=[pytest.mark.needs_redis, pytest.mark.needs_postgres]
        ),
        pytest.param(
            ("redis_url", "postgres_url", "rabbitmq_url"),
            id="postgresql-rabbitmq",
            marks=[pytest.mark.needs_redis, pytest.mark.needs_postgres, pytest.mark.needs_rabbitmq],
        ),
    ]
)
def installation(
    request: pytest.FixtureRequest, tmp_path: Path, httpserver: HTTPServer, crm: StandIn, slack: Workspace
) -> Iterator[Installation]:
    config = tmp_path / "leadswitch.toml"
    config.write_text(CONFIG.format(crm=crm.base_url, slack=slack.serve(httpserver)))
    secrets = {
        "CRM_CLIENT": "the-client-id",
        "CRM_SECRET": "the-client-secret",
        "CRM_REFRESH": "the-refresh-token",
        "SLACK_TOKEN": "x",
    }
    names = {
        "redis_url": "LEADSWITCH_REDIS_URL",
        "postgres_url": "LEADSWITCH_DATABASE_URL",
        "rabbitmq_url": "LEADSWITCH_BROKER_URL",
    }
    servers = {names[one]: request.getfixturevalue(one) for one in request.param}
    made = Installation(
        tmp_path, {**secrets, **servers, "LEADSWITCH_CONFIG": str(config), "LEADSWITCH_HOME": str(tmp_path / "home")}
    )
    yield made
    made.stop()


@pytest.mark.chaos
def test_a_worker_that_is_killed_loses_and_doubles_nothing(
    installation: Installation, crm: StandIn, slack: Workspace, eventually: Wait
) -> None:
    house = installation.house
    now_ms = round(time.time() * 1000)
    for number in range(LEADS):
        hot = {"jobtitle": "CEO", "numemployees": "900", "country": "Germany"} if number % HOT_EVERY == 0 else {}
        crm.add_contact(number + 1, now_ms, **hot)
    house.reps.sync("crm", house.client("crm").owners())  # type: ignore[union-attr]
    installation.run("clock")
    installation.run("worker")
    kills = {LEADS // 8: "early", LEADS // 2: "in the middle", LEADS - 20: "late"}
    for number in range(LEADS):
        installation.hear(number + 1)
        if number in kills:
            seen = len(crm.writes)
            eventually(lambda seen=seen: len(crm.writes) > seen, timeout=60, what=f"work goes on, {kills[number]}")
            installation.kill_worker()
            installation.run("worker")
    eventually(installation.is_quiet, timeout=120, what="everything was worked off")

    assert house.deadletters.all() == []
    assert house.leads.count() == LEADS
    leads = [house.leads.find_external("crm", str(number + 1)) for number in range(LEADS)]
    assert None not in leads
    assert sum(house.decisions.open_counts().values()) == LEADS
    assert {len(house.decisions.of_lead(one or 0)) for one in leads} == {1}
    owners = Counter(contact.get("hubspot_owner_id") for contact in crm.contacts.values())
    assert set(owners) == {"42", "43"}, "the archived one gets none"
    assert abs(owners["42"] - owners["43"]) <= 2
    markers = Counter(task["leadswitch_marker"] for task in crm.tasks.values())
    assert len(markers) == LEADS
    assert set(markers.values()) == {1}, "no task was made twice"
    assert len(slack.cards()) >= LEADS // HOT_EVERY
    assert set(slack.cards().values()) == {1}, "no card was posted twice"
    carded = {card.lead_id for one in leads for card in house.cards.of_lead(one or 0)}
    assert len(carded) == LEADS, "each is in somebody's messages or digest"
    assert house.audit.seal() >= 0
    assert house.audit.verify()[1] is None
