"""Answers about leads: remembered for five minutes, within the model's time, and who is alike."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from connector.appraise import Appraiser
from connector.bootstrap import House
from connector.testing import NOON, StandingClock
from connector.testing import house as build_house
from leads.enums import EngagementKind, Outcome
from leads.past import PastLook
from leads.records import Engagement, LeadHistory
from scoring.bundle import Bundle
from scoring.features import build
from scoring.training import train
from tests.unit.scoring.examples import make_past


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return train(make_past(300), seed=5)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    built = build_house(tmp_path)
    yield built
    built.close()


def serve(house: House, bundle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.models, "champion", lambda: bundle)


def lead(house: House, *acts: Engagement, **facts: Any) -> LeadHistory:
    now = house.clock.now()
    return LeadHistory(0, NOON - timedelta(days=9), now, facts, acts, {"Plan": "Team"})


def move(house: House, seconds: float) -> None:
    assert isinstance(house.clock, StandingClock)
    house.clock.move(seconds)


def test_an_equal_lead_is_remembered_for_five_minutes(house: House, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(house, bundle, monkeypatch)
    asked = house.appraiser
    first = asked.one(lead(house, title="CEO"))
    move(house, 60)
    again = asked.one(lead(house, title="CEO"))
    assert (first.source, again.source) == ("model", "cache")
    assert again.appraisal.score.probability == first.appraisal.score.probability
    assert again.appraisal.score.as_of == house.clock.now()
    assert asked.one(lead(house, title="Student")).source == "model"
    assert asked.one(lead(house, title="CEO"), reasons=False).source == "model", "another question"
    act = Engagement(EngagementKind.EMAIL_CLICKED, NOON - timedelta(hours=1))
    assert asked.one(lead(house, act, title="CEO")).source == "model"
    move(house, 241)
    assert asked.one(lead(house, title="CEO")).source == "model"
    assert asked.answered == {"model": 5, "rules": 0, "cache": 1}


def test_another_model_remembers_nothing(house: House, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(house, bundle, monkeypatch)
    house.appraiser.one(lead(house, title="CEO"))
    serve(house, replace(bundle, version="another"), monkeypatch)
    assert house.appraiser.one(lead(house, title="CEO")).source == "model"


def test_a_model_that_takes_too_long_is_answered_for_by_the_rules(
    house: House, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    gate.set()

    class Stuck:
        """A scorer that waits while the gate is shut."""

        def __getattr__(self, name: str) -> Any:
            gate.wait(20)
            return getattr(bundle.scorer, name)

    serve(house, replace(bundle, scorer=Stuck()), monkeypatch)  # type: ignore[arg-type]
    asked = Appraiser(house, budget_s=0.01)
    asked.many([lead(house)])  # the first answer lays out the tables, outside the budget
    gate.clear()
    asked.too_slow = 0
    with capture_logs() as logs:
        answer = asked.one(lead(house, title="CEO"))
    assert answer.source == "rules"
    assert answer.appraisal.score.note == "The model took longer than 10 ms: this score follows the day-one rules."
    assert answer.appraisal.score.reasons
    assert asked.too_slow == 1
    assert any(entry["event"] == "model too slow" for entry in logs)
    assert asked.many([lead(house)] * 2, reasons=False)[1].source == "rules"
    gate.set()
    asked.close()
    assert asked.answered["cache"] == 0


def test_what_a_model_does_once_is_not_done_within_the_budget(
    house: House, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Laying out the tables of its reasons takes longer than any budget, and nobody is told rules for that."""
    used_by: list[str] = []

    class Watched:
        """A scorer that notes which thread uses it."""

        def __getattr__(self, name: str) -> Any:
            used_by.append(threading.current_thread().name)
            return getattr(bundle.scorer, name)

    serve(house, replace(bundle, scorer=Watched()), monkeypatch)  # type: ignore[arg-type]
    house.appraiser.one(lead(house, title="CEO"))
    assert used_by[0] == threading.current_thread().name
    assert used_by[-1].startswith("appraise"), "the answer itself is held to the budget"


def test_day_one_says_so(house: House) -> None:
    answer = house.appraiser.one(lead(house, title="CEO"))
    assert answer.source == "rules"
    assert answer.appraisal.look_alikes == ()
    assert answer.appraisal.score.note


def test_many_come_in_order_and_without_what_was_not_asked_for(
    house: House, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(house, bundle, monkeypatch)
    leads = [lead(house, title="Director of Sales"), lead(house, title="Sales Specialist")]
    short = house.appraiser.many(leads)
    whole = house.appraiser.many(leads, whole=True)
    plain = house.appraiser.many(leads, reasons=False)
    assert [one.appraisal.score.probability for one in short] == [one.appraisal.score.probability for one in whole]
    assert [one.appraisal.score.raw for one in plain] == pytest.approx([one.appraisal.score.raw for one in short], abs=1e-6)
    assert (short[0].appraisal.next_step, plain[0].appraisal.fit) == (None, None)
    assert whole[0].appraisal.next_step is not None
    assert house.appraiser.many([]) == []


def test_look_alikes_follow_the_past(house: House, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(house, bundle, monkeypatch)
    history = lead(house, title="CEO")
    assert house.appraiser.one(history).appraisal.look_alikes == ()
    with house.db.transaction():
        lead_id = _stored(house)
        house.leads.settle(lead_id, Outcome.WON, NOON)
    house.past_looks.replace(lead_id, [PastLook(lead_id, NOON, Outcome.WON, NOON, build(history))])
    fresh = Appraiser(house)
    [near] = fresh.one(history).appraisal.look_alikes
    assert (near.look.lead_id, near.look.outcome, near.similarity) == (lead_id, Outcome.WON, 1.0)
    fresh.close()


def _stored(house: House) -> int:
    from leads.enums import ChangeKind
    from leads.records import LeadChange

    return house.leads.apply("crm", LeadChange("k", "1", NOON, ChangeKind.CREATED, fields={"title": "CEO"}), live=False).lead_id
