"""Taking back that two leads are one person."""

from __future__ import annotations

from connector.bootstrap import House
from connector.commands.people import Actor, Done
from connector.errors import Skippable
from connector.pipeline.identity import near_tokens
from leads.enums import EffectKind


def part_leads(house: House, merge_id: int, actor: Actor) -> Done:
    """Undo a merge: both leads are scored anew, and are never merged again by themselves."""
    with house.db.transaction():
        try:
            leads = house.leads.part(merge_id, actor.label)
        except Skippable as error:
            return Done(False, str(error))
        for lead_id in leads:
            lead = house.leads.get(lead_id)
            if lead is None:
                continue
            house.namesakes.write(lead_id, near_tokens(house, lead.fields))
            if lead.external_id and lead.connection in house.crm_connections():
                house.effects.add(EffectKind.CRM_LEAD, lead.connection, f"lead:{lead_id}", lead_id)
            if lead.routable:
                house.db.after_commit(lambda lead_id=lead_id: house.queue.ring_score(lead_id))  # type: ignore[misc]
        detail = {"leads": list(leads), "merge": merge_id}
        house.audit.add(actor.label, "lead.parted", f"lead:{leads[0]}", lead_id=leads[0], detail=detail)
    return Done(True, f"Leads {leads[0]} and {leads[1]} are two again.")
