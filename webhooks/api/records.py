"""What the API takes and gives. Unknown members are an error, so that a misspelt one is not silently ignored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

Scalar = str | int | float | bool | None
Id = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


#: No record has a higher number: fifteen digits, as in paths.
MOST_ID = 10**15 - 1


class Taken(BaseModel):
    """Something a client sends."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LeadFields(Taken):
    """The canonical fields of a lead; leave out what is not known. Over-long text is cut."""

    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    title: str | None = None
    company: str | None = None
    website: str | None = None
    message: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    postcode: str | None = None
    industry: str | None = None
    employees: int | None = Field(default=None, ge=0, le=10_000_000)
    revenue: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    deal_amount: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    source: str | None = None
    campaign: str | None = None
    language: str | None = None
    product: str | None = None


class NewLead(Taken):
    """A lead to store and route. It needs something that tells it from others: an external id, an e-mail or a phone number."""

    external_id: Id | None = None
    lead: LeadFields = LeadFields()
    extra: dict[Annotated[str, StringConstraints(max_length=120)], Scalar] = Field(default_factory=dict, max_length=200)

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not (self.external_id or self.lead.email or self.lead.phone):
            raise ValueError("give external_id, lead.email or lead.phone")
        return self


class Reassign(Taken):
    """The rep who shall have the lead, and why."""

    rep_id: Id
    reason: Reason


class Claim(Taken):
    """The rep who takes a lead: one that nobody holds, or one that was given to them."""

    rep_id: Id


class PassOn(Taken):
    """The rep who gives a lead back, and why."""

    rep_id: Id
    reason: Reason


Words = Annotated[
    list[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]], Field(max_length=200)
]
Cap = Annotated[int, Field(ge=0, le=100_000)]


class RepChange(Taken):
    """What people set for a rep. Null takes a setting back. Hours are by day, such as {"mon-fri": "09:00-17:30"}."""

    weight: float | None = Field(default=None, ge=0, le=100, allow_inf_nan=False)
    capacity: Cap | None = None
    per_hour: Cap | None = None
    per_day: Cap | None = None
    per_week: Cap | None = None
    paused_until: AwareDatetime | None = None
    active: bool | None = None
    timezone: str | None = Field(default=None, max_length=64)
    team: str | None = Field(default=None, max_length=120)
    hours: dict[str, str] | None = Field(default=None, max_length=14)
    holidays: str | None = Field(default=None, max_length=12)
    languages: Words | None = None
    products: Words | None = None
    industries: Words | None = None
    countries: Words | None = None
    regions: Words | None = None
    postcodes: Words | None = None
    employees: list[Cap | None] | None = Field(default=None, min_length=2, max_length=2)
    pto: list[list[AwareDatetime]] | None = Field(default=None, max_length=200)


class DecisionQuery(Taken):
    """Paging: decisions at or after `since`, with an id above `after`."""

    since: AwareDatetime | None = None
    after: int = Field(default=0, ge=0, le=MOST_ID)
    limit: int = Field(default=100, ge=1, le=500)


class Given(BaseModel):
    """Something we answer with."""

    model_config = ConfigDict(protected_namespaces=())  # model_version is the field's name everywhere


class ReasonOut(Given):
    feature: str
    contribution: float = Field(description="Signed, in log-odds.")
    text: str


class ScoreOut(Given):
    """A stored score. `source` is "model" or "rules"."""

    probability: float
    score: int
    tier: str
    confidence: float
    reasons: list[ReasonOut]
    model_version: str
    source: str
    note: str | None
    as_of: datetime


class OwnerOut(Given):
    id: str
    external_id: str
    name: str


class PlaybookStepOut(Given):
    at: datetime
    step: str
    result: str


class PlaybookRunOut(Given):
    playbook: str
    cause: str = Field(description="What started it: act, score, tier, stage or quiet.")
    state: str = Field(description="running, done or stopped.")
    ended_as: str | None
    started_at: datetime
    due_at: datetime | None = Field(description="When the next step is due.")
    steps: list[PlaybookStepOut]


class LeadOut(Given):
    id: int
    connection: str
    external_id: str | None
    created_at: datetime
    fields: dict[str, Scalar]
    extra: dict[str, Scalar]
    outcome: str
    owner: OwnerOut | None
    pinned: bool
    score: ScoreOut | None
    first_contact_at: datetime | None = Field(default=None, description="The first human touch.")
    speed_to_lead_s: float | None = Field(default=None, description="Seconds from the lead's creation to it.")
    playbooks: list[PlaybookRunOut] = Field(default_factory=list, description="What playbooks did, the oldest run first.")


class StoredLeadOut(Given):
    id: int


class VerdictOut(Given):
    rep_id: str
    rep_name: str
    verdict: str
    rank: int | None
    gate: str | None
    detail: str
    factors: dict[str, float]


class WhyOut(Given):
    lead_id: int
    decision_id: int
    because: str
    method: str
    policy_version: str
    at: datetime
    actor: str
    reason: str | None
    verdicts: list[VerdictOut]
    score: ScoreOut | None
    set_aside: list[str] = Field(description="Acts that count nothing since no person does so many, and why.")
    ask_next: str | None = Field(description="The question whose answer would tell most.")


class DoneOut(Given):
    text: str


class RepOut(Given):
    id: str
    connection: str
    external_id: str
    name: str
    email: str | None
    active: bool
    open_leads: int
    teams: list[str]
    settings: dict[str, Any]


class RepsOut(Given):
    reps: list[RepOut]


class DecisionOut(Given):
    id: int
    lead_id: int
    external_id: str | None
    connection: str | None
    rep_id: str | None
    rep_external_id: str | None
    outcome: str
    tier: str | None
    score: int | None
    at: datetime


class DecisionsOut(Given):
    """`next_after` is the `after` of the next page, null when this was the last."""

    decisions: list[DecisionOut]
    next_after: int | None
