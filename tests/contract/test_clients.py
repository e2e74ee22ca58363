"""What the outbound half of a CRM adapter must do in every weather, where its fixture folder holds a scripted server `standin.py`.

Every CRM adapter goes through `tests/functional/test_crm_journeys.py`, against a stand-in that keeps its vendor's rules."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from connector.budget import LocalBudget
from connector.errors import Configuration, Fatal, Retriable, Skippable
from connector.ports import ClientContext, CrmClient, LeadWrite, TaskWrite
from connector.registry import adapter, adapters
from leads.enums import EngagementKind, Outcome, Tier

FIXTURES = Path(__file__).parent.parent / "fixtures"
CRMS = sorted(name for name, one in adapters().items() if one.kind == "crm" and (FIXTURES / name / "standin.py").exists())
START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
BASE_MS = 1_795_000_000_000


class StillClock:
    """Time passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.moment = START
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)

    def seconds(self) -> float:
        return (self.moment - START).total_seconds()


class Tokens(dict[str, Mapping[str, Any]]):
    """A token store in memory."""

    def load(self, connection: str) -> Mapping[str, Any] | None:
        return self.get(connection)

    def save(self, connection: str, tokens: Mapping[str, Any]) -> None:
        self[connection] = tokens


class Bench:
    """One CRM's client, its stand-in and the services it was given."""

    def __init__(self, name: str, server: HTTPServer) -> None:
        spec = importlib.util.spec_from_file_location(f"standin_{name}", FIXTURES / name / "standin.py")
        assert spec is not None
        assert spec.loader is not None
        self.module: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.name = name
        self.crm: Any = self.module.StandIn(server)
        self.clock = StillClock()
        self.tokens = Tokens()
        self.budget = LocalBudget(self.clock.seconds)
        self._open: list[Any] = []
        self.client = self.connect()

    def connect(self, base_url: str | None = None, **changes: Any) -> CrmClient:
        """A client of its own, of a connection changed in this way."""
        settings = self.module.connection(base_url or self.crm.base_url).model_copy(update=changes)
        client = adapter(self.name).client(settings, ClientContext("crm", self.budget, self.clock, self.tokens))
        assert client is not None
        self._open.append(client)
        return client

    def close(self) -> None:
        for client in self._open:
            client.close()

    def check_message(self, error: object) -> None:
        """One line, without secrets and without anything about a person."""
        text = str(error)
        assert "\n" not in text
        for word in (*self.module.SECRETS, *self.module.PERSONAL):
            assert word not in text


@pytest.fixture(params=CRMS)
def bench(request: pytest.FixtureRequest, httpserver: HTTPServer) -> Iterator[Bench]:
    one = Bench(str(request.param), httpserver)
    yield one
    one.close()


def lead(external_id: str, **more: Any) -> LeadWrite:
    return LeadWrite(external_id, **{"owner_id": "42", "score": 87, "tier": Tier.A, "reasons": "opened twice", **more})


def task(external_id: str, marker: str = "m-1") -> TaskWrite:
    return TaskWrite(marker, external_id, "42", "Call them", "A hot one", START + timedelta(hours=1), "high")


# --- reading


def test_reads_what_is_there(bench: Bench) -> None:
    bench.crm.add_contact(101, BASE_MS + 123, firstname="Grace")
    found = bench.client.read_leads(["101", "999", "101"])
    assert [one.external_id for one in found] == ["101"]
    assert found[0].fields["first_name"] == "Grace"
    assert found[0].occurred_at == datetime.fromtimestamp((BASE_MS + 123) / 1000, UTC)
    assert list(bench.client.read_leads([])) == []


def test_reads_more_than_a_batch(bench: Bench) -> None:
    for number in range(1, 251):
        bench.crm.add_contact(number, BASE_MS)
    assert len(bench.client.read_leads([str(number) for number in range(1, 251)])) == 250


def test_owners_with_the_deactivated(bench: Bench) -> None:
    owners = {one.external_id: one for one in bench.client.owners()}
    assert {owner: one.active for owner, one in owners.items()} == {"42": True, "43": True, "44": False}
    assert owners["42"].name == "Ada Rep"
    assert owners["42"].teams == ("Inside",)


def test_backfill_resumes(bench: Bench) -> None:
    for number in range(1, 131):
        bench.crm.add_contact(number, BASE_MS + number)
    pages = list(bench.client.backfill())
    assert [one.external_id for page in pages for one in page.leads] == [str(number) for number in range(1, 131)]
    assert pages[-1].cursor is None
    assert pages[0].total == 130
    resumed = [one.external_id for page in bench.client.backfill(pages[0].cursor) for one in page.leads]
    assert resumed == [one.external_id for page in pages[1:] for one in page.leads]


def test_backfill_tells_what_happened_when(bench: Bench) -> None:
    day = 86_400_000
    bench.crm.add_contact(1, BASE_MS, lifecyclestage="customer")
    bench.crm.add_contact(2, BASE_MS, hs_lead_status="UNQUALIFIED")
    bench.crm.add_contact(3, BASE_MS)
    bench.crm.histories["1"] = {
        "lifecyclestage": [(BASE_MS - 9 * day, "lead"), (BASE_MS - 3 * day, "customer")],
        "hs_email_last_open_date": [
            (BASE_MS, str(BASE_MS - 8 * day)),
            (BASE_MS, bench.module.iso(BASE_MS - 7 * day)),
            (BASE_MS, ""),
        ],
        "recent_conversion_date": [(BASE_MS, str(BASE_MS - 9 * day)), (BASE_MS, "not a date")],
    }
    bench.crm.histories["2"] = {"hs_lead_status": [(BASE_MS - 5 * day, "NEW"), (BASE_MS - 2 * day, "UNQUALIFIED")]}
    (page,) = bench.client.backfill()
    moment = lambda days: datetime.fromtimestamp((BASE_MS - days * day) / 1000, UTC)  # noqa: E731
    assert dict(page.outcomes) == {"1": (Outcome.WON, moment(3)), "2": (Outcome.LOST, moment(2))}
    assert {(one.kind, one.occurred_at) for one in page.engagements if one.external_id == "1"} == {
        (EngagementKind.EMAIL_OPENED, moment(8)),
        (EngagementKind.EMAIL_OPENED, moment(7)),
        (EngagementKind.FORM_SUBMITTED, moment(9)),
    }
    assert all(one.created_at is not None for one in page.leads)


def test_changed_since_with_equal_moments(bench: Bench) -> None:
    """More than two pages share one moment: nothing is left out, nothing comes twice, and it ends."""
    for number in range(1, 60):
        bench.crm.add_contact(number, BASE_MS + number)
    for number in range(60, 330):
        bench.crm.add_contact(number, BASE_MS + 1_000)
    for number in range(330, 480):
        bench.crm.add_contact(number, BASE_MS + 2_000 + number % 3)
    found = [(one.occurred_at, int(one.external_id)) for page in bench.client.changed_since(_at(10)) for one in page.leads]
    assert found == sorted(found)
    assert [number for _, number in found] == sorted((n for n in range(10, 480)), key=lambda n: (bench.crm.modified[str(n)], n))


def test_changed_since_resumes_within_a_moment(bench: Bench) -> None:
    for number in range(1, 31):
        bench.crm.add_contact(number, BASE_MS)
    found = [one.external_id for page in bench.client.changed_since(_at(0), after_id="20") for one in page.leads]
    assert found == [str(number) for number in range(21, 31)]
    assert list(bench.client.changed_since(_at(1))) == []


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp((BASE_MS + milliseconds) / 1000, UTC)


# --- writing


def test_write_compares_first(bench: Bench) -> None:
    bench.crm.add_contact(101, BASE_MS)
    (first,) = bench.client.write([lead("101")])
    assert first.ok
    assert first.receipt == "101"
    assert set(first.changed) == {"owner_id", "score", "tier", "reasons"}
    assert bench.client.write([lead("101")])[0].changed == ()
    (third,) = bench.client.write([lead("101", score=60)])
    assert third.changed == ("score",)
    assert len(bench.crm.writes) == 2


def test_write_of_nothing_touches_nothing(bench: Bench) -> None:
    bench.crm.add_contact(101, BASE_MS)
    assert bench.client.write([LeadWrite("101")])[0].ok
    assert bench.client.write([]) == []
    assert bench.crm.writes == []


@pytest.mark.parametrize(
    ("present", "wanted", "moved"),
    [("lead", "mql", True), ("customer", "mql", False), ("tenant-made", "mql", False)],
)
def test_stage_only_moves_forward(bench: Bench, present: str, wanted: str, moved: bool) -> None:
    bench.crm.add_contact(101, BASE_MS, lifecyclestage=present)
    (written,) = bench.client.write([LeadWrite("101", stage=wanted)])
    assert written.ok
    assert written.changed == (("lifecycle_stage",) if moved else ())


def test_a_lead_twice_in_one_batch(bench: Bench) -> None:
    bench.crm.add_contact(101, BASE_MS)
    results = bench.client.write([lead("101", score=10), lead("101", score=20)])
    assert all(result.ok for result in results)
    assert bench.crm.contacts["101"]["leadswitch_score"] == "20"


def test_row_errors_stay_with_their_rows(bench: Bench) -> None:
    for number in range(101, 121):
        bench.crm.add_contact(number, BASE_MS)
    writes = [lead(str(number)) for number in range(101, 121)]
    writes[4] = lead("105", owner_id="0")
    writes[9] = lead("999")
    writes[14] = lead("115", reasons="trip the vendor")
    results = bench.client.write(writes)
    assert [index for index, result in enumerate(results) if not result.ok] == [4, 9, 14]
    assert isinstance(results[4].error, Fatal)
    assert isinstance(results[9].error, Skippable)
    assert isinstance(results[14].error, Retriable)
    assert len(bench.crm.writes) == 17
    for result in results:
        bench.check_message(result.error or "")


def test_missing_property_says_how_to_mend(bench: Bench) -> None:
    bench.crm.add_contact(101, BASE_MS)
    bench.crm.missing_properties = set(bench.module.EMPTY_PROPERTIES)
    with pytest.raises(Configuration, match="--mend"):
        bench.client.write([lead("101")])


def test_task_is_made_once(bench: Bench) -> None:
    bench.crm.add_contact(101, BASE_MS)
    (made,) = bench.client.write([task("101")])
    assert made.ok
    assert made.receipt in bench.crm.tasks
    (found,) = bench.client.write([task("101")], in_doubt=True)
    assert found.receipt == made.receipt
    results = bench.client.write([task("101"), task("101", "m-2")], in_doubt=True)
    assert [result.ok for result in results] == [True, True]
    assert len(bench.crm.tasks) == 2


def test_a_task_made_before_is_moved(bench: Bench) -> None:
    bench.crm.add_contact(101, BASE_MS)
    (made,) = bench.client.write([task("101")])
    again = replace(task("101"), made_as=made.receipt)
    assert bench.client.write([again])[0].changed == ()
    (moved,) = bench.client.write([replace(again, owner_id="43", due_at=START + timedelta(hours=9))])
    assert moved.ok
    assert moved.receipt == made.receipt
    assert set(moved.changed) == {"owner_id", "due_at"}
    assert bench.crm.task_owner(made.receipt) == "43"
    (found,) = bench.client.write([task("101")], in_doubt=True)
    assert found.changed == ("owner_id", "due_at")
    bench.crm.finish_task(made.receipt)
    assert bench.client.write([replace(again, owner_id="43")])[0].changed == ()
    (gone,) = bench.client.write([replace(again, made_as="77777")])
    assert isinstance(gone.error, Skippable)
    assert len(bench.crm.tasks) == 1


def test_a_lost_answer_makes_no_second_task(bench: Bench) -> None:
    bench.crm.add_contact(101, BASE_MS)
    bench.crm.lose_answers = 1
    with pytest.raises(Retriable):
        bench.client.write([task("101")])
    assert bench.client.write([task("101")])[0].ok
    assert len(bench.crm.tasks) == 1


def test_one_bad_task_stops_no_other(bench: Bench) -> None:
    for number in (101, 102, 103):
        bench.crm.add_contact(number, BASE_MS)
    writes = [task("101", "a"), task("102", "b"), task("999", "c"), task("103", "d")]
    results = bench.client.write(writes)
    assert [result.ok for result in results] == [True, True, False, True]
    assert sorted(one["leadswitch_marker"] for one in bench.crm.tasks.values()) == ["a", "b", "d"]


def test_leads_and_tasks_together(bench: Bench) -> None:
    bench.crm.add_contact(101, BASE_MS)
    results = bench.client.write([task("101"), lead("101"), task("101", "m-2")])
    assert [bool(result.changed) for result in results] == [False, True, False]
    assert all(result.ok for result in results)


# --- the weather


def test_rate_limit_is_obeyed(bench: Bench) -> None:
    bench.crm.add_contact(101, BASE_MS)
    bench.client.read_leads(["101"])
    bench.crm.fail_next(429, {"retry-after": "2"})
    assert len(bench.client.read_leads(["101"])) == 1
    assert sum(bench.clock.slept) >= 2


def test_long_rate_limit_is_handed_back(bench: Bench) -> None:
    bench.client.read_leads(["101"])
    bench.crm.fail_next(429, {"retry-after": "Sat, 21 Nov 2026 13:00:00 GMT"})
    with pytest.raises(Retriable) as caught:
        bench.client.read_leads(["101"])
    assert caught.value.delay_s == pytest.approx(3600, abs=1)
    before = sum(bench.crm.calls.values())
    with pytest.raises(Retriable) as again:
        bench.client.read_leads(["101"])  # every caller waits, not only the one who was told
    assert again.value.delay_s == pytest.approx(3600, abs=1)
    assert sum(bench.crm.calls.values()) == before


def test_budget_keeps_to_the_limit(bench: Bench) -> None:
    bench.crm.add_contact(101, BASE_MS)
    made: list[float] = []
    for _ in range(130):
        bench.client.read_leads(["101"])
        made.append(bench.clock.seconds())
    assert max(sum(start <= moment < start + 10 for moment in made) for start in made) <= 100


def test_live_reads_do_not_wait_for_writes(bench: Bench) -> None:
    bench.crm.add_contact(101, BASE_MS)
    bench.client.read_leads(["101"])
    score = 0
    while not bench.clock.slept:  # until the writes have to wait
        score = (score + 1) % 100
        bench.client.write([lead("101", score=score)])
    waited = sum(bench.clock.slept)
    bench.client.read_leads(["101"])
    assert sum(bench.clock.slept) == waited


def test_passing_outage_is_not_noticed(bench: Bench) -> None:
    bench.crm.add_contact(101, BASE_MS)
    bench.crm.fail_next(503)
    bench.crm.fail_next(502)
    assert len(bench.client.read_leads(["101"])) == 1


def test_lasting_outage_is_retriable(bench: Bench) -> None:
    for _ in range(3):
        bench.crm.fail_next(500, body={"message": "grace@navy.example Grace Hopper the-client-secret"})
    with pytest.raises(Retriable) as caught:
        bench.client.read_leads(["101"])
    bench.check_message(caught.value)


def test_unreachable_is_retriable(bench: Bench, free_port: Callable[[], int]) -> None:
    gone = bench.connect(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Retriable) as caught:
        gone.read_leads(["101"])
    bench.check_message(caught.value)


def test_expired_token_is_renewed_once(bench: Bench) -> None:
    bench.crm.add_contact(101, BASE_MS)
    bench.client.read_leads(["101"])
    bench.crm.expire_tokens()
    assert len(bench.client.read_leads(["101"])) == 1
    assert bench.crm.calls["oauth"] == 2
    assert bench.tokens["crm"]["access_token"] == f"access-token-{bench.crm.token}"


def test_token_is_renewed_before_it_runs_out(bench: Bench) -> None:
    bench.crm.add_contact(101, BASE_MS)
    bench.client.read_leads(["101"])
    bench.clock.moment += timedelta(minutes=29, seconds=30)
    bench.client.read_leads(["101"])
    assert bench.crm.calls["oauth"] == 2


def test_token_of_another_process_is_used(bench: Bench) -> None:
    bench.crm.add_contact(101, BASE_MS)
    bench.client.read_leads(["101"])
    other = bench.connect()
    assert len(other.read_leads(["101"])) == 1
    assert bench.crm.calls["oauth"] == 1


def test_threads_share_one_renewal(bench: Bench) -> None:
    bench.crm.add_contact(101, BASE_MS)
    bench.client.read_leads(["101"])
    bench.crm.expire_tokens()
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(bench.client.read_leads(["101"])))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert found == [1] * 6
    assert bench.crm.calls["oauth"] == 2


def test_refused_renewal_is_a_configuration_error(bench: Bench) -> None:
    bench.crm.refuse_refresh = True
    with pytest.raises(Configuration) as caught:
        bench.client.read_leads(["101"])
    assert caught.value.mend
    bench.check_message(caught.value)


def test_missing_scope_is_a_configuration_error(bench: Bench) -> None:
    bench.client.read_leads(["101"])
    bench.crm.fail_next(403, body={"category": "MISSING_SCOPES", "message": "grace@navy.example"})
    with pytest.raises(Configuration, match="scope") as caught:
        bench.client.read_leads(["101"])
    bench.check_message(caught.value)


def test_redirect_is_not_followed(bench: Bench) -> None:
    bench.client.read_leads(["101"])
    bench.crm.fail_next(302, {"location": "http://169.254.169.254/latest"})
    with pytest.raises(Configuration, match="redirect"):
        bench.client.read_leads(["101"])


def test_private_address_needs_trust(bench: Bench) -> None:
    careful = bench.connect(trust_private_host=False)
    with pytest.raises(Configuration, match="trust_private_host"):
        careful.read_leads(["101"])
    assert sum(bench.crm.calls.values()) == 0


def test_no_credentials_is_a_configuration_error(bench: Bench) -> None:
    with pytest.raises(Configuration, match="token"):
        bench.connect(token=None, client_id=None, client_secret=None, refresh_token=None)


# --- set-up


def test_check_says_what_is_missing_and_prepare_mends_it(bench: Bench) -> None:
    before = list(bench.client.check())
    assert not all(result.ok for result in before)
    assert all(result.mend for result in before if not result.ok)
    assert all(result.ok for result in bench.client.prepare())
    calls = sum(bench.crm.calls.values())
    assert all(result.ok for result in bench.client.prepare())
    assert sum(bench.crm.calls.values()) <= calls + 4, "what is there is only looked at"
    assert all(result.ok for result in bench.client.check())
    assert bench.crm.writes == []


def test_check_with_bad_credentials_says_so_once(bench: Bench) -> None:
    bench.crm.refuse_refresh = True
    (result,) = bench.client.check()
    assert not result.ok
    assert result.mend
    bench.check_message(result.detail)


def test_check_of_a_scope(bench: Bench) -> None:
    next(iter(bench.client.check()))
    bench.crm.fail_next(200, body={"results": []})
    bench.crm.fail_next(403, body={"category": "MISSING_SCOPES"})
    results = list(bench.client.check())
    assert results[0].ok
    assert not results[1].ok
    assert "scope" in results[1].mend


def test_record_url(bench: Bench) -> None:
    assert bench.client.record_url("101") is None or "101" in str(bench.client.record_url("101"))
