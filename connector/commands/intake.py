"""Leads that a person or a program hands in."""

from __future__ import annotations

from connector.bootstrap import House
from connector.commands.people import Actor
from connector.pipeline.enrich import score_first
from connector.pipeline.normalise import normalise
from leads.records import LeadChange


def add_lead(house: House, change: LeadChange, actor: Actor) -> int:
    """Take in one lead by the API and route it; returns its id."""
    with house.db.transaction():
        applied = house.leads.apply("api", normalise(change), live=True)
        house.audit.add(actor.label, "lead.added", f"lead:{applied.lead_id}", lead_id=applied.lead_id)
        if applied.created:
            score_first(house, applied.lead_id)
        else:
            house.db.after_commit(lambda: house.queue.ring_score(applied.lead_id))
        return applied.lead_id
