"""Odoo against its description under Prism, and its traps against the stand-in, over both of its protocols."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from connector.adapters.odoo import ADAPTER
from connector.adapters.odoo.client import OdooClient
from connector.adapters.odoo.made_once import Activities
from connector.budget import LocalBudget
from connector.contract import load_hook
from connector.errors import Configuration, Fatal, LeadswitchError, Retriable, Skippable
from connector.http import Unsure
from connector.ports import ClientContext, DealWrite, Delivery, LeadWrite, NoteWrite, TaskWrite, Written
from connector.settings import ConnectionSettings
from connector.testing import StandingClock
from leads.enums import EngagementKind, Outcome, Tier
from leads.records import AccountRecord, LeadChange
from tests.contract.prism import Prism, serve_prism
from tests.standins import serve
from tests.standins.odoo import OdooStandIn
from tests.standins.odoo.server import Methods
from tests.standins.odoo.tables import FIELDS, OdooError

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
PROTOCOLS = ("json2", "jsonrpc")


class NoTokens:
    def load(self, connection: str) -> None:
        return None

    def save(self, connection: str, tokens: Mapping[str, Any]) -> None:
        raise AssertionError("an API key is never refreshed")


def connect(table: Mapping[str, Any], clock: StandingClock) -> OdooClient:
    budget = LocalBudget(lambda: clock.now().timestamp())
    settings = ConnectionSettings(name="crm", **table)
    client = ADAPTER.client(settings, ClientContext("crm", budget, clock, NoTokens(), "https://hooks.example.com"))
    assert isinstance(client, OdooClient)
    return client


class Bench:
    """One stand-in that speaks one protocol, and clients of it."""

    def __init__(self, crm: OdooStandIn, url: str) -> None:
        self.crm, self.url, self.clock = crm, url, crm.clock
        self._open: list[OdooClient] = []
        self.client = self.connect()

    def connect(self, **changes: Any) -> OdooClient:
        client = connect({**self.crm.connection(self.url), **changes}, self.clock)
        self._open.append(client)
        return client

    def write(self, *writes: Any, in_doubt: bool = False) -> Written:
        (one,) = self.client.write(writes, in_doubt=in_doubt)
        return one

    def close(self) -> None:
        for client in self._open:
            client.close()


@pytest.fixture(params=PROTOCOLS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    crm = OdooStandIn(StandingClock(START), frozenset({request.param}))
    with serve(crm.app) as url:
        one = Bench(crm, url)
        assert all(result.ok for result in one.client.prepare())
        yield one
        one.close()


def whole(external_id: str, owner: str) -> LeadWrite:
    return LeadWrite(external_id, owner, 87, Tier.A, "opened twice", "round robin", "mql")


def task(external_id: str, owner: str, **more: Any) -> TaskWrite:
    return TaskWrite(**{"marker": "m-1", "external_id": external_id, "owner_id": owner, "subject": "Call", "body": "Hot <now>",
                        "due_at": START + timedelta(days=1), **more})  # fmt: skip


# --- both protocols


def test_the_protocol_is_found_out(bench: Bench) -> None:
    (credentials, *_) = bench.client.check()
    assert credentials.ok
    spoken = "JSON-2" if "json2" in credentials.detail or "JSON-2" in credentials.detail else "JSON-RPC"
    assert (spoken == "JSON-2") is (bench.client._calls.protocol() == "json2")
    assert str(bench.crm.uid) in credentials.detail


def test_everything_can_be_read_and_written(bench: Bench) -> None:
    crm = bench.crm
    one = crm.make_lead(email="ada@example.com", first_name="Ada", last_name="Love Lace", company="Acme", deal_amount=12.5)
    (read,) = bench.client.read_leads([one, "424242", "not-a-number"])
    assert read.fields["email"] == "ada@example.com"
    assert (read.fields["first_name"], read.fields["last_name"]) == ("Ada", "Love Lace")
    assert read.fields["lifecycle_stage"] == "lead"
    written = bench.write(whole(one, crm.owners[1]))
    assert written.error is None
    assert set(written.changed) == {"owner_id", "score", "tier", "reasons", "routed_because", "lifecycle_stage"}
    seen = crm.see(one)
    assert (seen.owner_id, seen.score, seen.tier, seen.stage) == (crm.owners[1], 87, "a", "mql")
    made = bench.write(task(one, crm.owners[1]))
    assert made.error is None
    assert made.receipt
    assert bench.write(NoteWrite("n-1", one, "Asked")).receipt
    assert bench.write(DealWrite("d-1", one, crm.owners[1], "A deal")).error is None
    assert crm.see(one).deals == ["A deal"]


def test_owners_with_the_deactivated(bench: Bench) -> None:
    owners = {owner.external_id: owner for owner in bench.client.owners()}
    assert [owner.active for owner in owners.values()].count(False) == 1
    assert owners[bench.crm.owners[0]].teams == ("Inside",)
    assert owners[bench.crm.owners[0]].email == "ada@seller.example"


def test_every_company_with_its_domains_and_owner(bench: Bench) -> None:
    """Page by page; neither people nor the archived; a country as its name, and no owner is none."""
    crm = bench.crm
    germany = crm.tables.insert("res.country", {"name": "Germany"}, 1)
    acme = crm.make_company("Acme", "https://www.acme.com", crm.owners[1])
    crm.tables.update("res.partner", [int(acme)], {"email": "Acme <info@acme.de>", "country_id": germany}, 1)
    for number in range(250):
        crm.tables.insert("res.partner", {"name": f"Company {number}", "is_company": True}, 1)
    crm.tables.insert("res.partner", {"name": "A person", "is_company": False, "website": "person.com"}, 1)
    crm.tables.insert("res.partner", {"name": "Gone", "is_company": True, "active": False}, 1)
    pages = list(bench.client.accounts())
    assert [len(page) for page in pages] == [200, 51]
    assert pages[0][0] == AccountRecord(acme, "Acme", ("https://www.acme.com", "acme.de"), "Germany", crm.owners[1], False, START)
    assert pages[0][1] == AccountRecord(str(int(acme) + 1), "Company 0", touched_at=START)


def test_a_customer_is_whom_invoicing_says_was_sold_to(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FIELDS["res.partner"], "customer_rank", "integer")
    bench.crm.tables.insert("res.partner", {"name": "Acme", "is_company": True, "customer_rank": 2}, 1)
    ((company,),) = bench.client.accounts()
    assert company.customer


def test_wrong_credentials_are_named(bench: Bench) -> None:
    client = bench.connect(token=SecretStr("guessed"))
    (credentials,) = client.check()
    assert not credentials.ok
    assert "API key" in credentials.mend
    assert "guessed" not in f"{credentials.detail}{credentials.mend}"


# --- traps


def test_write_answers_true_and_lies(bench: Bench) -> None:
    one = bench.crm.make_lead()
    bench.crm.methods.keeps = {"user_id": False}  # a module that gives every lead back to the pool
    written = bench.write(LeadWrite(one, bench.crm.owners[0], 50))
    assert isinstance(written.error, Configuration)
    assert "did not keep user_id" in str(written.error)


def test_an_error_comes_as_http_200(bench: Bench) -> None:
    """JSON-RPC: the status says nothing; the error is sorted by its class all the same, and its text is not repeated."""
    one = bench.crm.make_lead()
    bench.crm.tables.locked.add(int(one))
    written = bench.write(LeadWrite(one, score=50))
    assert isinstance(written.error, Configuration)
    assert "AccessError" in str(written.error)
    assert "Ada" not in str(written.error)


def test_record_rules_hide_leads(bench: Bench) -> None:
    one, other = bench.crm.make_lead(), bench.crm.make_lead()
    bench.crm.tables.hidden.add(int(one))
    assert [read.external_id for read in bench.client.read_leads([one, other])] == [other]
    hidden, seen = bench.client.write([LeadWrite(one, score=50), LeadWrite(other, score=50)])
    assert isinstance(hidden.error, Skippable)
    assert seen.ok


def test_false_is_the_empty_value(bench: Bench) -> None:
    one = bench.crm.make_lead(owner_id=bench.crm.owners[0])
    assert bench.write(LeadWrite(one, owner_id="")).changed == ("owner_id",)
    assert bench.crm.see(one).owner_id is None
    assert bench.write(LeadWrite(one, owner_id="")).changed == ()
    (read,) = bench.client.read_leads([one])
    assert read.fields["owner_id"] is None
    assert "email" not in read.fields


def test_microseconds_are_hidden(bench: Bench) -> None:
    """Three hundred leads of one second, whose order within it nobody sees: each comes once."""
    bench.clock.moment = START + timedelta(microseconds=999_000)
    leads = set()
    for number in range(300):
        bench.clock.moment -= timedelta(microseconds=number)
        leads.add(bench.crm.make_lead())
    met = [one.external_id for page in bench.client.changed_since(START - timedelta(minutes=1)) for one in page.leads]
    assert sorted(met) == sorted(leads)


def test_a_long_transaction_appears_behind_what_was_read(bench: Bench) -> None:
    """`write_date` is when a transaction began: what is younger than the lag is left to the next reconcile."""
    client = bench.connect(reconcile_lag_s=60)
    bench.crm.make_lead()
    assert [page for page in client.changed_since(START - timedelta(hours=1)) if page.leads] == []
    bench.clock.move(62)
    assert sum(len(page.leads) for page in client.changed_since(START - timedelta(hours=1))) == 1


def test_backfill_tells_what_was_done_when(bench: Bench) -> None:
    one, tables = bench.crm.make_lead(), bench.crm.tables
    said = {"model": "crm.lead", "res_id": int(one), "date": START - timedelta(days=2), "body": "<p>How much?</p>"}
    tables.insert("mail.message", {**said, "message_type": "email"}, 1)
    tables.insert("mail.message", {**said, "message_type": "notification"}, 1)
    tables.insert("calendar.event", {"opportunity_id": int(one), "name": "Demo"}, 1)
    (page,) = bench.client.backfill()
    mail, meeting = page.engagements
    assert (mail.kind, mail.occurred_at, mail.text) == (EngagementKind.EMAIL_REPLIED, START - timedelta(days=2), "How much?")
    assert (meeting.kind, meeting.external_id) == (EngagementKind.MEETING_BOOKED, one)
    (again,) = bench.client.backfill()
    assert again.engagements == page.engagements, "the same keys"


def test_leads_are_read_without_what_the_user_may_not_see(bench: Bench) -> None:
    bench.crm.make_lead()
    del bench.crm.tables.rows["calendar.event"]
    bench.crm.tables.fields = _refuse(bench.crm.tables.fields, "calendar.event")  # type: ignore[method-assign]
    (page,) = bench.client.backfill()
    assert len(page.leads) == 1


def _refuse(fields: Any, model: str) -> Any:
    def look(asked: str) -> Any:
        if asked == model:
            raise OdooError("odoo.exceptions.AccessError", 403, "You are not allowed to access 'Calendar Event'")
        return fields(asked)

    return look


def test_lost_is_an_archived_lead(bench: Bench) -> None:
    one = bench.crm.make_lead()
    assert bench.write(LeadWrite(one, lead_status="unqualified")).changed == ("lead_status",)
    (page,) = bench.client.backfill()
    assert page.outcomes[one][0] is Outcome.LOST, "what is archived is read all the same"
    assert bench.write(LeadWrite(one, lead_status="open")).error is None
    (read,) = bench.client.read_leads([one])
    assert read.fields["lead_status"] == "open"


def test_a_deal_that_was_won_is_not_lost_by_us(bench: Bench) -> None:
    one = bench.crm.make_lead(lifecycle_stage="customer")
    assert bench.write(LeadWrite(one, lead_status="unqualified")).changed == ()
    assert bench.crm.tables.rows["crm.lead"][int(one)]["active"] is True


def test_a_status_is_told_as_it_was_written_and_not_moved_backwards(bench: Bench) -> None:
    one = bench.crm.make_lead()
    assert bench.write(LeadWrite(one, lead_status="connected")).changed == ("lead_status",)
    (read,) = bench.client.read_leads([one])
    assert read.fields["lead_status"] == "connected"
    assert bench.write(LeadWrite(one, lead_status="attempted_to_contact")).changed == ()
    assert bench.write(LeadWrite(one, lead_status="open")).changed == (), "what is not lost is not reopened"


@pytest.mark.parametrize("field", ["team_id", "team_ids"])
def test_stages_of_another_team_are_not_ours(bench: Bench, monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    """A stage may be one team's alone: `team_id` until 18.0, `team_ids` from 19.0 on."""
    tables = bench.crm.tables
    monkeypatch.setitem(FIELDS["crm.stage"], field, "crm.team" if field == "team_id" else "many2many")
    inside, field_sales = (tables.insert("crm.team", {"name": name}, 1) for name in ("A", "B"))

    def of(team: int | None) -> Any:
        return (team or False) if field == "team_id" else [team] if team else []

    for row in tables.rows["crm.stage"].values():
        row[field] = of(None)
    tables.update("crm.stage", [bench.crm.stages["Qualified"]], {field: of(inside)}, 1)
    stage = {"name": "Qualified", "sequence": 5, "is_won": False, field: of(field_sales)}
    theirs = tables.insert("crm.stage", stage, 1)
    one = bench.crm.make_lead()
    tables.update("crm.lead", [int(one)], {"team_id": field_sales}, 1)
    assert bench.write(LeadWrite(one, stage="mql")).changed == ("lifecycle_stage",)
    assert tables.rows["crm.lead"][int(one)]["stage_id"] == theirs
    own = {"name": "First talk", "sequence": 1.5, "is_won": False, field: of(field_sales)}
    tables.update("crm.lead", [int(one)], {"stage_id": tables.insert("crm.stage", own, 1)}, 1)
    (read,) = bench.client.read_leads([one])
    assert read.fields["lifecycle_stage"] == "lead", "the other team's stage before it says nothing"


def test_won_is_a_stage_that_says_so(bench: Bench) -> None:
    one = bench.crm.make_lead(lifecycle_stage="customer")
    (page,) = bench.client.backfill()
    assert page.outcomes[one][0] is Outcome.WON
    assert bench.write(LeadWrite(one, stage="mql")).changed == ()


def test_a_stage_without_a_name_of_ours_counts_as_the_one_before(bench: Bench) -> None:
    crm = bench.crm
    odd = crm.tables.insert("crm.stage", {"name": "Demo given", "sequence": 1.5, "is_won": False}, 1)
    one = crm.make_lead()
    crm.tables.rows["crm.lead"][int(one)]["stage_id"] = odd
    (read,) = bench.client.read_leads([one])
    assert read.fields["lifecycle_stage"] == "mql"


def test_unprepared_fields_name_the_mend() -> None:
    crm = OdooStandIn(StandingClock(START))
    one = crm.make_lead()
    with serve(crm.app) as url:
        bench = Bench(crm, url)
        with pytest.raises(Configuration, match="--mend"):
            bench.client.write([LeadWrite(one, score=50)])
        fields = next(result for result in bench.client.check() if result.name == "fields of leads")
        assert not fields.ok
        assert "--mend" in fields.mend
        bench.close()


def test_a_finished_activity_is_left_alone(bench: Bench) -> None:
    one, (first, second) = bench.crm.make_lead(), bench.crm.owners[:2]
    made = bench.write(task(one, first))
    row = bench.crm.tables.rows["mail.activity"][int(str(made.receipt))]
    row["state"], row["active"] = "done", False
    assert bench.write(task(one, second, made_as=made.receipt)).changed == ()
    del bench.crm.tables.rows["mail.activity"][row["id"]]  # as versions before 17.0 do
    assert isinstance(bench.write(task(one, second, made_as=made.receipt)).error, Skippable)
    bench.crm.tables.insert("mail.message", {"model": "crm.lead", "res_id": int(one), "body": row["note"]}, 1)
    assert bench.write(task(one, first), in_doubt=True).error is None
    assert bench.crm.see(one).tasks == [], "it was done, and is not made again"


def test_a_lost_lead_is_not_converted_though_odoo_says_true(bench: Bench) -> None:
    one = bench.crm.make_lead()
    bench.write(LeadWrite(one, lead_status="unqualified"))
    assert isinstance(bench.write(DealWrite("d-1", one, None, "A deal")).error, Fatal)


def test_a_refused_conversion_leaves_the_lead_its_name(bench: Bench) -> None:
    one = bench.crm.make_lead()
    bench.write(LeadWrite(one, lead_status="unqualified"))
    assert isinstance(bench.write(DealWrite("d-1", one, bench.crm.owners[1], "A deal")).error, Fatal)
    row = bench.crm.tables.rows["crm.lead"][int(one)]
    assert (row["name"], row["user_id"]) == ("A request", False)


def test_a_conversion_that_was_cut_short_is_finished(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Converted, and then nothing more came through: the next try gives the title."""
    crm = bench.crm
    one, wanted = crm.make_lead(), Decimal("12.5")
    plain = Methods.write

    def refuse(self: Methods, model: str, ids: Any, vals: Any) -> bool:
        raise OdooError("psycopg2.errors.SerializationFailure", 500, "could not serialize access")

    monkeypatch.setattr(Methods, "write", refuse)
    cut = bench.write(DealWrite("d-1", one, crm.owners[1], "A deal", wanted))
    assert isinstance(cut.error, Unsure)
    monkeypatch.setattr(Methods, "write", plain)
    assert bench.write(DealWrite("d-1", one, crm.owners[1], "A deal", wanted), in_doubt=True).receipt == one
    row = crm.tables.rows["crm.lead"][int(one)]
    assert (row["name"], row["user_id"], row["expected_revenue"]) == ("A deal", int(crm.owners[1]), 12.5)


def test_what_was_made_an_opportunity_by_a_person_keeps_its_name(bench: Bench) -> None:
    one = bench.crm.make_lead()
    bench.crm.tables.update("crm.lead", [int(one)], {"type": "opportunity"}, 1)
    assert bench.write(DealWrite("d-1", one, None, "A deal"), in_doubt=True).receipt == one
    assert bench.crm.tables.rows["crm.lead"][int(one)]["name"] == "A request"


def test_a_refused_owner_is_that_rows_own_error(bench: Bench) -> None:
    one, other = bench.crm.make_lead(), bench.crm.make_lead()
    results = bench.client.write(
        [LeadWrite(one, "999999"), LeadWrite(other, "not-a-number"), LeadWrite(other, bench.crm.owners[0])]
    )
    assert [type(result.error) for result in results] == [Fatal, Fatal, type(None)]


def test_no_protocol_at_all() -> None:
    crm = OdooStandIn(StandingClock(START), frozenset())
    with serve(crm.app) as url:
        client = connect({**crm.connection(url), "login": ""}, crm.clock)
        with pytest.raises(Configuration, match="JSON-2"):
            client.read_leads(["1"])
        client.close()


@pytest.mark.parametrize("status", [303, 400, 404, 405, 415])
def test_an_older_odoo_has_another_address_there(httpserver: HTTPServer, status: int) -> None:
    """What 18.0 and earlier say to a call of JSON-2 differs; none of it is a refusal of the key."""
    httpserver.expect_request("/json/2/res.users/context_get").respond_with_data("<html>", status=status)
    httpserver.expect_request("/jsonrpc").respond_with_json({"jsonrpc": "2.0", "id": 1, "result": 7})
    table = {"adapter": "odoo", "base_url": httpserver.url_for(""), "trust_private_host": True, "token": SecretStr("k")}
    client = connect({**table, "database": "acme", "login": "bot"}, StandingClock(START))
    assert client._calls.protocol() == "jsonrpc"
    assert client._calls.user_id() == 7
    client.close()


def test_a_refused_key_is_no_older_odoo(httpserver: HTTPServer) -> None:
    refused = {"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey"}
    httpserver.expect_request("/json/2/res.users/context_get").respond_with_json(refused, status=401)
    table = {"adapter": "odoo", "base_url": httpserver.url_for(""), "trust_private_host": True, "token": SecretStr("k")}
    client = connect({**table, "database": "acme", "login": "bot"}, StandingClock(START))
    with pytest.raises(Configuration, match="API key"):
        client._calls.protocol()
    client.close()


def test_a_serialization_failure_is_tried_later(bench: Bench) -> None:
    one = bench.crm.make_lead()

    def fail(*_: Any, **__: Any) -> bool:
        raise OdooError("psycopg2.errors.SerializationFailure", 503, "could not serialize access")

    bench.crm.methods.write = fail  # type: ignore[method-assign]
    assert isinstance(bench.write(LeadWrite(one, score=50)).error, Retriable)


# --- the interface description, served by Prism


@pytest.fixture(scope="module")
def prism(shared_dir: Path, node_tools: Any) -> Iterator[Prism]:
    with serve_prism(node_tools, shared_dir / "contracts/odoo/odoo-json2-subset.openapi.json") as running:
        yield running


@pytest.fixture
def described(prism: Prism) -> Iterator[OdooClient]:
    table = {"adapter": "odoo", "base_url": prism.url, "trust_private_host": True, "token": SecretStr("x"), "database": "acme"}
    client = connect(table, StandingClock(START))
    yield client
    client.close()


@pytest.mark.needs_node
@pytest.mark.needs_shared
class TestOdooUnderPrism:
    """Prism refuses what the description does not allow, so a call that comes back is a call that Odoo would take."""

    def test_reads(self, described: OdooClient) -> None:
        assert [owner.external_id for owner in described.owners()] == ["17"]
        assert described._calls.user_id() == 2
        assert described._calls.search_read("crm.tag", [["id", "in", [1]]], ["name"])
        assert described._calls.search_read("ir.model", [["model", "=", "crm.lead"]], ["model"], limit=1)

    def test_lead_pages(self, described: OdooClient) -> None:
        """Prism's example of a lead has no date, which is said so: the calls themselves were taken."""
        with pytest.raises(Retriable, match="no date"):
            described.read_leads(["17"])
        with pytest.raises(Retriable, match="no date"):
            next(iter(described.changed_since(START)))

    def test_write_lead(self, described: OdooClient) -> None:
        (written,) = described.write([LeadWrite("17", "3", 87)])
        assert isinstance(written.error, Configuration), "the mock keeps nothing, which is seen"
        assert "did not keep user_id, x_leadswitch_score" in str(written.error)

    def test_task_and_conversion(self, described: OdooClient, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Activities, "_find", lambda self, task: "5")  # the mock invents no id; mail.activity is not described
        (made, deal) = described.write([task("17", "2"), DealWrite("d", "17", "2", "A deal")])
        assert made.receipt
        assert isinstance(deal.error, Fatal), "the mock's lead stays a lead, which is seen"

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("crm.lead/write", {"ids": [17], "values": {"user_id": 2}}),
            ("crm.lead/search_read", {"domain": [["id", "="]]}),
            ("crm.lead/convert_opportunity", {"ids": [17]}),
        ],
    )
    def test_malformed_is_refused(self, prism: Prism, path: str, body: Mapping[str, Any]) -> None:
        answer = httpx.post(f"{prism.url}/json/2/{path}", json=body, headers={"authorization": "Bearer x"}, trust_env=False)
        assert answer.status_code == 422

    def test_no_key_is_refused(self, prism: Prism) -> None:
        answer = httpx.post(f"{prism.url}/json/2/crm.lead/search_read", json={"domain": []}, trust_env=False)
        assert answer.status_code == 401


@pytest.mark.needs_shared
def test_shared_payloads_parse(shared_dir: Path) -> None:
    hook = load_hook(Path(__file__).parents[1] / "fixtures" / "odoo")
    for path in sorted((shared_dir / "contracts/odoo/webhooks").glob("*.json")):
        delivery: Delivery = hook.sign(path.read_bytes(), START)
        receiver = ADAPTER.receiver(hook.connection(), "https://hooks.example.com")
        assert receiver.verify(delivery, START) is False
        (event,) = receiver.events(delivery)
        assert isinstance(event, LeadChange)
        assert (event.external_id, event.fetch) == (str(json.loads(path.read_bytes())["_id"]), True)


@pytest.mark.needs_shared
def test_shared_samples_are_sorted(shared_dir: Path) -> None:
    from connector.adapters.odoo.refusals import refusal

    samples = shared_dir / "contracts/odoo/rest-samples"
    refused = json.loads((samples / "json2_error_401.json").read_bytes())
    assert isinstance(refusal(refused, "crm.lead.read", "crm", True), Configuration)
    over_rpc = json.loads((samples / "jsonrpc_error_is_http_200.json").read_bytes())["error"]["data"]
    found: LeadswitchError | None = refusal(over_rpc, "crm.lead.write", "crm", True)
    assert isinstance(found, Configuration)
    assert "not allowed" not in str(found)
