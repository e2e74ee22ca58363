"""Having leads routed now: one, or many at once."""

from __future__ import annotations

from collections.abc import Sequence

from connector.bootstrap import House
from connector.commands.owners import can_be_given
from connector.commands.people import Actor, Done
from connector.errors import Configuration
from connector.pipeline.allocate import allocate
from connector.pipeline.campaign import MOST, Placed, place_leads
from connector.storage.campaigns import unheld_leads
from leads.enums import DecisionOutcome, Outcome, Role


def route(house: House, lead_id: int, actor: Actor) -> Done:
    """Have the engine decide about a lead that nobody holds. One that somebody holds stays where it is."""
    lead = house.leads.get(lead_id)
    if lead is None or not can_be_given(lead):
        return Done(False, "This lead is gone.")
    if lead.outcome in (Outcome.WON, Outcome.LOST):
        return Done(False, f"{lead.name} is closed ({lead.outcome.value}).")
    if house.scores.newest(lead.id) is None or not lead.routable:
        house.leads.touch(lead.id)
        house.queue.ring_score(lead.id)
        return Done(False, f"{lead.name} has no live score yet; it is being scored, and routed after that.")
    decision = allocate(house, lead.id, actor.label, again=True)
    if decision is not None and decision.outcome is DecisionOutcome.HELD:
        return Done(True, decision.because)
    lead = house.leads.get(lead.id) or lead
    holder = house.reps.get(lead.owner_id) if lead.owner_id else None
    return Done(True, f"{lead.name} goes to {holder.name}." if decision and holder else f"{holder.name} holds {lead.name}."
                if holder else f"{lead.name} waits.")  # fmt: skip


def route_many(house: House, lead_ids: Sequence[int], campaign: str | None, actor: Actor, reason: str | None = None) -> Placed:
    """Give out many leads, or those of a campaign that nobody holds, as one optimum. Raises `Configuration` for a wrong call."""
    if not actor.may(Role.MANAGER):
        raise Configuration("Only managers and admins may give out many leads at once.")
    if bool(lead_ids) == bool(campaign):
        raise Configuration("Name either leads or a campaign.")
    chosen = list(lead_ids) or unheld_leads(house.db, campaign or "", MOST)
    if len(chosen) > MOST:
        raise Configuration(f"At most {MOST} leads at once; these are {len(chosen)}.")
    return place_leads(house, chosen, actor.label, reason or (f"campaign {campaign}" if campaign else None))
