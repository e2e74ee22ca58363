"""`/webhooks/{connection}`: every way a delivery can be wrong, and what is stored of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from connector.pipeline.ingest import ingest
from connector.ports import Answer, Delivery
from connector.storage.intake import InboxWriter, IntakeFull
from leads.enums import Role

BODY = json.dumps([{"eventId": 1, "subscriptionType": "contact.propertyChange", "objectId": 7, "occurredAt": 1_772_400_000_000,
                    "propertyName": "city", "propertyValue": "Oslo"}]).encode()  # fmt: skip


def stored(site: Any) -> list[Any]:
    return site.house.inbox.newest()


def problem(response: Any, status: int, kind: str) -> dict[str, Any]:
    """The problem document, checked."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["type"] == f"urn:leadswitch:problem:{kind}"
    assert document["status"] == status
    assert document["title"]
    return document


def test_a_signed_delivery_is_stored_acknowledged_and_rung_for(site: Any) -> None:
    response = site.deliver(BODY)
    assert (response.status_code, response.content) == (200, b"")
    [row] = stored(site)
    assert (row.connection, row.signed, row.state) == ("crm", True, "pending")
    assert row.delivery.body == BODY
    assert row.delivery.url == "https://hooks.example.com/in/webhooks/crm"
    assert row.trace_id == response.headers["x-request-id"]
    assert site.counted("leadswitch_deliveries_received_total", connection="crm") == 1


def test_a_repeat_is_acknowledged_and_has_no_second_effect(site: Any) -> None:
    assert [site.deliver(BODY).status_code for _ in range(3)] == [200, 200, 200]
    assert len(stored(site)) == 1
    assert site.counted("leadswitch_deliveries_received_total", connection="crm") == 1
    assert site.counted("leadswitch_deliveries_duplicate_total", connection="crm") == 2


def test_the_signature_covers_the_public_url_with_its_raw_escapes_and_query(site: Any) -> None:
    path = "/webhooks/crm/x%7Ey?b=%20%41&a=1"
    assert site.deliver(BODY, path, {"host": "internal:8080"}).status_code == 200
    assert stored(site)[0].delivery.url == f"https://hooks.example.com/in{path}"


def test_a_forged_signature(site: Any) -> None:
    response = site.client.post("/webhooks/crm", content=BODY, headers=site.sign(BODY, secret="guessed"))
    problem(response, 401, "bad-signature")
    assert stored(site) == []
    assert site.counted("leadswitch_deliveries_rejected_total", connection="crm", reason="bad-signature") == 1


def test_a_body_changed_on_the_way(site: Any) -> None:
    problem(
        site.client.post("/webhooks/crm", content=BODY.replace(b"Oslo", b"Rome"), headers=site.sign(BODY)), 401, "bad-signature"
    )


@pytest.mark.parametrize("signature", ["", "é", "=" * 5_000, "\x7f"])
def test_a_signature_that_is_none(site: Any, signature: str) -> None:
    headers = {**site.sign(BODY), "x-hubspot-signature-v3": signature}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    problem(site.client.post("/webhooks/crm", content=BODY, headers=raw), 401, "bad-signature")


def test_an_unsigned_delivery(site: Any) -> None:
    problem(site.client.post("/webhooks/crm", content=BODY), 401, "bad-signature")


def test_a_stale_delivery(site: Any) -> None:
    assert site.client.post("/webhooks/crm", content=BODY, headers=site.sign(BODY, age_ms=300_000)).status_code == 200
    problem(site.client.post("/webhooks/crm", content=BODY, headers=site.sign(BODY, age_ms=300_001)), 401, "stale")
    assert site.counted("leadswitch_deliveries_rejected_total", connection="crm", reason="stale") == 1


def test_an_unknown_connection_and_no_label_made_by_a_stranger(site: Any) -> None:
    problem(site.client.post("/webhooks/nobody", content=BODY), 404, "unknown-connection")
    problem(site.client.post("/webhooks/", content=BODY), 404, "unknown-connection")
    assert site.counted("leadswitch_deliveries_rejected_total", connection="unknown", reason="unknown-connection") == 2
    assert "nobody" not in site.client.get("/metrics").text


def test_a_connection_without_its_secret(site: Any) -> None:
    response = site.client.post("/webhooks/bare", content=BODY)
    problem(response, 503, "not-configured")
    assert response.headers["retry-after"]


def test_ten_megabytes_announced(site: Any) -> None:
    body = b"x" * 10_000_000
    response = site.client.post("/webhooks/crm", content=body, headers=site.sign(body))
    problem(response, 413, "too-large")
    assert response.headers["connection"] == "close"
    assert site.counted("leadswitch_deliveries_rejected_total", connection="crm", reason="too-large") == 1


def test_ten_megabytes_in_chunks(site: Any) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(1_000):
            yield b"x" * 10_000

    problem(site.client.post("/webhooks/crm", content=chunks()), 413, "too-large")
    assert stored(site) == []


def test_the_limit_itself_is_taken(site: Any) -> None:
    assert site.deliver(b"x" * 20_000).status_code == 200
    problem(site.deliver(b"x" * 20_001), 413, "too-large")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (BODY[: len(BODY) // 2], "application/json"),  # truncated, and signed so
        (b"", "application/json"),
        (b"\xff\xfe\x00 not text", "application/json"),
        (b'[{"eventId": "\xc3\x28"}]', "application/json"),
        (b"<xml/>", "text/xml"),
        (b"a=1&b=2", "application/x-www-form-urlencoded"),
        (b"[" * 15_000, "application/json"),
        (b"[NaN]", "application/json"),
        (b"null", "application/json"),
        (b'[{"subscriptionType": "planet.conjunction", "objectId": 1}]', "application/json"),
    ],
)
def test_what_cannot_be_read_is_kept_for_replay(site: Any, body: bytes, content_type: str) -> None:
    response = site.deliver(body, headers={"content-type": content_type})
    assert response.status_code == 200
    ingest(site.house, [1])
    [row] = stored(site)
    assert row.state == "unknown"
    assert row.delivery.body == body


def test_a_readable_delivery_with_the_wrong_content_type_counts(site: Any) -> None:
    assert site.deliver(BODY, headers={"content-type": "text/plain"}).status_code == 200
    assert site.deliver(b" " + BODY, headers={"content-type": "image/png"}).status_code == 200


def test_the_store_is_down_and_comes_back(site: Any) -> None:
    with site.house.db.transaction():
        site.house.db.raw.execute_sql("ALTER TABLE inbox RENAME TO away")
    response = site.deliver(BODY)
    problem(response, 503, "store-down")
    assert int(response.headers["retry-after"]) > 0
    assert site.client.get("/readyz").status_code == 503
    with site.house.db.transaction():
        site.house.db.raw.execute_sql("ALTER TABLE away RENAME TO inbox")
    assert site.deliver(BODY).status_code == 200
    assert len(stored(site)) == 1


def test_too_many_at_once_are_asked_to_come_again(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(self: object, *parts: object) -> None:
        raise IntakeFull("Too many deliveries are waiting for the store.", 1.0)

    monkeypatch.setattr(InboxWriter, "submit", full)
    response = site.deliver(BODY)
    problem(response, 503, "busy")
    assert response.headers["retry-after"] == "1"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS"])
def test_other_methods_where_there_is_no_handshake(site: Any, method: str) -> None:
    response = site.client.request(method, "/webhooks/crm")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


def test_a_handshake_is_answered_and_not_stored(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = site.house.receiver("crm")

    def greet(self: Any, delivery: Delivery) -> Answer | None:
        return Answer(201, b"pong", "text/x-pong", {"x-hook": "yes"}) if delivery.method in ("GET", "OPTIONS") else None

    monkeypatch.setattr(type(receiver), "handshake", greet)
    response = site.client.get("/webhooks/crm?challenge=1")
    assert (response.status_code, response.content) == (201, b"pong")
    assert response.headers["content-type"] == "text/x-pong"
    assert response.headers["x-hook"] == "yes"
    assert stored(site) == []


def test_an_adapter_that_breaks_is_a_500_without_details(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(self: Any, delivery: Delivery, now: object) -> bool:
        raise RuntimeError("ada@example.com")

    monkeypatch.setattr(type(site.house.receiver("crm")), "verify", break_down)
    response = site.deliver(BODY)
    problem(response, 500, "internal")
    assert "ada" not in response.text
    assert site.counted("leadswitch_deliveries_rejected_total", connection="crm", reason="error") == 1


def test_a_given_request_id_is_taken_over_when_it_is_one(site: Any) -> None:
    assert site.deliver(BODY, headers={"x-request-id": "0af7651916cd43dd"}).headers["x-request-id"] == "0af7651916cd43dd"
    for forged in ("short", "a" * 33, "semi;colon;injection"):
        assert site.deliver(BODY, headers={"x-request-id": forged}).headers["x-request-id"] != forged


def test_webhooks_and_the_api_do_not_share_credentials(site: Any) -> None:
    site.call("GET", "/reps", role=Role.ADMIN)
    response = site.client.post("/webhooks/crm", content=BODY, headers={"authorization": f"Bearer {site.tokens[Role.ADMIN]}"})
    problem(response, 401, "bad-signature")
