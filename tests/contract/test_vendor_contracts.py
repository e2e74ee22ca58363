"""Against what the vendors themselves say: recorded signatures and payloads, and their interface descriptions under Prism."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from connector.adapters.hubspot.companions import Companions
from connector.budget import LocalBudget
from connector.clock import SystemClock, from_ms
from connector.errors import Configuration, Fatal, Rejected
from connector.http import VendorHttp, sorted_error
from connector.ports import ClientContext, CrmClient, DealWrite, Delivery, LeadWrite, NoteWrite, TaskWrite
from connector.registry import adapter
from connector.settings import ConnectionSettings
from leads.enums import ChangeOrigin, Tier
from leads.records import EngagementEvent, LeadChange, UnrecognisedEvent

RECEIVED = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


URL = "https://x.example/"


def deliver(body: bytes, headers: Mapping[str, str] | None = None, method: str = "POST", url: str = URL) -> Delivery:
    return Delivery(method, url, {name.lower(): value for name, value in (headers or {}).items()}, body, RECEIVED)


def receiver(name: str, secret: str, **more: Any) -> Any:
    settings = ConnectionSettings(name=name, adapter=name, webhook_secrets=(SecretStr(secret),), **more)
    return adapter(name).receiver(settings, "https://x.example")


def verdict(check: Callable[[], object]) -> str:
    try:
        check()
    except Rejected:
        return "invalid"
    return "valid"


@pytest.mark.needs_shared
def test_hubspot_signature_vectors(shared_dir: Path) -> None:
    vectors = json.loads((shared_dir / "contracts/hubspot/signature-vectors.json").read_text())
    seen = {}
    for vector in vectors:
        delivery = deliver(vector["body"].encode(), vector["headers"], vector["method"], vector["url"] or URL)
        now = from_ms(vector.get("now_ms", 1_795_000_000_000))
        one = receiver("hubspot", vector["secret"])
        seen[vector["name"]] = verdict(lambda one=one, delivery=delivery, now=now: one.verify(delivery, now))  # type: ignore[misc]
    assert seen == {vector["name"]: vector["expect"] for vector in vectors}
    assert set(seen.values()) == {"valid", "invalid"}


@pytest.mark.needs_shared
def test_hubspot_versions_can_be_refused(shared_dir: Path) -> None:
    vectors = json.loads((shared_dir / "contracts/hubspot/signature-vectors.json").read_text())
    old = [vector for vector in vectors if vector["version"] in ("v1", "v2")]
    assert old
    for vector in old:
        one = receiver("hubspot", vector["secret"], signature_versions=["v3"])
        delivery = deliver(vector["body"].encode(), vector["headers"], vector["method"], vector["url"] or URL)
        with pytest.raises(Rejected):
            one.verify(delivery, RECEIVED)


@pytest.mark.needs_shared
def test_hubspot_payloads(shared_dir: Path) -> None:
    one = receiver("hubspot", "s")
    for path in sorted((shared_dir / "contracts/hubspot/webhooks").glob("*.json")):
        sent = json.loads(path.read_bytes())
        events = one.events(deliver(path.read_bytes()))
        assert len(events) == len(sent)
        unread = [event for event in events if isinstance(event, UnrecognisedEvent)]
        assert len(unread) == sum(str(entry.get("objectTypeId")) == "0-3" for entry in sent), path.name
        if path.name.startswith("echo"):
            assert all(isinstance(event, LeadChange) and event.origin is ChangeOrigin.OURSELVES for event in events)
        if path.name.startswith("batch_100"):
            # one event comes twice with a raised attempt number; two contacts share an event id
            assert len(events) == 100
            assert len({event.event_key for event in events}) == 99


@pytest.mark.needs_shared
def test_sendgrid_signature_vectors(shared_dir: Path) -> None:
    vectors = json.loads((shared_dir / "contracts/sendgrid/signature-vectors.json").read_text())
    seen = {}
    for vector in vectors:
        one = receiver("sendgrid", vector["public_key_base64_der"])
        delivery = deliver(vector["body"].encode(), vector["headers"])
        seen[vector["name"]] = verdict(lambda one=one, delivery=delivery: one.verify(delivery, from_ms(1_600_112_502_000)))  # type: ignore[misc]
    assert seen == {vector["name"]: vector["expect"] for vector in vectors}
    assert set(seen.values()) == {"valid", "invalid"}


#: SendGrid's word → the last part of ours, where they differ.
PAST = {"bounce": "bounced", "open": "opened", "click": "clicked", "processed": "sent"}


@pytest.mark.needs_shared
def test_sendgrid_payloads(shared_dir: Path) -> None:
    vectors = json.loads((shared_dir / "contracts/sendgrid/signature-vectors.json").read_text())
    one = receiver("sendgrid", vectors[0]["public_key_base64_der"])
    for path in sorted((shared_dir / "contracts/sendgrid/payloads").glob("*.json")):
        sent = json.loads(path.read_bytes())
        events = one.events(deliver(path.read_bytes()))
        assert len(events) == len(sent)
        for event, entry in zip(events, sent, strict=True):
            assert isinstance(event, EngagementEvent), path.name
            assert event.email == entry["email"]
            assert event.kind.value == f"email_{PAST.get(entry['event'], entry['event'])}"


# --- the interface description, served by Prism


@dataclass
class Prism:
    """A running Prism. `said` is its log."""

    url: str
    version: str
    said: list[str] = field(default_factory=list)


@pytest.fixture(scope="module", params=["v3", "2026-03"])
def prism(request: pytest.FixtureRequest, shared_dir: Path, node_tools: Any) -> Iterator[Prism]:
    import socket

    version = str(request.param)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    document = shared_dir / f"contracts/hubspot/hubspot-crm-{version}.openapi.json"
    command = [str(node_tools.prism), "mock", "--errors", "-h", "127.0.0.1", "-p", str(port), str(document)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        running = Prism(f"http://127.0.0.1:{port}", version)
        ready = threading.Event()

        def listen() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                running.said.append(line)
                if "Prism is listening" in line:
                    ready.set()

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            assert ready.wait(90), "".join(running.said[-20:])
            yield running
        finally:
            process.terminate()
            process.wait(20)
            listener.join(20)


class NoTokens:
    def load(self, connection: str) -> None:
        return None

    def save(self, connection: str, tokens: Mapping[str, Any]) -> None:
        raise AssertionError("a private app's token is never refreshed")


@pytest.fixture
def client(prism: Prism) -> Iterator[CrmClient]:
    settings = ConnectionSettings(
        name="crm",
        adapter="hubspot",
        base_url=prism.url,
        trust_private_host=True,
        token=SecretStr("x"),
        api_version=prism.version,
        app_id=54321,
    )
    made: Any = adapter("hubspot").client(settings, ClientContext("crm", LocalBudget(), SystemClock(), NoTokens()))
    yield made
    made.close()


@pytest.mark.needs_node
@pytest.mark.needs_shared
class TestHubSpotUnderPrism:
    """Prism refuses what the description does not allow, so a call that comes back is a call that HubSpot would take."""

    def test_owners(self, client: CrmClient) -> None:
        assert next(iter(client.owners())).email == "rep@example.com"

    def test_read(self, client: CrmClient) -> None:
        assert client.read_leads(["101"])[0].fields["email"] == "ada@example.com"

    def test_accounts(self, client: Any) -> None:
        assert next(iter(client.accounts()))

    def test_backfill(self, client: CrmClient) -> None:
        assert [lead.external_id for page in client.backfill() for lead in page.leads] == ["101"]
        assert len(list(client.backfill("100"))) == 1

    def test_changed_since(self, client: CrmClient) -> None:
        assert {lead.external_id for page in client.changed_since(RECEIVED, "7") for lead in page.leads} == {"101"}

    def test_write_lead(self, client: CrmClient) -> None:
        (written,) = client.write([LeadWrite("101", "43", 87, Tier.A, "opened", "first free", "sales_qualified")])
        assert written.ok
        assert set(written.changed) == {"owner_id", "score", "tier", "reasons", "routed_because", "lifecycle_stage"}

    def test_companies_and_deals(self, client: Any) -> None:
        contact = {"id": "101", "properties": {"associatedcompanyid": "101", "num_associated_deals": "1"}}
        assert Companions().companies_of(client._calls, [contact])
        assert len(Companions().deals_of(client._calls, [contact])) == 1  # the mock invents the ids, but took both calls

    @pytest.mark.parametrize("in_doubt", [False, True])
    def test_write_task(self, client: CrmClient, in_doubt: bool) -> None:
        (written,) = client.write([TaskWrite("m-1", "101", "42", "Call", "Now", RECEIVED)], in_doubt=in_doubt)
        assert written.ok
        assert written.receipt

    def test_move_task(self, client: CrmClient) -> None:
        (written,) = client.write([TaskWrite("m-1", "101", "43", "Call", "Now", RECEIVED, made_as="101")])
        assert written.ok
        assert set(written.changed) == {"owner_id", "due_at"}

    @pytest.mark.parametrize("in_doubt", [False, True])
    def test_write_note_and_deal(self, client: CrmClient, in_doubt: bool) -> None:
        deal = DealWrite("m-2", "101", "42", "From a playbook", Decimal("1200.50"), "EUR")
        written = client.write([NoteWrite("m-1", "101", "Gone quiet for two weeks."), deal], in_doubt=in_doubt)
        assert [one.ok for one in written] == [True, True]
        assert all(one.receipt for one in written)

    def test_check_and_prepare(self, client: CrmClient) -> None:
        checks = {result.name: result for result in client.check()}
        readable = {f"scope: read {kind}" for kind in ("contacts", "companies", "deals")}
        assert {name for name, result in checks.items() if result.ok} == {"token", "scope: write contacts", *readable}
        assert "leadswitch_score" in checks["properties of contacts"].detail
        assert "contact.creation" in checks["webhook subscriptions"].detail  # Prism's example has another one
        for result in client.prepare():
            assert "made" in result.detail  # the calls went through; the mock keeps no state

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("contacts/batch/update", {"inputs": [{"id": "101", "properties": {"leadswitch_score": 87}}]}),
            ("contacts/batch/update", {"inputs": []}),
            ("tasks/batch/create", {"inputs": [{"subject": "x"}]}),
            ("contacts/search", {"filterGroups": [{"filters": [{"propertyName": "email", "operator": "LIKE", "value": "x"}]}]}),
        ],
    )
    def test_malformed_is_refused(self, prism: Prism, path: str, body: Mapping[str, Any]) -> None:
        """So that the tests above can fail."""
        root = "/crm/v3/objects" if prism.version == "v3" else "/crm/objects/2026-03"
        http = VendorHttp("HubSpot", prism.url, SystemClock(), allow_private=True)
        answer = http.send("POST", f"{root}/{path}", idempotent=True, json=body, headers={"authorization": "Bearer x"})
        http.close()
        assert answer.status_code == 422
        assert isinstance(sorted_error(answer, "HubSpot", {}, RECEIVED), Fatal)

    def test_no_token_is_refused(self, prism: Prism) -> None:
        root = "/crm/v3/owners" if prism.version == "v3" else "/crm/owners/2026-03"
        answer = httpx.get(f"{prism.url}{root}", trust_env=False)
        assert answer.status_code == 401
        assert isinstance(sorted_error(answer, "HubSpot", {}, RECEIVED), Configuration)

    def test_paths_of_the_other_version_are_unknown(self, prism: Prism) -> None:
        other = "/crm/owners/2026-03" if prism.version == "v3" else "/crm/v3/owners"
        assert httpx.get(f"{prism.url}{other}", headers={"authorization": "Bearer x"}, trust_env=False).status_code == 404
