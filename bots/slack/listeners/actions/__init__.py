"""Clicks: on cards and lists, on requests that somebody has to decide, and inside an open form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from bots.slack import access, names
from bots.slack.listeners.actions import bulks, leads, linking
from bots.slack.visit import Visit
from connector.commands import Actor, CardState

OLD: Final = "This button is from an older version of the app. Please use the newest card of this lead."

#: What a click does that is about one lead, read as it is then.
OF_A_LEAD: Final[Mapping[str, Callable[[Visit, Actor, CardState], None]]] = {
    names.ACCEPT: leads.accept,
    names.PASS_ON: leads.ask_pass_reason,
    names.OUTCOME: leads.ask_outcome,
    names.CLAIM: leads.claim,
    names.SHOW: leads.show,
    f"{names.SHOW}_why": leads.why,
    f"{names.SHOW}_claim": leads.claim,
    f"{names.SHOW}_reassign": leads.ask_reassign_to,
    f"{names.MORE}.{names.REASSIGN}": leads.ask_reassign_to,
    f"{names.MORE}.{names.WHY}": leads.why,
    f"{names.MORE}.{names.WRONG}": leads.ask_what_is_wrong,
}
#: What a click does that is about something else, named by the button's value.
OF_A_REQUEST: Final[Mapping[str, Callable[[Visit, Actor, str], None]]] = {
    names.BULK_YES: bulks.confirm,
    names.BULK_APPROVE: bulks.approve,
    names.BULK_NO: bulks.decline,
    names.LINK_YES: linking.approve,
    names.LINK_NO: linking.decline,
}


def handle(visit: Visit, payload: Mapping[str, Any]) -> None:
    """Act on the clicked element. One that we do not know (an old message's) is answered, not ignored."""
    clicked = (payload.get("actions") or [{}])[0]
    action = str(clicked.get("action_id") or "")
    if action == names.OPEN:
        return  # the link opened in the browser; Slack tells us all the same
    if action == names.LINK_ASK:  # the one button for somebody whom we do not know
        linking.ask(visit)
        return
    value = str((clicked.get("selected_option") or {}).get("value") or clicked.get("value") or "")
    if action == names.REP and payload.get("view"):
        leads.warn_of_rep(visit, payload["view"], value)
        return
    if action == names.MORE:
        action = f"{names.MORE}.{value.partition(':')[0]}"
    lead_id = names.lead_id(value)
    if action in OF_A_REQUEST:
        actor = access.admit(visit)
        if actor is not None:
            OF_A_REQUEST[action](visit, actor, value)
    elif lead_id is None or (action not in OF_A_LEAD and action != names.SNOOZE):
        visit.tell(OLD)
    else:
        _on_lead(visit, action, lead_id, value)


def _on_lead(visit: Visit, action: str, lead_id: int, value: str) -> None:
    actor = access.admit(visit)
    card = access.lead_of(visit, lead_id) if actor is not None else None
    if actor is None or card is None:
        return
    if action == names.SNOOZE:
        leads.snooze(visit, actor, card, value.partition(":")[0])
    else:
        OF_A_LEAD[action](visit, actor, card)
