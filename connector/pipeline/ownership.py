"""Owners that come from the CRM. A person's choice there wins over ours and pins the lead."""

from __future__ import annotations

from connector.bootstrap import House
from connector.pipeline.alerts import ask_cards
from connector.pipeline.allocate import announce, choose
from connector.storage.leads import Applied
from leads.enums import ChangeOrigin, EffectKind, Tier
from leads.records import LeadChange


def take_from_crm(house: House, connection: str, applied: Applied, change: LeadChange) -> None:
    """Follow the owner on the CRM record, within the caller's transaction."""
    lead = house.leads.lock(applied.lead_id)
    if lead is None:
        return
    owner = change.fields.get("owner_id")
    rep = house.reps.for_owner(connection, str(owner)) if owner else None
    if (rep.id if rep else None) == lead.owner_id:
        return
    newest = house.decisions.newest(lead.id)
    decided = newest is not None
    if newest and newest.at > change.occurred_at:
        return  # somebody has decided since
    if newest and change.origin is ChangeOrigin.UNKNOWN and house.effects.is_open(EffectKind.CRM_LEAD, lead.id):
        return  # read while our own owner is still on its way there
    if rep is None:
        if not decided:
            house.leads.set_owner(lead.id, None, pinned=False)
        elif change.origin is not ChangeOrigin.OURSELVES:  # somebody took the owner away: route it anew
            house.decisions.close(lead.id, house.clock.now(), "gone")
            house.leads.set_owner(lead.id, None, pinned=False)
            house.leads.touch(lead.id)
            house.db.after_commit(lambda: house.queue.ring_score(lead.id))
        return
    if not decided:
        house.leads.set_owner(lead.id, int(rep.id), pinned=change.origin is ChangeOrigin.PERSON)
        return
    choose(house, lead, rep.id, "crm", None, because="Chosen by a person in the CRM.")
    stored = house.scores.newest(lead.id)
    announce(house, lead, stored.score if stored else None, rep.id, fresh=True)


def refresh_cards(house: House, lead_id: int) -> None:
    """Ask that the standing cards show the state of the lead, as after it was won or lost."""
    if house.cards.of_lead(lead_id) and ask_cards(house, lead_id, Tier.UNKNOWN, None):
        house.db.after_commit(lambda: house.queue.ring_deliver("slack"))
