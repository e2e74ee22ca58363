"""Finding the lead that somebody means."""

from __future__ import annotations

import re
from dataclasses import dataclass

from connector.bootstrap import House
from connector.pipeline.normalise import normalise_email
from connector.storage.leads import FOREIGN_ID
from leads.enums import Tier
from leads.records import Lead

SEARCHED = 2_000


@dataclass(frozen=True, slots=True)
class LeadSummary:
    """A lead in a list."""

    id: int
    name: str
    company: str | None
    tier: Tier
    score: int | None
    owner_name: str | None


def find_leads(house: House, query: str, limit: int = 5) -> list[LeadSummary]:
    """Leads by number, e-mail, CRM id or link, or by name and company among those touched last."""
    text = query.strip()
    if not text:
        return []
    exact = _find_exact(house, text)
    if exact:
        return [summary_of(house, lead) for lead in exact[:limit]]
    words = text.lower().split()
    found = []
    for lead in house.leads.recent(SEARCHED):
        searched = f"{lead.name} {lead.fields.get('company') or ''}".lower()
        if all(word in searched for word in words):
            found.append(lead)
    return [summary_of(house, lead) for lead in found[:limit]]


def _find_exact(house: House, text: str) -> list[Lead]:
    ids: list[int] = []
    number = text.removeprefix("#")
    if number.isdecimal():
        ids.append(int(number[:11]))
    candidates = {text, *re.findall(r"[\w-]+", text.rsplit("/", 1)[-1])} if "/" in text else {text}
    for connection in house.settings.connections:
        ids += [found for candidate in candidates if (found := house.leads.find_external(connection, candidate)) is not None]
    ids += house.leads.find(house.leads.tokens("", None, {}, {FOREIGN_ID: text}))
    email = normalise_email(text.strip("<>").removeprefix("mailto:").partition("|")[0]) if "@" in text else None
    if email:
        ids += house.leads.find(house.leads.tokens("", None, {"email": email}))
    leads = {lead.id: lead for lead_id in dict.fromkeys(ids) if (lead := house.leads.get(lead_id)) is not None and not lead.erased}
    return list(leads.values())


def summary_of(house: House, lead: Lead) -> LeadSummary:
    """The lead as a list names it."""
    stored = house.scores.newest(lead.id)
    owner = house.reps.get(lead.owner_id) if lead.owner_id else None
    company = lead.fields.get("company")
    return LeadSummary(
        lead.id,
        lead.name,
        str(company) if company else None,
        stored.score.tier if stored else Tier.UNKNOWN,
        stored.score.score if stored else None,
        owner.name if owner else None,
    )
