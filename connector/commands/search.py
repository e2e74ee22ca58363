"""Finding the lead that somebody means."""

from __future__ import annotations

import re
from dataclasses import dataclass

from connector.bootstrap import House
from connector.pipeline.identity import near_tokens
from connector.pipeline.normalise import normalise_email
from connector.storage.leads import FOREIGN_ID
from leads.enums import Tier
from leads.records import Lead

#: Leads that a search by a part of a name looks through.
SEARCHED = 2_000
#: From so many words on a search reads as first name, last name and company.
FULL_NAME = 3


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
    """Leads by number, e-mail, CRM id or link, or first and last name with company, whenever they came; or by any part of name and
    company among those touched last (`has_older` says whether there are more)."""
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
    older = (lead for lead in _find_named(house, text.split()) if lead.id not in {one.id for one in found})
    return [summary_of(house, lead) for lead in [*found, *older][:limit]]


def has_older(house: House) -> bool:
    """Whether there are leads that a search by a part of a name does not look at."""
    return house.leads.count() > SEARCHED


def _find_named(house: House, words: list[str]) -> list[Lead]:
    """Leads of this name at this company, by the keyed tokens of both, however old they are."""
    if len(words) < FULL_NAME:
        return []
    first, last, *company = words
    tokens = near_tokens(house, {"first_name": first, "last_name": last, "company": " ".join(company)})
    leads = [house.leads.get(lead_id) for lead_id in house.namesakes.candidates(tokens, besides=0)]
    return [lead for lead in leads if lead is not None and not lead.erased and lead.name.casefold() == f"{first} {last}".casefold()]


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
