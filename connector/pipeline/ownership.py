"""Owners that come from the CRM. A person's choice there wins over ours and pins the lead."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from connector.bootstrap import House
from connector.pipeline.alerts import ask_cards
from connector.pipeline.allocate import ENGINE, announce, choose, pick
from connector.storage.leads import Applied
from leads.enums import ChangeOrigin, EffectKind, Outcome, Tier
from leads.records import Lead, LeadChange

#: Who decides when a person does so in the CRM.
CRM = "crm"


def follow(house: House, connection: str, told: Iterable[tuple[Applied, LeadChange]]) -> None:
    """Follow the owners on these records of the CRM, at the end of the caller's transaction.

    A decision locks the roster, and others hold a lead while they wait for it: so every lead is locked before the first decision.
    """
    in_order = sorted(told, key=lambda one: one[0].lead_id)
    for applied, _ in in_order:
        house.leads.lock(applied.lead_id)
    for applied, change in in_order:
        _take(house, connection, applied, change)


def _take(house: House, connection: str, applied: Applied, change: LeadChange) -> None:
    lead = house.leads.lock(applied.lead_id)
    if lead is None or lead.erased:
        return
    owner = change.fields.get("owner_id")
    rep = house.reps.for_owner(connection, str(owner)) if owner else None
    if (rep.id if rep else None) == lead.owner_id:
        return
    newest = house.decisions.newest(lead.id)
    if newest is not None and newest.at > change.occurred_at and _is_overtaken(house, lead, rep is None, change):
        return
    if newest and change.origin is ChangeOrigin.UNKNOWN and house.effects.is_open(EffectKind.CRM_LEAD, lead.id):
        return  # read while our own owner is still on its way there
    if newest is None or not lead.routable or lead.outcome in (Outcome.WON, Outcome.LOST):  # ours to note, not to route
        chosen = rep is not None and change.origin is ChangeOrigin.PERSON
        house.leads.set_owner(lead.id, int(rep.id) if rep else None, pinned=chosen)
    elif rep is not None:
        choose(house, lead, rep.id, CRM, None, because="Chosen by a person in the CRM.")
        stored = house.scores.newest(lead.id)
        announce(house, lead, stored.score if stored else None, rep.id, fresh=True)
    elif change.origin is not ChangeOrigin.OURSELVES:
        _clear(house, lead)


def _is_overtaken(house: House, lead: Lead, cleared: bool, change: LeadChange) -> bool:
    """Whether a later decision stands against the change.

    Against a person's choice only a person's decision here does: the engine never overrules people, and what people say in the CRM
    is put in order by its own moments. An owner who was taken away there is whoever had the lead then, nobody after them.
    """
    since = [decision for decision in house.decisions.of_lead(lead.id) if decision.at > change.occurred_at]
    if change.origin is not ChangeOrigin.PERSON or any(decision.actor not in (ENGINE, CRM) for decision in since):
        return True
    held = house.decisions.open_assignment(lead.id) if cleared else None
    return held is not None and held.opened_at > change.occurred_at


def _clear(house: House, lead: Lead) -> None:
    """Somebody took the owner away in the CRM: whoever had the lead has passed it on, and another gets it, or it waits."""
    stored, held = house.scores.newest(lead.id), house.decisions.open_assignment(lead.id)
    house.decisions.close(lead.id, house.clock.now(), "cleared")
    house.leads.set_owner(lead.id, None, pinned=False)
    current = house.leads.get(lead.id)
    if current is None or current.erased or not current.routable:
        return
    decision = pick(house, current, stored, CRM, reason="its owner was taken away in the CRM", passed=held)
    announce(house, current, stored.score if stored else None, decision.rep_id, fresh=True)


def end(house: House, lead_id: int, outcome: Outcome, at: datetime) -> None:
    """Take the CRM's word for how a lead ended, within the caller's transaction: nobody holds it any more. A newer word stands."""
    house.leads.settle(lead_id, outcome, at)
    lead = house.leads.lock(lead_id)
    if lead is not None and lead.outcome is outcome:
        house.decisions.close(lead.id, at, outcome.value)
        house.waiting.take_off(lead.id)
        refresh_cards(house, lead.id)


def refresh_cards(house: House, lead_id: int) -> None:
    """Ask that the standing cards show the state of the lead, as after it was won or lost."""
    if house.cards.of_lead(lead_id) and ask_cards(house, lead_id, Tier.UNKNOWN, None):
        house.db.after_commit(lambda: house.queue.ring_deliver("slack"))
