"""What ends a run before its last step."""

from __future__ import annotations

from typing import Final

from connector.bootstrap import House
from connector.playbooks.plan import STOPS, Playbook
from connector.playbooks.reading import PlaybookError, read_stored
from connector.playbooks.triggers import FRESH
from connector.storage.playbooks import Run
from leads.enums import LifecycleStage, Outcome
from leads.records import Lead

#: What people may refuse, and with it every message to them.
PURPOSES: Final = ("marketing", "profiling")


def stop_of(house: House, lead: Lead | None, run: Run) -> str | None:
    """Why the run is over, in a word; None while it may go on."""
    if lead is None or lead.erased:
        return "erased"
    if lead.outcome in (Outcome.WON, Outcome.LOST):
        return lead.outcome.value
    if house.playbook_shelf.is_withdrawn(run.playbook):
        return "withdrawn"
    try:
        playbook = read_stored(run.playbook, run.plan)
    except PlaybookError:
        return "unreadable"
    if LifecycleStage.read(lead.fields.get("lifecycle_stage")) in playbook.stop_stages:
        return "stage"
    return _stopping_act(house, run, playbook)


def _stopping_act(house: House, run: Run, playbook: Playbook) -> str | None:
    """The word of the first act since the run began that stops it."""
    acts, _ = house.playbooks.acts_since(run.lead_id, run.seen_id)
    for act in acts:
        if act.kind in playbook.stops and act.at > run.started_at - FRESH:
            return next(word for word, kinds in STOPS.items() if act.kind in kinds)
    return None


def opted_out(house: House, lead: Lead) -> bool:
    """Whether the person does not want to hear from us: by the CRM's word, or by a refusal that stands."""
    if str(lead.fields.get("email_consent") or "").lower() == "no":
        return True
    email = lead.fields.get("email")
    return bool(email) and any(house.privacy.refused([str(email)], purpose) for purpose in PURPOSES)
