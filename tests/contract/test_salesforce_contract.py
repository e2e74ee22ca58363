"""Salesforce against its description under Prism, against the payloads of its documentation, and its traps against the stand-in."""

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

from connector.adapters.salesforce import ADAPTER
from connector.adapters.salesforce.client import SalesforceClient
from connector.adapters.salesforce.refusals import read_errors, sort_refusal
from connector.budget import LocalBudget
from connector.errors import BadSignature, Configuration, Fatal, LeadswitchError, Rejected, Retriable, Skippable
from connector.ports import BackfillPage, ClientContext, DealWrite, Delivery, LeadWrite, NoteWrite, TaskWrite, Written
from connector.settings import ConnectionSettings
from connector.testing import StandingClock
from leads.enums import ChangeOrigin, EngagementKind, Outcome, Tier
from leads.records import LeadChange, UnrecognisedEvent
from tests.contract.prism import Prism, serve_prism
from tests.standins import serve
from tests.standins.salesforce import SECRET, SalesforceStandIn
from tests.standins.salesforce.api import LIMIT_PAUSE_S, REFRESH_TOKEN, private_pem
from tests.standins.salesforce.org import Refused

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
LEAD = "00Q000000000001AAA"
PERSON = {"first_name": "Grace", "last_name": "Hopper", "company": "Navy", "email": "grace@navy.example"}


class Tokens(dict[str, Mapping[str, Any]]):
    """A token store in memory."""

    def load(self, connection: str) -> Mapping[str, Any] | None:
        return self.get(connection)

    def save(self, connection: str, tokens: Mapping[str, Any]) -> None:
        self[connection] = tokens


def connect(table: Mapping[str, Any], clock: StandingClock, tokens: Tokens | None = None) -> SalesforceClient:
    context = ClientContext("crm", LocalBudget(lambda: clock.now().timestamp()), clock, Tokens() if tokens is None else tokens)
    client = ADAPTER.client(ConnectionSettings(name="crm", **table), context)
    assert isinstance(client, SalesforceClient)
    return client


class Bench:
    """A stand-in and a client of it."""

    def __init__(self, crm: SalesforceStandIn, url: str) -> None:
        self.crm, self.url, self.clock, self.tokens = crm, url, crm.clock, Tokens()
        self._open: list[SalesforceClient] = []
        self.client = self.connect()

    def connect(self, **changes: Any) -> SalesforceClient:
        client = connect({**self.crm.connection(self.url), **changes}, self.clock, self.tokens)
        self._open.append(client)
        return client

    def write(self, *writes: Any, in_doubt: bool = False) -> Written:
        (one,) = self.client.write(writes, in_doubt=in_doubt)
        return one

    def refuse(self, code: str, *fields: str) -> None:
        """From now on every change of a lead is refused with this code."""
        text = "grace@navy.example may not"
        self.crm.org.refuse = lambda thing, record, values: Refused(code, text, fields) if thing == "Lead" else None

    def page(self) -> BackfillPage:
        (page,) = self.client.backfill()
        return page

    def close(self) -> None:
        for client in self._open:
            client.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    crm = SalesforceStandIn(StandingClock(START))
    with serve(crm.app) as url:
        one = Bench(crm, url)
        assert all(result.ok for result in one.client.prepare())
        crm.clock.moment = START + timedelta(hours=1)  # a whole second, as its stamps are; and the budget is full again
        yield one
        one.close()


def deliver(body: bytes, secret: str = SECRET) -> Delivery:
    return Delivery("POST", f"https://x.example/webhooks/crm/{secret}", {}, body, START)


def receiver(**options: Any) -> Any:
    table: dict[str, Any] = {"user_id": "005000000000077", "client_name": "lead-router", **options}
    settings = ConnectionSettings(name="crm", adapter="salesforce", webhook_secrets=(SecretStr(SECRET),), **table)
    return ADAPTER.receiver(settings, "https://x.example")


# --- the payloads of the vendor's documentation


@pytest.mark.needs_shared
class TestDocumentedPayloads:
    @pytest.fixture
    def folder(self, shared_dir: Path) -> Path:
        return shared_dir / "contracts/salesforce"

    def test_one_lead(self, folder: Path) -> None:
        (lead,) = receiver().events(deliver((folder / "outbound-message/one_lead.xml").read_bytes()))
        assert isinstance(lead, LeadChange)
        assert lead.external_id == LEAD
        assert dict(lead.fields) == {
            "company": "Acme",
            "email": "ada1@example.com",
            "owner_id": "005000000000001AAA",
            "lead_status": "open",
        }

    def test_two_leads_same_sobject_twice(self, folder: Path) -> None:
        first, second = receiver().events(deliver((folder / "outbound-message/two_leads_same_sobject_twice.xml").read_bytes()))
        assert first.external_id == second.external_id
        assert first.event_key != second.event_key
        assert [one.fields["lead_status"] for one in (first, second)] == ["open", "connected"]

    def test_record_deleted_before_delivery(self, folder: Path) -> None:
        (lead,) = receiver().events(deliver((folder / "outbound-message/record_deleted_before_delivery.xml").read_bytes()))
        assert (lead.external_id, lead.fetch, dict(lead.fields)) == ("00Q000000000009AAA", True, {})

    def test_xxe_attempt_must_be_rejected(self, folder: Path) -> None:
        body = (folder / "outbound-message/xxe_attempt_must_be_rejected.xml").read_bytes()
        with pytest.raises(Rejected):
            receiver().verify(deliver(body), START)
        for form in (body, body.decode().encode("utf-16")):
            (kept,) = receiver().events(deliver(form))
            assert isinstance(kept, UnrecognisedEvent)
            assert "document type" in kept.reason

    def test_ack_true(self, folder: Path) -> None:
        answer = receiver().acknowledgement(deliver((folder / "outbound-message/one_lead.xml").read_bytes()))
        assert (answer.status, answer.content_type) == (200, "text/xml; charset=utf-8")
        assert answer.body.split() == (folder / "outbound-message/ack_true.xml").read_bytes().replace(b"?>\n", b"?>").split()

    def test_change_events(self, folder: Path) -> None:
        read = {}
        for path in sorted((folder / "change-data-capture").glob("*.json")):
            (read[path.name.partition(".")[0]],) = receiver().events(deliver(path.read_bytes()))
        assert read["lead_create"].fields["first_name"] == "Ada"
        assert read["lead_update_echo_of_own_client"].origin is ChangeOrigin.OURSELVES
        assert (read["gap_update"].fetch, dict(read["gap_update"].fields)) == (True, {})

    def test_notices_that_name_a_lead(self, folder: Path) -> None:
        for name in ("platform-event/lead_intake__e.decoded.json", "flow-http-callout/lead.json"):
            (lead,) = receiver().events(deliver((folder / name).read_bytes()))
            assert (lead.external_id, lead.fetch) == (LEAD, True), name


# --- the vendor's description


@pytest.fixture(scope="module")
def prism(shared_dir: Path, node_tools: Any) -> Iterator[Prism]:
    with serve_prism(node_tools, shared_dir / "contracts/salesforce/salesforce-rest-subset.openapi.json") as running:
        yield running


@pytest.mark.needs_node
@pytest.mark.needs_shared
class TestUnderPrism:
    """Prism refuses what the description does not allow, so a call that comes back is one that it takes.

    `describe`, `userinfo`, the Tooling API and SOAP are not in the description; the stand-in has them.
    """

    @pytest.fixture
    def client(self, prism: Prism) -> Iterator[SalesforceClient]:
        table = {"adapter": "salesforce", "base_url": prism.url, "trust_private_host": True, "username": "u@example.com"}
        secrets = {"client_id": SecretStr("consumer-key"), "client_secret": SecretStr(private_pem())}
        client = connect({**table, **secrets}, StandingClock(START))
        yield client
        client.close()

    def test_reads(self, client: SalesforceClient) -> None:
        assert [one.external_id for one in client.read_leads([LEAD])] == [LEAD]
        assert len(list(client.owners())) == 1
        assert [one.external_id for page in client.backfill() for one in page.leads] == [LEAD]
        assert [one.external_id for page in client.changed_since(START, LEAD) for one in page.leads] == [LEAD]

    def test_writes(self, client: SalesforceClient) -> None:
        (lead,) = client.write([LeadWrite(LEAD, "005000000000042AAA", 87, Tier.A, "opened", "first free", "mql", "connected")])
        assert lead.error is None
        assert set(lead.changed) == {"owner_id", "score", "tier", "reasons", "routed_because", "lifecycle_stage"}
        (task,) = client.write([TaskWrite("m-1", LEAD, "005000000000042AAA", "Call", "Now", START)])
        (note,) = client.write([NoteWrite("m-2", LEAD, "Gone quiet")])
        assert task.receipt == note.receipt == "00T000000000001AAA"  # the example of the description

    def test_composite(self, client: SalesforceClient, prism: Prism) -> None:
        """Two in one call: the mock names none of them in its answer, so that they are in doubt; the call itself was taken."""
        results = client.write([NoteWrite("m-3", LEAD, "One"), NoteWrite("m-4", LEAD, "Two")])
        assert all(isinstance(result.error, Retriable) for result in results)

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("PATCH", "composite/sobjects", {"allOrNone": False, "records": []}),
            ("PATCH", "composite/sobjects", {"allOrNone": False, "records": [{"id": LEAD}]}),
            ("PATCH", "composite/sobjects", {"allOrNone": False, "records": [{"attributes": {"type": "Lead"}}] * 201}),
            (
                "POST",
                "composite",
                {"compositeRequest": [{"method": "GET", "url": "https://elsewhere.example/", "referenceId": "a"}]},
            ),
            ("POST", "sobjects/Task", {}),
        ],
    )
    def test_malformed_is_refused(self, prism: Prism, method: str, path: str, body: Mapping[str, Any]) -> None:
        headers = {"authorization": "Bearer x"}
        url = f"{prism.url}/services/data/v64.0/{path}"
        assert httpx.request(method, url, json=body, headers=headers, trust_env=False).status_code == 422
        assert httpx.request(method, url, json=body, trust_env=False).status_code in (401, 422)


# --- the door


def test_a_guessed_secret_is_refused(bench: Bench) -> None:
    one = ADAPTER.receiver(ConnectionSettings(name="crm", **bench.crm.connection(bench.url)), "")
    body = bench.crm.message([bench.crm.make_lead(**PERSON)])
    assert one.verify(deliver(body), START) is False
    for wrong in ("", "guess", SECRET[:-1], f"{SECRET}x"):
        with pytest.raises(BadSignature):
            one.verify(deliver(body, wrong), START)


def test_a_hundred_notifications(bench: Bench) -> None:
    leads = [bench.crm.make_lead(**PERSON, title=str(number)) for number in range(100)]
    one = ADAPTER.receiver(ConnectionSettings(name="crm", **bench.crm.connection(bench.url)), "")
    events = one.events(deliver(bench.crm.message(leads)))
    assert [event.external_id for event in events] == leads
    assert len({event.event_key for event in events}) == 100


def test_the_same_notification_again_has_the_same_key() -> None:
    body = (Path(__file__).parents[1] / "fixtures/salesforce/message__one_sobject_twice.txt").read_bytes()
    first, second = receiver().events(deliver(body))
    alone = receiver().events(deliver(body.replace(b"2026-11-20T10:00:00", b"2026-11-20T11:11:11")))
    assert [event.event_key for event in alone] == [first.event_key, second.event_key]


# --- reading


def test_soql_takes_no_orders_from_values(bench: Bench) -> None:
    """A marker with quotes and backslashes in it is a marker."""
    one = bench.crm.make_lead(**PERSON, owner_id=bench.crm.owners[0])
    marker = "m' OR Id != '' \\' \n"
    task = TaskWrite(marker, one, bench.crm.owners[0], "Call", "Now", START)
    assert bench.write(replace(task, marker="other")).ok
    assert bench.write(task, in_doubt=True).ok
    assert bench.write(task, in_doubt=True).ok
    assert len(bench.crm.see(one).tasks) == 2


def test_ids_of_15_and_of_18_characters_are_one_record(bench: Bench) -> None:
    one = bench.crm.make_lead(**PERSON)
    assert [change.external_id for change in bench.client.read_leads([one[:15]])] == [one]
    assert bench.write(LeadWrite(one[:15], bench.crm.owners[0][:15])).changed == ("owner_id",)
    assert bench.write(LeadWrite(one, bench.crm.owners[0])).changed == ()


def test_query_more(bench: Bench) -> None:
    """Users come in pages that Salesforce sizes as it likes."""
    for number in range(450):
        values = {"Name": f"Rep {number}", "IsActive": True, "UserType": "Standard", "UserRole.Name": None}
        bench.crm.org.insert("User", values, bench.crm.org.user)
    owners = list(bench.client.owners())
    assert len(owners) == len({one.external_id for one in owners}) == 454
    assert bench.crm.org.user not in {one.external_id for one in owners}, "the integration user is no rep"
    assert {one.name for one in owners if not one.active} == {"Dan Gone"}


def test_backfill_resumes(bench: Bench) -> None:
    leads = [bench.crm.make_lead(**PERSON, title=str(number)) for number in range(450)]
    pages = list(bench.client.backfill())
    assert list(dict.fromkeys(change.external_id for page in pages for change in page.leads)) == leads
    assert (pages[0].total, pages[-1].cursor) == (450, None)
    rest = [change.external_id for page in bench.client.backfill(pages[0].cursor) for change in page.leads]
    assert list(dict.fromkeys(rest)) == leads[200:]


def test_dated_history(bench: Bench) -> None:
    """Lost since the status said so without a break; won with the opportunity; calls and meetings at their moments."""
    org, person = bench.crm.org, bench.crm.owners[0]
    lost, won, open_lead = (bench.crm.make_lead(**PERSON, title=str(number)) for number in range(3))
    moments = []
    for status in ("Closed - Not Converted", "Working - Contacted", "Closed - Not Converted"):
        bench.clock.move(3600)
        moments.append(bench.clock.now())
        org.update("Lead", lost, {"Status": status}, person)
    org.insert("Task", {"WhoId": lost, "IsClosed": True, "TaskSubtype": "Call", "CompletedDateTime": org.stamp()}, person)
    org.insert("Task", {"WhoId": lost, "IsClosed": False, "TaskSubtype": "Call"}, person)
    org.insert("Event", {"WhoId": open_lead}, person)
    org.convert(won, person, "A deal", "Closed - Converted")
    bench.clock.move(3600)
    (deal,) = org.tables["Opportunity"].values()
    deal |= {"IsClosed": True, "IsWon": True, "Amount": 900.0, "LastStageChangeDate": org.stamp()}
    page = bench.page()
    assert dict(page.outcomes) == {lost: (Outcome.LOST, moments[2]), won: (Outcome.WON, bench.clock.now())}
    assert {(act.external_id, act.kind, act.occurred_at) for act in page.engagements} == {
        (lost, EngagementKind.CONTACTED, moments[2]),
        (open_lead, EngagementKind.MEETING_BOOKED, moments[2]),
    }
    facts = {change.external_id: change.fields for change in page.leads}  # the last of each is how it is now
    assert (facts[won]["lifecycle_stage"], facts[won]["deal_amount"]) == ("customer", 900.0)


def test_who_a_lead_was_when_it_was_made(bench: Bench) -> None:
    """So that a past lead is not a stranger until its last change, and knows nothing of what was found out later."""
    org, person = bench.crm.org, bench.crm.owners[0]
    one = bench.crm.make_lead(**PERSON, title="Ensign")
    made_at = bench.clock.now()
    bench.clock.move(3600)
    later = {"Title": "Commander", "NumberOfEmployees": 120, "AnnualRevenue": 5.0, "Description": "Called twice"}
    org.update("Lead", one, later, person)
    bench.clock.move(3600)
    org.update("Lead", one, {"Title": "Rear admiral"}, person)
    made, now = bench.page().leads
    assert (made.occurred_at, now.occurred_at) == (made_at, bench.clock.now())
    assert dict(made.fields) == {**PERSON, "title": "Ensign"}
    found_out = {"title": "Rear admiral", "employees": 120, "revenue": 5.0, "message": "Called twice"}
    assert found_out.items() <= dict(now.fields).items()
    (page,) = bench.client.changed_since(made_at)
    assert len(page.leads) == 1


def test_histories_of_a_page_cost_one_call(bench: Bench) -> None:
    for number in range(30):
        bench.crm.make_lead(**PERSON, title=str(number))
    before = dict(bench.crm.api.calls)
    bench.page()
    made = {name: count - before.get(name, 0) for name, count in bench.crm.api.calls.items() if count != before.get(name, 0)}
    assert made == {"GET query": 3, "POST composite": 1}  # the leads, their number, and what the org keeps the history of


def test_a_hidden_field_is_left_out_and_refuses_nothing(bench: Bench) -> None:
    one = bench.crm.make_lead(**PERSON)
    client = bench.connect(extra_fields=["Not_There__c"])
    assert client.read_leads([one])[0].fields["first_name"] == "Grace"


def test_the_leads_of_a_queue_have_no_owner(bench: Bench) -> None:
    one = bench.crm.make_lead(**PERSON)
    (change,) = bench.client.read_leads([one])
    assert (change.fields["owner_id"], change.extra["queue_id"]) == (None, bench.crm.org.queue)
    bench.write(LeadWrite(one, bench.crm.owners[0]))
    assert bench.write(LeadWrite(one, "")).changed == ("owner_id",)
    assert bench.crm.see(one).owner_id is None


# --- writing


@pytest.mark.parametrize(
    ("code", "sort", "says"),
    [
        ("UNABLE_TO_LOCK_ROW", Retriable, "UNABLE_TO_LOCK_ROW"),
        ("ENTITY_IS_LOCKED", Retriable, "ENTITY_IS_LOCKED"),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", Configuration, "validation rule"),
        ("DUPLICATES_DETECTED", Configuration, "duplicate rule"),
        ("INSUFFICIENT_ACCESS_OR_READONLY", Configuration, "share the records"),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", Configuration, "trigger or flow"),
        ("REQUIRED_FIELD_MISSING", Configuration, "Country__c"),
        ("SOMETHING_NEW", Fatal, "SOMETHING_NEW"),
    ],
)
def test_row_errors_are_sorted_and_name_nobody(bench: Bench, code: str, sort: type[LeadswitchError], says: str) -> None:
    one = bench.crm.make_lead(**PERSON)
    bench.refuse(code, "Country__c")
    error = bench.write(LeadWrite(one, bench.crm.owners[0])).error
    assert type(error) is sort
    assert says in str(error)
    assert "grace" not in str(error)
    assert "\n" not in str(error)


def test_an_inactive_owner_is_named_to_the_admin(bench: Bench) -> None:
    one = bench.crm.make_lead(**PERSON)
    gone = next(user["Id"] for user in bench.crm.org.tables["User"].values() if not user["IsActive"])
    error = bench.write(LeadWrite(one, gone)).error
    assert isinstance(error, Configuration)
    assert "roster" in error.mend


def test_the_assignment_rule_does_not_take_the_lead_away_again(bench: Bench) -> None:
    one = bench.crm.make_lead(**PERSON)
    assert bench.write(LeadWrite(one, bench.crm.owners[1])).ok
    assert bench.crm.see(one).owner_id == bench.crm.owners[1]


def test_the_status_moves_along_the_picklist_and_never_back(bench: Bench) -> None:
    one = bench.crm.make_lead(**PERSON)
    assert bench.write(LeadWrite(one, lead_status="connected")).changed == ("lead_status",)
    assert bench.write(LeadWrite(one, lead_status="open")).changed == ()
    assert bench.write(LeadWrite(one, lead_status="unqualified")).changed == ("lead_status",)
    assert bench.crm.org.tables["Lead"][one]["Status"] == "Closed - Not Converted"


def test_a_converted_lead_is_left_and_its_contact_gets_task_and_note(bench: Bench) -> None:
    owner = bench.crm.owners[0]
    one = bench.crm.make_lead(**PERSON, owner_id=owner)
    deal = DealWrite("d-1", one, owner, "Navy & <Sons>", Decimal("1200.50"), "EUR")
    made = bench.write(deal)
    assert made.error is None
    (opportunity,) = bench.crm.org.tables["Opportunity"].values()
    assert made.receipt == opportunity["Id"]
    assert (opportunity["Name"], opportunity["Amount"], opportunity["Leadswitch_Marker__c"]) == ("Navy & <Sons>", 1200.5, "d-1")
    before = bench.crm.changes
    assert bench.write(replace(deal, marker="d-2", amount=Decimal(9))).receipt == opportunity["Id"]
    skipped = bench.write(LeadWrite(one, bench.crm.owners[1], 50))
    assert isinstance(skipped.error, Skippable)
    assert "converted" in str(skipped.error)
    assert bench.crm.changes == before
    assert bench.write(TaskWrite("m-1", one, owner, "Call", "Now", START)).ok
    assert bench.write(NoteWrite("m-2", one, "Asked for a price")).ok
    contact = bench.crm.org.tables["Lead"][one]["ConvertedContactId"]
    assert [task["WhoId"] for task in bench.crm.org.tables["Task"].values()] == [contact]
    assert [note["ParentId"] for note in bench.crm.org.tables["Note"].values()] == [contact]
    (lead,) = bench.client.read_leads([one])
    assert lead.fields["lifecycle_stage"] == "opportunity"


def test_a_lead_of_a_queue_is_not_converted_without_an_owner(bench: Bench) -> None:
    one = bench.crm.make_lead(**PERSON)
    assert isinstance(bench.write(DealWrite("d-1", one, None, "A deal")).error, Configuration)
    assert bench.crm.see(one).deals == []


def test_a_deleted_lead_is_skipped(bench: Bench) -> None:
    one, other = (bench.crm.make_lead(**PERSON, title=str(number)) for number in range(2))
    del bench.crm.org.tables["Lead"][one]
    gone, there = bench.client.write([LeadWrite(one, score=5), LeadWrite(other, score=5)])
    assert isinstance(gone.error, Skippable)
    assert there.ok


def test_many_tasks_go_together_and_one_bad_one_fails_alone(bench: Bench) -> None:
    owner = bench.crm.owners[0]
    leads = [bench.crm.make_lead(**PERSON, title=str(number)) for number in range(60)]
    writes = [TaskWrite(f"m-{number}", one, owner, "Call", "Now", START) for number, one in enumerate(leads)]
    writes[31] = replace(writes[31], owner_id=bench.crm.unknown_owner)
    results = bench.client.write(writes)
    assert [number for number, result in enumerate(results) if not result.ok] == [31]
    assert bench.crm.api.calls["POST composite"] == 3
    assert len(bench.crm.org.tables["Task"]) == 59


def test_a_task_that_a_person_finished_is_left(bench: Bench) -> None:
    owner, other = bench.crm.owners[:2]
    one = bench.crm.make_lead(**PERSON, owner_id=owner)
    task = TaskWrite("m-1", one, owner, "Call", "Now", START)
    made = bench.write(task)
    bench.crm.org.update("Task", made.receipt, {"Status": "Completed"}, owner)
    assert bench.write(replace(task, owner_id=other, made_as=made.receipt)).changed == ()
    later = replace(task, due_at=START + timedelta(days=3), made_as="00T000000000999")
    assert isinstance(bench.write(later).error, Skippable)


# --- the weather


def test_session_expired_http401_is_renewed_once(bench: Bench) -> None:
    one = bench.crm.make_lead(**PERSON)
    bench.client.read_leads([one])
    bench.crm.expire_tokens()
    given = bench.crm.api.given
    assert len(bench.client.read_leads([one])) == 1
    assert bench.crm.api.given == given + 1
    assert bench.tokens["crm"]["access_token"] == f"00D!{given + 1}"


def test_a_session_that_expired_is_renewed_for_soap_too(bench: Bench) -> None:
    owner = bench.crm.owners[0]
    one = bench.crm.make_lead(**PERSON, owner_id=owner)
    bench.client.read_leads([one])
    bench.crm.expire_tokens()
    assert bench.write(DealWrite("d-1", one, owner, "A deal")).ok


def test_rate_limit_http403_is_handed_back_to_the_queue(bench: Bench) -> None:
    bench.client.read_leads([LEAD])
    bench.crm.knobs.too_many = 1
    for _ in range(2):  # and nobody asks again before
        with pytest.raises(Retriable) as caught:
            bench.client.read_leads([LEAD])
        assert caught.value.delay_s == pytest.approx(LIMIT_PAUSE_S, abs=1)
    assert bench.crm.impatient == 0


def test_the_last_calls_of_the_day_are_kept_for_live_leads(bench: Bench) -> None:
    one = bench.crm.make_lead(**PERSON)
    bench.crm.api.used = 95_000  # of 100,000
    assert len(bench.client.read_leads([one])) == 1
    for _ in range(3):
        with pytest.raises(Retriable) as caught:
            bench.client.write([LeadWrite(one, score=5)])
        assert caught.value.delay_s == pytest.approx(LIMIT_PAUSE_S, abs=1)
    assert len(bench.client.read_leads([one])) == 1
    bench.crm.api.used = 50_000  # a day later
    bench.clock.move(LIMIT_PAUSE_S)
    assert bench.write(LeadWrite(one, score=5)).ok


def test_a_refresh_token_does_as_well(bench: Bench) -> None:
    one = bench.crm.make_lead(**PERSON)
    bench.tokens.clear()
    client = bench.connect(client_secret=None, username="", refresh_token=SecretStr(REFRESH_TOKEN))
    assert len(client.read_leads([one])) == 1
    assert bench.tokens["crm"]["refresh_token"] == REFRESH_TOKEN


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"username": "stranger@example.com"}, "Pre-authorise"),
        ({"client_secret": SecretStr("-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----")}, "openssl"),
        ({"client_secret": None}, "no credentials"),
        ({"base_url": ""}, "My Domain"),
        ({"queue_id": "short"}, "queue_id"),
        ({"statuses": {"hot": "Hot"}}, "statuses"),
        ({"fields": {"X__c": "no_such"}}, "fields"),
        ({"api_version": "latest"}, "api_version"),
    ],
)
def test_what_is_wrong_with_the_connection_is_named(bench: Bench, changes: Mapping[str, Any], says: str) -> None:
    bench.tokens.clear()
    with pytest.raises(Configuration, match=says) as caught:
        bench.connect(**changes).read_leads([LEAD])
    assert "BEGIN" not in str(caught.value)


# --- set-up


def test_check_says_how_to_mend_each() -> None:
    crm = SalesforceStandIn(StandingClock(START))
    with serve(crm.app) as url:
        one = Bench(crm, url)
        client = one.connect(user_id=None, organization_id="00D000000000009", statuses={"open": "New"})
        failed = {result.name: result for result in client.check() if not result.ok}
        assert set(failed) == {
            "user_id",
            "organization_id",
            "fields of Lead",
            "fields of Task",
            "fields of Opportunity",
            "lead statuses",
        }
        assert crm.org.user in failed["user_id"].mend
        assert "00D000000000001EAA" in failed["organization_id"].mend
        assert all("--mend" in failed[f"fields of {thing}"].mend for thing in ("Lead", "Task", "Opportunity"))
        assert "statuses" in failed["lead statuses"].mend
        crm.api.used = 99_000
        assert not {result.name: result for result in client.check()}["daily calls"].ok
        crm.knobs.too_many = 1
        (refused,) = client.check()
        assert not refused.ok
        one.close()


def test_a_missing_field_is_a_configuration_error() -> None:
    crm = SalesforceStandIn(StandingClock(START))
    with serve(crm.app) as url:
        one = Bench(crm, url)
        with pytest.raises(Configuration, match="--mend"):
            one.client.write([LeadWrite(LEAD, score=5)])
        one.close()


def test_a_field_that_is_there_but_hidden_is_granted(bench: Bench) -> None:
    bench.crm.org.tables["FieldPermissions"].clear()
    assert not all(result.ok for result in bench.client.check())
    before = len(bench.crm.org.tables["CustomField"])
    assert all(result.ok for result in bench.client.prepare())
    assert len(bench.crm.org.tables["CustomField"]) == before
    assert all(result.ok for result in bench.client.check())


def test_record_url(bench: Bench) -> None:
    assert bench.client.record_url(LEAD) == f"{bench.url}/{LEAD}"
    assert bench.client.record_url("no id") is None


@pytest.mark.needs_shared
def test_a_composite_that_was_rolled_back_is_not_taken_for_done(shared_dir: Path) -> None:
    """HTTP 200 around parts that were all refused."""
    sample = json.loads((shared_dir / "contracts/salesforce/rest-samples/composite_response_http200_rolled_back.json").read_text())
    sorts = [type(sort_refusal(read_errors(part["body"]), "a row")) for part in sample["compositeResponse"]]
    assert sorts == [Retriable, Fatal]
