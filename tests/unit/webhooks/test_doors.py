"""Who may knock: addresses, proxies and rates."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

import pytest

from connector.errors import Configuration
from connector.registry import adapter
from connector.settings import ConnectionSettings
from webhooks.doors import Door, build_door
from webhooks.limits import Buckets
from webhooks.problems import Problem


def networks(*texts: str) -> Sequence[Any]:
    return [ipaddress.ip_network(text) for text in texts]


def refused(door: Door, peer: str, **headers: str) -> int:
    try:
        door.admit(peer, {name.replace("_", "-"): value for name, value in headers.items()})
    except Problem as problem:
        return problem.status
    return 0


def test_addresses() -> None:
    door = Door(networks("192.0.2.0/24", "2001:db8::/32"))
    assert [refused(door, peer) for peer in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "192.0.3.7", "", "nonsense")] == [
        0, 0, 0, 403, 403, 403,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),  # what the client wrote itself comes first
        ("10.0.0.1", "", "10.0.0.1"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),  # not from our proxy: anybody can write this header
    ],
)
def test_the_client_behind_a_proxy(peer: str, forwarded: str, client: str) -> None:
    assert Door(proxies=networks("10.0.0.0/8")).admit(peer, {"x-forwarded-for": forwarded}) == client


def test_each_client_has_a_rate_of_its_own() -> None:
    moment = [0.0]
    door = Door(per_minute=12, make_buckets=lambda rate, burst: Buckets(rate, burst, lambda: moment[0]))
    assert [refused(door, "192.0.2.1") for _ in range(5)] == [0, 0, 0, 429, 429]
    assert refused(door, "192.0.2.2") == 0
    moment[0] = 5.0
    assert [refused(door, "192.0.2.1") for _ in range(2)] == [0, 429]


def settings(**options: Any) -> ConnectionSettings:
    return ConnectionSettings.model_validate({"name": "form", "adapter": "sendgrid", **options})


def test_most_connections_have_no_door() -> None:
    assert build_door(settings(), adapter("sendgrid")) is None
    assert build_door(settings(allowed_addresses="192.0.2.1"), adapter("sendgrid")) is not None


@pytest.mark.parametrize("options", [{"allowed_addresses": ["here"]}, {"trusted_proxies": 7}, {"requests_per_minute": "many"}])
def test_wrong_options_are_named(options: dict[str, Any]) -> None:
    with pytest.raises(Configuration, match=next(iter(options))):
        build_door(settings(**options), adapter("sendgrid"))
