"""Pipedrive: against its stand-in over HTTP, trap by trap; against the vendor's own description under Prism; and its payloads."""

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

from connector.adapters.pipedrive import ADAPTER, words
from connector.adapters.pipedrive.calls import cost_of
from connector.adapters.pipedrive.client import PipedriveClient
from connector.adapters.pipedrive.fields import CustomField
from connector.budget import LocalBudget
from connector.contract import load_hook
from connector.errors import BadSignature, Configuration, Fatal, Retriable, Skippable
from connector.http import Unsure
from connector.ports import ClientContext, DealWrite, Delivery, LeadWrite, NoteWrite, TaskWrite
from connector.settings import ConnectionSettings
from connector.testing import StandingClock
from leads.enums import ChangeKind, ChangeOrigin, EngagementKind, Outcome, Tier
from leads.records import LeadChange, UnrecognisedEvent
from tests.contract.prism import Prism, serve_prism
from tests.standins import serve
from tests.standins.pipedrive import ADMIN, OUR_USER, REPS, PipedriveStandIn
from tests.standins.pipedrive.store import Refused

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
PUBLIC_URL = "https://hooks.example.com"
HOOK = load_hook(Path(__file__).parents[1] / "fixtures" / "pipedrive")


class Tokens(dict[str, Mapping[str, Any]]):
    """A token store in memory."""

    def load(self, connection: str) -> Mapping[str, Any] | None:
        return self.get(connection)

    def save(self, connection: str, tokens: Mapping[str, Any]) -> None:
        self[connection] = tokens


def connect(table: Mapping[str, Any], clock: StandingClock, **changes: Any) -> PipedriveClient:
    settings = ConnectionSettings.model_validate({"name": "crm", **table, **changes})
    budget = LocalBudget(lambda: clock.now().timestamp())
    client = ADAPTER.client(settings, ClientContext("crm", budget, clock, Tokens(), PUBLIC_URL))
    assert isinstance(client, PipedriveClient)
    return client


class Bench:
    """A company, its address and a client of it, set up."""

    def __init__(self, address: str, crm: PipedriveStandIn) -> None:
        self.crm, self.clock = crm, crm.clock
        self.table = crm.connection(address)
        self.client = connect(self.table, self.clock)
        assert all(result.ok for result in self.client.prepare())

    @property
    def store(self) -> Any:
        return self.crm.store

    def write(self, *writes: Any, in_doubt: bool = False) -> Any:
        return self.client.write(writes, in_doubt)[0]


@pytest.fixture
def bench() -> Iterator[Bench]:
    crm = PipedriveStandIn(StandingClock(START))
    with serve(crm.app) as address:
        made = Bench(address, crm)
        yield made
        made.client.close()


def whole(bench: Bench) -> datetime:
    """The moment now as Pipedrive keeps it."""
    return bench.clock.now().replace(microsecond=0)


def task(person: str, **more: Any) -> TaskWrite:
    return replace(TaskWrite("m-1", person, "42", "Call", "Now", START + timedelta(hours=3)), **more)


# --- reading


def test_a_person_is_read_with_its_organisation_and_custom_fields(bench: Bench) -> None:
    given = {"email": "grace@navy.example", "first_name": "Grace", "company": "Navy", "lifecycle_stage": "mql", "owner_id": "43"}
    person, made_at = bench.crm.make_lead(**given), whole(bench)
    organization = bench.store.get("person", person)["org_id"]
    bench.store.records["organization"][str(organization)] |= {"employee_count": 900, "website": "navy.example", "owner_id": 44}
    (read,) = bench.client.read_leads([person, "999999", "not an id"])
    assert read.fields["lifecycle_stage"] == "mql"
    assert (read.fields["company"], read.fields["employees"], read.fields["account_owner_id"]) == ("Navy", 900, "44")
    assert (read.fields["owner_id"], read.created_at) == ("43", made_at)
    assert bench.client.read_leads([]) == []


def test_what_nobody_chose_belongs_to_nobody(bench: Bench) -> None:
    """Every record has an owner there: our own user's are unowned here, and our user is no rep."""
    person = bench.crm.make_lead(email="a@b.example")
    assert bench.store.get("person", person)["owner_id"] == OUR_USER
    (read,) = bench.client.read_leads([person])
    assert "owner_id" not in read.fields
    assert [owner.external_id for owner in bench.client.owners()] == [str(one) for one in REPS]
    bench.write(LeadWrite(person, owner_id="42"))
    assert bench.write(LeadWrite(person, owner_id="")).changed == ("owner_id",)
    assert bench.store.get("person", person)["owner_id"] == OUR_USER


def test_backfill_tells_how_persons_ended_and_what_was_done(bench: Bench) -> None:
    won, lost, open_one = (bench.crm.make_lead(email=f"{number}@b.example") for number in range(3))
    for person, status in ((won, "won"), (won, "lost"), (lost, "lost"), (open_one, "lost"), (open_one, "open")):
        deal = {"title": "D", "person_id": int(person), "status": status, "value": 70}
        bench.store.make("deal", deal, user=ADMIN)
    call = {"subject": "Call", "type": "call", "done": True, "participants": [{"person_id": int(won), "primary": True}]}
    bench.store.make("activity", call, user=ADMIN)
    at = whole(bench)
    (page,) = bench.client.backfill()
    assert dict(page.outcomes) == {won: (Outcome.WON, at), lost: (Outcome.LOST, at)}
    assert [(act.kind, act.external_id) for act in page.engagements] == [(EngagementKind.CONTACTED, won)]
    stages = {lead.external_id: lead.fields.get("lifecycle_stage") for lead in page.leads}
    assert stages == {won: "customer", lost: None, open_one: "opportunity"}


def test_backfill_goes_on_from_its_cursor_and_starts_anew_when_that_is_refused(bench: Bench) -> None:
    persons = [bench.crm.make_lead(email=f"{number}@b.example") for number in range(520)]
    first, second = bench.client.backfill()
    assert [lead.external_id for page in (first, second) for lead in page.leads] == persons
    (rest,) = bench.client.backfill(first.cursor)
    assert [lead.external_id for lead in rest.leads] == persons[500:]


def test_reconcile_also_finds_what_changed_beside_a_person(bench: Bench) -> None:
    person = bench.crm.make_lead(email="a@b.example")
    bench.clock.move(3600)
    since = bench.clock.now()
    bench.clock.move(60)
    lead = {"title": "L", "person_id": int(person), "owner_id": 44, "value": {"amount": 300, "currency": "EUR"}}
    bench.store.make("lead", lead, user=ADMIN)
    changed_at = whole(bench)
    pages = list(bench.client.changed_since(since, "7"))
    assert [page.cursor for page in pages] == [f"{round(since.timestamp() * 1000)}:7"], "the mark stands: no person moved it"
    (read,) = pages[0].leads
    assert (read.external_id, read.fields["owner_id"], read.fields["deal_amount"]) == (person, "44", 300.0)
    assert read.occurred_at == changed_at


# --- writing


def test_a_new_owner_is_set_on_open_leads_too(bench: Bench) -> None:
    person = bench.crm.make_lead(email="a@b.example")
    inbox = [bench.store.make("lead", {"title": "L", "person_id": int(person)}, user=OUR_USER) for _ in range(2)]
    inbox[1]["is_archived"] = True
    assert bench.write(LeadWrite(person, owner_id="43")).changed == ("owner_id",)
    assert [lead["owner_id"] for lead in inbox] == [43, OUR_USER], "an archived one is left alone"


def test_two_hundred_and_not_kept(bench: Bench) -> None:
    """A field that the token's user may not edit is answered with 200 and stays as it was."""
    person = bench.crm.make_lead(email="a@b.example")
    bench.store.read_only = {bench.store.key_of("person", words.SCORE)}
    with pytest.raises(Configuration, match="score"):
        bench.write(LeadWrite(person, score=50))


def test_a_stage_of_the_tenants_own_is_left_alone(bench: Bench) -> None:
    person = bench.crm.make_lead(email="a@b.example")
    key = bench.store.key_of("person", words.STAGE)
    bench.store.get("person", person)["custom_fields"][key] = 424242
    assert bench.write(LeadWrite(person, stage="mql")).changed == ()


def test_a_status_is_not_moved_backwards(bench: Bench) -> None:
    person = bench.crm.make_lead(email="a@b.example")
    wanted = ("connected", "attempted_to_contact", "open", "unqualified", "connected", "open")
    changed = [bool(bench.write(LeadWrite(person, lead_status=status)).changed) for status in wanted]
    assert changed == [True, False, False, True, False, True]


def test_a_renamed_field_says_how_to_mend(bench: Bench) -> None:
    person = bench.crm.make_lead(email="a@b.example")
    next(one for one in bench.store.fields["person"] if one["field_name"] == words.TIER)["field_name"] = "Grade"
    fresh = connect(bench.table, bench.clock)
    with pytest.raises(Configuration, match="--mend"):
        fresh.write([LeadWrite(person, tier=Tier.A)])
    fresh.close()


def test_rows_end_for_themselves(bench: Bench) -> None:
    one, other = bench.crm.make_lead(email="a@b.example"), bench.crm.make_lead(email="c@b.example")
    writes = [LeadWrite(one, "777"), LeadWrite("999999", "42"), LeadWrite(other, "not a number"), LeadWrite(other, "42")]
    errors = [type(result.error) for result in bench.client.write(writes)]
    assert errors == [Fatal, Skippable, Fatal, type(None)]


def test_a_task_that_a_person_finished_is_left_alone(bench: Bench) -> None:
    person = bench.crm.make_lead(email="a@b.example")
    made = bench.write(task(person))
    activity = bench.store.get("activity", made.receipt)
    assert (activity["due_date"], activity["due_time"], activity["type"]) == ("2026-11-20", "13:00", "task")
    later = task(person, made_as=made.receipt, due_at=START + timedelta(days=1))
    assert bench.write(later).changed == ("due_at",)
    activity["done"] = True
    assert bench.write(replace(later, owner_id="43")).changed == ()
    activity["is_deleted"] = True
    assert isinstance(bench.write(replace(later, owner_id="43")).error, Skippable)


def test_an_open_lead_is_converted_once(bench: Bench) -> None:
    """The conversion runs in its own time, and leaves a deal with our title, owner, amount and marker."""
    person = bench.crm.make_lead(email="a@b.example")
    lead = bench.store.make("lead", {"title": "L", "person_id": int(person)}, user=ADMIN)
    wanted = DealWrite("d-1", person, "43", "A new deal", Decimal("12.50"), "USD")
    made = bench.write(wanted)
    deal = bench.store.get("deal", made.receipt)
    assert (deal["title"], deal["owner_id"], deal["value"], deal["currency"]) == ("A new deal", 43, 12.5, "USD")
    assert deal["source_lead_id"] == lead["id"]
    assert bench.store.held("deal", deal, words.MARKER) == "d-1"
    assert bench.write(wanted).receipt == made.receipt
    assert bench.write(replace(wanted, marker="d-2")).receipt == made.receipt, "a converted lead is left as it is"
    assert len(bench.store.records["deal"]) == 1


def test_a_conversion_that_was_cut_short_is_finished(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Lead is a deal, and then nothing more came through: the next try gives title and marker."""
    person = bench.crm.make_lead(email="a@b.example")
    bench.store.make("lead", {"title": "L", "person_id": int(person)}, user=ADMIN)
    plain = bench.store.change

    def refuse(kind: str, record_id: str, given: Any, **by: Any) -> Any:
        if kind == "deal":
            raise Refused(503, "not now")
        return plain(kind, record_id, given, **by)

    monkeypatch.setattr(bench.store, "change", refuse)
    (cut,) = bench.client.write([DealWrite("d-1", person, "43", "A new deal")])
    assert isinstance(cut.error, Unsure)
    monkeypatch.setattr(bench.store, "change", plain)
    (done,) = bench.client.write([DealWrite("d-1", person, "43", "A new deal")], in_doubt=True)
    (deal,) = bench.store.records["deal"].values()
    assert (done.receipt, deal["title"], deal["owner_id"]) == (str(deal["id"]), "A new deal", 43)
    assert bench.store.held("deal", deal, words.MARKER) == "d-1"


# --- the weather


def test_a_slow_batch_is_cut_short_before_somebody_else_takes_its_rows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    leads = [bench.crm.make_lead(email=f"a{number}@b.example") for number in range(6)]
    plain = bench.store.change

    def slow(*given: Any, **by: Any) -> Any:
        bench.clock.move(20)
        return plain(*given, **by)

    monkeypatch.setattr(bench.store, "change", slow)
    results = bench.client.write([LeadWrite(one, score=50) for one in leads])
    assert [result.ok for result in results] == [True, True, False, False, False, False]
    assert all(isinstance(result.error, Retriable) for result in results[2:])


def test_of_a_batch_that_broke_off_one_row_alone_is_in_doubt(bench: Bench) -> None:
    leads = [bench.crm.make_lead(email=f"a{number}@b.example") for number in range(3)]
    bench.crm.knobs.lose_answers = 1
    first, *rest = bench.client.write([NoteWrite(f"n-{one}", one, "Asked") for one in leads])
    assert isinstance(first.error, Unsure)
    assert [type(result.error) for result in rest] == [Retriable, Retriable]


def test_cloudflare_turns_away_who_ignores_429(bench: Bench) -> None:
    """A 403 with a page is no missing permission: everybody waits two minutes."""
    person = bench.crm.make_lead(email="a@b.example")
    bench.client.read_leads([person])
    bench.crm.api.impatient, bench.crm.api.closed_until = 99, bench.clock.now().timestamp() + 60
    with pytest.raises(Retriable) as caught:
        bench.client.read_leads([person])
    assert caught.value.delay_s == 120.0
    before = bench.crm.impatient
    with pytest.raises(Retriable):
        bench.client.read_leads([person])
    assert bench.crm.impatient == before, "no call is made meanwhile"
    bench.clock.move(120)
    assert len(bench.client.read_leads([person])) == 1


def test_the_burst_limit_is_kept(bench: Bench) -> None:
    person = bench.crm.make_lead(email="a@b.example")
    for _ in range(60):
        bench.client.read_leads([person])
    assert bench.crm.impatient == 0
    assert bench.crm.api.closed_until == 0.0, "never over the limit of 20 in two seconds"


def test_the_daily_budget_is_shared_out_by_cost(bench: Bench) -> None:
    person = bench.crm.make_lead(email="a@b.example")
    frugal = connect(bench.table, bench.clock, tokens_per_day=1000, user_id=OUR_USER)
    for _ in range(90):
        frugal.read_leads([person])
    with pytest.raises(Retriable) as caught:
        [frugal.read_leads([person]) for _ in range(20)]
    assert caught.value.delay_s is not None
    assert caught.value.delay_s > 60
    frugal.close()


def test_a_permission_that_is_missing_is_named(bench: Bench) -> None:
    bad = connect({**bench.table, "client_secret": SecretStr("wrong")}, bench.clock)
    with pytest.raises(Configuration, match="refresh_token"):
        bad.read_leads(["1"])
    bad.close()


@pytest.mark.parametrize(
    "body", ["<html>Just a moment</html>", '["no object"]', '{"expires_in": 3600}', '{"access_token": "x", "expires_in": null}']
)
def test_a_token_answer_that_cannot_be_read(bench: Bench, httpserver: HTTPServer, body: str) -> None:
    httpserver.expect_request("/oauth/token").respond_with_data(body, content_type="application/json")
    fresh = connect(bench.table, bench.clock, oauth_url=httpserver.url_for(""))
    with pytest.raises(Retriable):
        fresh.read_leads(["1"])
    fresh.close()


def test_an_oauth_answer_may_not_lead_away(bench: Bench) -> None:
    bench.crm.api.base_url = "https://pipedrive.com.evil.example"
    bench.crm.api.tokens.clear()
    fresh = connect(bench.table, bench.clock)
    with pytest.raises(Configuration, match="not Pipedrive's"):
        fresh.read_leads(["1"])
    fresh.close()


def test_what_is_missing_is_found_and_mended(bench: Bench) -> None:
    bench.store.hooks[0]["is_active"] = 0
    bench.store.hooks[1]["subscription_url"] = "https://elsewhere.example/webhooks/crm"
    bench.store.fields["deal"].clear()
    fresh = connect(bench.table, bench.clock)
    found = {result.name: result for result in fresh.check()}
    assert {name for name, result in found.items() if not result.ok} == {"fields of deals", "webhooks"}
    assert found["webhooks"].detail == "missing: person.*, lead.*"
    assert all(result.ok for result in fresh.prepare())
    assert all(result.ok for result in fresh.check())
    assert len(bench.store.hooks) == 6
    assert bench.store.hooks[-1]["http_auth_password"] == "a-long-webhook-password"
    fresh.close()


# --- what comes in


def notice(bench: Bench, entity: str, action: str) -> list[Any]:
    """What is read in the last notice of that kind."""
    receiver = ADAPTER.receiver(ConnectionSettings.model_validate({"name": "crm", **bench.table}), PUBLIC_URL)
    found: list[Any] = []
    for one in bench.crm.take_notices():
        delivery = Delivery("POST", f"{PUBLIC_URL}/webhooks/crm", dict(one.headers), one.body, START)
        assert receiver.verify(delivery, START) is False
        meta = json.loads(one.body)["meta"]
        if (meta["entity"], meta["action"]) == (entity, action):
            found = list(receiver.events(delivery))
    return found


def test_a_merge_leads_both_ids_to_one(bench: Bench) -> None:
    kept, gone = bench.crm.make_lead(email="a@b.example"), bench.crm.make_lead(email="b@b.example")
    bench.store.remove("person", gone, user=ADMIN, merged_to_id=kept)
    (merged,) = notice(bench, "person", "delete")
    assert (merged.kind, merged.external_id, merged.merged_ids, merged.fetch) == (ChangeKind.MERGED, kept, (gone,), True)


def test_an_owner_chosen_in_the_inbox_is_a_persons_choice(bench: Bench) -> None:
    person = bench.crm.make_lead(email="a@b.example")
    lead = bench.store.make("lead", {"title": "L", "person_id": int(person)}, user=ADMIN)
    bench.store.change("lead", lead["id"], {"owner_id": 44}, user=ADMIN)
    (told,) = notice(bench, "lead", "change")
    assert (told.external_id, told.origin, dict(told.fields)) == (person, ChangeOrigin.PERSON, {"owner_id": "44"})


def test_repeats_differ_in_the_attempt_alone() -> None:
    receiver = ADAPTER.receiver(HOOK.connection(), PUBLIC_URL)
    body = json.loads((Path(__file__).parents[1] / "fixtures/pipedrive/person__changed.json").read_bytes())
    first = HOOK.sign(json.dumps(body).encode(), START)
    body["meta"]["attempt"] = 3
    again = HOOK.sign(json.dumps(body).encode(), START)
    assert receiver.delivery_key(first) == receiver.delivery_key(again)
    assert [event.event_key for event in receiver.events(first)] == [event.event_key for event in receiver.events(again)]


# --- the vendor's payloads and description


@pytest.mark.needs_shared
def test_shared_payloads_parse(shared_dir: Path) -> None:
    receiver = ADAPTER.receiver(HOOK.connection(), PUBLIC_URL)
    read: dict[str, Any] = {}
    paths = sorted((shared_dir / "contracts/pipedrive/webhooks-v2").glob("*.json"))
    for path in paths:
        for event in receiver.events(HOOK.sign(path.read_bytes(), START)):
            read[path.stem] = event
    assert read.keys() == {path.stem for path in paths} - {"deal_stage_change"}, "which moves nothing here"
    assert isinstance(read["person_create"], LeadChange)
    assert read["person_create"].fields["email"] == "ada@example.com"
    assert read["lead_create"].external_id == read["lead_change_retry"].external_id == "11"
    assert read["lead_change_retry"].fields == {"owner_id": "42"}
    assert read["person_change_echo_via_api"].origin is ChangeOrigin.OURSELVES
    kept = {name for name, event in read.items() if isinstance(event, UnrecognisedEvent)}
    assert kept == {"deal_delete", "user_change_integer_timestamp"}


@pytest.mark.needs_shared
def test_no_call_costs_more_than_is_counted(shared_dir: Path) -> None:
    """The vendor's own prices of the calls that we make."""
    described = json.loads((shared_dir / "contracts/pipedrive/pipedrive-v1-v2-subset.openapi.json").read_bytes())["paths"]
    called = [
        ("GET", "/v1/users"), ("GET", "/v1/users/me"), ("GET", "/v1/leads"), ("PATCH", "/v1/leads/{id}"), ("GET", "/v1/notes"),
        ("POST", "/v1/notes"), ("GET", "/v1/webhooks"), ("POST", "/v1/webhooks"), ("GET", "/api/v2/persons"),
        ("PATCH", "/api/v2/persons/{id}"), ("GET", "/api/v2/organizations"), ("GET", "/api/v2/deals"), ("POST", "/api/v2/deals"),
        ("GET", "/api/v2/activities"), ("POST", "/api/v2/activities"), ("PATCH", "/api/v2/activities/{id}"),
        ("GET", "/api/v2/personFields"), ("POST", "/api/v2/personFields"), ("POST", "/api/v2/leads/{id}/convert/deal"),
        ("GET", "/api/v2/leads/{id}/convert/status/{conversion_id}"),
    ]  # fmt: skip
    for method, path in called:
        price = described[path][method.lower()]["x-token-cost"]
        counted = cost_of(method, path.replace("{id}", "17").replace("{conversion_id}", "b18f"))
        assert price <= counted <= 2 * price, (method, path)


@pytest.mark.needs_shared
def test_shared_basic_credentials(shared_dir: Path) -> None:
    """The only vector of a scheme without signatures; a secret as short as its own would not be taken in a configuration."""
    from connector.adapters.pipedrive.webhook import PipedriveReceiver

    headers = json.loads((shared_dir / "contracts/pipedrive/basic-auth-example.json").read_bytes())["headers"]
    delivery = Delivery("POST", PUBLIC_URL, {name.lower(): value for name, value in headers.items()}, b"{}", START)
    assert PipedriveReceiver(["s3cret"]).verify(delivery, START) is False
    assert PipedriveReceiver(["hook:s3cret"]).verify(delivery, START) is False
    for wrong in ("S3cret", "s3cret ", "hook:", "hook"):
        with pytest.raises(BadSignature):
            PipedriveReceiver([wrong]).verify(delivery, START)


@pytest.fixture(scope="module", params=["", ".strict"])
def prism(request: pytest.FixtureRequest, shared_dir: Path, node_tools: Any) -> Iterator[Prism]:
    document = shared_dir / f"contracts/pipedrive/pipedrive-v1-v2-subset{request.param}.openapi.json"
    with serve_prism(node_tools, document) as running:
        yield running


#: The fields of ours as they stand after `--mend`; the mock knows none of them.
OWN = {name: CustomField(name, f"{number:040x}") for number, name in enumerate([*sorted(words.OURS), words.MARKER])}
CHOICES = {words.TIER: words.TIERS, words.STAGE: words.STAGES, words.STATUS: words.STATUSES}


@pytest.fixture
def described(prism: Prism) -> Iterator[PipedriveClient]:
    clock = StandingClock(START)
    table = {"adapter": "pipedrive", "base_url": prism.url, "trust_private_host": True, "token": SecretStr("x")}
    client = connect({**table, "webhook_secrets": (SecretStr("a-long-webhook-password"),)}, clock, calls_per_2_s=200)
    chosen = {name: {label: number for number, label in enumerate(CHOICES.get(name, ()))} for name in OWN}
    own = {name: replace(one, options=chosen[name]) for name, one in OWN.items()}
    client._book._known = {"person": (clock.now() + timedelta(days=1), own), "deal": (clock.now() + timedelta(days=1), own)}
    yield client
    client.close()


@pytest.mark.needs_node
@pytest.mark.needs_shared
class TestPipedriveUnderPrism:
    """Prism refuses what the description does not allow, so a call that comes back is a call that Pipedrive would take."""

    def test_reads(self, described: PipedriveClient) -> None:
        assert next(iter(described.owners())).email == "jane@pipedrive.com"
        (read,) = described.read_leads(["1"])
        assert (read.external_id, read.fields["company"]) == ("1", "Organization Name")
        assert [lead.external_id for page in described.backfill() for lead in page.leads] == ["1"]
        assert {lead.external_id for page in described.changed_since(START, "7") for lead in page.leads} == {"1"}
        ((company,),) = described.accounts()
        assert (company.external_id, company.domains) == ("1", ("https://www.company.com",))

    def test_write_lead(self, described: PipedriveClient) -> None:
        """The mock keeps nothing, which is seen: the call itself was taken."""
        for write in (LeadWrite("1", "42"), LeadWrite("1", None, 87, Tier.A, "opened", "first free", "mql", "connected")):
            with pytest.raises(Configuration, match="kept the old value"):
                described.write([write])

    @pytest.mark.parametrize("in_doubt", [False, True])
    def test_make(self, described: PipedriveClient, in_doubt: bool) -> None:
        results = described.write([task("1"), NoteWrite("n", "1", "body")], in_doubt)
        assert [(result.ok, bool(result.receipt)) for result in results] == [(True, True)] * 2

    def test_move_task(self, described: PipedriveClient) -> None:
        (moved,) = described.write([task("1", made_as="1", owner_id="43")])
        assert moved.error is None

    def test_deals(self, described: PipedriveClient, monkeypatch: pytest.MonkeyPatch) -> None:
        """The mock always has a Lead and an open deal with a Lead behind it; its conversion never ends."""
        from connector.adapters.pipedrive.made_once import DealWriter

        wanted = DealWrite("d", "1", "42", "A deal", Decimal("12.50"), "EUR")
        assert described.write([wanted])[0].receipt
        monkeypatch.setattr(DealWriter, "_present", lambda self, write, key: (None, False))
        monkeypatch.setattr(DealWriter, "_convert", lambda self, lead: "1")
        assert described.write([wanted])[0].receipt == "1"
        monkeypatch.setattr(DealWriter, "_open_lead", lambda self, person: None)
        assert described.write([wanted])[0].receipt

    def test_convert(self, described: PipedriveClient) -> None:
        lead = "b1810230-6c0d-11ed-9826-0242ac120002"
        path = f"/api/v2/leads/{lead}/convert"
        started = described._calls.call("POST", f"{path}/deal", body={}, idempotent=False)
        conversion = started["data"]["conversion_id"]
        assert described._calls.call("GET", f"{path}/status/{conversion}")["data"]["status"]
        assert described._calls.call("PATCH", f"/v1/leads/{lead}", body={"owner_id": 42})["success"]

    def test_check_and_prepare(self, described: PipedriveClient) -> None:
        described._book.forget()
        found = {result.name: result.ok for result in described.check()}
        assert {name for name, ok in found.items() if ok} == {
            "token", "read persons", "read deals", "read activities", "read leads"
        }  # fmt: skip
        assert [result.detail for result in described.prepare()] == ["0 made, 6 refused", "0 made, 1 refused", "0 made, 4 refused"]

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("PATCH", "/api/v2/persons/1", {"owner_id": "42a"}),
            ("POST", "/api/v2/deals", {"person_id": 1}),
            ("POST", "/v1/leads", {"person_id": 1}),
            ("POST", "/api/v2/activities", {"participants": [{"person_id": "somebody"}]}),
            ("POST", "/v1/notes", {"person_id": 1}),
        ],
    )
    def test_malformed_is_refused(self, prism: Prism, method: str, path: str, body: Mapping[str, Any]) -> None:
        """So that the tests above can fail."""
        answer = httpx.request(method, f"{prism.url}{path}", json=body, headers={"x-api-token": "x"}, trust_env=False)
        assert answer.status_code == 422

    def test_unknown_fields_are_refused_by_the_strict_one(self, prism: Prism) -> None:
        answer = httpx.patch(f"{prism.url}/api/v2/persons/1", json={"ownr": 1}, headers={"x-api-token": "x"}, trust_env=False)
        assert answer.status_code in (200, 422)
        strict = httpx.post(f"{prism.url}/v1/webhooks", json={"name": 1}, headers={"x-api-token": "x"}, trust_env=False)
        assert strict.status_code in (400, 422)

    def test_no_token_is_refused(self, prism: Prism) -> None:
        assert httpx.get(f"{prism.url}/api/v2/persons", trust_env=False).status_code == 401
