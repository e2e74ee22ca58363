"""Scoring many stored leads again: in batches, with the news told, and nothing taken from the pipeline's hands."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connector.pipeline.rescore import refresh, rescore, rescore_base
from connector.pipeline.stale import ring_refresh
from connector.storage.models import Effect
from connector.testing import NOON
from leads.enums import ChangeKind, EffectKind, EngagementKind
from scoring.features import build
from tests.unit.connector.pipeline.scripted import CRM, MAIL, Desk, act, change, open_desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = open_desk(tmp_path)
    yield opened
    opened.house.close()


def arrive(desk: Desk, number: int, **fields: str) -> int:
    """A live lead, scored, given to a rep and told of."""
    desk.tell(CRM, change(str(number), kind=ChangeKind.CREATED, email=f"a{number}@acme.example", **fields))
    desk.run()
    return desk.lead(str(number))


def test_the_whole_base_is_scored_again_and_progress_is_told(desk: Desk) -> None:
    ids = [arrive(desk, number) for number in range(7)]
    told: list[tuple[float, str]] = []
    first = {one: desk.house.scores.newest(one) for one in ids}
    report = rescore_base(desk.house, lambda done, what: told.append((done, what)))
    assert (report.leads, report.scored, report.news) == (7, 7, 0)
    assert told == [(1.0, "7 leads")]
    for one in ids:
        newest = desk.house.scores.newest(one)
        assert newest is not None
        assert first[one] is not None
        assert newest.id > first[one].id  # type: ignore[union-attr]
        assert newest.score == first[one].score  # type: ignore[union-attr]
        standing = desk.house.db.run("SELECT score_id FROM lead WHERE id = ?", one).fetchone()
        assert standing == (newest.id,)
    assert desk.house.queue.rung == []  # type: ignore[attr-defined]


def test_a_score_is_what_scoring_the_lead_alone_gives(desk: Desk) -> None:
    one = arrive(desk, 1, title="CEO", message="We have a budget, call me")
    desk.tell(MAIL, act("a1@acme.example", kind=EngagementKind.EMAIL_OPENED))
    desk.run()
    desk.clock.move(3600)
    rescore(desk.house, [[one]])
    stored, history = desk.house.scores.newest(one), desk.house.histories.at(one, desk.clock.now())
    assert stored is not None
    assert history is not None
    assert stored.score.features == {name: value for name, value in build(history).items() if value is not None}


def test_time_passing_is_news_that_the_crm_is_told(desk: Desk) -> None:
    one = arrive(desk, 1, title="CEO", message="We have a budget, please book a demo asap")
    desk.tell(MAIL, act("a1@acme.example", kind=EngagementKind.EMAIL_CLICKED))
    desk.run()
    before = desk.house.scores.newest(one)
    writes = len(desk.crm.writes)
    desk.clock.move(200 * 86_400)
    assert ring_refresh(desk.house)
    assert desk.house.queue.rung.pop() == ("refresh", (0,))  # type: ignore[attr-defined]
    report = refresh(desk.house)
    assert (report.scored, report.news) == (1, 1)
    desk.run()
    after = desk.house.scores.newest(one)
    assert before is not None
    assert after is not None
    assert after.score.score < before.score.score
    assert len(desk.crm.writes) > writes
    shown = desk.house.leads.announced(one)
    assert shown == (after.score.score, after.score.tier)


def test_a_day_must_pass_before_a_lead_is_due_and_only_open_leads_are(desk: Desk) -> None:
    one, other = arrive(desk, 1), arrive(desk, 2)
    desk.tell(CRM, change("2", at=NOON, lead_status="UNQUALIFIED"))
    desk.run()
    desk.clock.move(23 * 3600)
    assert not ring_refresh(desk.house)
    desk.clock.move(2 * 3600)
    assert refresh(desk.house).scored == 1
    assert refresh(desk.house).leads == 0
    assert desk.house.scores.newest(one).score.as_of == desk.clock.now()  # type: ignore[union-attr]
    assert desk.house.scores.newest(other).score.as_of < desk.clock.now() - timedelta(days=1)  # type: ignore[union-attr]


def test_what_waits_in_the_pipeline_or_is_gone_is_left_alone(desk: Desk) -> None:
    one, other = arrive(desk, 1), arrive(desk, 2)
    desk.tell(MAIL, act("a1@acme.example"))  # not scored yet
    with desk.house.db.transaction():
        desk.house.leads.erase(other)
    report = rescore(desk.house, [[one, other, 99_999]])
    assert (report.leads, report.scored) == (3, 0)
    desk.run()
    newest = desk.house.scores.newest(one)
    assert newest is not None
    assert newest.version == desk.house.leads.get(one).version  # type: ignore[union-attr]


def test_a_private_persons_facts_weigh_and_are_not_kept_in_the_clear(desk: Desk) -> None:
    one = arrive(desk, 1, credit_band="poor", age_range="34", income_bracket="12345")
    rescore(desk.house, [[one]])
    rows = desk.house.db.run("SELECT features, reasons FROM score").fetchall()
    assert rows
    assert not any(word in str(row) for row in rows for word in ("credit_band", "25 to 34", "under 25k"))
    history = desk.house.histories.at(one, desk.clock.now())
    assert history is not None
    assert build(history)["credit_band"] == "poor"


def test_no_effect_is_asked_for_when_nothing_moved(desk: Desk) -> None:
    arrive(desk, 1)
    with desk.house.db.connected():
        before = Effect.select().where(Effect.kind == EffectKind.CRM_LEAD.value).count()
    rescore_base(desk.house)
    desk.run()
    with desk.house.db.connected():
        assert Effect.select().where(Effect.kind == EffectKind.CRM_LEAD.value).count() == before
