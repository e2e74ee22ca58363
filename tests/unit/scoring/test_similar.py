"""Look-alikes, the next step, the best time, and what would lift a lead."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leads.enums import EngagementKind, Outcome, Tier
from leads.past import PastLook
from leads.records import LabelledHistory, LeadHistory
from leads.results import Score
from scoring.appraisal import SETTLED, appraise, prioritise
from scoring.boosted import BoostedScorer
from scoring.bundle import Bundle
from scoring.columns import add_extra, only_extra
from scoring.counterfactual import STEPS, find_lift
from scoring.ensemble import EnsembleScorer, SegmentScorer
from scoring.features import build
from scoring.linear import LinearScorer
from scoring.next_step import best_time, recommend
from scoring.scorer import score
from scoring.similar import LookAlike, PastLeads, weigh
from scoring.timeline import Timeline
from tests.unit.scoring.examples import NOW, K, act, lead


def look(lead_id: int, history: LeadHistory, outcome: Outcome = Outcome.WON, after: tuple[Any, ...] = ()) -> PastLook:
    return PastLook(lead_id, history.as_of, outcome, history.as_of + timedelta(days=12), build(history), after)


def alike(outcome: Outcome, *kinds: EngagementKind, hour: int = 9) -> LookAlike:
    """A look-alike that did these things on the Wednesday after."""
    moment = datetime(2026, 3, 11, hour, tzinfo=UTC)
    return LookAlike(look(1, lead(), outcome, tuple((kind, moment) for kind in kinds)), 0.8)


DIRECTOR = lead(act(K.EMAIL_CLICKED, 1), title="Director of Sales", employees=500, country="DE", source="event")
STUDENT = lead(title="Student", employees=20_000, country="IN", source="web", email="a@university.edu")


def index(*looks: PastLook) -> PastLeads:
    return PastLeads(looks, weigh({}))


def test_the_nearest_past_lead_is_the_one_that_stood_alike() -> None:
    past = index(look(1, DIRECTOR), look(2, STUDENT, Outcome.LOST), look(3, lead(title="CEO", employees=3)))
    [near] = past.nearest([build(replace(DIRECTOR, facts={**DIRECTOR.facts, "employees": 480}))], 2)
    assert [one.look.lead_id for one in near] == [1, 3]
    assert near[0].similarity > near[1].similarity
    assert near[0].days_to_outcome == 12.0


def test_an_equal_lead_is_wholly_similar_and_each_lead_comes_once() -> None:
    past = index(look(1, DIRECTOR), look(1, DIRECTOR), look(1, DIRECTOR), look(2, STUDENT))
    [near] = past.nearest([build(DIRECTOR)], 5)
    assert [one.look.lead_id for one in near] == [1, 2]
    assert near[0].similarity == 1.0


def test_of_two_equals_the_newer_is_told_first() -> None:
    older = look(1, DIRECTOR)
    newer = PastLook(2, NOW + timedelta(days=1), older.outcome, older.ended_at + timedelta(days=2), older.features)
    assert [one.look.lead_id for one in index(older, newer).nearest([build(DIRECTOR)])[0]] == [2, 1]


def test_no_past_no_look_alikes() -> None:
    assert index().nearest([build(DIRECTOR)]) == [()]
    assert index(look(1, DIRECTOR)).nearest([]) == []
    [near] = index(look(1, DIRECTOR)).nearest([build(STUDENT)])
    assert [one.look.lead_id for one in near] == [1]


def test_only_what_weighs_tells_leads_apart() -> None:
    past = PastLeads((look(1, DIRECTOR), look(2, STUDENT)), {"country": 1.0})
    [near] = past.nearest([build(lead(country="in", title="Director of Sales", employees=500))], 1)
    assert near[0].look.lead_id == 2
    assert weigh({"extra.Plan": 0.7, "country": 0.3}) == {"country": 0.3}


# -- next step


@pytest.mark.parametrize(
    ("history", "action"),
    [
        (lead(act(K.EMAIL_REPLIED, hours=3), email="a@b.example"), "answer"),
        (lead(act(K.EMAIL_REPLIED, hours=30), act(K.EMAIL_SENT, hours=2), email="a@b.example"), "email"),
        (lead(act(K.EMAIL_REPLIED, days=40), email="a@b.example", age_days=60), "email"),
        (lead(act(K.MEETING_BOOKED, 1), email="a@b.example"), "prepare"),
        (lead(act(K.MEETING_BOOKED, 3), act(K.MEETING_ATTENDED, 1), email="a@b.example"), "email"),
        (lead(act(K.PROPOSAL_VIEWED, 1), email="a@b.example", phone="+4930123456"), "call"),
        (lead(act(K.PROPOSAL_VIEWED, 1), email="a@b.example"), "email"),
        (lead(act(K.PAGE_VIEWED, 1), email="a@b.example", phone="+4930123456"), "call"),
        (lead(email="a@b.example", phone="+4930123456", age_days=40), "email"),
        (lead(act(K.UNSUBSCRIBED, 1), email="a@b.example"), "wait"),
        (lead(act(K.UNSUBSCRIBED, 1), email="a@b.example", phone="+4930123456"), "call"),
        (lead(act(K.UNSUBSCRIBED, 2), act(K.RESUBSCRIBED, 1), email="a@b.example"), "email"),
        (lead(act(K.EMAIL_BOUNCED, 1), email="a@b.example"), "ask"),
        (lead(email_consent="no", email="a@b.example"), "wait"),
        (lead(), "ask"),
    ],
)
def test_the_leads_own_history_comes_first(history: LeadHistory, action: str) -> None:
    step = recommend(Timeline(history), ())
    assert step.action == action
    assert step.text
    assert step.support == 0


def test_what_worked_with_won_look_alikes_is_recommended() -> None:
    near = [alike(Outcome.WON, K.MEETING_BOOKED)] * 4 + [alike(Outcome.LOST, K.CALL_ANSWERED)] * 5 + [alike(Outcome.WON)] * 2
    step = recommend(Timeline(lead(email="a@b.example", phone="+4930123456")), near)
    assert (step.action, step.support) == ("meeting", 4)
    assert "4 of the 6 won leads" in step.text


def test_two_lucky_look_alikes_prove_nothing() -> None:
    assert recommend(Timeline(lead(email="a@b.example")), [alike(Outcome.WON, K.MEETING_BOOKED)] * 2).action == "email"


def test_a_way_that_is_closed_is_not_recommended() -> None:
    near = [alike(Outcome.WON, K.CALL_ANSWERED)] * 5
    assert recommend(Timeline(lead(email="a@b.example")), near).action == "email"
    assert recommend(Timeline(lead(email="a@b.example", phone="+49301")), near).action == "call"


# -- best time


def test_the_best_time_is_when_the_lead_acts() -> None:
    tuesdays = [act(K.PAGE_VIEWED, days=7 * week, hours=-3) for week in (1, 2, 3)]  # 15:00 on Tuesdays
    slot = best_time(Timeline(lead(*tuesdays, age_days=40)), (), "email")
    assert slot is not None
    assert slot.start == datetime(2026, 3, 10, 15, tzinfo=UTC)
    assert "most active on Tuesdays around 15:00 UTC" in slot.text


def test_look_alikes_lend_their_habits() -> None:
    slot = best_time(Timeline(lead()), [alike(Outcome.WON, K.CALL_ANSWERED, hour=8)] * 4, "call")
    assert slot is not None
    assert (slot.start.weekday(), slot.start.hour) == (2, 8)
    assert "leads like this one" in slot.text


def test_without_habits_an_office_hour() -> None:
    friday = replace(lead(), as_of=datetime(2026, 3, 13, 18, tzinfo=UTC))
    slot = best_time(Timeline(friday), (), "email")
    assert slot is not None
    assert slot.start == datetime(2026, 3, 16, 10, tzinfo=UTC)


def test_an_answer_does_not_wait_and_peace_has_no_hour() -> None:
    assert best_time(Timeline(lead()), (), "answer").start == NOW  # type: ignore[union-attr]
    assert best_time(Timeline(lead()), (), "wait") is None


@given(hours=st.lists(st.floats(0, 24 * 60), max_size=8))
def test_the_best_time_is_always_ahead(hours: list[float]) -> None:
    slot = best_time(Timeline(lead(*(act(K.PAGE_VIEWED, hours=back) for back in hours), age_days=90)), (), "email")
    assert slot is not None
    assert NOW < slot.start <= NOW + timedelta(days=7, hours=1)


# -- what would lift a lead


def test_a_lift_is_what_the_model_itself_answers(bundle: Bundle, past: list[LabelledHistory]) -> None:
    def rescore(changed: Any) -> list[Score]:
        return score(changed, bundle, reasons=False)

    found = 0
    for example in past[:60]:
        [told] = score([example.history], bundle)
        lift = find_lift(Timeline(example.history), example.history, told, rescore)
        if lift is None:
            continue
        assert told.tier is not Tier.A
        added = [(kind, dict(facts)) for step in STEPS if step.name in lift.steps for kind, facts in step.acts]
        acts = [replace(act(kind), occurred_at=example.history.as_of, properties=facts) for kind, facts in added]
        facts = {**example.history.facts, **({"phone": "+1"} if "phone" in lift.steps else {})}
        [after] = rescore([replace(example.history, facts=facts, engagements=(*example.history.engagements, *acts))])
        assert (after.tier, after.score) == (lift.tier, lift.score)
        assert lift.lifts == (list(Tier).index(after.tier) < list(Tier).index(told.tier))
        found += lift.lifts
    assert found > 5


def test_nothing_lifts_the_best_and_mail_is_no_step_for_who_refused_it() -> None:
    top = lead(*(act(kind, 0.1) for kind in (K.MEETING_BOOKED, K.EMAIL_REPLIED, K.CALL_ANSWERED)), title="CEO", email="a@b.example")
    [told] = score([top], None)
    assert told.tier is Tier.A
    assert find_lift(Timeline(top), top, told, lambda changed: score(changed, None)) is None
    closed = lead(act(K.UNSUBSCRIBED, 1), email="a@b.example")
    tried: list[int] = []

    def rescore(changed: Any) -> list[Score]:
        tried.extend(sum(one.kind is K.EMAIL_REPLIED for one in history.engagements) for history in changed)
        return score(changed, None)

    find_lift(Timeline(closed), closed, score([closed], None)[0], rescore)
    assert tried
    assert not any(tried)


# -- the whole answer


def test_the_whole_answer(bundle: Bundle) -> None:
    history = replace(DIRECTOR, facts={**DIRECTOR.facts, "email": "a@firm1.example"})
    past = PastLeads((look(1, DIRECTOR), look(2, STUDENT, Outcome.LOST)), weigh({}))
    [whole] = appraise([history], bundle, past=past, whole=True)
    assert [one.look.lead_id for one in whole.look_alikes] == [1, 2]
    assert whole.next_step is not None
    assert whole.best_time is not None
    assert whole.trend is not None
    assert whole.trend > 0, "it clicked this week"
    assert 1 <= whole.priority <= 4
    assert sum(member.weight for member in whole.members) == pytest.approx(1.0)
    assert {*whole.raising, *whole.lowering} == set(whole.score.reasons)


def test_what_is_not_computed_again_does_not_change(past: list[LabelledHistory]) -> None:
    """Neither an act nor a phone number nor time moves a settled feature."""
    for example in past[:20]:
        history = example.history
        acts = [act(kind) for step in STEPS for kind, _ in step.acts]
        changed = replace(
            history,
            as_of=history.as_of + timedelta(days=30),
            facts={**history.facts, "phone": "+4930"},
            engagements=(*history.engagements, *(replace(one, occurred_at=history.as_of) for one in acts)),
        )
        before, after = build(history), build(changed)
        assert {name: after[name] for name in SETTLED} == {name: before[name] for name in SETTLED}
    assert {"country", "title_seniority", "email_kind"} <= SETTLED
    assert not {"has_phone", "profile_completeness", "clicks_7d", "ready_to_buy"} & SETTLED


def test_features_that_the_model_does_not_read_change_nothing(bundle: Bundle, past: list[LabelledHistory]) -> None:
    histories = [example.history for example in past[:50]]
    short = appraise(histories, bundle)
    full = score(histories, bundle)
    assert [one.score.contributions for one in short] == [one.contributions for one in full]
    assert [one.score.reasons for one in short] == [one.reasons for one in full]
    assert [one.score.confidence for one in short] == [one.confidence for one in full]
    assert [one.priority for one in short] == [prioritise(one) for one in full]


def test_a_lead_younger_than_a_week_has_no_trend(bundle: Bundle) -> None:
    assert appraise([lead(age_days=2.0)], bundle, whole=True)[0].trend is None


def test_members_add_up_to_the_raw_score(bundle: Bundle, past: list[LabelledHistory]) -> None:
    """Of an ensemble with a linear member, and of segments of it; so do the reasons."""
    rows = [build(example.history, bundle.learned) for example in past]
    rows = [add_extra(row, example.history, only_extra(bundle.columns)) for row, example in zip(rows, past, strict=True)]
    labels = np.array([float(example.outcome is Outcome.WON) for example in past])
    linear = LinearScorer.fit(rows, labels, np.ones(len(rows)), bundle.columns)
    trees = BoostedScorer.fit(rows, labels, np.ones(len(rows)), bundle.columns, seed=1, threads=1, progress=lambda done: None)
    both = EnsembleScorer([(0.7, trees), (0.3, linear)])
    column = next(one.name for one in bundle.columns if one.type == "categorical")
    level = next(str(row[column]) for row in rows if row[column] is not None)
    for scorer in (both, SegmentScorer(column, {level: both}, trees)):
        told = appraise([example.history for example in past[:20]], replace(bundle, scorer=scorer))
        for one in told:
            assert sum(part.contribution for part in one.members) == pytest.approx(one.score.raw, abs=1e-6)
            assert sum(part.weight for part in one.members) == pytest.approx(1.0)
            assert one.score.base + sum(one.score.contributions.values()) == pytest.approx(one.score.raw, abs=1e-6)
    assert {part.name for part in told[0].members} <= {"trees", "linear"}


def test_fit_and_intent_are_apart(bundle: Bundle) -> None:
    silent, busy = (
        lead(title="Director of Sales"),
        lead(*(act(K.EMAIL_CLICKED, day) for day in (1, 2, 3)), title="Sales Specialist"),
    )
    a, b = appraise([silent, busy], bundle)
    assert a.fit is not None
    assert a.intent is not None
    assert b.fit is not None
    assert b.intent is not None
    assert a.fit > b.fit
    assert a.intent < b.intent
    plain = appraise([silent], bundle, reasons=False)[0]
    assert (plain.fit, plain.intent, plain.members, plain.score.reasons) == (None, None, (), ())


@settings(max_examples=40, deadline=None)
@given(
    clicks=st.integers(0, 6),
    age=st.floats(0.01, 300),
    employees=st.none() | st.integers(1, 10**6),
    title=st.sampled_from(["CEO", "", "Nurse"]),
)
def test_reasons_add_up_to_the_raw_score(bundle: Bundle, clicks: int, age: float, employees: int | None, title: str) -> None:
    history = lead(*(act(K.EMAIL_CLICKED, day) for day in range(clicks)), age_days=age, employees=employees, title=title)
    for model in (bundle, None):
        [with_reasons] = score([history], model)
        [without] = score([history], model, reasons=False)
        assert with_reasons.base + sum(with_reasons.contributions.values()) == pytest.approx(without.raw, abs=1e-6)


def test_near_equal_leads_are_given_the_same_reasons(bundle: Bundle, past: list[LabelledHistory]) -> None:
    """A minute later a lead is told the same."""
    same = 0
    for example in past[:200]:
        twin = replace(example.history, as_of=example.history.as_of + timedelta(minutes=1))
        a, b = score([example.history, twin], bundle)
        same += [(one.feature, one.contribution > 0) for one in a.reasons] == [
            (one.feature, one.contribution > 0) for one in b.reasons
        ]
    assert same >= 196
