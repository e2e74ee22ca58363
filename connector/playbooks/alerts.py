"""What an alert of a playbook says, read when it is sent: the run keeps the text, the outbox row only where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from connector.pipeline.crm_wishes import standing_facts
from connector.playbooks.plan import Do
from connector.playbooks.reading import PlaybookError, read_stored
from connector.playbooks.texts import fill

if TYPE_CHECKING:
    from connector.bootstrap import House

#: How an alert is told from a deadline's.
ALERT: Final = "playbook"


def alert_of(house: House, lead_id: int, place: str) -> str | None:
    """The text of the step at `run.position`, as the lead stands now; None when lead or run is gone."""
    run_id, _, position = place.partition(".")
    lead, run = house.leads.get(lead_id), house.playbooks.get(int(run_id))
    if lead is None or lead.erased or run is None:
        return None
    try:
        playbook = read_stored(run.playbook, run.plan)
    except PlaybookError:
        return None
    step = playbook.steps[int(position)]
    return fill(str(step.told["text"]), standing_facts(house, lead, playbook.title)) if step.do is Do.ALERT else None
