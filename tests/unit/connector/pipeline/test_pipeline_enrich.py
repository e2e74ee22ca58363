"""A new lead waits a little for what is known of it elsewhere, never longer, and nothing that it said itself is overwritten."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from connector.errors import Configuration, Retriable
from connector.pipeline.deliver import HANDLERS
from connector.pipeline.enrich import TRIES, enrich, forget_enriched
from connector.pipeline.evaluate import evaluate
from connector.pipeline.sweep import Sweeper
from connector.settings import EnrichmentSettings
from connector.storage.enrichments import LEASE_S
from leads.enums import ChangeKind
from leads.records import FieldValue
from tests.unit.connector.pipeline.scripted import CRM, Desk, change, open_desk

HOLD_S = 10.0


class Knows:
    """An enricher that answers as told, and counts who asked."""

    def __init__(self, **told: Mapping[str, FieldValue] | Exception | None) -> None:
        self.told = {f"{name}@corp.example": value for name, value in told.items()}
        self.asked: list[str] = []

    def find(self, email: str) -> Mapping[str, FieldValue] | None:
        self.asked.append(email)
        told = self.told.get(email)
        if isinstance(told, Exception):
            raise told
        return told


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = open_desk(tmp_path, enrichment={"url": "https://enrich.example/find", "hold_s": HOLD_S})
    yield made
    made.house.close()
    HANDLERS.clear()


def knows(desk: Desk, **told: Mapping[str, FieldValue] | Exception | None) -> Knows:
    desk.house.__dict__["enricher"] = found = Knows(**told)
    return found


def score_of(desk: Desk, external_id: str = "1") -> object:
    return desk.house.scores.newest(desk.lead(external_id))


def test_a_lead_is_scored_with_what_was_found_and_keeps_what_it_said(desk: Desk) -> None:
    knows(desk, ann={"title": "CEO", "employees": 120, "country": "FR", "phone": "030 1234567"})
    desk.tell(CRM, change("1", email="ann@corp.example", country="DE"))
    lead = desk.lead("1")
    assert evaluate(desk.house, lead) is None, "it waits"
    desk.run()
    found = desk.house.leads.get(lead)
    assert found is not None
    assert (found.fields["title"], found.fields["employees"], found.fields["country"]) == ("CEO", 120, "DE")
    assert score_of(desk) is not None
    assert desk.house.enrichments.counts() == {"done": 1}
    assert sum(desk.house.decisions.open_counts().values()) == 1


@pytest.mark.parametrize("error", [Retriable("Down."), Retriable("Later.", 5.0)])
def test_a_lead_never_waits_longer_than_the_hold(desk: Desk, error: Retriable) -> None:
    knows(desk, ann=error)
    desk.tell(CRM, change("1", email="ann@corp.example"))
    desk.run()
    assert score_of(desk) is None
    desk.clock.move(HOLD_S)
    evaluate(desk.house, desk.lead("1"))
    assert score_of(desk) is not None


def test_what_comes_late_scores_the_lead_again(desk: Desk) -> None:
    service = knows(desk, ann=Retriable("Down."))
    desk.tell(CRM, change("1", email="ann@corp.example"))
    desk.run()
    desk.clock.move(HOLD_S)
    evaluate(desk.house, desk.lead("1"))
    first = score_of(desk)
    service.told["ann@corp.example"] = {"title": "CEO"}
    desk.clock.move(30)
    assert Sweeper(desk.house).sweep()["enrich"] == 1
    desk.run()
    assert score_of(desk) != first
    assert desk.house.enrichments.counts() == {"done": 1}


def test_a_service_that_fails_is_given_up_after_three_tries_and_said(desk: Desk) -> None:
    knows(desk, ann=Retriable("Down."), bo=Configuration("The token is wrong.", "Mend it."))
    desk.tell(CRM, change("1", email="ann@corp.example"), change("2", email="bo@corp.example"))
    for _ in range(TRIES):
        enrich(desk.house, desk.lead("1"))
        enrich(desk.house, desk.lead("2"))
        desk.clock.move(60)
    assert desk.house.enrichments.counts() == {"failed": 2}
    desk.run()
    assert score_of(desk, "1") is not None
    assert score_of(desk, "2") is not None


def test_a_service_that_asks_for_patience_gets_a_day_of_it(desk: Desk) -> None:
    knows(desk, ann=Retriable("Too many.", 3600.0))
    desk.tell(CRM, change("1", email="ann@corp.example"))
    for hour in range(24 + TRIES):
        assert desk.house.enrichments.counts() == {"pending": 1}, hour
        enrich(desk.house, desk.lead("1"))
        desk.clock.move(3600)
    assert desk.house.enrichments.counts() == {"failed": 1}


def test_nobody_is_asked_about_twice_nor_without_an_address_nor_with_a_free_one(desk: Desk) -> None:
    service = knows(desk, ann={"title": "CEO"})
    desk.tell(CRM, change("1", email="ann@corp.example"), change("2", title="CTO"), change("3", email="x@gmail.com"))
    desk.run()
    assert service.asked == ["ann@corp.example"]
    desk.tell(CRM, change("1", desk.clock.now(), ChangeKind.DELETED))
    desk.tell(CRM, change("4", desk.clock.now(), email="stranger@corp.example"))
    desk.run()
    assert service.asked == ["ann@corp.example", "stranger@corp.example"]
    desk.house.enrichments.remember("late@corp.example", {"title": "CFO"})
    desk.tell(CRM, change("5", desk.clock.now(), email="late@corp.example"))
    desk.run()
    assert service.asked[2:] == [], "an answer is good for a month"
    desk.clock.move(31 * 86_400)
    assert forget_enriched(desk.house) == 3


def test_nothing_of_the_erased_is_kept(desk: Desk) -> None:
    knows(desk, ann={"title": "CEO"})
    desk.tell(CRM, change("1", email="ann@corp.example"))
    desk.run()
    desk.tell(CRM, change("1", desk.clock.now(), ChangeKind.ERASED))
    assert desk.house.enrichments.counts() == {}
    assert desk.house.db.run("SELECT COUNT(*) FROM enriched").fetchone() == (0,)


class Amid(Knows):
    """Lets something happen while the service is being asked."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__(ann={"title": "CEO"})
        self.happens = happens

    def find(self, email: str) -> Mapping[str, FieldValue] | None:
        self.asked.append(email)
        if len(self.asked) == 1:
            self.happens()
        return self.told.get(email)  # type: ignore[return-value]


def test_nothing_is_kept_of_somebody_who_is_erased_while_the_service_is_asked(desk: Desk) -> None:
    erased = change("1", desk.clock.now() + timedelta(seconds=1), ChangeKind.ERASED)
    desk.house.__dict__["enricher"] = Amid(lambda: desk.tell(CRM, erased))
    desk.tell(CRM, change("1", email="ann@corp.example"))
    enrich(desk.house, desk.lead("1"))
    assert desk.house.db.run("SELECT COUNT(*) FROM enriched").fetchone() == (0,)
    assert desk.house.enrichments.counts() == {}


def test_a_slow_service_is_asked_once_however_often_the_bell_rings(desk: Desk) -> None:
    lead: list[int] = []
    service = Amid(lambda: enrich(desk.house, lead[0]))
    desk.house.__dict__["enricher"] = service
    desk.tell(CRM, change("1", email="ann@corp.example"))
    lead.append(desk.lead("1"))
    enrich(desk.house, lead[0])
    assert service.asked == ["ann@corp.example"], "every question is paid for"
    assert desk.house.enrichments.counts() == {"done": 1}


def test_a_worker_that_dies_while_it_asks_leaves_the_question_to_another(desk: Desk) -> None:
    def dies() -> None:
        raise KeyboardInterrupt

    service = Amid(dies)
    desk.house.__dict__["enricher"] = service
    desk.tell(CRM, change("1", email="ann@corp.example"))
    with pytest.raises(KeyboardInterrupt):
        enrich(desk.house, desk.lead("1"))
    desk.clock.move(LEASE_S + 10)
    assert Sweeper(desk.house).sweep()["enrich"] == 1
    desk.run()
    assert desk.house.enrichments.counts() == {"done": 1}


def test_an_answer_that_breaks_us_is_a_failed_try_and_no_endless_one(desk: Desk) -> None:
    service = knows(desk, ann=ValueError("odd"))
    desk.tell(CRM, change("1", email="ann@corp.example"))
    for _ in range(TRIES + 2):
        enrich(desk.house, desk.lead("1"))
        desk.clock.move(60)
    assert len(service.asked) == TRIES
    assert desk.house.enrichments.counts() == {"failed": 1}
    error = desk.house.db.run("SELECT error FROM enrichment").fetchone()[0]
    assert error == "Unexpected ValueError."


def test_a_lead_that_was_merged_while_it_waited_is_scored_with_what_was_found(desk: Desk) -> None:
    knows(desk, ann={"title": "CEO"})
    desk.tell(CRM, change("1", last_name="Berger"))
    desk.tell(CRM, change("2", email="ann@corp.example"))
    first, second = desk.lead("1"), desk.lead("2")
    with desk.house.db.transaction():
        desk.house.leads.merge(first, second)
    enrich(desk.house, second)
    lead = desk.house.leads.get(first)
    assert lead is not None
    assert lead.fields["title"] == "CEO"
    desk.run()
    assert desk.house.scores.newest(first) is not None


def test_somebody_whom_the_answer_shows_to_be_known_is_joined(desk: Desk) -> None:
    knows(desk, ann={"company": "Acme Systems", "website": "acme.com"})
    desk.tell(CRM, change("1", first_name="Ann", last_name="Berger", company="Acme Systems GmbH", website="www.acme.com"))
    desk.run()
    desk.tell(CRM, change("2", first_name="Ann", last_name="Bergr", email="ann@corp.example"))
    desk.run()
    assert desk.lead("1") == desk.lead("2")
    assert [merge.grounds.how for merge in desk.house.leads.merges()] == ["near"]
    assert sum(desk.house.decisions.open_counts().values()) == 1


def test_when_the_service_is_taken_away_nobody_waits_for_it(desk: Desk) -> None:
    knows(desk, ann=Retriable("Down."))
    desk.tell(CRM, change("1", email="ann@corp.example"))
    enrich(desk.house, desk.lead("1"))
    desk.house.__dict__["settings"] = desk.house.settings.model_copy(update={"enrichment": EnrichmentSettings()})
    desk.clock.move(6)
    Sweeper(desk.house).sweep()
    desk.run()
    assert score_of(desk) is not None


def test_without_a_service_nobody_waits(tmp_path: Path) -> None:
    desk = open_desk(tmp_path / "plain")
    desk.tell(CRM, change("1", email="ann@corp.example"))
    desk.run()
    assert score_of(desk) is not None
    assert desk.house.enrichments.counts() == {}
    desk.house.close()
    HANDLERS.clear()
