"""The whole way through every CRM: its stand-in tells, the house listens, decides and writes back over real sockets.

It runs over every stand-in of `tests.standins`, and every CRM adapter must have one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from connector import testing
from connector.bootstrap import House
from connector.errors import LeadswitchError, Retriable
from connector.pipeline import backfill, reconcile
from connector.pipeline.ingest import ingest
from connector.ports import CrmClient, CrmWrite, DealWrite, LeadWrite, NoteWrite, TaskWrite, Written
from connector.registry import adapters
from connector.storage.models import Inbox
from connector.testing import StandingClock, run_bells
from leads.enums import DecisionOutcome, Tier
from tests.standins import Knobs, StandIn, open_stand_in, serve, stand_in_names
from webhooks.app import create_app

CRM = "crm"
START = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
#: How far the clock moves between one person's deed and the next: further than any CRM's stamps are coarse.
STEP_S = 120.0


@dataclass
class Journey:
    """A house, the CRM that it is connected to, and the way by which the CRM's notices come in."""

    stand_in: StandIn
    house: House
    clock: StandingClock
    web: TestClient

    @property
    def client(self) -> CrmClient:
        client = self.house.client(CRM)
        assert client is not None
        return client

    @property
    def knobs(self) -> Knobs:
        return self.stand_in.knobs

    def hear(self) -> int:
        """Let every notice that waits come in by the front door and be worked off, with all that follows; returns how many."""
        notices = self.stand_in.take_notices()
        for notice in notices:
            answer = self.web.request(notice.method, f"/webhooks/{CRM}{notice.path}", content=notice.body, headers=notice.headers)
            assert answer.status_code == 200, answer.text
        with self.house.db.connected():
            waiting = [row.id for row in Inbox.select(Inbox.id).where(Inbox.state == "pending")]
        ingest(self.house, waiting)
        run_bells(self.house)
        self.clock.move(STEP_S)
        return len(notices)

    def settle(self) -> None:
        """Until the CRM has nothing to tell any more: what comes back of our own writes must not go round."""
        for _ in range(5):
            if not self.hear():
                return
        pytest.fail("the CRM and the house keep answering each other", pytrace=False)

    def lead_id(self, external_id: str) -> int:
        found = self.house.leads.find_external(CRM, external_id)
        assert found is not None, "the lead was not taken in"
        return found

    def decisions(self, external_id: str) -> list[DecisionOutcome]:
        return [decision.outcome for decision in self.house.decisions.of_lead(self.lead_id(external_id))]

    def owner(self, external_id: str) -> str | None:
        """The owner by our books, in the CRM's id."""
        lead = self.house.leads.get(self.lead_id(external_id))
        rep = self.house.reps.get(lead.owner_id) if lead and lead.owner_id else None
        return rep.external_id if rep else None

    def write(self, *writes: CrmWrite, in_doubt: bool = False) -> Sequence[Written]:
        """What came of a write; an error of the whole batch is one of each."""
        try:
            return self.client.write(writes, in_doubt=in_doubt)
        except LeadswitchError as error:
            return [Written(False, error=error)] * len(writes)


@pytest.fixture(params=stand_in_names())
def journey(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journey]:
    clock = StandingClock(START)
    stand_in = open_stand_in(request.param, clock)
    with serve(stand_in.app) as address:
        table = {"name": CRM, **stand_in.connection(address)}
        house = testing.house(tmp_path, clock=clock, connections={CRM: table}, policy=str(tmp_path / "policy.toml"))
        house.db.raw.pragma("synchronous", "off", permanent=True)  # no test pulls the plug
        assert all(result.ok for result in _client(house).prepare())
        house.reps.sync(CRM, _client(house).owners())
        with TestClient(create_app(house), base_url=house.settings.public_url) as web:
            yield Journey(stand_in, house, clock, web)
        house.close()


def _client(house: House) -> CrmClient:
    client = house.client(CRM)
    assert client is not None
    return client


def person(number: int) -> dict[str, str]:
    """Somebody unlike all the others."""
    name = "".join(chr(ord("a") + int(digit)) for digit in f"{number * 7919 % 100_000:05}")
    return {
        "email": f"{name}@{name[::-1]}-works.example",
        "first_name": name.title(),
        "last_name": f"{name[::-1].title()}son",
        "company": f"{name[::-1].title()} Works",
    }


def task(external_id: str, owner_id: str, marker: str) -> TaskWrite:
    due_at = START + timedelta(days=2)
    return TaskWrite(marker, external_id, owner_id, "Follow up", "A hot one", due_at, "high")


def test_every_crm_has_a_stand_in() -> None:
    assert {name for name, one in adapters().items() if one.kind == "crm"} == set(stand_in_names())


def test_all_is_well_with_the_connection(journey: Journey) -> None:
    """After `--mend` nothing is missing, and mending again changes nothing."""
    assert [result for result in journey.client.check() if not result.ok] == []
    before = journey.stand_in.changes
    assert all(result.ok for result in journey.client.prepare())
    assert journey.stand_in.changes == before


def test_from_the_first_backfill_to_a_persons_own_choice(journey: Journey) -> None:
    stand_in, house = journey.stand_in, journey.house
    old = [stand_in.make_lead(**person(number)) for number in range(1, 4)]
    stand_in.take_notices()  # made before the webhooks were set up
    journey.clock.move(STEP_S)
    report = backfill.run(house, CRM)
    assert report.leads == 3
    assert report.owners >= len(stand_in.owners), "deactivated people are known too"
    assert all(journey.decisions(one) == [] for one in old), "history is not routed"

    fresh = stand_in.make_lead(**person(4))
    assert journey.hear() > 0
    seen = stand_in.see(fresh)
    assert seen.owner_id in stand_in.owners
    assert seen.owner_id == journey.owner(fresh)
    assert seen.score is not None
    assert seen.tier in ("a", "b", "c", "d")
    assert seen.reasons
    assert [one.owner_id for one in seen.tasks] == [seen.owner_id]

    before = stand_in.changes
    journey.settle()
    assert stand_in.changes == before, "the echo of our own write changes nothing"
    assert journey.decisions(fresh) == [DecisionOutcome.ASSIGNED]

    other = next(one for one in stand_in.owners if one != seen.owner_id)
    stand_in.edit_lead(fresh, owner_id=other)
    journey.settle()
    assert journey.owner(fresh) == other
    assert stand_in.see(fresh).owner_id == other, "a person's choice stands"
    assert journey.decisions(fresh)[-1] is DecisionOutcome.OVERRIDDEN
    assert [one.owner_id for one in stand_in.see(fresh).tasks] == [other], "the task moves along and is not doubled"


def test_a_lead_without_a_company_goes_to_the_owner_of_the_company_of_its_domain(journey: Journey) -> None:
    stand_in = journey.stand_in
    policy = journey.house.settings.home / "policy.toml"
    policy.write_text('[teams.sales]\nreps = ["*"]\n[owners]\norder = ["existing", "account"]\n')
    journey.house.policy_shelf.look_again()
    owner = stand_in.owners[1]
    stand_in.make_company("Acme Works", "https://www.acme-works.com/start", owner)
    stand_in.make_company("Zenith", "zenith.com", stand_in.owners[2])
    stand_in.take_notices()
    backfill.run(journey.house, CRM)
    leads = [stand_in.make_lead(**nameless(stand_in, number), email=f"ann{number}@acme-works.com") for number in range(1, 4)]
    journey.settle()
    assert [stand_in.see(one).owner_id for one in leads] == [owner] * 3
    assert journey.house.accounts.count(CRM) == 2


def nameless(stand_in: StandIn, number: int) -> dict[str, str]:
    """Somebody who says nothing of a company; Salesforce wants something there."""
    said = {name: value for name, value in person(number).items() if name in ("first_name", "last_name")}
    return {**said, "company": "-"} if stand_in.adapter == "salesforce" else said


def test_a_change_of_a_known_lead_is_taken_over(journey: Journey) -> None:
    one = journey.stand_in.make_lead(**person(1))
    journey.settle()
    journey.stand_in.edit_lead(one, first_name="Renamed")
    journey.settle()
    lead = journey.house.leads.get(journey.lead_id(one))
    assert lead is not None
    assert lead.fields["first_name"] == "Renamed"
    assert journey.decisions(one) == [DecisionOutcome.ASSIGNED]


def test_lost_doubled_and_disordered_webhooks_route_every_lead_once(journey: Journey) -> None:
    stand_in = journey.stand_in
    reconcile.reconcile(journey.house, CRM)
    journey.knobs.drop, journey.knobs.double, journey.knobs.shuffle = 0.2, True, True
    leads = [stand_in.make_lead(**person(number)) for number in range(1, 41)]
    journey.hear()
    unheard = [one for one in leads if journey.house.leads.find_external(CRM, one) is None]
    report = reconcile.reconcile(journey.house, CRM)
    run_bells(journey.house)
    assert report.recovered == len(unheard) > 0, "reconcile finds what no webhook told"
    journey.knobs.drop = 0.0
    journey.settle()
    assert [journey.decisions(one) for one in leads] == [[DecisionOutcome.ASSIGNED]] * len(leads)
    for one in leads:
        seen = stand_in.see(one)
        assert seen.owner_id == journey.owner(one)
        assert len(seen.tasks) == 1
    before = stand_in.changes
    assert reconcile.reconcile(journey.house, CRM).recovered == 0
    run_bells(journey.house)
    assert stand_in.changes == before


def test_reconcile_resumes_and_ends_among_equal_stamps(journey: Journey) -> None:
    """More leads than a page holds share one stamp: each comes once, and from any cursor the rest does."""
    leads = {journey.stand_in.make_lead(**person(number)) for number in range(1, 251)}
    since = journey.clock.now() - timedelta(minutes=5)
    pages = list(journey.client.changed_since(since))
    met = [change.external_id for page in pages for change in page.leads]
    assert set(met) == leads
    assert len(met) == len(leads)
    assert all(page.cursor for page in pages)
    moment, _, after_id = str(pages[0].cursor).partition(":")
    at = datetime.fromtimestamp(int(moment) / 1000, UTC)
    rest = {change.external_id for page in journey.client.changed_since(at, after_id or None) for change in page.leads}
    assert rest == set(met[len(pages[0].leads) :])


def test_notes_and_deals_are_made_once(journey: Journey) -> None:
    stand_in = journey.stand_in
    one = stand_in.make_lead(**person(1), owner_id=stand_in.owners[0])
    writes: list[CrmWrite] = [
        NoteWrite("note-1", one, "Asked for a price"),
        DealWrite("deal-1", one, stand_in.owners[0], "A new deal", Decimal("1200.50")),
    ]
    results = journey.write(*writes)
    assert [result.error for result in results] == [None, None]
    assert all(result.receipt for result in results)
    seen = stand_in.see(one)
    assert ["Asked for a price" in note for note in seen.notes] == [True]
    assert list(seen.deals) == ["A new deal"]
    again = journey.write(*writes, in_doubt=True)
    assert [result.error for result in again] == [None, None]
    assert (len(stand_in.see(one).notes), list(stand_in.see(one).deals)) == (1, ["A new deal"])


@pytest.mark.parametrize("kind", [TaskWrite, NoteWrite, DealWrite])
def test_a_lost_answer_makes_nothing_twice(journey: Journey, kind: type[CrmWrite]) -> None:
    stand_in = journey.stand_in
    owner = stand_in.owners[0]
    one = stand_in.make_lead(**person(1), owner_id=owner)
    made: dict[type[CrmWrite], CrmWrite] = {
        TaskWrite: task(one, owner, "m-1"),
        NoteWrite: NoteWrite("m-2", one, "Asked for a price"),
        DealWrite: DealWrite("m-3", one, owner, "A new deal"),
    }
    journey.knobs.lose_answers = 1
    (lost,) = journey.write(made[kind])
    assert journey.knobs.lose_answers == 0
    assert not lost.ok
    assert isinstance(lost.error, Retriable)
    journey.clock.move(STEP_S)
    (found,) = journey.write(made[kind], in_doubt=True)
    assert found.error is None
    assert found.receipt
    seen = stand_in.see(one)
    assert len(seen.tasks) + len(seen.notes) + len(seen.deals) == 1


def test_a_task_follows_the_lead_to_its_new_owner(journey: Journey) -> None:
    first, second = journey.stand_in.owners[:2]
    one = journey.stand_in.make_lead(**person(1), owner_id=first)
    (made,) = journey.write(task(one, first, "m-1"))
    assert made.receipt
    (moved,) = journey.write(replace(task(one, second, "m-1"), made_as=made.receipt))
    assert moved.error is None
    assert moved.changed == ("owner_id",)
    assert [seen.owner_id for seen in journey.stand_in.see(one).tasks] == [second]


def test_what_is_equal_already_is_not_written(journey: Journey) -> None:
    one = journey.stand_in.make_lead(**person(1))
    wanted = LeadWrite(one, journey.stand_in.owners[0], 87, Tier.A, "opened twice", "round robin")
    (first,) = journey.write(wanted)
    assert first.error is None
    assert set(first.changed) >= {"owner_id", "score", "tier", "reasons"}
    before = journey.stand_in.changes
    (second,) = journey.write(wanted)
    assert (second.error, second.changed) == (None, ())
    assert journey.stand_in.changes == before
    assert journey.stand_in.see(one).score == 87


def test_the_stage_is_never_moved_backwards(journey: Journey) -> None:
    one = journey.stand_in.make_lead(**person(1), lifecycle_stage="opportunity")
    before = journey.stand_in.see(one).stage
    (written,) = journey.write(LeadWrite(one, stage="mql"))
    assert (written.error, written.changed) == (None, ())
    assert journey.stand_in.see(one).stage == before


def test_one_bad_row_fails_alone(journey: Journey) -> None:
    stand_in = journey.stand_in
    leads = [stand_in.make_lead(**person(number)) for number in range(1, 13)]
    writes = [LeadWrite(one, stand_in.owners[number % 3], 50) for number, one in enumerate(leads)]
    writes[7] = replace(writes[7], owner_id=stand_in.unknown_owner)
    results = journey.write(*writes)
    assert [number for number, result in enumerate(results) if not result.ok] == [7]
    assert results[7].error is not None
    assert not isinstance(results[7].error, Retriable), "trying again gives the same answer"
    for number, one in enumerate(leads):
        assert (stand_in.see(one).owner_id == stand_in.owners[number % 3]) is (number != 7)


def test_a_call_too_many_is_not_repeated_before_its_time(journey: Journey) -> None:
    one = journey.stand_in.make_lead(**person(1))
    journey.client.read_leads([one])
    journey.knobs.too_many = 1
    for _ in range(20):
        try:
            found = journey.client.read_leads([one])
            break
        except Retriable as error:
            journey.clock.move(60.0 if error.delay_s is None else error.delay_s)
    else:
        pytest.fail("the CRM lets nobody in again", pytrace=False)
    assert [change.external_id for change in found] == [one]
    assert journey.knobs.too_many == 0
    assert journey.stand_in.impatient == 0


def test_an_expired_token_is_renewed(journey: Journey) -> None:
    one = journey.stand_in.make_lead(**person(1))
    assert len(journey.client.read_leads([one])) == 1
    journey.stand_in.expire_tokens()
    assert len(journey.client.read_leads([one])) == 1
