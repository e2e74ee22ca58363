"""What the API's calls about allocation take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from webhooks.api.records import Given, Reason, Taken


class Allocation(Taken):
    """Leads to give out: by id, or all of a campaign that nobody holds."""

    lead_ids: list[Annotated[int, Field(ge=1)]] = Field(default_factory=list, max_length=500)
    campaign: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] | None = None
    reason: Reason | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if bool(self.lead_ids) == bool(self.campaign):
            raise ValueError("give either lead_ids or campaign")
        return self


class CalendarFile(Taken):
    """An iCalendar file as text. `every_event` counts all events that are not free, for a calendar kept for absences alone."""

    ics: str = Field(max_length=1_000_000)
    every_event: bool = False


class AllocatedOut(Given):
    """The decision that stands. `rep_id` is null while the lead waits."""

    lead_id: int
    decision_id: int
    outcome: str
    rep_id: str | None
    because: str
    method: str
    policy_version: str
    text: str


class PlacedOut(Given):
    """Lead → rep, the leads that wait, and why others were left out."""

    given: dict[str, str]
    waiting: list[int]
    left_out: dict[str, str]


class WaitsOut(Given):
    lead_id: int
    tier: str
    team: str
    pool: bool
    since: datetime
    next_try_at: datetime


class WaitingOut(Given):
    waiting: list[WaitsOut]
