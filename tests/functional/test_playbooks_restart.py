"""Playbooks through real processes that are killed amid their steps and amid a wait: each step is taken once."""

from __future__ import annotations

import base64
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from connector.clock import to_ms
from connector.playbooks.reading import parse_playbooks
from tests.fixtures.hubspot.standin import StandIn
from tests.functional.smtp_standin import MailServer, mail_server
from tests.functional.test_crash_worker import Installation

LEADS = 8
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
CONFIG = """
[connections.crm]
adapter = "hubspot"
base_url = "{crm}"
trust_private_host = true
client_id = "env:CRM_CLIENT"
client_secret = "env:CRM_SECRET"
refresh_token = "env:CRM_REFRESH"
webhook_secrets = ["env:CRM_SECRET"]

[webhooks.warehouse]
url = "{hook}"
secret = "env:HOOK_SECRET"
trust_private_host = true

[smtp]
host = "127.0.0.1"
port = {mail}
tls = "none"
sender = "sales@acme.example"
unsubscribe = "stop@acme.example"
"""
BOOK = """
[playbooks.scored.when]
on = "score"
above = 1

[[playbooks.scored.steps]]
do = "note"
text = "before"

[[playbooks.scored.steps]]
do = "email"
subject = "Hello"
text = "Hello."

[[playbooks.scored.steps]]
do = "wait"
for = "30d"
business = false

[[playbooks.scored.steps]]
do = "note"
text = "after"

[[playbooks.scored.steps]]
do = "webhook"
to = "warehouse"
"""


class Warehouse:
    """Takes webhooks; every fifth call fails after it was taken."""

    def __init__(self, server: HTTPServer) -> None:
        self.ids: list[str] = []
        self._lock = threading.Lock()
        self.url = server.url_for("/warehouse")
        server.expect_request("/warehouse", method="POST").respond_with_handler(self._take)

    def _take(self, request: Request) -> Response:
        with self._lock:
            self.ids.append(request.headers["webhook-id"])
            return Response("", 500 if len(self.ids) % 5 == 0 else 204)


@pytest.fixture
def crm(httpserver: HTTPServer) -> StandIn:
    return StandIn(httpserver)


@pytest.fixture
def warehouse(httpserver: HTTPServer) -> Warehouse:
    return Warehouse(httpserver)


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture(
    params=[
        pytest.param(("redis_url",), id="sqlite", marks=pytest.mark.needs_redis),
        pytest.param(("redis_url", "postgres_url"), id="postgresql", marks=[pytest.mark.needs_redis, pytest.mark.needs_postgres]),
    ]
)
def installation(
    request: pytest.FixtureRequest, tmp_path: Path, crm: StandIn, warehouse: Warehouse, mail: MailServer
) -> Iterator[Installation]:
    config = tmp_path / "leadswitch.toml"
    config.write_text(CONFIG.format(crm=crm.base_url, hook=warehouse.url, mail=mail.port))
    secrets = {
        "CRM_CLIENT": "the-client-id",
        "CRM_SECRET": "the-client-secret",
        "CRM_REFRESH": "the-refresh-token",
        "HOOK_SECRET": SECRET,
    }
    names = {"redis_url": "LEADSWITCH_REDIS_URL", "postgres_url": "LEADSWITCH_DATABASE_URL"}
    servers = {names[one]: request.getfixturevalue(one) for one in request.param}
    told = {**secrets, **servers, "LEADSWITCH_CONFIG": str(config), "LEADSWITCH_HOME": str(tmp_path / "home")}
    made = Installation(tmp_path, told)
    yield made
    made.stop()


def kill_all(installation: Installation) -> None:
    """Pull the plug of every process."""
    installation.running["clock"].kill()
    installation.running["clock"].wait(10)
    installation.kill_worker()


def start(installation: Installation) -> None:
    installation.run("clock")
    installation.run("worker")


@pytest.mark.chaos
def test_a_restart_in_the_middle_of_a_wait(
    installation: Installation, crm: StandIn, warehouse: Warehouse, mail: MailServer, eventually: Callable[..., Any]
) -> None:
    house = installation.house
    for number in range(1, LEADS + 1):
        crm.add_contact(number, round(time.time() * 1000))
    house.reps.sync("crm", house.client("crm").owners())  # type: ignore[union-attr]
    with house.db.transaction():
        house.playbooks.publish(parse_playbooks(BOOK).version, BOOK, "cli:test", "a test")
    start(installation)
    for number in range(1, LEADS + 1):
        installation.hear(number)

    def waiting() -> int:
        return sum(run.position == 3 for run in house.playbooks.newest("scored", 1_000))

    eventually(lambda: waiting() >= 2, timeout=120, what="runs begin")
    kill_all(installation)
    start(installation)
    eventually(lambda: waiting() == LEADS and installation.is_quiet(), timeout=120, what="every run waits")
    notes = crm.made["notes"].values
    assert Counter(note["hs_note_body"] for note in notes()) == {"before": LEADS}

    kill_all(installation)
    past = to_ms(house.clock.now()) - 1_000  # as if the days had passed while nobody was there
    with house.db.transaction():
        house.db.run("UPDATE playbook_run SET due_at = ? WHERE state = 'running'", past)
    start(installation)
    eventually(lambda: house.playbooks.counts() == {("scored", "done"): LEADS}, timeout=120, what="every run is over")
    eventually(installation.is_quiet, timeout=120, what="everything has gone out")

    assert Counter(note["hs_note_body"] for note in notes()) == {"before": LEADS, "after": LEADS}
    assert set(Counter(note["leadswitch_marker"] for note in notes()).values()) == {1}
    assert len(set(warehouse.ids)) == LEADS, "each event has one id, in whatever number of tries"
    sent = Counter(to for to, _ in mail.taken)
    assert set(sent.values()) == {1}, "nobody gets a letter twice"
    assert len(sent) + len(house.deadletters.all()) >= LEADS, "what may not have gone out is for a person to see"
    taken = house.playbooks.steps([run.id for run in house.playbooks.newest("scored", 1_000)])
    assert {tuple(one.step for one in steps) for steps in taken.values()} == {("note", "email", "wait", "note", "webhook")}
