"""`leadswitch up` as a newcomer runs it: quick to be ready, small when idle, and nothing lost when its processes are killed."""

from __future__ import annotations

import base64
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connector.bootstrap import open_house
from connector.embedded import EmbeddedValkey
from connector.pids import birth, read_pid
from connector.settings import read_settings

Wait = Callable[..., Any]
MAIL = "/webhooks/mail"


class Installation:
    """A home with one SendGrid connection, and the service that runs in it."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port = home, port
        self.key = ec.generate_private_key(ec.SECP256R1())
        public = base64.b64encode(self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
        self.environment = {"LEADSWITCH_HOME": str(home), "LEADSWITCH_BIND": f"127.0.0.1:{port}", "MAIL_KEY": public}
        self.config = home / "leadswitch.toml"
        home.mkdir()
        self.config.write_text('[connections.mail]\nadapter = "sendgrid"\nwebhook_secrets = ["env:MAIL_KEY"]\n')
        self.environment["LEADSWITCH_CONFIG"] = str(self.config)
        self.log = home / "up.log"
        self.process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        command = [sys.executable, "-m", "connector", "up"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, env=os.environ | self.environment)

    def text(self) -> str:
        return self.log.read_text()

    def ready(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, HTTPException):
            return False

    def pids(self) -> dict[str, int]:
        """Every process of the service that runs now."""
        found = {name: read_pid(self.home / "run" / f"{name}.pid") for name in ("web", "worker", "clock")}
        valkey = self.home / "valkey" / "valkey.pid"
        if valkey.exists() and valkey.read_text().strip():
            found["valkey"] = int(valkey.read_text())
        return {name: pid for name, pid in found.items() if pid}

    def send(self, *event_ids: str) -> bool:
        """One signed delivery; whether it was acknowledged."""
        now = int(time.time())
        events = [
            {"email": f"{event_id}@example.com", "event": "open", "timestamp": now, "sg_event_id": event_id}
            for event_id in event_ids
        ]
        body = json.dumps(events).encode()
        stamp = str(now)
        signature = base64.b64encode(self.key.sign(stamp.encode() + body, ec.ECDSA(SHA256()))).decode()
        headers = {
            "content-type": "application/json",
            "x-twilio-email-event-webhook-signature": signature,
            "x-twilio-email-event-webhook-timestamp": stamp,
        }
        request = Request(f"http://127.0.0.1:{self.port}{MAIL}", body, headers)
        try:
            with urlopen(request, timeout=10) as answer:
                return bool(answer.status == 200)
        except HTTPError as error:
            assert error.code == 503, "only a store that is down may turn a right delivery away"
            return False
        except (URLError, OSError, HTTPException):
            return False

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)


@pytest.fixture
def installation(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Installation]:
    one = Installation(tmp_path / "home", free_port())
    yield one
    if one.process is not None and one.process.poll() is None:
        one.stop()
    EmbeddedValkey(one.home).stop()


def memory_kb(pid: int) -> int:
    """Resident memory, shared pages counted in full."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found.group(1))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_it_is_ready_soon_small_when_idle_and_ends_in_order(installation: Installation, eventually: Wait) -> None:
    installation.run()
    eventually(lambda: "ready after" in installation.text(), timeout=60)
    eventually(lambda: "worker ready" in installation.text(), timeout=30)
    found = re.search(r"ready after ([\d.]+) s", installation.text())
    assert found
    assert float(found.group(1)) < 8.0
    assert installation.process is not None
    running = [installation.process.pid, *installation.pids().values()]
    assert len(running) == 5
    assert sum(memory_kb(pid) for pid in running) < 600 * 1024
    assert installation.stop() == 0
    assert [pid for pid in running[1:] if birth(pid)] == [], "nothing is left behind"


@pytest.mark.chaos
def test_killing_its_processes_loses_and_doubles_nothing(installation: Installation, eventually: Wait) -> None:
    installation.run()
    eventually(installation.ready, timeout=60)
    chance = random.Random(7)
    acknowledged: list[str] = []
    refused: list[str] = []
    for number in range(60):
        if number % 12 == 6:
            name, pid = chance.choice(sorted(installation.pids().items()))
            os.kill(pid, signal.SIGKILL)
            eventually(lambda name=name, pid=pid: installation.pids().get(name) not in (None, pid), what=f"{name} started again")
        event_ids = [f"e{number}-{place}" for place in range(3)]
        (acknowledged if installation.send(*event_ids) else refused).extend(event_ids)
    eventually(installation.ready, timeout=60)
    for event_id in refused:  # as a vendor does
        eventually(lambda event_id=event_id: installation.send(event_id), timeout=60)
    assert installation.send(*acknowledged[:30]), "a repeat of what was acknowledged is acknowledged again"

    assert wrong_counts(installation, {*acknowledged, *refused}, eventually) == {}


@pytest.mark.needs_postgres
@pytest.mark.parametrize(
    "servers",
    [
        pytest.param(("redis_url",), marks=pytest.mark.needs_redis, id="redis"),
        pytest.param(("redis_url", "rabbitmq_url"), marks=[pytest.mark.needs_redis, pytest.mark.needs_rabbitmq], id="rabbitmq"),
    ],
)
def test_it_runs_on_servers_of_its_own(
    installation: Installation, postgres_url: str, servers: tuple[str, ...], request: pytest.FixtureRequest, eventually: Wait
) -> None:
    addresses = [request.getfixturevalue(name) for name in servers]
    installation.environment["LEADSWITCH_DATABASE_URL"] = postgres_url
    installation.environment["LEADSWITCH_REDIS_URL"] = addresses[0]
    installation.environment["LEADSWITCH_BROKER_URL"] = addresses[-1]
    installation.run()
    eventually(installation.ready, timeout=60)
    assert "valkey" not in installation.pids()
    event_ids = [f"p{number}" for number in range(20)]
    assert all(installation.send(event_id) for event_id in event_ids)
    assert wrong_counts(installation, set(event_ids), eventually) == {}
    assert installation.stop() == 0


def wrong_counts(installation: Installation, event_ids: set[str], eventually: Wait) -> dict[str, int]:
    """Once the inbox is worked off: the events that did not become exactly one engagement of exactly one lead."""
    house = open_house(read_settings(installation.environment))
    try:
        eventually(lambda: not house.inbox.counts().get("pending"), timeout=60, what="the inbox was worked off")
        counts = {}
        for event_id in event_ids:
            found = house.leads.find(house.leads.tokens("", None, {"email": f"{event_id}@example.com"}))
            history = house.histories.at(found[0], house.clock.now()) if len(found) == 1 else None
            counts[event_id] = len(history.engagements) if history else 0
        assert house.deadletters.count() == 0
        return {event_id: count for event_id, count in counts.items() if count != 1}
    finally:
        house.close()
