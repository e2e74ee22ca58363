"""Stage 1's last question: is this somebody we know under another spelling? Merge before assign, so that one person never reaches
two reps. What names a person exactly (id, address, number) is settled by `connector.storage.leads`; here it is likeness.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import structlog

from connector.bootstrap import House
from connector.likeness import Likeness, Person, blocks, compare, person_of
from connector.storage.leads import Applied
from connector.storage.merging import Grounds
from leads.records import FieldValue, Lead

log = structlog.get_logger(__name__)

#: A change of any of these may make a lead alike to another.
COMPARED = frozenset({"first_name", "last_name", "company", "email", "website", "phone"})


def near_tokens(house: House, fields: Mapping[str, FieldValue]) -> list[str]:
    """The keyed tokens under which somebody with these fields is looked for."""
    return house.namesakes.tokens(blocks(person_of(fields)))


def join_near(house: House, applied: Applied) -> Applied:
    """Merge the lead with the one it is most alike to, within the caller's transaction; returns what was applied, and to whom."""
    if not COMPARED & set(applied.fields):
        return applied
    lead = house.leads.get(applied.lead_id)
    if lead is None or lead.erased:
        return applied
    person = person_of(lead.fields)
    tokens = house.namesakes.tokens(blocks(person))
    found = _likest(house, lead, person, tokens)
    if found is None:
        house.namesakes.write(lead.id, tokens)
        return applied
    other, likeness = found
    keep, gone = (other, lead) if _goes_first(other, lead) else (lead, other)
    house.leads.merge(keep.id, gone.id, Grounds("near", round(likeness.probability, 4), likeness.because))
    house.namesakes.write(keep.id, house.namesakes.tokens(blocks(person) | blocks(person_of(other.fields))))
    seal = house.leads.person_seal(keep.id)
    detail = {"merged": gone.id, "probability": likeness.probability, "because": list(likeness.because)}
    house.audit.add("engine", "lead.merged", f"lead:{keep.id}", lead_id=keep.id, detail=detail, person=seal)
    log.info("leads merged", lead_id=keep.id, merged=gone.id, how="near", probability=round(likeness.probability, 4))
    return replace(applied, lead_id=keep.id, rescore=True, created=False)


def _likest(house: House, lead: Lead, person: Person, tokens: list[str]) -> tuple[Lead, Likeness] | None:
    """The lead that is the same person by likeness; of several the likest, then the oldest."""
    best: tuple[Lead, Likeness] | None = None
    parted = house.leads.parted(lead.id)
    for lead_id in sorted(house.namesakes.candidates(tokens, besides=lead.id)):
        other = house.leads.get(lead_id)
        if other is None or other.erased or other.id == lead.id or other.id in parted:
            continue
        likeness = compare(person, person_of(other.fields))
        if likeness.same and (best is None or likeness.probability > best[1].probability):
            best = (other, likeness)
    return best


def _goes_first(one: Lead, other: Lead) -> bool:
    """Whether the first survives: who has an owner, then who has a CRM record, then the older."""
    return (one.owner_id is not None, one.external_id is not None, -one.id) > (
        other.owner_id is not None,
        other.external_id is not None,
        -other.id,
    )
