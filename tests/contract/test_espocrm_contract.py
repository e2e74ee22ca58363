"""EspoCRM's traps against the stand-in, with each kind of credentials. It has no description for Prism: every address, parameter
and header was looked up in its documentation and public source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from connector.adapters.espocrm import ADAPTER
from connector.adapters.espocrm.client import EspoClient
from connector.budget import LocalBudget
from connector.errors import Configuration, Fatal, Skippable
from connector.ports import ClientContext, DealWrite, LeadWrite, NoteWrite, TaskWrite, Written
from connector.settings import ConnectionSettings
from connector.testing import StandingClock
from leads.enums import Outcome, Tier
from leads.records import AccountRecord
from tests.standins import serve
from tests.standins.espocrm import EspoStandIn
from tests.standins.espocrm.server import ADMIN, PASSWORD, SECRET_KEY

START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
CREDENTIALS: Mapping[str, Mapping[str, Any]] = {
    "api key": {},
    "hmac": {"client_secret": SecretStr(SECRET_KEY)},
    "administrator": {"client_id": SecretStr(ADMIN), "token": SecretStr(PASSWORD)},
}


class NoTokens:
    def load(self, connection: str) -> None:
        return None

    def save(self, connection: str, tokens: Mapping[str, Any]) -> None:
        raise AssertionError("an API key is never refreshed")


class Bench:
    """One stand-in, and clients of it."""

    def __init__(self, crm: EspoStandIn, url: str) -> None:
        self.crm, self.url, self.clock = crm, url, crm.clock
        self._open: list[EspoClient] = []
        self.client = self.connect()

    def connect(self, **changes: Any) -> EspoClient:
        settings = ConnectionSettings(name="crm", **{**self.crm.connection(self.url), **changes})
        budget = LocalBudget(lambda: self.clock.now().timestamp())
        client = ADAPTER.client(settings, ClientContext("crm", budget, self.clock, NoTokens(), "https://hooks.example.com"))
        assert isinstance(client, EspoClient)
        self._open.append(client)
        return client

    def write(self, *writes: Any, in_doubt: bool = False) -> Written:
        (one,) = self.client.write(writes, in_doubt=in_doubt)
        return one

    def row(self, external_id: str) -> dict[str, Any]:
        return self.crm.records.rows["Lead"][external_id]

    def close(self) -> None:
        for client in self._open:
            client.close()


@pytest.fixture
def crm() -> EspoStandIn:
    return EspoStandIn(StandingClock(START))


@pytest.fixture
def bench(crm: EspoStandIn) -> Iterator[Bench]:
    with serve(crm.app) as url:
        one = Bench(crm, url)
        yield one
        one.close()


def task(external_id: str, owner: str, **more: Any) -> TaskWrite:
    made = TaskWrite("m-1", external_id, owner, "Call <now> = today", "Hot", START + timedelta(hours=3), "high")
    return replace(made, **more)


# --- credentials and rights


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_each_kind_of_credentials(bench: Bench, kind: str) -> None:
    client = bench.connect(**CREDENTIALS[kind])
    one = bench.crm.make_lead(email="ada@example.com")
    assert [read.external_id for read in client.read_leads([one])] == [one]
    assert [result.error for result in client.write([LeadWrite(one, bench.crm.owners[0], 50)])] == [None]
    assert all(result.ok for result in client.check())


def test_every_company_with_its_domains_and_owner(bench: Bench, crm: EspoStandIn) -> None:
    for number in range(150):
        crm.make_company(f"Company {number}", "", crm.owners[0])
    told = {"emailAddress": "info@acme.de", "type": "Customer", "billingAddressCountry": "Germany"}
    acme = crm.make_company("Acme", "https://acme.com", crm.owners[1])
    crm.records.update("Account", acme, told, crm.admin)
    pages = list(bench.client.accounts())
    assert [len(page) for page in pages] == [100, 51]
    assert pages[1][-1] == AccountRecord(acme, "Acme", ("https://acme.com", "acme.de"), "Germany", crm.owners[1], True, START)
    assert pages[0][0].domains == ()


def test_a_role_without_companies_is_named(bench: Bench, crm: EspoStandIn) -> None:
    crm.api.rights["Account"] = {}
    with pytest.raises(Configuration):
        list(bench.client.accounts())


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_wrong_credentials_are_named(bench: Bench, kind: str) -> None:
    secret = "client_secret" if kind == "hmac" else "token"
    (credentials,) = bench.connect(**{**CREDENTIALS[kind], secret: SecretStr("guessed")}).check()
    assert not credentials.ok
    assert "guessed" not in f"{credentials.detail}{credentials.mend}"


def test_roles(bench: Bench) -> None:
    bench.crm.api.rights["Task"] = {"read": "all"}
    bench.crm.api.assignment = "team"
    rights = next(result for result in bench.client.check() if result.name == "rights of the role")
    assert not rights.ok
    assert "Task create" in rights.detail
    assert "Assignment Permission" in rights.detail
    one = bench.crm.make_lead()
    assert isinstance(bench.write(task(one, bench.crm.owners[0])).error, Configuration)


def test_403_with_its_reason_names_the_mend(bench: Bench) -> None:
    one = bench.crm.make_lead()
    refused = bench.write(LeadWrite(one, bench.crm.unknown_owner)).error
    assert isinstance(refused, Configuration)
    assert "Assignment Permission" in refused.mend


def test_a_deactivated_user_is_shown_to_administrators_alone(bench: Bench) -> None:
    assert {owner.external_id for owner in bench.client.owners()} == set(bench.crm.owners)
    shown = list(bench.connect(**CREDENTIALS["administrator"]).owners())
    assert [owner.active for owner in shown].count(False) == 1
    assert shown[0].teams == ("Inside",)


# --- fields


def test_only_an_administrator_makes_fields() -> None:
    crm = EspoStandIn(StandingClock(START), bare=True)
    with serve(crm.app) as url:
        bench = Bench(crm, url)
        (told,) = bench.client.prepare()
        assert not told.ok
        assert "cLeadswitchScore (int)" in told.mend
        missing = next(result for result in bench.client.check() if result.name == "fields of leads")
        assert not missing.ok
        one = crm.make_lead()
        ignored = bench.write(LeadWrite(one, score=50)).error
        assert isinstance(ignored, Configuration), "EspoCRM says 200 to a field that it does not know"
        assert "--mend" in ignored.mend
        (made,) = bench.connect(**CREDENTIALS["administrator"]).prepare()
        assert (made.ok, made.detail) == (True, "5 made")
        assert bench.write(LeadWrite(one, score=50)).changed == ("score",)
        bench.close()


def test_custom_fields_without_the_prefix() -> None:
    crm = EspoStandIn(StandingClock(START), bare=True)
    crm.api.prefix = ""
    with serve(crm.app) as url:
        bench = Bench(crm, url)
        (wrong,) = bench.connect(**CREDENTIALS["administrator"]).prepare()
        assert not wrong.ok
        assert "field_prefix" in wrong.mend
        assert all(result.ok for result in bench.connect(field_prefix="", **CREDENTIALS["administrator"]).prepare())
        bench.close()


def test_200_and_the_value_was_left_out(bench: Bench) -> None:
    """Field-level rights: what the role may not edit is dropped without a word."""
    one = bench.crm.make_lead()
    bench.crm.records.forbidden = {"assignedUserId"}
    written = bench.write(LeadWrite(one, bench.crm.owners[0], 50))
    assert isinstance(written.error, Configuration)
    assert "did not keep assignedUserId" in str(written.error)


def test_a_refused_value_names_the_field(bench: Bench) -> None:
    one = bench.crm.make_lead()
    error = bench.write(task(one, "")).error
    assert isinstance(error, Fatal)
    assert "assignedUserId is refused (required)" in str(error)


# --- reading


def test_more_than_200_a_page_is_403(bench: Bench) -> None:
    with pytest.raises(Configuration, match="recordListMaxSizeLimit"):
        bench.client._calls.list("Lead", [], limit=201)
    with pytest.raises(Configuration, match="page_size"):
        bench.connect(page_size=500)


def test_backfill_is_not_shifted_by_what_is_deleted_meanwhile(bench: Bench) -> None:
    leads = [bench.crm.make_lead() for _ in range(12)]
    client = bench.connect(page_size=5)
    pages = client.backfill()
    first = next(pages)
    assert first.total == 12
    bench.crm.records.delete("Lead", leads[0])
    rest = [change.external_id for page in pages for change in page.leads]
    assert rest == leads[5:]
    assert [change.external_id for page in client.backfill(first.cursor) for change in page.leads] == leads[5:]


def test_backfill_tells_what_was_done_when(bench: Bench) -> None:
    one, owner, insert = bench.crm.make_lead(), bench.crm.owners[0], bench.crm.records.insert
    parent = {"parentType": "Lead", "parentId": one}
    insert("Meeting", {**parent, "status": "Held", "dateStart": "2026-11-18 09:00:00"}, owner)
    insert("Meeting", {**parent, "status": "Planned", "dateStart": "2026-11-30 09:00:00"}, owner)
    insert("Call", {**parent, "status": "Not Held", "dateStart": "2026-11-17 09:00:00"}, owner)
    (page,) = bench.client.backfill()
    kinds = [act.kind.value for act in page.engagements]
    assert kinds == ["meeting_booked", "meeting_attended", "meeting_booked", "call_missed"]
    assert page.engagements[1].occurred_at == datetime(2026, 11, 18, 9, 0, tzinfo=UTC)
    assert {act.external_id for act in page.engagements} == {one}


def test_backfill_without_the_right_to_see_meetings(bench: Bench) -> None:
    bench.crm.make_lead()
    bench.crm.api.rights["Meeting"] = {}
    (page,) = bench.client.backfill()
    assert len(page.leads) == 1


def test_equal_seconds_in_changed_since(bench: Bench) -> None:
    leads = {bench.crm.make_lead() for _ in range(23)}
    bench.clock.move(1)
    leads |= {bench.crm.make_lead() for _ in range(3)}
    client = bench.connect(page_size=5)
    met = [change.external_id for page in client.changed_since(START - timedelta(minutes=1)) for change in page.leads]
    assert sorted(met) == sorted(leads)


def test_a_second_that_is_not_over_is_left_to_the_next_time(bench: Bench) -> None:
    client = bench.connect(reconcile_lag_s=5)
    bench.crm.make_lead()
    assert list(client.changed_since(START - timedelta(hours=1))) == []
    assert list(client.changed_since(START)) == []
    bench.clock.move(7)
    assert sum(len(page.leads) for page in client.changed_since(START - timedelta(hours=1))) == 1


def test_a_won_opportunity_does_not_touch_its_lead(bench: Bench) -> None:
    one, owner = bench.crm.make_lead(), bench.crm.owners[0]
    made = bench.write(DealWrite("d-1", one, owner, "A deal", Decimal(900)))
    bench.clock.move(3600)
    since = bench.clock.now()
    deal = {"stage": "Closed Won", "probability": 100}
    bench.crm.records.update("Opportunity", str(made.receipt), deal, owner)
    (page,) = bench.client.changed_since(since)
    assert page.outcomes == {one: (Outcome.WON, since)}
    assert page.cursor
    assert page.leads[0].fields["lifecycle_stage"] == "customer"
    assert page.leads[0].fields["deal_amount"] == 900
    assert page.leads[0].occurred_at == since, "newer than what is known of the lead"


def test_leads_without_the_right_to_read_opportunities(bench: Bench) -> None:
    one = bench.crm.make_lead()
    bench.row(one)["createdOpportunityId"] = "66a"
    bench.crm.api.rights["Opportunity"] = {}
    assert [read.external_id for read in bench.client.read_leads([one])] == [one]
    assert len(list(bench.client.changed_since(START - timedelta(hours=1)))) == 1


def test_dead_and_lost(bench: Bench) -> None:
    dead, lost = bench.crm.make_lead(), bench.crm.make_lead()
    assert bench.write(LeadWrite(dead, lead_status="unqualified")).changed == ("lead_status",)
    made = bench.write(DealWrite("d-1", lost, None, "A deal"))
    bench.crm.records.update("Opportunity", str(made.receipt), {"stage": "Closed Lost", "probability": 0}, bench.crm.owners[0])
    (page,) = bench.client.backfill()
    assert {lead: outcome for lead, (outcome, _) in page.outcomes.items()} == {dead: Outcome.LOST, lost: Outcome.LOST}
    assert bench.write(LeadWrite(lost, lead_status="unqualified")).changed == (), "a converted lead stays converted"
    assert bench.write(LeadWrite(dead, lead_status="open")).changed == ("lead_status",)
    assert bench.row(dead)["status"] == "New"


# --- writing


def test_names_may_not_hold_some_characters(bench: Bench) -> None:
    one = bench.crm.make_lead()
    assert bench.write(task(one, bench.crm.owners[0])).error is None
    assert bench.crm.see(one).tasks[0].subject == "Call now today"


def test_a_task_keeps_its_hour(bench: Bench) -> None:
    one = bench.crm.make_lead()
    bench.write(task(one, bench.crm.owners[0]))
    assert bench.crm.see(one).tasks[0].due_at == START + timedelta(hours=3)


def test_an_ended_task_is_left_alone(bench: Bench) -> None:
    one, (first, second) = bench.crm.make_lead(), bench.crm.owners[:2]
    made = bench.write(task(one, first))
    bench.crm.records.update("Task", str(made.receipt), {"status": "Completed"}, first)
    assert bench.write(task(one, second, made_as=made.receipt)).changed == ()
    bench.crm.records.delete("Task", str(made.receipt))
    assert isinstance(bench.write(task(one, second, made_as=made.receipt)).error, Skippable)


def test_409_on_duplicates_uses_what_is_there(bench: Bench) -> None:
    one = bench.crm.make_lead(email="ada@example.com", company="Acme", last_name="Love")
    account = bench.crm.records.insert("Account", {"name": "Acme"}, bench.crm.owners[0])
    contact = bench.crm.records.insert("Contact", {"emailAddress": "ada@example.com"}, bench.crm.owners[0])
    made = bench.write(DealWrite("d-1", one, bench.crm.owners[0], "A deal"))
    deal = bench.crm.records.rows["Opportunity"][str(made.receipt)]
    assert (deal["accountId"], deal["contactId"]) == (account["id"], contact["id"])
    assert len(bench.crm.records.rows["Contact"]) == 1, "nobody is made a second time"
    assert deal["closeDate"] == "2026-12-20"


def test_a_deal_without_the_right_is_named(bench: Bench) -> None:
    bench.crm.api.rights["Opportunity"] = {"read": "all"}
    error = bench.write(DealWrite("d-1", bench.crm.make_lead(), None, "A deal")).error
    assert isinstance(error, Configuration)
    assert "opportunities" in error.mend


def test_a_note_of_a_lead_that_is_gone(bench: Bench) -> None:
    assert isinstance(bench.write(NoteWrite("n-1", "66a", "Asked")).error, Configuration | Skippable)


def test_tier_and_reasons_as_people_read_them(bench: Bench) -> None:
    one = bench.crm.make_lead()
    bench.write(LeadWrite(one, tier=Tier.B, reasons="x" * 5_000))
    assert bench.row(one)["cLeadswitchTier"] == "B"
    assert len(bench.row(one)["cLeadswitchReasons"]) == 1_000
