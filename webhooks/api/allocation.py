"""What the API does with allocation: leads given out now, the waiting list, and a rep's calendar."""

from __future__ import annotations

from connector import commands
from connector.commands.reps import set_calendar
from connector.commands.routing import route, route_many
from leads.enums import Role
from webhooks.api.allocation_records import AllocatedOut, Allocation, CalendarFile, PlacedOut, WaitingOut, WaitsOut
from webhooks.api.gate import Call, Operation, missing
from webhooks.api.records import RepOut
from webhooks.api.reps import known_rep, rep_out
from webhooks.problems import Problem


def allocate(call: Call) -> AllocatedOut:
    """Have the engine decide about a lead that nobody holds; one that somebody holds stays where it is."""
    lead = call.house.leads.get(call.path_id())
    if lead is None or lead.erased:
        raise missing("lead")
    done = route(call.house, lead.id, call.actor())
    reasons = commands.why(call.house, lead.id)
    if not done.ok or reasons is None:
        raise Problem(409, "not-done", "This was not done.", done.text)
    decision = call.house.decisions.get(reasons.decision_id)
    lead = call.house.leads.get(lead.id) or lead
    return AllocatedOut(
        lead_id=lead.id,
        decision_id=reasons.decision_id,
        outcome=decision.outcome.value if decision else "unknown",
        rep_id=lead.owner_id,
        because=reasons.because,
        method=reasons.method,
        policy_version=reasons.policy_version,
        text=done.text,
    )


def allocate_many(call: Call) -> PlacedOut:
    """Give out many leads, or those of a campaign that nobody holds, as one optimum under everybody's caps."""
    wanted = call.read(Allocation)
    placed = route_many(call.house, wanted.lead_ids, wanted.campaign, call.actor(), wanted.reason)
    left_out = {str(lead): note for lead, note in placed.left_out.items()}
    return PlacedOut(given={str(lead): rep for lead, rep in placed.given.items()}, waiting=list(placed.waiting), left_out=left_out)


def list_waiting(call: Call) -> WaitingOut:
    """Leads that nobody could take, or that wait to be claimed, in the order in which they are given out."""
    return WaitingOut(
        waiting=[
            WaitsOut(
                lead_id=held.lead_id,
                tier=held.tier.value,
                team=held.team,
                pool=held.pool,
                since=held.since,
                next_try_at=held.try_at,
            )
            for held in call.house.waiting.all()
        ]
    )


def import_calendar(call: Call) -> RepOut:
    """Take a rep's absences from an iCalendar file, in place of those of an earlier file."""
    wanted = call.read(CalendarFile)
    rep = known_rep(call, call.path["id"])
    changed = set_calendar(call.house, rep.id, wanted.ics.encode(), call.actor(), every=wanted.every_event)
    return rep_out(changed, call.house.decisions.open_counts().get(rep.id, 0))


ALLOCATION_OPERATIONS = (
    Operation("POST", "/leads/{id}/allocate", Role.REP, "Decide who gets a lead", allocate, AllocatedOut),
    Operation("POST", "/allocations", Role.MANAGER, "Give out many leads at once", allocate_many, PlacedOut, takes=Allocation),
    Operation("GET", "/waiting", Role.REP, "List the leads that wait", list_waiting, WaitingOut),
    Operation("PUT", "/reps/{id}/calendar", Role.MANAGER, "Import a rep's calendar", import_calendar, RepOut, takes=CalendarFile),
)
