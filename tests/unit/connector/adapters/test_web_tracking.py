"""The tracking script and its collector, as browsers ask for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.adapters.web_tracking import ADAPTER
from connector.contract import load_hook
from connector.errors import BadSignature
from connector.ports import Delivery
from leads.records import EngagementEvent

FIXTURES = Path(__file__).parents[3] / "fixtures" / "web_tracking"
hook = load_hook(FIXTURES)
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
receiver = ADAPTER.receiver(hook.connection(), "https://hooks.example.com")


def asked(method: str, tail: str) -> Delivery:
    return replace(hook.sign(b"", NOW), method=method, url=f"https://hooks.example.com/webhooks/site/{tail}")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_script_is_served_under_the_key(method: str) -> None:
    answer = receiver.handshake(asked(method, "a-new-long-key/leadswitch.js"))
    assert answer is not None
    assert (answer.status, answer.content_type.partition(";")[0]) == (200, "text/javascript")
    assert b"sendBeacon" in answer.body


def test_nobody_gets_it_without() -> None:
    with pytest.raises(BadSignature):
        receiver.handshake(asked("GET", "guess/leadswitch.js"))
    assert receiver.handshake(asked("GET", "a-new-long-key/other.js")) is None


def test_the_preflight() -> None:
    answer = receiver.handshake(asked("OPTIONS", "a-new-long-key"))
    assert answer is not None
    assert answer.headers["access-control-allow-origin"] == "https://www.example.com"


@pytest.mark.parametrize(
    "headers", [{"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, {"x-leadswitch-client": "40.94.31.7"}]
)
def test_crawlers_are_marked(headers: dict[str, str]) -> None:
    delivery = hook.sign((FIXTURES / "visit__known.json").read_bytes(), NOW)
    [event] = receiver.events(replace(delivery, headers={**delivery.headers, **headers}))
    assert isinstance(event, EngagementEvent)
    assert event.machine
