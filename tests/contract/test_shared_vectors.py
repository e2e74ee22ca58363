"""Every signature vector and payload of the shared contracts that is for an adapter that only listens."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from connector.adapters.amazon_ses.certificates import Certificates
from connector.adapters.amazon_ses.webhook import SesReceiver, read_event, split_event
from connector.contract import check_events
from connector.errors import Rejected
from connector.ports import Delivery, Receiver
from connector.registry import adapter
from connector.settings import ConnectionSettings
from leads.records import EngagementEvent, LeadChange, UnrecognisedEvent

pytestmark = pytest.mark.needs_shared
URL = "https://hooks.example.com/webhooks/there"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def receiver(name: str, *secrets: str, **options: Any) -> Receiver:
    settings = ConnectionSettings(name="there", adapter=name, webhook_secrets=tuple(map(SecretStr, secrets)), **options)
    return adapter(name).receiver(settings, "https://hooks.example.com")


def deliver(body: bytes, headers: Mapping[str, str] | None = None, method: str = "POST", url: str = URL) -> Delivery:
    return Delivery(method, url, {name.lower(): value for name, value in (headers or {}).items()}, body, NOW)


def verdict(check: Callable[[], object]) -> str:
    try:
        check()
    except Rejected:
        return "invalid"
    return "valid"


def read_vectors(shared_dir: Path, path: str) -> list[dict[str, Any]]:
    vectors: list[dict[str, Any]] = json.loads((shared_dir / "contracts" / path).read_text(encoding="utf-8"))
    return vectors


def at(moment_s: float) -> datetime:
    return datetime.fromtimestamp(moment_s, UTC)


# --- Mailgun


def mailgun_body(vector: Mapping[str, Any], event: str = "opened") -> bytes:
    data = {"event": event, "id": event, "timestamp": 1795000000, "recipient": "ada@example.com"}
    return json.dumps({"event-data": data, "signature": vector["body_signature_block"]}).encode()


def test_mailgun_signature_vectors(shared_dir: Path) -> None:
    vectors = read_vectors(shared_dir, "mailgun/signature-vectors.json")
    seen = {
        vector["name"]: verdict(
            lambda vector=vector: receiver("mailgun", vector["signing_key"]).verify(  # type: ignore[misc]
                deliver(mailgun_body(vector)), at(vector["now"])
            )
        )
        for vector in vectors
    }
    ours = {
        "uppercase hex": "invalid",
        "one day old": "invalid",
        "same token seen twice": "valid",
    }  # the receiver decides; it decided so
    assert seen == {vector["name"]: ours.get(vector["name"], vector["expect"]) for vector in vectors}


def test_a_mailgun_event_swapped_under_a_seen_token_is_a_repeat(shared_dir: Path) -> None:
    [vector] = [one for one in read_vectors(shared_dir, "mailgun/signature-vectors.json") if one["expect"] == "replay"]
    one = receiver("mailgun", vector["signing_key"])
    first, swapped = (one.delivery_key(deliver(mailgun_body(vector, event))) for event in ("opened", "complained"))
    assert first == swapped


def test_mailgun_payloads(shared_dir: Path) -> None:
    one = receiver("mailgun", "TEST_WEBHOOK_SIGNING_KEY", replay_window_s=0)
    unread = set()
    for path in sorted((shared_dir / "contracts/mailgun/payloads").glob("**/*.json")):
        delivery = deliver(path.read_bytes())
        assert one.verify(delivery, NOW)
        events = one.events(delivery)
        check_events(events)
        if not isinstance(events[0], EngagementEvent):
            unread.add(path.stem)
    # these name no person, or (the last) are no event at all
    nobody = {"delivery_status_is_none_event", "metadata_message_headers", "metadata_post_fields", "tags", "x_tags"}
    assert unread == nobody | {"misconfigured_inbound"}


# --- Customer.io


def test_customerio_signature_vectors(shared_dir: Path) -> None:
    vectors = read_vectors(shared_dir, "customerio/signature-vectors.json")
    seen = {
        vector["name"]: verdict(
            lambda vector=vector: receiver("customerio", vector["signing_key"]).verify(  # type: ignore[misc]
                deliver(vector["body"].encode(), vector["headers"]), at(vector["now"])
            )
        )
        for vector in vectors
    }
    assert seen == {vector["name"]: vector["expect"] for vector in vectors}
    assert set(seen.values()) == {"valid", "invalid"}


def test_customerio_payloads(shared_dir: Path) -> None:
    one = receiver("customerio", "key")
    for path in sorted((shared_dir / "contracts/customerio/payloads").glob("*.json")):
        [event] = one.events(deliver(path.read_bytes()))
        assert isinstance(event, EngagementEvent)
        assert (event.email, event.external_id) == ("ada@example.com", "crm-101")
        assert event.kind.value.endswith(path.stem.rpartition("_")[2])


# --- Mailchimp


def test_mailchimp_requests(shared_dir: Path) -> None:
    one = receiver("mailchimp", "long-random")
    for shape in read_vectors(shared_dir, "mailchimp/request-shapes.json"):
        body = (shared_dir / "contracts/mailchimp" / shape["body_file"]).read_bytes() if "body_file" in shape else b""
        query = "&".join(f"{name}={value}" for name, value in shape["query"].items())
        delivery = deliver(body, shape["headers"], shape["method"], f"{URL}?{query}")
        if shape["expect_status"] != 200:
            assert verdict(lambda delivery=delivery: one.verify(delivery, NOW)) == "invalid"  # type: ignore[misc]
        elif shape["method"] == "GET":
            assert (one.handshake(delivery) or one.acknowledgement(delivery)).status == 200
        else:
            assert one.handshake(delivery) is None
            assert one.verify(delivery, NOW) is False


def test_mailchimp_payloads(shared_dir: Path) -> None:
    one = receiver("mailchimp", "long-random")
    read = {path.name.partition(".")[0]: one.events(deliver(path.read_bytes()))
            for path in sorted((shared_dir / "contracts/mailchimp/payloads").glob("*.txt"))}  # fmt: skip
    for events in read.values():
        check_events(events)
    assert isinstance(read.pop("campaign")[0], UnrecognisedEvent)  # about no person
    assert all(isinstance(event, EngagementEvent | LeadChange) for events in read.values() for event in events)
    [profile] = read["profile"]
    assert isinstance(profile, LeadChange)
    assert profile.fields == {"email": "ada@example.com", "first_name": "Zoë", "last_name": "Ångström & Söhne"}


# --- Amazon SES over SNS

TOPIC = "arn:aws:sns:eu-west-1:123456789012:ses-events"


def test_sns_signature_vectors(shared_dir: Path) -> None:
    vectors = read_vectors(shared_dir, "amazon-ses/sns-signature-vectors.json")
    certificate = str(shared_dir / "contracts/amazon-ses/sns-test-signing-cert.pem")
    one = receiver("amazon_ses", topics=[TOPIC], signing_certificates=[certificate])
    seen = {}
    for vector in vectors:
        delivery = deliver(json.dumps(vector["message"]).encode(), vector["headers"])
        seen[vector["name"]] = verdict(lambda delivery=delivery: one.verify(delivery, NOW))  # type: ignore[misc]
    assert seen == {vector["name"]: "valid" if vector["expect"] == "valid" else "invalid" for vector in vectors}
    assert set(seen.values()) == {"valid", "invalid"}


def test_no_sns_vector_leads_us_to_another_host(shared_dir: Path) -> None:
    """With no certificate known, whatever is fetched or confirmed is at SNS in the topic's region."""
    pem = (shared_dir / "contracts/amazon-ses/sns-test-signing-cert.pem").read_bytes()
    called: list[str] = []

    def call(url: str) -> bytes:
        called.append(url)
        return pem

    for vector in read_vectors(shared_dir, "amazon-ses/sns-signature-vectors.json"):
        SesReceiver([TOPIC], Certificates(call), call).events(deliver(json.dumps(vector["message"]).encode()))
    assert any("Action=ConfirmSubscription" in url for url in called)
    assert {httpx.URL(url).host for url in called} == {"sns.eu-west-1.amazonaws.com"}


def test_ses_payloads(shared_dir: Path) -> None:
    for path in sorted((shared_dir / "contracts/amazon-ses/payloads").glob("*.json")):
        document = json.loads(path.read_bytes())
        event = json.loads(document["Message"]) if path.name.startswith("sns_") else document
        entries = list(split_event(event, "message-1", NOW))
        if "incorrect" in path.name:
            with pytest.raises(ValueError, match="unknown event type"):
                read_event(entries[0])
            continue
        events = [read_event(entry) for entry in entries]
        check_events(events)
        assert len(events) == (2 if "multiple" in path.name else 1), path.name


# --- Standard Webhooks


def test_standard_webhooks_signature_vectors(shared_dir: Path) -> None:
    vectors = read_vectors(shared_dir, "standard-webhooks/signature-vectors.json")
    seen = {
        vector["name"]: verdict(
            lambda vector=vector: receiver("standard_webhooks", vector["key"]).verify(  # type: ignore[misc]
                deliver(vector["body"].encode(), vector["headers"]), at(vector["now"])
            )
        )
        for vector in vectors
    }
    assert seen == {vector["name"]: vector["expect"] for vector in vectors}
    assert set(seen.values()) == {"valid", "invalid"}


# --- CloudEvents


@pytest.mark.parametrize(("mode", "count"), [("structured", 1), ("batch", 2), ("binary", 1)])
def test_cloudevents_modes(shared_dir: Path, mode: str, count: int) -> None:
    sample = json.loads((shared_dir / f"contracts/cloudevents/{mode}.json").read_text())
    events = receiver("cloudevents", "a-long-token").events(deliver(json.dumps(sample["body"]).encode(), sample["headers"]))
    assert len({event.event_key for event in events}) == count
    for event in events:
        assert isinstance(event, LeadChange)
        assert (event.external_id, event.fields) == ("101", {"email": "ada@example.com"})
        assert event.occurred_at == datetime(2026, 11, 20, 17, 31, tzinfo=UTC)


def test_invalid_cloudevents(shared_dir: Path) -> None:
    for sample in read_vectors(shared_dir, "cloudevents/invalid.json"):
        delivery = deliver(json.dumps(sample["body"]).encode(), {"content-type": "application/cloudevents+json"})
        [event] = receiver("cloudevents", "a-long-token").events(delivery)
        assert isinstance(event, UnrecognisedEvent), sample["why"]


def test_cloudevents_handshake(shared_dir: Path) -> None:
    sample = json.loads((shared_dir / "contracts/cloudevents/webhook_abuse_protection_handshake.json").read_text())
    asked, told = sample["request"], sample["response"]
    one = receiver("cloudevents", "a-long-token", requests_per_minute=100, allowed_origins=["eventemitter.example.com"])
    answer = one.handshake(deliver(b"", asked["headers"], asked["method"]))
    assert answer is not None
    assert answer.status == told["status"]
    assert {name.lower(): value for name, value in told["headers"].items()}.items() <= answer.headers.items()
    stranger = {**asked["headers"], "WebHook-Request-Origin": "evil.example"}
    assert verdict(lambda: one.handshake(deliver(b"", stranger, "OPTIONS"))) == "invalid"
