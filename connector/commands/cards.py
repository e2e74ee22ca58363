"""What a lead's card shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.bootstrap import House
from connector.commands.reasons import reason_of
from connector.storage.decisions import Assignment
from leads.enums import Outcome, Tier
from leads.records import Engagement, Lead
from scoring.facts import expect_value

#: How an assignment ends when its rep was too slow; see `connector.pipeline` for the clocks.
EXPIRED = "missed"


@dataclass(frozen=True, slots=True)
class CardState:
    """Everything a lead card shows. `state` is new, accepted, contacted, reassigned, expired, waiting, won, lost or gone.

    `deadline` is the next moment that the owner has to keep: until then they accept (`deadline_for` "accept") or make contact.
    """

    lead_id: int
    external_id: str | None
    name: str
    title: str | None
    company: str | None
    source: str | None
    tier: Tier
    score: int | None
    trend: int | None  # change against the score before, in points
    confidence: float | None
    reasons_up: tuple[str, ...]
    reasons_down: tuple[str, ...]
    rationale: str | None
    because: str | None
    owner_id: str | None
    owner_name: str | None
    state: str
    accepted_by: str | None
    accepted_after_s: float | None
    passed_reason: str | None
    last_engagement: Engagement | None
    created_at: datetime
    crm_url: str | None
    note: str | None
    deadline: datetime | None = None
    deadline_for: str | None = None
    contacted_after_s: float | None = None
    snoozed_until: datetime | None = None
    expected_value: float | None = None  # in the tenant's currency; None where the size of the deal is not known


def card(house: House, lead_id: int) -> CardState | None:
    """The lead as its card shows it now; None when there is no such lead any more."""
    lead = house.leads.get(lead_id)
    if lead is None or lead.erased:
        return None
    stored = house.scores.newest(lead.id)
    before = house.scores.before(stored) if stored else None
    decision = house.decisions.newest(lead.id)
    owner = house.reps.get(lead.owner_id) if lead.owner_id else None
    assignment = house.decisions.open_assignment(lead.id)
    past = house.decisions.history(lead.id)
    score = stored.score if stored else None
    rationale = house.scores.rationale(stored.id) if stored else None
    accepted = assignment is not None and assignment.accepted_at is not None
    snoozed = house.snoozes.open(lead.id)
    due, due_for = _deadline(house, assignment)
    client = house.client(lead.connection) if lead.connection in house.settings.connections else None

    def text(name: str) -> str | None:
        value = lead.fields.get(name)
        return str(value) if value not in (None, "") else None

    return CardState(
        lead_id=lead.id,
        external_id=lead.external_id,
        name=lead.name,
        title=text("title"),
        company=text("company"),
        source=text("source"),
        tier=score.tier if score else Tier.UNKNOWN,
        score=score.score if score else None,
        trend=score.score - before.score.score if score and before else None,
        confidence=score.confidence if score else None,
        reasons_up=tuple(reason.text for reason in score.reasons if reason.contribution > 0)[:3] if score else (),
        reasons_down=tuple(reason.text for reason in score.reasons if reason.contribution < 0)[:2] if score else (),
        rationale=rationale.text if rationale else None,
        because=decision.because if decision else None,
        owner_id=lead.owner_id,
        owner_name=owner.name if owner else None,
        state=_state(lead, assignment, past),
        accepted_by=owner.name if accepted and owner else None,
        accepted_after_s=(assignment.accepted_at - assignment.opened_at).total_seconds()
        if assignment and assignment.accepted_at
        else None,
        passed_reason=reason_of(house, decision) if decision and _last_end(past) == "passed" else None,
        last_engagement=house.histories.last_engagement(lead.id),
        created_at=lead.created_at,
        crm_url=client.record_url(lead.external_id) if client and lead.external_id else None,
        note=score.note if score else None,
        deadline=due,
        deadline_for=due_for,
        contacted_after_s=(assignment.contacted_at - assignment.opened_at).total_seconds()
        if assignment and assignment.contacted_at
        else None,
        snoozed_until=snoozed.until if snoozed else None,
        expected_value=expect_value(score.probability, lead.fields.get("deal_amount")) if score else None,
    )


def _last_end(past: Sequence[Assignment]) -> str | None:
    """How the last assignment that ended did so, of those in which somebody lost the lead to another."""
    ends = [held.closed_as for held in past if held.closed_as in ("passed", "reassigned", "cleared", EXPIRED)]
    return ends[-1] if ends else None


def _state(lead: Lead, assignment: Assignment | None, past: Sequence[Assignment]) -> str:
    if lead.outcome in (Outcome.WON, Outcome.LOST):
        return lead.outcome.value
    if not lead.routable:
        return "gone"
    end = _last_end(past)
    if lead.owner_id is None:
        return "expired" if end == EXPIRED else "waiting"
    if assignment is not None and assignment.contacted_at is not None:
        return "contacted"
    if assignment is not None and assignment.accepted_at is not None:
        return "accepted"
    return {None: "new", EXPIRED: "expired"}.get(end, "reassigned")


def _deadline(house: House, assignment: Assignment | None) -> tuple[datetime | None, str | None]:
    """The next moment that the owner has to keep, and for what."""
    if assignment is None or assignment.contacted_at is not None:
        return None, None
    wanted = ("contact",) if assignment.accepted_at is not None else ("accept", "contact")
    for stage, due_at in house.timers.running(assignment.id).items():
        if stage in wanted:
            return due_at, stage
    return None, None
