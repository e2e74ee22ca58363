"""What a model learns from, and what the language model may add: nothing that was not known then, and nothing that holds up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from connector import commands
from connector.pipeline import rationale, training
from connector.testing import NOON
from leads.enums import ChangeKind, Outcome
from leads.records import LabelledHistory
from leads.results import Rationale
from scoring.training import NotEnough
from tests.unit.connector.pipeline.scripted import CRM, MAIL, Desk, act, change

MADE = NOON - timedelta(days=20)


@dataclass
class Bundle:
    """A trained model as far as this test needs one."""

    version: str = "v-test"
    metrics: Any = None

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True)


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> list[LabelledHistory]:
    """What would be learned from."""
    seen: list[LabelledHistory] = []

    def train(examples: Sequence[LabelledHistory], **_: Any) -> Bundle:
        seen.extend(examples)
        return Bundle(metrics={"auc": 0.9})

    monkeypatch.setattr(training, "train", train)
    return seen


def won_lead(desk: Desk) -> int:
    """Made twenty days ago, clicked after a day, won after ten; what came after shows it."""
    desk.crm.records["1"] = change("1", MADE, ChangeKind.CREATED, email="ann@corp.example", title="CEO")
    desk.tell(CRM, change("1", MADE, ChangeKind.CREATED, email="ann@corp.example", title="CEO"))
    desk.tell(MAIL, act("ann@corp.example", MADE + timedelta(days=1)))
    desk.tell(CRM, change("1", MADE + timedelta(days=10), lifecycle_stage="customer"))
    desk.tell(MAIL, act("ann@corp.example", MADE + timedelta(days=11)))
    desk.tell(CRM, change("1", MADE + timedelta(days=12), title="Customer"))
    return desk.lead("1")


def test_a_past_lead_is_looked_at_before_its_end_and_as_it_stood(desk: Desk, learned: list[LabelledHistory]) -> None:
    lead_id = won_lead(desk)
    record = training.run(desk.house)
    assert (record.version, record.state) == ("v-test", "champion")
    assert learned
    for example in learned:
        history = example.history
        assert example.outcome is Outcome.WON
        assert history.lead_id == lead_id
        assert MADE <= history.as_of < MADE + timedelta(days=10)
        assert history.facts["title"] == "CEO"
        assert history.facts.get("lifecycle_stage") is None
        assert all(one.occurred_at <= history.as_of for one in history.engagements)


def test_the_erased_and_the_open_teach_nothing(desk: Desk, learned: list[LabelledHistory]) -> None:
    won_lead(desk)
    desk.tell(CRM, change("1", NOON, ChangeKind.ERASED), change("2", MADE, title="CEO"))
    training.run(desk.house)
    assert learned == []


def test_a_training_that_fails_leaves_the_old_champion(
    desk: Desk, learned: list[LabelledHistory], monkeypatch: pytest.MonkeyPatch
) -> None:
    training.run(desk.house)

    def fail(*_: Any, **__: Any) -> None:
        raise NotEnough("Too few leads have ended.")

    monkeypatch.setattr(training, "train", fail)
    with pytest.raises(NotEnough):
        training.run(desk.house)
    champion = desk.house.model_versions.champion()
    assert champion is not None
    assert champion.version == "v-test"


# -- the rationale


@pytest.fixture
def scored(desk: Desk) -> int:
    desk.tell(CRM, change("1", title="CEO", email="ann@corp.example", country="DE"))
    desk.run()
    stored = desk.house.scores.newest(desk.lead("1"))
    assert stored is not None
    return stored.id


def answering(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], str]) -> None:
    monkeypatch.setattr(rationale, "ask", lambda house, messages: answer())


@pytest.fixture
def worded(monkeypatch: pytest.MonkeyPatch) -> Rationale:
    said = Rationale("Leads a company.", 1.1, ("buys",), "m")
    answering(monkeypatch, lambda: "{}")
    monkeypatch.setattr(rationale, "read_reply", lambda text, score, history: said)
    return said


def test_what_the_language_model_says_is_kept_sealed_and_shown_by_an_edit(desk: Desk, scored: int, worded: Rationale) -> None:
    posted = len(desk.slack.posted)
    assert rationale.write_rationale(desk.house, scored) == worded
    assert desk.house.scores.rationale(scored) == worded
    card = commands.card(desk.house, desk.lead("1"))
    assert card is not None
    assert card.rationale == "Leads a company."
    desk.run()
    assert len(desk.slack.posted) >= posted
    assert rationale.write_rationale(desk.house, scored) is None, "once is enough"
    assert rationale.write_rationale(desk.house, 999) is None


def test_an_older_score_gets_none(desk: Desk, scored: int, worded: Rationale) -> None:
    desk.tell(CRM, change("1", desk.clock.now(), title="Clerk"))
    desk.run()
    assert rationale.write_rationale(desk.house, scored) is None


@pytest.mark.parametrize("trouble", [TimeoutError("ann@corp.example"), ValueError("not JSON"), KeyError("x")], ids=repr)
def test_when_it_fails_the_models_own_reasons_stand(
    desk: Desk, scored: int, trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise trouble

    answering(monkeypatch, fail)
    with structlog.testing.capture_logs() as said:
        assert rationale.write_rationale(desk.house, scored) is None
    assert [line["event"] for line in said] == ["no rationale"]
    assert "corp.example" not in str(said)
    card = commands.card(desk.house, desk.lead("1"))
    assert card is not None
    assert card.rationale is None
    assert card.reasons_up


def test_of_an_erased_person_no_prose_is_left(desk: Desk, scored: int, worded: Rationale) -> None:
    rationale.write_rationale(desk.house, scored)
    desk.tell(CRM, change("1", desk.clock.now(), ChangeKind.ERASED))
    assert desk.house.scores.rationale(scored) is None
    assert rationale.write_rationale(desk.house, scored) is None
