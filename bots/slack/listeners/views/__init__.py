"""Submitted forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from bots.slack import access, names
from bots.slack.listeners.actions import linking
from bots.slack.listeners.views import leads, reps
from bots.slack.listeners.views.fields import Fields
from bots.slack.text import say
from bots.slack.visit import Visit
from connector.commands import Actor, CardState

OLD: Final = "This form is from an older version of the app. Please open it again."

#: Forms about one lead.
OF_A_LEAD: Final[Mapping[str, Callable[[Visit, Actor, CardState, Fields], None]]] = {
    names.PASS_ON_FORM: leads.pass_on,
    names.REASSIGN_FORM: leads.reassign,
    names.OUTCOME_FORM: leads.log_outcome,
    names.WRONG_FORM: leads.correct_score,
}
#: Forms about one rep, named in what the form brings back.
OF_A_REP: Final[Mapping[str, Callable[[Visit, Actor, str, Fields], None]]] = {
    names.PTO_FORM: reps.take_days_off,
    names.CAPS_FORM: reps.set_caps,
}


def handle(visit: Visit, payload: Mapping[str, Any], private: Mapping[str, Any]) -> None:
    """Act on a form, checked against who asks and how things stand now."""
    form = payload.get("view") or {}
    callback = str(form.get("callback_id") or "")
    fields = Fields((form.get("state") or {}).get("values") or {})
    if callback == names.LINK_FORM:
        linking.request(visit, fields.chosen(names.REP))
        return
    lead_id = names.lead_id(private.get("lead_id"))
    about_rep = str(private.get("rep_id") or "") if callback in OF_A_REP else ""
    if not about_rep and (callback not in OF_A_LEAD or lead_id is None):
        visit.tell(OLD)
        return
    actor = access.admit(visit)
    if actor is None:
        return
    if about_rep:
        OF_A_REP[callback](visit, actor, about_rep, fields)
    elif lead_id is not None:
        _on_lead(visit, actor, callback, lead_id, private, fields)


def _on_lead(visit: Visit, actor: Actor, callback: str, lead_id: int, private: Mapping[str, Any], fields: Fields) -> None:
    """The lead may have moved on since the form was opened: then nothing is done, and the person is told."""
    card = access.lead_of(visit, lead_id)
    if card is None:
        return
    if card.owner_id != private.get("owner_id") and callback != names.WRONG_FORM:
        now = f"to {say(card.owner_name, 80)}" if card.owner_name else "back to the waiting list"
        visit.tell(f"While the form was open this lead went {now}. Nothing was changed.")
        return
    if (closed := access.closed_as(card)) and closed != private.get("closed") and callback != names.WRONG_FORM:
        visit.tell(f"While the form was open this lead was closed ({closed}). Nothing was changed.")
        return
    OF_A_LEAD[callback](visit, actor, card, fields)
