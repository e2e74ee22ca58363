"""Enrichment: a new lead's first score waits a little for what an outside service knows of it, and never longer.

What a lead or its CRM said stands: only what is missing is filled in. A service that is slow or down costs a lead the hold and
nothing else; what comes later scores the lead again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import structlog

from connector.bootstrap import House
from connector.errors import LeadswitchError, Retriable
from connector.mailboxes import is_free_mail
from connector.pipeline.identity import join_near, near_tokens
from connector.pipeline.normalise import normalise
from connector.storage.enrichments import Enrichment
from connector.storage.namesakes import KIND
from leads.enums import ChangeKind, ChangeOrigin
from leads.records import FieldValue, Lead, LeadChange

log = structlog.get_logger(__name__)

TRIES: Final = 3
BACK_OFF_S: Final = 10.0
#: So long a service may ask for patience; waiting for it is no failed try.
PATIENCE: Final = timedelta(hours=24)


def score_first(house: House, lead_id: int) -> None:
    """Have a new lead scored, within the caller's transaction: after it was enriched, where that is set up."""
    hold_s = house.settings.enrichment.hold_s
    if house.settings.enrichment.url and house.enrichments.ask(lead_id, hold_s):
        house.db.after_commit(lambda: house.queue.ring_enrich(lead_id))
        house.db.after_commit(lambda: house.queue.ring_score(lead_id, first=True, delay_s=hold_s))  # whatever came of it by then
    else:
        house.db.after_commit(lambda: house.queue.ring_score(lead_id, first=True))


def enrich(house: House, lead_id: int) -> bool:
    """Fill in what is known of a lead, and let it be scored; true when something was filled in."""
    waiting = house.enrichments.take(lead_id)
    if waiting is None:
        return False
    try:
        lead = house.leads.get(lead_id)
        found = _known_of(house, lead) if lead is not None and not lead.erased else None
        filled = _fill_in(house, lead, found) if lead is not None and found else ()
    except LeadswitchError as error:
        _failed(house, waiting, error)
        return False
    except Exception as error:  # a fault of ours is a failed try, or it would be asked again without end
        log.exception("enrichment broke", lead_id=lead_id)
        _failed(house, waiting, Retriable(f"Unexpected {type(error).__name__}."))
        return False
    _settle(house, lead_id, "done" if found else "unknown")
    log.info("lead enriched", lead_id=lead_id, fields=sorted(filled))
    return bool(filled)


def _failed(house: House, waiting: Enrichment, error: LeadswitchError) -> None:
    """Ask again later, unless it cannot help or was tried often enough."""
    if isinstance(error, Retriable):
        patient = error.delay_s is not None and house.clock.now() - waiting.asked_at < PATIENCE
        if patient or waiting.tries + 1 < TRIES:
            house.enrichments.put_off(waiting.lead_id, error.delay_s or BACK_OFF_S, tried=not patient)
            return
    _settle(house, waiting.lead_id, "failed", error)


def forget_enriched(house: House) -> int:
    """Forget answers that are too old to be used again; returns how many."""
    return house.enrichments.forget_old(house.clock.now() - timedelta(days=house.settings.enrichment.cache_days))


def _known_of(house: House, lead: Lead) -> Mapping[str, FieldValue] | None:
    """What the service knows of the person, or knew lately; None for nobody. Who has no address is not asked about."""
    settings, email = house.settings.enrichment, str(lead.fields.get("email") or "")
    if not email or (settings.companies_only and is_free_mail(email.partition("@")[2])):
        return None
    known = house.enrichments.known(email, house.clock.now() - timedelta(days=settings.cache_days))
    if known is None:
        known = house.enricher.find(email) or {}
        with house.db.transaction():
            current = house.leads.lock(lead.id)
            if current is None or current.erased:  # while the service was asked
                return None
            house.enrichments.remember(email, known)
    return known or None


def _fill_in(house: House, lead: Lead, found: Mapping[str, FieldValue]) -> tuple[str, ...]:
    """Give the lead what it lacks; returns the fields that moved."""
    with house.db.transaction():
        told = {**found, **{name: value for name, value in lead.fields.items() if value not in (None, "")}}
        near = ((KIND, token) for token in near_tokens(house, told))
        house.leads.hold([*house.leads.tokens(lead.connection, lead.external_id, told, lead.extra), *near])
        current = house.leads.lock(lead.id)
        if current is None or current.erased:
            return ()
        missing = {name: value for name, value in found.items() if current.fields.get(name) in (None, "")}
        if not missing:
            return ()
        change = LeadChange(
            event_key=f"enriched:{current.id}",
            external_id=current.external_id or "",
            occurred_at=house.clock.now(),
            kind=ChangeKind.CHANGED,
            origin=ChangeOrigin.MACHINE,
            fields={**missing, "email": current.fields.get("email")},
        )
        return join_near(house, house.leads.apply(current.connection, normalise(change), live=current.routable)).fields


def _settle(house: House, lead_id: int, state: str, error: LeadswitchError | None = None) -> None:
    house.enrichments.settle(lead_id, state, str(error) if error else None)
    if error is not None:
        log.error("lead not enriched", lead_id=lead_id, error=str(error))
    house.queue.ring_score(lead_id, first=True)
