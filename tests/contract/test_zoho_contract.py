"""Zoho CRM: against its stand-in over HTTP, trap by trap; against the vendor's own description under Prism; and its payloads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from connector.adapters.zoho import ADAPTER, words
from connector.adapters.zoho.batches import send_rows
from connector.adapters.zoho.calls import code_error
from connector.adapters.zoho.client import ZohoClient
from connector.budget import LocalBudget
from connector.contract import load_hook
from connector.errors import BadSignature, Configuration, Fatal, Retriable, Skippable
from connector.http import Unsure
from connector.ports import ClientContext, DealWrite, LeadWrite, NeedsUpkeep, NoteWrite, TaskWrite, Written
from connector.settings import ConnectionSettings
from connector.testing import StandingClock
from leads.enums import EngagementKind, Outcome, Tier
from leads.records import LeadChange, UnrecognisedEvent
from tests.contract.prism import Prism, serve_prism
from tests.standins import serve
from tests.standins.zoho import ADMIN, OUR_USER, REPS, ZohoStandIn

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
PUBLIC_URL = "https://hooks.example.com"
HOOK = load_hook(Path(__file__).parents[1] / "fixtures" / "zoho")


class Tokens(dict[str, Mapping[str, Any]]):
    """A token store in memory."""

    def load(self, connection: str) -> Mapping[str, Any] | None:
        return self.get(connection)

    def save(self, connection: str, tokens: Mapping[str, Any]) -> None:
        self[connection] = tokens


def connect(table: Mapping[str, Any], clock: StandingClock, tokens: Tokens | None = None, **changes: Any) -> ZohoClient:
    settings = ConnectionSettings.model_validate({"name": "crm", **table, **changes})
    budget = LocalBudget(lambda: clock.now().timestamp())
    store = Tokens() if tokens is None else tokens
    client = ADAPTER.client(settings, ClientContext("crm", budget, clock, store, PUBLIC_URL))
    assert isinstance(client, ZohoClient)
    return client


class Bench:
    """An organisation, its address and a client of it, set up."""

    def __init__(self, address: str, crm: ZohoStandIn) -> None:
        self.crm, self.clock = crm, crm.clock
        self.table = crm.connection(address)
        self.client = connect(self.table, self.clock)
        assert all(result.ok for result in self.client.prepare())

    @property
    def store(self) -> Any:
        return self.crm.store

    def lead(self, external_id: str) -> Any:
        return self.store.modules["Leads"][external_id]

    def write(self, *writes: Any, in_doubt: bool = False) -> Written:
        return self.client.write(writes, in_doubt)[0]


@pytest.fixture
def bench() -> Iterator[Bench]:
    crm = ZohoStandIn(StandingClock(START))
    with serve(crm.app) as address:
        made = Bench(address, crm)
        yield made
        made.client.close()


def task(lead: str, **more: Any) -> TaskWrite:
    return replace(TaskWrite("m-1", lead, REPS[0], "Call", "Now", START + timedelta(hours=3)), **more)


# --- the channel


def test_the_channel_is_renewed_before_it_lapses(bench: Bench) -> None:
    (channel,) = bench.store.channels.values()
    assert isinstance(bench.client, NeedsUpkeep)
    told = []
    for _ in range(30 * 4):  # a month, and a look every six hours
        bench.clock.move(6 * 3600)
        told += bench.client.upkeep()
        (channel,) = bench.store.channels.values()
        assert datetime.fromisoformat(channel["channel_expiry"]) > bench.clock.now() + timedelta(days=2)
    assert 7 <= len(told) <= 9, "every four days or so"
    assert all(result.ok and result.detail.startswith("renewed") for result in told)


def test_a_channel_that_lapsed_is_made_anew(bench: Bench) -> None:
    bench.clock.move(8 * 86_400)
    found = {result.name: result for result in bench.client.check()}
    assert not found["notification channel"].ok
    (made,) = bench.client.upkeep()
    assert made.detail.startswith("made")
    assert bench.client.upkeep() == []


def test_upkeep_that_fails_is_said(bench: Bench) -> None:
    bench.clock.move(8 * 86_400)
    bench.crm.knobs.too_many = 3
    (failed,) = bench.client.upkeep()
    assert not failed.ok
    assert "429" in failed.detail


def test_a_channel_that_zoho_refuses_is_said(bench: Bench) -> None:
    bench.store.channels.clear()
    fresh = connect({**bench.table, "webhook_secrets": (SecretStr("x" * 51),)}, bench.clock)
    (failed,) = fresh.upkeep()
    assert "INVALID_DATA" in failed.detail
    assert "xxx" not in failed.detail
    fresh.close()


# --- reading


def test_a_lead_is_read_in_our_words(bench: Bench) -> None:
    lead = bench.crm.make_lead(email="grace@navy.example", last_name="Hopper", company="Navy", lead_status="Junk Lead")
    bench.lead(lead).update(No_of_Employees=900, Email_Opt_Out=True, Mobile="+1202", Owner={"id": REPS[1], "name": "Rep"})
    (read,) = bench.client.read_leads([lead, "999", "not an id"])
    assert read.fields["lead_status"] == "disqualified"
    assert (read.fields["employees"], read.fields["phone"], read.fields["owner_id"]) == (900, "+1202", REPS[1])
    assert read.fields["email_consent"] == "no"
    assert read.created_at == datetime.fromisoformat(bench.lead(lead)["Created_Time"])
    assert list(bench.client.read_leads([])) == []


def test_what_nobody_chose_belongs_to_nobody(bench: Bench) -> None:
    lead = bench.crm.make_lead(email="a@b.example")
    assert bench.lead(lead)["Owner"]["id"] == OUR_USER
    (read,) = bench.client.read_leads([lead])
    assert "owner_id" not in read.fields
    assert [owner.external_id for owner in bench.client.owners()] == list(REPS)
    assert bench.write(LeadWrite(lead, owner_id=REPS[0])).changed == ("owner_id",)
    assert bench.write(LeadWrite(lead, owner_id="")).changed == ("owner_id",)
    assert bench.lead(lead)["Owner"]["id"] == OUR_USER


def test_page_tokens_reach_beyond_two_thousand(bench: Bench) -> None:
    leads = [bench.crm.make_lead(email=f"{number}@b.example") for number in range(2_150)]
    pages = list(bench.client.backfill())
    assert [lead.external_id for page in pages for lead in page.leads] == leads
    assert len(pages) == 11
    resumed = [lead.external_id for page in bench.client.backfill(pages[9].cursor) for lead in page.leads]
    assert resumed == leads[2_000:]


def test_a_converted_lead_ends_as_its_deal_does(bench: Bench) -> None:
    won, open_one = (bench.crm.make_lead(email=f"{number}@b.example", company="C") for number in range(2))
    deals = [bench.write(DealWrite(f"d-{lead}", lead, REPS[0], "A deal", Decimal("70"))).receipt for lead in (won, open_one)]
    bench.store.modules["Deals"][deals[0]].update(Stage="Closed Won", Closing_Date="2026-11-19")
    (page,) = bench.client.backfill()
    assert dict(page.outcomes) == {won: (Outcome.WON, datetime(2026, 11, 19, tzinfo=UTC))}
    read = {lead.external_id: lead.fields for lead in page.leads}
    assert (read[won]["lifecycle_stage"], read[open_one]["lifecycle_stage"]) == ("customer", "opportunity")
    assert read[won]["deal_amount"] == 70.0


def test_reconcile_also_finds_what_changed_beside_a_lead(bench: Bench) -> None:
    """A deal that was won, and a call that was made: the lead itself has not changed, and its mark stands."""
    converted, called = (bench.crm.make_lead(email=f"{number}@b.example") for number in range(2))
    deal = bench.write(DealWrite("d", converted, REPS[0], "A deal")).receipt
    bench.clock.move(3600)
    since = bench.clock.now()
    bench.clock.move(60)
    bench.store.modules["Deals"][deal].update(Stage="Closed Won", Modified_Time=bench.store.now())
    bench.store.make("Calls", {"What_Id": {"id": called}, "Call_Start_Time": bench.store.now()}, ADMIN)
    (page,) = bench.client.changed_since(since, "7")
    assert page.cursor == f"{round(since.timestamp() * 1000)}:7"
    assert [(act.external_id, act.kind) for act in page.engagements] == [(called, EngagementKind.CONTACTED)]
    assert list(page.outcomes) == [converted]


def test_a_query_takes_conditions_in_pairs_alone(bench: Bench) -> None:
    """What the stand-in's query language refuses, as Zoho's does; so the client's own queries were in pairs."""
    with pytest.raises(Fatal, match="INVALID_QUERY"):
        bench.client._calls.query("select id from Leads where id > '1' and id > '2' and id > '3'")


# --- writing


def test_success_and_not_kept(bench: Bench) -> None:
    """Zoho drops what the token's user may not edit, and says SUCCESS."""
    one, other = (bench.crm.make_lead(email=f"{number}@b.example") for number in range(2))
    bench.store.read_only = {words.TIER}
    first, second = bench.client.write([LeadWrite(one, score=50, tier=Tier.A), LeadWrite(other, score=60)])
    assert isinstance(first.error, Configuration)
    assert words.TIER in str(first.error)
    assert words.SCORE not in str(first.error)
    assert second.changed == ("score",)


def test_rows_of_a_207_end_for_themselves(bench: Bench) -> None:
    leads = [bench.crm.make_lead(email=f"{number}@b.example") for number in range(4)]
    writes = [LeadWrite(one, REPS[0], 50) for one in leads]
    writes[1] = replace(writes[1], owner_id="5725767000000999999")
    writes[2] = LeadWrite("404", score=1)
    results = bench.client.write(writes)
    assert [type(result.error) for result in results] == [type(None), Fatal, Skippable, type(None)]
    assert "Owner" in str(results[1].error)


def test_a_lead_twice_in_one_batch(bench: Bench) -> None:
    lead = bench.crm.make_lead(email="a@b.example")
    results = bench.client.write([LeadWrite(lead, score=10), LeadWrite(lead, score=20, tier=Tier.B)])
    assert [result.changed for result in results] == [("score", "tier"), ("score", "tier")]
    assert bench.lead(lead)[words.SCORE] == 20


def test_a_status_that_says_as_much_is_left(bench: Bench) -> None:
    lost, fresh = bench.crm.make_lead(lead_status="Lost Lead"), bench.crm.make_lead()
    results = bench.client.write([LeadWrite(lost, lead_status="unqualified"), LeadWrite(fresh, lead_status="connected")])
    assert [result.changed for result in results] == [(), ("lead_status",)]
    assert (bench.lead(lost)["Lead_Status"], bench.lead(fresh)["Lead_Status"]) == ("Lost Lead", "Contacted")


@pytest.mark.parametrize(
    ("there", "wanted", "then"),
    [
        ("Contacted", "attempted_to_contact", "Contacted"),
        ("Pre-Qualified", "connected", "Pre-Qualified"),  # a word of the tenant's own stands for a person's choice
        ("Lost Lead", "connected", "Lost Lead"),
        ("Lost Lead", "open", "Not Contacted"),  # taken up again
        ("Contacted", "open", "Contacted"),
        ("Attempted to Contact", "connected", "Contacted"),
    ],
)
def test_a_status_is_not_moved_backwards(bench: Bench, there: str, wanted: str, then: str) -> None:
    lead = bench.crm.make_lead(lead_status=there)
    assert bench.write(LeadWrite(lead, lead_status=wanted)).error is None
    assert bench.lead(lead)["Lead_Status"] == then


def test_a_picklist_of_the_tenants_own(bench: Bench) -> None:
    own = connect(bench.table, bench.clock, lead_statuses={"connected": "Talking"})
    found = {result.name: result for result in own.check()}
    assert [name for name, result in found.items() if not result.ok] == ["lead statuses"]
    assert "Talking" in found["lead statuses"].detail
    own.close()


def test_a_converted_lead_takes_no_more_changes(bench: Bench) -> None:
    lead = bench.crm.make_lead(email="a@b.example", company="C")
    deal = DealWrite("d-1", lead, REPS[1], "A new deal", Decimal("12.50"))
    made = bench.write(deal)
    record = bench.store.modules["Deals"][made.receipt]
    assert (record["Deal_Name"], record["Amount"], record["Owner"]["id"]) == ("A new deal", 12.5, REPS[1])
    assert record["Closing_Date"] == "2026-12-20"
    assert bench.write(replace(deal, marker="d-2")).receipt == made.receipt
    assert isinstance(bench.write(LeadWrite(lead, score=50)).error, Skippable)


def test_a_deal_stage_that_is_not_there(bench: Bench) -> None:
    lead = bench.crm.make_lead(email="a@b.example")
    own = connect(bench.table, bench.clock, deal_stage="Elsewhere")
    (refused,) = own.write([DealWrite("d", lead, None, "A deal")])
    assert isinstance(refused.error, Fatal)
    assert "Stage" in str(refused.error)
    own.close()


def test_a_task_that_a_person_finished_is_left_alone(bench: Bench) -> None:
    lead = bench.crm.make_lead(email="a@b.example")
    made = bench.write(task(lead))
    record = bench.store.modules["Tasks"][made.receipt]
    assert (record["Due_Date"], record["Priority"], record[words.MARKER]) == ("2026-11-20", "Normal", "m-1")
    later = task(lead, made_as=made.receipt, due_at=START + timedelta(days=1))
    assert bench.write(later).changed == ("due_at",)
    record["Status"] = "Completed"
    assert bench.write(replace(later, owner_id=REPS[1])).changed == ()
    del bench.store.modules["Tasks"][made.receipt]
    assert isinstance(bench.write(replace(later, owner_id=REPS[1])).error, Skippable)


def test_kinds_in_one_batch_keep_their_order(bench: Bench) -> None:
    lead = bench.crm.make_lead(email="a@b.example")
    writes = [DealWrite("d", lead, REPS[0], "A deal"), task(lead), NoteWrite("n", lead, "b"), LeadWrite(lead, score=9), task("404")]
    results = bench.client.write(writes)
    assert [result.ok for result in results] == [True, True, True, True, False]
    assert results[3].changed == ("score",)


# --- tokens and limits


def test_a_refused_refresh_comes_with_a_200(bench: Bench) -> None:
    bad = connect({**bench.table, "refresh_token": SecretStr("revoked")}, bench.clock)
    with pytest.raises(Configuration, match="refresh token") as caught:
        bad.read_leads(["1"])
    assert "revoked" not in str(caught.value)
    bad.close()


@pytest.mark.parametrize(
    ("body", "sort"),
    [("<html>Just a moment</html>", Retriable), ('["no object"]', Retriable), ('{"expires_in": 3600}', Configuration)],
)
def test_a_token_answer_that_cannot_be_read(bench: Bench, httpserver: HTTPServer, body: str, sort: type[Exception]) -> None:
    httpserver.expect_request("/oauth/v2/token").respond_with_data(body, content_type="application/json")
    fresh = connect(bench.table, bench.clock, accounts_url=httpserver.url_for(""))
    with pytest.raises(sort):
        fresh.read_leads(["1"])
    fresh.close()


@pytest.mark.parametrize(
    "domain", ["https://www.zohoapis.com.evil.example", "http://www.zohoapis.com", "https://evil@www.zohoapis.com"]
)
def test_an_oauth_answer_may_not_lead_away(bench: Bench, domain: str) -> None:
    bench.crm.api.base_url = domain
    fresh = connect(bench.table, bench.clock)
    with pytest.raises(Configuration, match="not one of Zoho's"):
        fresh.read_leads(["1"])
    fresh.close()


def test_the_data_centre_says_where_accounts_are(bench: Bench) -> None:
    plain = {name: value for name, value in bench.table.items() if name not in ("base_url", "accounts_url")}
    tokens = connect({**plain, "base_url": "https://www.zohoapis.eu"}, bench.clock)._calls._tokens
    assert tokens._accounts_url() == "https://accounts.zoho.eu"
    assert tokens._domain("https://www.zohoapis.in") == "https://www.zohoapis.in", "an account that was moved"
    with pytest.raises(Configuration, match="no API host"):
        connect({**plain, "base_url": "https://crm.example.com"}, bench.clock)


def test_used_up_credits_wait_long(bench: Bench) -> None:
    lead = bench.crm.make_lead(email="a@b.example")
    frugal = connect(bench.table, bench.clock, credits_per_day=20)
    for _ in range(18):
        frugal.read_leads([lead])
    with pytest.raises(Retriable) as caught:
        [frugal.read_leads([lead]) for _ in range(4)]
    assert caught.value.delay_s is not None
    assert caught.value.delay_s > 60
    frugal.close()


@pytest.mark.parametrize(
    ("code", "sort"),
    [
        ("RECORD_LOCKED", Retriable),
        ("LIMIT_EXCEEDED", Retriable),
        ("NO_PERMISSION", Configuration),
        ("OAUTH_SCOPE_MISMATCH", Configuration),
        ("ID_ALREADY_CONVERTED", Skippable),
        ("DUPLICATE_DATA", Fatal),
        ("grace@navy.example", Fatal),
    ],
)
def test_codes_are_sorted(code: str, sort: type[Exception]) -> None:
    error = code_error({"code": code, "message": "grace@navy.example", "details": {"api_name": "a@b"}}, "a row")
    assert type(error) is sort
    assert "@" not in str(error)


def test_an_answer_with_a_row_too_few_is_uncertain() -> None:
    class Calls:
        def call(self, *_: Any, **__: Any) -> dict[str, Any]:
            return {"data": [{"status": "success", "details": {"id": "1"}}]}

    with pytest.raises(Unsure):
        send_rows(Calls(), "POST", "Tasks", [(0, {}), (1, {})], idempotent=False)  # type: ignore[arg-type]


# --- what comes in, and the vendor's payloads and description


def test_the_token_is_compared_whole() -> None:
    receiver = ADAPTER.receiver(HOOK.connection(), PUBLIC_URL)
    right = HOOK.sign(b'{"operation": "update"}', START)
    assert receiver.verify(right, START) is False
    for token in ("", "new-channel-toke", "new-channel-tokens", None, 12, ["new-channel-token"]):
        with pytest.raises(BadSignature):
            receiver.verify(replace(right, body=json.dumps({"token": token}).encode()), START)


@pytest.mark.parametrize("secret", ["short", "x" * 51])
def test_a_token_that_zoho_would_not_keep_is_refused(secret: str) -> None:
    with pytest.raises(Configuration, match="webhook_secrets"):
        ADAPTER.receiver(HOOK.connection().model_copy(update={"webhook_secrets": (SecretStr(secret),)}), PUBLIC_URL)


@pytest.mark.needs_shared
def test_shared_payloads_parse(shared_dir: Path) -> None:
    token = "shared-token-at-most-50-chars"
    receiver = ADAPTER.receiver(HOOK.connection().model_copy(update={"webhook_secrets": (SecretStr(token),)}), PUBLIC_URL)
    folder = shared_dir / "contracts/zoho/webhooks"
    read = {}
    for path in sorted(folder.glob("*.json")):
        delivery = replace(HOOK.sign(b"{}", START), body=path.read_bytes())
        assert receiver.verify(delivery, START) is False
        read[path.stem] = list(receiver.events(delivery))
    (lead,) = read["leads_insert"]
    assert isinstance(lead, LeadChange)
    assert (lead.external_id, lead.fetch) == ("5725767000003000064", True)
    assert [type(event) for event in read["deals_update_two_ids"]] == [UnrecognisedEvent]


@pytest.mark.needs_shared
def test_shared_207_is_read_row_by_row(shared_dir: Path) -> None:
    answer = json.loads((shared_dir / "contracts/zoho/rest-samples/multi_status_207.json").read_bytes())

    class Calls:
        def call(self, *_: Any, **__: Any) -> Any:
            return answer

    done = send_rows(Calls(), "PUT", "Leads", [(7, {}), (3, {})], idempotent=True)  # type: ignore[arg-type]
    assert (done[7].ok, done[7].receipt) == (True, "5725767000003000064")
    assert isinstance(done[3].error, Fatal)
    assert "INVALID_DATA for Owner" in str(done[3].error)


@pytest.fixture(scope="module")
def prism(shared_dir: Path, node_tools: Any) -> Iterator[Prism]:
    with serve_prism(node_tools, shared_dir / "contracts/zoho/zoho-crm-v8-subset.openapi.json", errors=False) as running:
        yield running


@pytest.fixture
def described(prism: Prism) -> Iterator[ZohoClient]:
    clock = StandingClock(START)
    tokens = Tokens(crm={"access_token": "x", "expires_at": START.timestamp() + 3600, "api_domain": prism.url})
    secret = SecretStr("a-long-channel-token")
    table = {"adapter": "zoho", "base_url": prism.url, "accounts_url": prism.url, "trust_private_host": True}
    secrets = {"client_id": secret, "client_secret": secret, "refresh_token": secret, "webhook_secrets": (secret,)}
    client = connect({**table, **secrets}, clock, tokens)
    yield client
    client.close()


@pytest.mark.needs_node
@pytest.mark.needs_shared
class TestZohoUnderPrism:
    """Prism refuses what the description does not allow, so a call that comes back is a call that Zoho would take."""

    def test_reads(self, described: ZohoClient) -> None:
        assert list(described.owners()) == [], "the mock's only user is our own"
        assert [lead.external_id for lead in described.read_leads(["1"])] == ["string"]
        assert {lead.external_id for page in described.backfill() for lead in page.leads} == {"string"}
        assert {lead.external_id for page in described.changed_since(START, "7") for lead in page.leads} == {"string"}
        assert {company.external_id for page in described.accounts() for company in page} == {"string"}

    def test_write_lead(self, described: ZohoClient, monkeypatch: pytest.MonkeyPatch) -> None:
        """The mock keeps nothing, which is seen: the call itself was taken."""
        monkeypatch.setattr(described._writer, "_present", lambda ids: {"1": {"id": "1"}})
        (written,) = described.write([LeadWrite("1", "42", 87, Tier.A, "opened", "first free", "mql", "connected")])
        assert isinstance(written.error, Configuration)
        assert "kept the old value" in str(written.error)

    def test_make(self, described: ZohoClient) -> None:
        results = described.write([task("1"), NoteWrite("n", "1", "body"), DealWrite("d", "1", "42", "A deal", Decimal("12.50"))])
        assert [(result.ok, bool(result.receipt)) for result in results] == [(True, True)] * 3
        (found,) = described.write([task("1")], in_doubt=True)
        assert found.receipt

    def test_channel(self, described: ZohoClient) -> None:
        assert str(described._channel.keep()).startswith("made")
        found = {result.name for result in described.check() if result.ok}
        assert {"token", "read Leads", "read Tasks", "read Deals", "query"} <= found

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "coql", {"query": "select id from Leads"}),
            ("PUT", "Leads", {"data": [{"id": 1}]}),
            ("POST", "actions/watch", {"watch": "Leads.all"}),
            ("GET", "users?type=Everybody", None),
        ],
    )
    def test_malformed_is_refused(self, prism: Prism, method: str, path: str, body: Any) -> None:
        """So that the tests above can fail."""
        headers = {"authorization": "Zoho-oauthtoken x"}
        answer = httpx.request(method, f"{prism.url}/crm/v8/{path}", json=body, headers=headers, trust_env=False)
        assert answer.status_code in (400, 422)

    def test_no_token_is_refused(self, prism: Prism) -> None:
        assert httpx.get(f"{prism.url}/crm/v8/users", trust_env=False).status_code == 401
