"""First contact: when a person of ours first spoke to a lead, as the CRM's activities tell. It stops the contact clock and is the
lead's speed-to-lead."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from allocation.sla import business_minutes
from connector.bootstrap import House
from connector.pipeline.allocate import chosen_plan, facts_of
from connector.pipeline.ownership import refresh_cards
from connector.pipeline.sla import calendar_of, team_of
from connector.storage.leads import Applied
from connector.storage.timers import FirstContact
from leads.enums import ChangeKind, ChangeOrigin, EngagementKind
from leads.records import EngagementEvent, LeadChange

#: Acts in which one of ours and the lead have been in touch.
TOUCHES: Final = frozenset(
    {EngagementKind.CONTACTED, EngagementKind.CALL_ANSWERED, EngagementKind.MEETING_BOOKED, EngagementKind.MEETING_ATTENDED}
)
#: Words of a lead status that say nobody has done anything yet.
UNTOUCHED: Final = frozenset({"", "new", "open", "unworked", "not_started", "open - not contacted"})


def see_act(house: House, lead_id: int, event: EngagementEvent) -> str | None:
    """Take a call, meeting or logged e-mail as a contact, as `note_contact` does."""
    if event.kind not in TOUCHES or event.machine:
        return None
    return note_contact(house, lead_id, event.occurred_at, event.kind.value)


def see_change(house: House, applied: Applied, change: LeadChange) -> str | None:
    """As `note_contact` does, take a person's change of the lead status: nobody sets "attempted" or "connected" before."""
    status = str(change.fields.get("lead_status") or "").strip().lower()
    by_person = change.origin is ChangeOrigin.PERSON and change.kind is ChangeKind.CHANGED and "lead_status" in applied.standing
    if not by_person or applied.created or status in UNTOUCHED:
        return None
    return note_contact(house, applied.lead_id, change.occurred_at, "status")


def note_contact(house: House, lead_id: int, at: datetime, how: str) -> str | None:
    """A person of ours spoke to the lead, as the CRM tells; within the caller's transaction.

    The first such moment is the lead's speed-to-lead; the first since it was given to its rep meets the deadline. Returns the rep
    who has acted by it, for `note_return` at the end of the transaction.
    """
    lead = house.leads.get(lead_id)
    if lead is None or lead.erased or at < lead.created_at:
        return None
    assignment, acted = house.decisions.open_assignment(lead.id), None
    if assignment is not None and at >= assignment.opened_at and house.decisions.contacted(assignment.id, at):
        acted = assignment.rep_id
    rep_id = assignment.rep_id if assignment else lead.owner_id
    minutes = None
    if rep_id is not None:
        facts = facts_of(house, lead, house.scores.newest(lead.id), at)
        plan = chosen_plan(house.policy, facts, team_of(house, assignment) if assignment else None)
        minutes = round(business_minutes(lead.created_at, at, calendar_of(house, rep_id, plan.calendar)), 2)
    seconds = (at - lead.created_at).total_seconds()
    house.timers.note_contact(FirstContact(lead.id, rep_id, at, how, seconds, minutes))
    refresh_cards(house, lead.id)
    return acted
