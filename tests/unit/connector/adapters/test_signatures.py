"""Secrets that come with a request, replay windows, and the options that set them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from connector.errors import BadSignature, Configuration, Stale
from connector.ports import Delivery
from connector.settings import ConnectionSettings
from connector.signatures import SHORTEST, SharedSecret, check_age, live_secrets, matches, read_stamp, replay_window

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
URL = "https://hooks.example.com/in/webhooks/form"


def deliver(url: str = URL, **headers: str) -> Delivery:
    return Delivery("POST", url, {name.replace("_", "-"): value for name, value in headers.items()}, b"", NOW)


def basic(pair: str) -> str:
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


EVERYWHERE = ("path", "query", "basic", "bearer", "x-secret")


@pytest.mark.parametrize(
    "delivery",
    [
        deliver(f"{URL}/long-secret"),
        deliver(f"{URL}/long-secret/script.js"),
        deliver(f"{URL}/long%2Dsecret"),
        deliver(f"{URL}?a=b&secret=long-secret"),
        deliver(f"{URL}?access_token=long-secret"),
        deliver(authorization=basic("anybody:long-secret")),
        deliver(authorization=basic("long-secret")),
        deliver(authorization="bearer long-secret"),
        deliver(x_secret="long-secret"),
    ],
)
def test_a_secret_in_its_place(delivery: Delivery) -> None:
    SharedSecret(["another-one", "long-secret"], EVERYWHERE).check(delivery)
    with pytest.raises(BadSignature):
        SharedSecret(["another-one"], EVERYWHERE).check(delivery)


@pytest.mark.parametrize(
    "delivery",
    [
        deliver(),
        deliver(f"{URL}/"),
        deliver(f"{URL}/long-secre"),
        deliver(f"{URL}?secret="),
        deliver(f"{URL}?secret=%ff"),
        deliver(authorization="Basic !!!"),
        deliver(authorization="Basic /w=="),
        deliver(authorization="long-secret"),
        deliver(authorization="Digest long-secret"),
        deliver(x_secret="\u00e9\u4e2d"),
    ],
)
def test_no_secret(delivery: Delivery) -> None:
    with pytest.raises(BadSignature):
        SharedSecret(["long-secret"], EVERYWHERE).check(delivery)


def test_another_place_is_not_looked_at() -> None:
    with pytest.raises(BadSignature):
        SharedSecret(["long-secret"], ["bearer"]).check(deliver(f"{URL}?secret=long-secret"))


def test_every_secret_is_compared() -> None:
    assert matches("b", [b"a", b"b"])
    assert not matches("", [b"a"])
    assert not matches("\ud800", [b"a"])


def settings(**options: object) -> ConnectionSettings:
    return ConnectionSettings.model_validate({"name": "mail", "adapter": "mailgun", **options})


@pytest.mark.parametrize("secrets", [(), ("",), ("  ",), ("good-secret", "")])
def test_a_missing_secret(secrets: tuple[str, ...]) -> None:
    with pytest.raises(Configuration, match="webhook_secrets"):
        live_secrets(settings(webhook_secrets=tuple(map(SecretStr, secrets))), "the key")


def test_a_short_secret_is_not_told() -> None:
    with pytest.raises(Configuration, match="shorter") as raised:
        live_secrets(settings(webhook_secrets=(SecretStr("abc"),)), "the key", SHORTEST)
    assert "abc" not in str(raised.value)


@pytest.mark.parametrize("window", ["soon", -1, True, None, 1e12, [5]])
def test_a_window_that_is_none(window: object) -> None:
    with pytest.raises(Configuration, match="replay_window_s"):
        replay_window(settings(replay_window_s=window), 300)


def test_the_window() -> None:
    assert replay_window(settings(), 300) == 300
    assert replay_window(settings(replay_window_s="60"), 300) == 60
    check_age(NOW.timestamp() - 60, NOW, 60, "x")
    check_age(0, NOW, 0, "x")
    with pytest.raises(Stale):
        check_age(NOW.timestamp() + 61, NOW, 60, "x")


@pytest.mark.parametrize("stamp", ["", "-1", "1e5", "\u0661", "9" * 17, "1.5"])
def test_a_stamp_that_is_none(stamp: str) -> None:
    with pytest.raises(BadSignature):
        read_stamp(stamp, "x")
