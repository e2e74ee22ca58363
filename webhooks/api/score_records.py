"""What the score routes take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import AwareDatetime, ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from leads.records import Engagement
from webhooks.api.records import MOST_ID, Given, LeadFields, ReasonOut, Scalar, Taken

#: Leads of one batch.
MOST = 5_000


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class Act(Engagement):
    """One dated act of a lead that is not stored.

    A dataclass and no model, since a batch brings thousands: it is read in half the time, and is scored as it is.
    """

    occurred_at: AwareDatetime
    properties: dict[str, Scalar] = Field(default_factory=dict, max_length=50)
    text: str | None = Field(default=None, max_length=20_000)


class ScoredLead(Taken):
    """A stored lead by `lead_id`, or an unstored one by `lead`."""

    lead_id: int | None = Field(default=None, ge=1, le=MOST_ID)
    lead: LeadFields | None = None
    extra: dict[str, Scalar] = Field(default_factory=dict, max_length=200)
    created_at: AwareDatetime | None = None
    engagements: list[Act] = Field(default_factory=list, max_length=5_000)

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.lead_id is None) == (self.lead is None):
            raise ValueError("give either lead_id or lead")
        return self


class ScoreRequest(ScoredLead):
    """One lead. Without reasons the answer is the score alone, in a quarter of the time."""

    reasons: bool = True


class BatchRequest(Taken):
    """Many leads. `whole` adds what one lead is always told: trend, similar leads, next step, best time, what would lift it."""

    leads: list[ScoredLead] = Field(max_length=MOST)
    reasons: bool = True
    whole: bool = False


class MemberOut(Given):
    """One part of what scored. Weights sum to 1; contributions are in log-odds."""

    name: str
    weight: float
    contribution: float


class SimilarOut(Given):
    """A past lead that stood much like this one at `as_of`, and how it ended. `similarity` is 1 for equals."""

    lead_id: int
    outcome: str
    similarity: float
    as_of: datetime
    days_to_outcome: float


class NextStepOut(Given):
    """What to do. `support` is the number of won look-alikes it rests on; 0 when on the lead alone."""

    action: str
    text: str
    support: int


class BestTimeOut(Given):
    start: datetime
    end: datetime
    text: str


class LiftOut(Given):
    """What would lift the lead a tier, verified by scoring it again. `lifts` is false for the strongest step that does not."""

    steps: list[str]
    text: str
    tier: str
    score: int
    lifts: bool


class AskOut(Given):
    """A fact worth asking for: a canonical field that is not known. `gain` is its share of what moves scores, 0 to 1."""

    field: str
    question: str
    gain: float


class AsksOut(Given):
    """Facts that a form may ask for, the most telling first. It rests on the model (or the rules) alone and on nobody's data."""

    facts: list[AskOut]
    model_version: str


class AppraisalOut(Given):
    """The whole answer about a lead.

    `priority` is 1 (now) to 4. `fit` and `intent` are scores 0–100 of who the lead is and of what it does, apart. `trend` is the
    points against a week ago. `expected_value` is the probability times `deal_amount`, in the tenant's currency. `source` is
    "model", "rules" or "cache". What was not asked for, or is not known, is null or empty.
    """

    lead_id: int | None
    probability: float
    score: int
    tier: str
    priority: int
    confidence: float
    fit: int | None
    intent: int | None
    trend: int | None
    expected_value: float | None
    reasons: list[ReasonOut]
    top_positive: list[ReasonOut]
    top_negative: list[ReasonOut]
    members: list[MemberOut]
    similar_leads: list[SimilarOut]
    next_step: NextStepOut | None
    best_time: BestTimeOut | None
    would_lift: LiftOut | None
    ask_next: AskOut | None
    model_version: str
    source: str
    note: str | None
    as_of: datetime
    latency_ms: float


class BatchOut(Given):
    """`scores` in the order of `leads`."""

    scores: list[AppraisalOut]
    latency_ms: float
