"""Leads of reps whom the CRM has deleted or switched off: routed anew, because nobody would work them."""

from __future__ import annotations

import structlog

from connector.bootstrap import House
from connector.pipeline.allocate import announce, pick
from leads.enums import Outcome

log = structlog.get_logger(__name__)

ENGINE = "engine"
REASON = "its rep is no longer in the CRM"


def release_leads(house: House) -> int:
    """Give every open lead of a rep who left to somebody else; returns how many.

    A lead that a person gives to such a user afterwards stays: that was their choice.
    """
    released = 0
    for rep_id, lead_id in house.reps.gone_with_leads():
        with house.db.transaction():
            lead = house.leads.lock(lead_id)
            assignment = house.decisions.open_assignment(lead.id) if lead else None
            if lead is None or assignment is None or assignment.rep_id != rep_id:
                continue
            if lead.outcome in (Outcome.WON, Outcome.LOST):  # it ended: nobody is to follow it up
                house.decisions.close(lead.id, house.clock.now(), lead.outcome.value)
                continue
            house.decisions.close(lead.id, house.clock.now(), "gone")
            house.leads.set_owner(lead.id, None, pinned=False)
            current = house.leads.get(lead.id)
            if current is None or not current.routable or current.erased:
                continue
            stored = house.scores.newest(lead.id)
            decision = pick(house, current, stored, ENGINE, reason=REASON)
            announce(house, current, stored.score if stored else None, decision.rep_id, fresh=True)
            released += 1
    if released:
        log.info("leads of reps who left were routed anew", leads=released)
    return released
