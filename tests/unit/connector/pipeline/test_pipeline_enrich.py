"""A new lead waits a little for what is known of it elsewhere, never longer, and nothing that it said itself is overwritten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from connector.errors import Configuration, Retriable
from connector.pipeline.deliver import HANDLERS
from connector.pipeline.enrich import TRIES, enrich, forget_enriched
from connector.pipeline.evaluate import evaluate
from connector.pipeline.sweep import Sweeper
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


def test_without_a_service_nobody_waits(tmp_path: Path) -> None:
    desk = open_desk(tmp_path / "plain")
    desk.tell(CRM, change("1", email="ann@corp.example"))
    desk.run()
    assert score_of(desk) is not None
    assert desk.house.enrichments.counts() == {}
    desk.house.close()
    HANDLERS.clear()
