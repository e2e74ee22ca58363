"""What a HubSpot connection may be told, and the older signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from connector.adapters.hubspot import ADAPTER
from connector.budget import LocalBudget
from connector.clock import SystemClock
from connector.errors import BadSignature, Configuration, Stale
from connector.ports import ClientContext, Delivery
from connector.settings import ConnectionSettings
from leads.records import LeadChange

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
URL = "https://hooks.example.com/webhooks/crm?a=%3Ab"
BODY = b'[{"x": 1}]'


def settings(**more: Any) -> ConnectionSettings:
    told = {"token": SecretStr("t"), "webhook_secrets": (SecretStr("s1"), SecretStr("s2"))} | more
    return ConnectionSettings(name="crm", adapter="hubspot", **told)


def deliver(body: bytes = BODY, **headers: str) -> Delivery:
    return Delivery("POST", URL, {name.replace("_", "-"): value for name, value in headers.items()}, body, NOW)


def older(version: str, key: str = "s2") -> dict[str, str]:
    signed = key.encode() + (b"" if version == "v1" else b"POST" + URL.encode()) + BODY
    return {"x_hubspot_signature": hashlib.sha256(signed).hexdigest(), "x_hubspot_signature_version": version}


def v3(at: datetime, key: str = "s2", url: str = "https://hooks.example.com/webhooks/crm?a=:b") -> dict[str, str]:
    stamp = str(round(at.timestamp() * 1000))
    digest = hmac.new(key.encode(), b"POST" + url.encode() + BODY + stamp.encode(), hashlib.sha256).digest()
    return {"x_hubspot_signature_v3": base64.b64encode(digest).decode(), "x_hubspot_request_timestamp": stamp}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_older_signatures(version: str) -> None:
    receiver = ADAPTER.receiver(settings(), "")
    assert receiver.verify(deliver(**older(version)), NOW + timedelta(days=9))
    with pytest.raises(BadSignature):
        receiver.verify(deliver(**older(version, "stranger")), NOW)
    with pytest.raises(BadSignature):
        receiver.verify(deliver(**{**older(version), "x_hubspot_signature_version": "v9"}), NOW)
    with pytest.raises(BadSignature):
        ADAPTER.receiver(settings(signature_versions=["v3"]), "").verify(deliver(**older(version)), NOW)


def test_a_wrong_v3_is_not_saved_by_a_right_v1() -> None:
    receiver = ADAPTER.receiver(settings(), "")
    assert receiver.verify(deliver(**v3(NOW), **older("v1", "stranger")), NOW)
    with pytest.raises(BadSignature):
        receiver.verify(deliver(**v3(NOW, "stranger"), **older("v1")), NOW)
    with pytest.raises(Stale):
        receiver.verify(deliver(**v3(NOW - timedelta(minutes=6)), **older("v1")), NOW)


def test_window_is_inclusive_to_the_millisecond() -> None:
    receiver = ADAPTER.receiver(settings(), "")
    edge = timedelta(milliseconds=300_000)
    assert receiver.verify(deliver(**v3(NOW)), NOW + edge)
    with pytest.raises(Stale):
        receiver.verify(deliver(**v3(NOW)), NOW + edge + timedelta(milliseconds=1))


def test_listed_escapes_are_signed_decoded() -> None:
    with pytest.raises(BadSignature):
        ADAPTER.receiver(settings(), "").verify(deliver(**v3(NOW, url=URL)), NOW)


def test_app_id_of_another_app_of_ours() -> None:
    body = b'[{"subscriptionType":"contact.propertyChange","objectId":1,"occurredAt":1795000000000,"propertyName":"city",'
    body += b'"propertyValue":"Oslo","changeSource":"INTEGRATION","sourceId":"777","appId":5}]'
    origins = []
    for app_id in (None, 777, "777", 778):
        (event,) = ADAPTER.receiver(settings(app_id=app_id), "").events(deliver(body))
        assert isinstance(event, LeadChange)
        origins.append(event.origin.value)
    assert origins == ["machine", "ourselves", "ourselves", "machine"]


def test_external_id_property() -> None:
    body = b'[{"subscriptionType":"contact.propertyChange","objectId":1,"occurredAt":1795000000000,"propertyName":"prospect",'
    body += b'"propertyValue":"P-9"}]'
    (event,) = ADAPTER.receiver(settings(external_id_property="prospect"), "").events(deliver(body))
    assert isinstance(event, LeadChange)
    assert event.extra == {"prospect": "P-9", "external_id": "P-9"}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"api_version": "v4"}, "api_version"),
        ({"calls_per_10_s": 1}, "calls_per_10_s"),
        ({"extra_properties": "name"}, "extra_properties"),
        ({"base_url": "ftp://x.example"}, "https"),
        ({"token": None}, "token"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], named: str) -> None:
    context = ClientContext("crm", LocalBudget(), SystemClock(), {})  # type: ignore[arg-type]
    with pytest.raises(Configuration, match=named):
        ADAPTER.client(settings(**options), context)


def test_bad_signature_versions_are_named() -> None:
    with pytest.raises(Configuration, match="signature_versions"):
        ADAPTER.receiver(settings(signature_versions=["v7"]), "")
    with pytest.raises(Configuration, match="signature_versions"):
        ADAPTER.receiver(settings(signature_versions=[]), "")


def test_record_url() -> None:
    context = ClientContext("crm", LocalBudget(), SystemClock(), {})  # type: ignore[arg-type]
    client = ADAPTER.client(settings(portal_id=62515), context)
    assert client is not None
    assert client.record_url("101") == "https://app.hubspot.com/contacts/62515/record/0-1/101"
    plain = ADAPTER.client(settings(), context)
    assert plain is not None
    assert plain.record_url("101") is None
