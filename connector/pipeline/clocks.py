"""The clocks of a new assignment: when to remind, to alert the manager, and by when to accept and to speak to the person. Each is a
row; `connector.pipeline.sla` carries them out."""

from __future__ import annotations

from datetime import datetime

import structlog

from allocation.hours import Calendar
from allocation.policy import Plan
from allocation.rep import Rep
from allocation.sla import deadlines
from connector.bootstrap import House
from leads.enums import Tier

log = structlog.get_logger(__name__)

REMIND, ALERT, ACCEPT, CONTACT = "remind", "alert", "accept", "contact"


def start_clocks(house: House, lead_id: int, assignment_id: int, rep: Rep, plan: Plan, tier: Tier, at: datetime) -> None:
    """Start what the policy sets for the team and tier, in the business time of the rep (else the team's, else the policy's)."""
    terms = house.policy.sla_of(plan.team, tier)
    if terms is None:
        return
    try:
        found = deadlines(at, terms, rep.calendar(plan.calendar))
    except ValueError as error:  # hours that never come: counted round the clock, which is the safe side
        log.warning("deadlines counted round the clock", rep_id=rep.id, error=str(error))
        found = deadlines(at, terms, Calendar())
    moments = {REMIND: found.remind_at, ALERT: found.alert_at, ACCEPT: found.accept_by, CONTACT: found.contact_by}
    house.timers.start(lead_id, assignment_id, {stage: moment for stage, moment in moments.items() if moment is not None})
