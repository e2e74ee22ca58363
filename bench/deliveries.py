"""Deliveries of any adapter for `bench.intake`: the body of a fixture made unique, signed the way the contract suite signs."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from connector.contract import PUBLIC_URL, case_paths, load_hook
from connector.registry import adapter
from connector.settings import ConnectionSettings

FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures"
#: Some signatures (RSA) take a millisecond: no more are made than in so many seconds.
SIGNING_S = 12.0


@dataclass(frozen=True)
class Source:
    """One adapter as the bench needs it: its connection as `leadswitch.toml` and environment, and what to send."""

    toml: str
    environment: dict[str, str]
    public_url: str | None = None


def find_source(name: str) -> Source:
    """The configuration of an adapter's connection, taken from its fixtures."""
    settings: ConnectionSettings = load_hook(FIXTURES / name).connection()
    environment: dict[str, str] = {}
    lines = [f"[connections.{settings.name}]", f'adapter = "{name}"', "requests_per_minute = 0"]
    for key, value in {**settings.model_dump(exclude_defaults=True, exclude={"name", "adapter"})}.items():
        lines.append(f"{key} = {_toml(value, environment)}")
    return Source("\n".join(lines) + "\n", environment, PUBLIC_URL)


def make_deliveries(name: str, count: int, port: int) -> list[tuple[str, bytes]]:
    """(delivery key, whole HTTP request) of at most `count` unique deliveries, signed now."""
    hook = load_hook(FIXTURES / name)
    receiver = adapter(name).receiver(hook.connection(), PUBLIC_URL)
    body, made, until = _sample(name), [], time.monotonic() + SIGNING_S
    now = datetime.now(UTC).replace(microsecond=0)
    for number in range(count):
        if time.monotonic() > until:
            break
        delivery = hook.sign(_unique(body, number), now)
        parts = urlsplit(delivery.url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        headers = {"host": f"127.0.0.1:{port}", **delivery.headers, "content-length": str(len(delivery.body))}
        lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        made.append((receiver.delivery_key(delivery), "\r\n".join(lines).encode() + b"\r\n\r\n" + delivery.body))
    return made


def _sample(name: str) -> bytes:
    """One event that the adapter reads: of a batch, its first entry."""
    paths = [path for path in case_paths(FIXTURES / name) if not path.name.startswith(("unknown", "broken"))]
    path = next((one for one in paths if one.name.startswith("batch")), paths[0])
    body = path.read_bytes()
    if path.suffix == ".txt":
        return body
    document = json.loads(body)
    return json.dumps([document[0]] if isinstance(document, list) else document).encode()


def _unique(body: bytes, number: int) -> bytes:
    """The body with a number in it."""
    if body.startswith(b"[{"):
        return b'[{"bench": %d, ' % number + body[2:]
    if body.startswith(b"{"):
        return b'{"bench": %d, ' % number + body[1:]
    return body + b"&bench=%d" % number


def _toml(value: Any, environment: dict[str, str]) -> str:
    """A value as TOML; a secret goes into the environment and leaves its name."""
    if isinstance(value, SecretStr):
        name = f"BENCH_SECRET_{len(environment)}"
        environment[name] = value.get_secret_value()
        return f'"env:{name}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(one, environment) for one in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(one, environment)}" for key, one in value.items()) + "}"
    return json.dumps(value)
