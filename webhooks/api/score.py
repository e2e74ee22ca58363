"""The score routes: one lead, many, and a CSV file as it comes."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from connector.bootstrap import House
from connector.errors import Configuration
from connector.pipeline.normalise import normalise_unstored
from connector.spreadsheets import csv_line
from leads.enums import Role
from leads.records import LeadHistory
from leads.results import Reason
from webhooks.api.gate import Call, Operation, Streaming, missing
from webhooks.api.records import ReasonOut
from webhooks.api.score_records import (
    Act,
    AppraisalOut,
    AskOut,
    AsksOut,
    BatchOut,
    BatchRequest,
    BestTimeOut,
    LiftOut,
    MemberOut,
    NextStepOut,
    ScoredLead,
    ScoreRequest,
    SimilarOut,
)
from webhooks.problems import FieldError, Problem

if TYPE_CHECKING:
    from connector.appraise import Answer
    from scoring.next_fact import NextFact

# The appraiser brings numpy and the model along; it is asked for in the calls, so that a process that never scores stays small.


def score(call: Call) -> AppraisalOut:
    """Score a stored lead, or one that is not stored, and say why and what to do. Nothing is kept."""
    started = time.perf_counter()
    wanted = call.read(ScoreRequest)
    history = _history(call.house, wanted, call.house.clock.now())
    if history is None:
        raise missing("lead")
    answer = call.house.appraiser.one(history, reasons=wanted.reasons)
    return _tell(answer, history, started, call.house.models.fault)


def score_batch(call: Call) -> BatchOut:
    """Score many leads in one call, in the order given. Nothing is kept."""
    started = time.perf_counter()
    wanted = call.read(BatchRequest)
    histories = []
    absent = []
    now = call.house.clock.now()
    for place, one in enumerate(wanted.leads):
        history = _history(call.house, one, now)
        if history is None:
            absent.append(FieldError(f"leads.{place}.lead_id", "there is no such lead"))
        else:
            histories.append(history)
    if absent:
        raise Problem(422, "invalid", "Some leads are not there.", errors=absent)
    answers = call.house.appraiser.many(histories, reasons=wanted.reasons, whole=wanted.whole)
    fault = call.house.models.fault
    told = [_tell(answer, history, started, fault) for answer, history in zip(answers, histories, strict=True)]
    return BatchOut(scores=told, latency_ms=_since(started))


def score_csv(house: House, lines: Iterable[str]) -> Iterator[str]:
    """Score the rows of a CSV file. The answer is the file with its scores beside it, sent as it is made.

    A row that cannot be read says why in the last column. Nothing is kept.
    """
    from connector.pipeline.score_file import LeadSheet, out_headings, score_rows

    try:
        sheet = LeadSheet(lines)
        yield csv_line(out_headings(sheet))
        for row in score_rows(house, sheet):
            width = len(sheet.headings)
            cells = [*row.cells[:width], *[""] * (width - len(row.cells))]
            yield csv_line([*cells, *row.added()])
    except (csv.Error, UnicodeDecodeError) as error:
        reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else f"not CSV: {error}"
        raise Configuration(f"The file is {reason}.", "Send it as CSV in UTF-8.") from None


def _history(house: House, wanted: ScoredLead, now: datetime) -> LeadHistory | None:
    """The lead as it stands now; a merged one is the one it became."""
    if wanted.lead_id is not None:
        lead = house.leads.get(wanted.lead_id)
        return house.histories.at(lead.id, now) if lead else None
    facts, extra = normalise_unstored(wanted.lead.__dict__ if wanted.lead else {}, wanted.extra)
    acts: Sequence[Act] = wanted.engagements
    times = [act.occurred_at for act in acts]
    if times and (times[-1] > now or any(map(datetime.__gt__, times, times[1:]))):
        acts = sorted((act for act in acts if act.occurred_at <= now), key=lambda act: act.occurred_at)
    return LeadHistory(0, min(wanted.created_at or now, now), now, facts, tuple(acts), extra)


def _tell(answer: Answer, history: LeadHistory, started: float, fault: str | None) -> AppraisalOut:
    """The answer in the API's words; `fault` says why another model than the promoted one serves, when that is so."""
    told = answer.appraisal
    made = told.score
    step, when, lift = told.next_step, told.best_time, told.lift
    reasons = [_reason(one) for one in made.reasons]
    return AppraisalOut(
        lead_id=history.lead_id or None,
        probability=made.probability,
        score=made.score,
        tier=made.tier.value,
        priority=told.priority,
        confidence=made.confidence,
        fit=told.fit,
        intent=told.intent,
        trend=told.trend,
        expected_value=told.expected_value,
        reasons=reasons,
        top_positive=[one for one in reasons if one.contribution > 0],
        top_negative=[one for one in reasons if one.contribution < 0],
        members=[MemberOut(name=one.name, weight=one.weight, contribution=one.contribution) for one in told.members],
        similar_leads=[
            SimilarOut(
                lead_id=one.look.lead_id,
                outcome=one.look.outcome.value,
                similarity=one.similarity,
                as_of=one.look.as_of,
                days_to_outcome=round(one.days_to_outcome, 1),
            )
            for one in told.look_alikes
        ],
        next_step=NextStepOut(action=step.action, text=step.text, support=step.support) if step else None,
        best_time=BestTimeOut(start=when.start, end=when.end, text=when.text) if when else None,
        would_lift=LiftOut(steps=list(lift.steps), text=lift.text, tier=lift.tier.value, score=lift.score, lifts=lift.lifts)
        if lift
        else None,
        ask_next=_ask(told.ask_next) if told.ask_next else None,
        model_version=made.model_version,
        source=answer.source,
        note=" ".join(part for part in (made.note, fault) if part) or None,
        as_of=made.as_of,
        latency_ms=_since(started),
    )


def list_asks(call: Call) -> AsksOut:
    """What a form may ask for, by what the scoring model gains from it. Nobody's data is looked at: forms know what they have."""
    from scoring.next_fact import rank_facts, rank_version

    bundle = call.house.models.champion()
    return AsksOut(facts=[_ask(one) for one in rank_facts(bundle)], model_version=rank_version(bundle))


def _ask(one: NextFact) -> AskOut:
    return AskOut(field=one.field, question=one.question, gain=one.gain)


def _reason(one: Reason) -> ReasonOut:
    return ReasonOut(feature=one.feature, contribution=one.contribution, text=one.text)


def _since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)


SCORE_OPERATIONS = (
    Operation("GET", "/ask", Role.INGEST, "What a form may ask for next", list_asks, AsksOut),
    Operation("POST", "/score", Role.INGEST, "Score a lead", score, AppraisalOut, takes=ScoreRequest),
    Operation("POST", "/score/batch", Role.INGEST, "Score many leads", score_batch, BatchOut, takes=BatchRequest, large=True),
)
SCORE_STREAMS = (Streaming("/score/csv", Role.INGEST, "Score a CSV file", score_csv),)
