"""How many deliveries a second are acknowledged durably: signature checked, committed and flushed to disk.

    python -m bench.intake [--adapter hubspot] [--seconds 3]

A real web server (uvicorn, uvloop, httptools) on a fresh SQLite file, with the embedded Valkey to ring, takes pre-signed, unique
deliveries of one adapter over 64 kept-alive connections, from a load generator in a process of its own. Three builds take turns and
each keeps its best round, as a shared machine is noisy: group commit (`durable_rps`), the same endpoint committing once a request
(`per_request_commit_rps`), and the same server reading the same body and only answering (`bare_rps`); `ratio` is durable over bare
and `p99_ms` the durable build's slowest hundredth in its best round. At last a server is killed with SIGKILL under load, and every
acknowledged delivery is looked up in the file it left behind (`acked`, `missing_after_kill`).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import multiprocessing
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import uvloop

from bench.deliveries import Source, find_source, make_deliveries
from connector.embedded import EmbeddedValkey
from connector.registry import adapters

CONNECTIONS = 64
SECRET = "bench-client-secret"
PATH = "/webhooks/crm"
HUBSPOT = '[connections.crm]\nadapter = "hubspot"\nwebhook_secrets = ["env:BENCH_SECRET"]\n'
BUILDS = ("durable", "per_request", "bare")


@dataclass(frozen=True)
class Round:
    """One run of the load: acknowledgements a second and the 99th percentile of their latency."""

    rps: float
    p99_ms: float
    answers: dict[int, int]


def make_requests(count: int, port: int) -> list[tuple[str, bytes]]:
    """(delivery key, whole HTTP request) of unique deliveries of one event each, signed by HubSpot's scheme v3."""
    made = []
    stamp = str(int(time.time() * 1000)).encode()
    signed_head = b"POST" + f"http://127.0.0.1:{port}{PATH}".encode()
    for number in range(count):
        event = {
            "eventId": number,
            "subscriptionId": 3816279,
            "portalId": 62515,
            "appId": 54321,
            "occurredAt": int(stamp) - 500,
            "subscriptionType": "contact.propertyChange",
            "attemptNumber": 0,
            "objectId": 100_000 + number,
            "propertyName": "jobtitle",
            "propertyValue": "Head of Purchasing",
            "changeSource": "CRM_UI",
            "sourceId": "userId:9186156",
        }
        body = json.dumps([event]).encode()
        signature = base64.b64encode(hmac.digest(SECRET.encode(), signed_head + body + stamp, "sha256"))
        head = (
            b"POST %b HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nAccept: */*\r\n"
            b"User-Agent: HubSpot Connect 2.0 (http://dev.hubspot.com/) (namespace: webhooks-nio-http-client)\r\n"
            b"X-HubSpot-Signature-Version: v3\r\nX-HubSpot-Signature-v3: %b\r\nX-HubSpot-Request-Timestamp: %b\r\n"
            b"Content-Length: %d\r\n\r\n"
        ) % (PATH.encode(), port, signature, stamp, len(body))
        made.append((hashlib.sha256(body).hexdigest(), head + body))
    return made


class Sender(asyncio.Protocol):
    """One connection: sends the next request as soon as the one before was answered. Our server's answers are small and whole."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._sent_at = 0.0
        self._number = -1
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        at = head.lower().find(b"content-length: ")
        length = int(head[at + 16 :].partition(b"\r\n")[0]) if at >= 0 else 0
        if len(rest) < length:
            return
        self._buffer = b""
        self._load.answered(self._number, int(head[9:12]), time.perf_counter() - self._sent_at)
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self._load.gone()

    def _send(self) -> None:
        self._number = self._load.take()
        if self._number < 0:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(self._load.requests[self._number][1])


class Load:
    """All connections together, for so many seconds or until the server is gone."""

    def __init__(self, requests: list[tuple[str, bytes]], seconds: float) -> None:
        self.requests = requests
        self.acked: list[int] = []
        self.latencies: list[float] = []
        self.answers: dict[int, int] = {}
        self._seconds = seconds
        self._next = 0
        self._open = CONNECTIONS
        self._until = 0.0
        self._finished = asyncio.Event()

    async def run(self, port: int) -> float:
        """Send; returns the seconds it took."""
        loop = asyncio.get_running_loop()
        started = time.perf_counter()
        self._until = started + self._seconds
        await asyncio.gather(*(loop.create_connection(lambda: Sender(self), "127.0.0.1", port) for _ in range(CONNECTIONS)))
        await self._finished.wait()
        return time.perf_counter() - started

    def take(self) -> int:
        if time.perf_counter() >= self._until or self._next >= len(self.requests):
            return -1
        self._next += 1
        return self._next - 1

    def answered(self, number: int, status: int, seconds: float) -> None:
        self.answers[status] = self.answers.get(status, 0) + 1
        if 200 <= status < 300:
            self.acked.append(number)
            self.latencies.append(seconds)

    def gone(self) -> None:
        self._open -= 1
        if self._open == 0:
            self._finished.set()


def send_load(port: int, count: int, seconds: float, pipe: Connection, signed: list[tuple[str, bytes]] | None = None) -> None:
    """The load generator's process: says when it begins, then sends back the seconds, the answers and the acknowledged keys."""
    requests = make_requests(count, port) if signed is None else signed
    pipe.send("begin")

    async def run() -> tuple[float, Load]:
        load = Load(requests, seconds)
        return await load.run(port), load

    took, load = uvloop.run(run())
    pipe.send((took, load.latencies, load.answers, [requests[number][0] for number in load.acked]))


class Server:
    """A web server process of one build, on a database of its own."""

    def __init__(self, build: str, folder: Path, adapter: str = "hubspot") -> None:
        folder.mkdir()
        self.adapter = adapter
        source = find_source(adapter) if adapter != "hubspot" else Source(HUBSPOT, {"BENCH_SECRET": SECRET})
        self.database = folder / "leadswitch.db"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LEADSWITCH_")},
            "LEADSWITCH_HOME": str(folder),
            "LEADSWITCH_PUBLIC_URL": source.public_url or f"http://127.0.0.1:{self.port}",
            "LEADSWITCH_CONFIG": str(folder / "leadswitch.toml"),
            "BENCH_BUILD": build,
            **source.environment,
        }
        (folder / "leadswitch.toml").write_text(source.toml)
        self._valkey = EmbeddedValkey(folder)
        self._valkey.start()
        command = [sys.executable, "-m", "uvicorn", "bench.intake_server:build", "--factory", "--host", "127.0.0.1"]
        options = [
            "--port",
            str(self.port),
            "--loop",
            "uvloop",
            "--http",
            "httptools",
            "--no-access-log",
            "--log-level",
            "warning",
            "--no-proxy-headers",
            "--no-server-header",
        ]
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen([*command, *options], env=environment, stderr=log)
        try:
            self._wait()
        except SystemExit:
            self.stop(signal.SIGKILL)
            raise

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self._process.poll() is not None:
                    raise SystemExit("The web server did not start.") from None
                time.sleep(0.05)
        raise SystemExit("The web server did not start in 30 s.")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self._process.send_signal(how)
        self._process.wait()
        self._valkey.stop()


def run_load(
    server: Server, seconds: float, end_after: float | None = None, how: signal.Signals = signal.SIGKILL
) -> tuple[Round, list[str]]:
    """Load a server; with `end_after` it gets the signal so many seconds into it. Also gives the acknowledged delivery keys."""
    ours, theirs = multiprocessing.Pipe()
    count = int(seconds * 40_000)
    signed = None if server.adapter == "hubspot" else make_deliveries(server.adapter, count, server.port)
    generator = multiprocessing.get_context("spawn").Process(target=send_load, args=(server.port, count, seconds, theirs, signed))
    generator.start()
    theirs.close()  # so that a generator that dies ends our waiting
    ours.recv()
    if end_after is not None:
        time.sleep(end_after)
        server.stop(how)
    took, latencies, answers, keys = ours.recv()
    generator.join()
    latencies.sort()
    return Round(len(keys) / took, 1000 * latencies[int(len(latencies) * 0.99)], answers), keys


def count_missing(database: Path, keys: list[str]) -> int:
    """How many acknowledged deliveries are not in the file that the killed server left."""
    with sqlite3.connect(database) as connection:
        stored = {key for (key,) in connection.execute("SELECT delivery_key FROM inbox")}
    return len(set(keys) - stored)


def measure(folder: Path, seconds: float, rounds: int, adapter: str = "hubspot") -> dict[str, float]:
    """All rounds, then the kill."""
    best: dict[str, Round] = {}
    for number in range(rounds):
        for build in BUILDS:
            server = Server(build, folder / f"{build}-{number}", adapter)
            result, keys = run_load(server, seconds)
            server.stop()
            print(f"round {number + 1} {build:12} {result.rps:8.0f}/s   p99 {result.p99_ms:6.1f} ms   answers {result.answers}")
            if build != "bare":
                assert count_missing(server.database, keys) == 0
            if build not in best or result.rps > best[build].rps:
                best[build] = result
    server = Server("durable", folder / "killed", adapter)
    _, keys = run_load(server, seconds, end_after=seconds / 2)
    missing = count_missing(server.database, keys)
    print(f"killed under load: {len(keys)} acknowledged, {missing} of them missing")
    return {
        "durable_rps": round(best["durable"].rps),
        "per_request_commit_rps": round(best["per_request"].rps),
        "bare_rps": round(best["bare"].rps),
        "ratio": round(best["durable"].rps / best["bare"].rps, 3),
        "p99_ms": round(best["durable"].p99_ms, 1),
        "acked": len(keys),
        "missing_after_kill": missing,
    }


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.intake", description=__doc__)
    parser.add_argument("--adapter", choices=sorted(adapters()), default="hubspot", help="whose deliveries are sent")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one round (default 3)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each build (default 3)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leadswitch-bench-") as folder:
        print(json.dumps(measure(Path(folder), asked.seconds, asked.rounds, asked.adapter)))


if __name__ == "__main__":
    main()
