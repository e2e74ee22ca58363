"""Plays the CRM's part of the campaign: contacts come, and their properties change."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from connector.sandbox.hubspot.store import Refused, Store
from connector.sandbox.hubspot.webhooks import Notices
from connector.sandbox.world.campaign import Campaign, CampaignLead, Step
from connector.sandbox.world.history import draw_history
from connector.sandbox.world.team import reps

#: Act → (properties set to the moment, property set to text, HubSpot's change source).
ACT_PROPERTIES = {
    "visit": ("hs_analytics_last_visit_timestamp", "", "ANALYTICS"),
    "form": ("recent_conversion_date", "recent_conversion_event_name", "FORM"),
    "reply": ("hs_email_last_reply_date", "", "EMAIL"),
    "meeting": ("engagements_last_meeting_booked", "", "MEETINGS"),
}


def load_history(store: Store, seed: int, count: int) -> None:
    """Fill the store with the past, silently: old changes send no webhooks."""
    owner_ids = tuple(rep.owner_id for rep in reps())
    for past in draw_history(seed, count, store.now_ms(), owner_ids):
        record = store.create("contacts", {}, "IMPORT", "import", past.created_ms)
        for at, name, value in past.changes:
            store.update(record, {name: value}, "IMPORT" if at == past.created_ms else "CRM_UI", "import", at)


@dataclass
class Player:
    """One run of the campaign. `live` maps lead numbers to contact ids."""

    store: Store
    notices: Notices
    live: dict[int, str] = field(default_factory=dict)
    steps_done: int = 0
    started_at: float | None = None
    finished: bool = False

    async def play(self, campaign: Campaign) -> None:
        """Take every step at its moment; returns after the last one."""
        self.notices.trouble, self.started_at, start = True, time.time(), time.monotonic()
        steps: list[tuple[float, int, CampaignLead | Step]] = [(lead.at, 0, lead) for lead in campaign.leads]
        steps += [(step.at, 1, step) for step in (*campaign.crm, *campaign.trouble)]
        for at, _, what in sorted(steps, key=lambda entry: entry[:2]):
            await asyncio.sleep(max(0.0, start + at - time.monotonic()))
            if isinstance(what, CampaignLead):
                self.join(what)
            elif what.lead < 0:
                self.notices.misbehave(what.kind)
            else:
                self.act(self.live[what.lead], what.kind)
                self.steps_done += 1
        self.notices.trouble, self.finished = False, True

    def join(self, lead: CampaignLead) -> None:
        """A new contact, as a form or an import makes it."""
        values = dict(lead.person.properties) | {"lifecyclestage": "lead", "hs_lead_status": "NEW"}
        if lead.owner_id is not None:
            values["hubspot_owner_id"] = lead.owner_id
        try:
            self.live[lead.number] = self.store.create("contacts", values, "FORM", "form-77").id
        except Refused as refusal:  # a world that breaks its own CRM's rules is a fault of the world
            raise RuntimeError(f"lead {lead.number}: {refusal.message}") from refusal

    def act(self, contact_id: str, kind: str) -> None:
        """One act of a contact, at this moment."""
        record = self.store.get("contacts", contact_id)
        if record is None:
            return
        dated, text, source = ACT_PROPERTIES[kind]
        values = {dated: str(self.store.now_ms())}
        if text:
            values[text] = f"Demo request: form {self.steps_done % 7}"
        self.store.update(record, values, source, kind)
