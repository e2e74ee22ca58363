"""Every adapter's route against whatever a stranger may send: never a 5xx, and nothing forged is stored as signed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from connector.contract import NOW, STRANGE, case_paths, load_hook
from connector.registry import adapters
from connector.testing import StandingClock
from connector.testing import house as build_house
from webhooks.app import create_app

FIXTURES = Path(__file__).parents[2] / "fixtures"
NAMES = sorted(adapters())
METHODS = ("POST", "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH")
#: Headers that some adapter reads, with whatever in them.
HEADERS = (
    "authorization", "content-type", "origin", "x-hub-signature-256", "x-li-signature", "x-signature", "webhook-id",
    "webhook-timestamp",
    "webhook-signature", "webhook-request-origin", "webhook-request-rate", "ce-id", "ce-time", "x-cio-timestamp", "x-cio-signature",
    "calendly-webhook-signature", "x-twilio-email-event-webhook-timestamp", "x-hubspot-request-timestamp", "x-forwarded-for",
)  # fmt: skip
QUERIES = ("", "?secret=x", "?secret=%ff", "?hub.mode=subscribe&hub.challenge=%00", "?challengeCode=%ff", "?signature=x")
values = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    connections: dict[str, Any] = {}
    for name in NAMES:
        given_settings = load_hook(FIXTURES / name).connection()
        connections[name] = given_settings.model_copy(update={"name": name, "requests_per_minute": 0})
    house = build_house(
        tmp_path_factory.mktemp("routes"), clock=StandingClock(NOW), public_url="https://hooks.example.com", connections=connections
    )
    with TestClient(create_app(house), raise_server_exceptions=False) as one:
        yield one
    house.close()


def route(name: str, tail: str = "") -> str:
    return f"/webhooks/{name}{tail}"


@pytest.mark.parametrize("name", NAMES)
def test_a_right_delivery_is_taken(client: TestClient, name: str) -> None:
    """Signed for the fixtures' own connection name; that is in the URL of those that sign the URL, so they are left out."""
    hook = load_hook(FIXTURES / name)
    delivery = hook.sign(case_paths(FIXTURES / name)[0].read_bytes(), NOW)
    if name == "hubspot":
        pytest.skip("signs the URL: see test_inbound.py")
    tail = delivery.url.partition("/webhooks/")[2].partition("/")[2]
    query = delivery.url.partition("?")[2]
    path = route(name, f"/{tail.partition('?')[0]}" if tail.partition("?")[0] else "") + (f"?{query}" if query else "")
    answer = client.post(path, content=delivery.body, headers=dict(delivery.headers), follow_redirects=False)
    assert answer.status_code in (200, 204), answer.text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", METHODS)
def test_no_method_breaks_a_route(client: TestClient, name: str, method: str) -> None:
    for query in QUERIES:
        answer = client.request(method, route(name, f"/a/b.js{query}"))
        assert answer.status_code < 500, (query, answer.text)


@pytest.mark.parametrize("name", NAMES)
def test_no_body_breaks_a_route(client: TestClient, name: str) -> None:
    hook = load_hook(FIXTURES / name)
    for body in STRANGE.values():
        for forged in (False, True):
            delivery = hook.sign(body, NOW, forged=forged)
            tail = delivery.url.partition("/webhooks/")[2].partition("/")[2]
            answer = client.post(route(name, f"/{tail}"), content=delivery.body, headers=dict(delivery.headers))
            assert answer.status_code < 500, answer.text


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(METHODS),
    tail=st.sampled_from(("", "/", "/x", "/x/leadswitch.js", "/%00", "/%ff", "//")),
    query=st.sampled_from(QUERIES),
    headers=st.dictionaries(st.sampled_from(HEADERS), values, max_size=5),
    body=st.binary(max_size=200)
    | st.sampled_from([b'{"google_key": 1}', b'{"signature": {"timestamp": "1"}}', b'{"Type": "Notification"}']),
)
def test_nothing_breaks_a_route(
    client: TestClient, name: str, method: str, tail: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    raw = [(header.encode(), value.encode("latin-1")) for header, value in headers.items()]
    answer = client.request(method, route(name, tail + query), content=body, headers=raw)
    assert answer.status_code < 500, answer.text
