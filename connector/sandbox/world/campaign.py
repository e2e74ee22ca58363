"""The live campaign: which leads come, what they do and when, and what goes wrong on the way. Same seed, same campaign."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from random import Random

from connector.sandbox.world import words
from connector.sandbox.world.acts import draw_acts
from connector.sandbox.world.people import Person, draw_person
from connector.sandbox.world.team import reps

#: Live people are numbered from here, so that no telephone number or address is one of the past's.
LIVE_FROM = 5_000
#: So much of a lead's life is played.
FIRST_DAYS = 4.0
#: Acts that the e-mail tool reports; the CRM reports the others as changed properties.
MAIL_ACTS = frozenset({"processed", "delivered", "deferred", "open", "machine_open", "click", "bounce", "unsubscribe"})


@dataclass(frozen=True, order=True)
class Step:
    """Something that happens `at` seconds into the campaign: act `kind` of lead number `lead`."""

    at: float
    lead: int
    kind: str


@dataclass(frozen=True)
class CampaignLead:
    """One new lead: who, when, and the owner a person has already given it in the CRM (seldom)."""

    number: int
    at: float
    person: Person
    owner_id: str | None = None


@dataclass(frozen=True)
class Campaign:
    """`leads` by number; `mail` and `crm` are the engagement steps of the two stand-ins; `trouble` the moments at which each
    sends something forged (kind "forged") or signed long ago ("stale")."""

    seconds: float
    leads: tuple[CampaignLead, ...]
    mail: tuple[Step, ...]
    crm: tuple[Step, ...]
    trouble: tuple[Step, ...] = field(default=())


def _lead(rng: Random, number: int, seconds: float, owner_ids: tuple[str, ...]) -> CampaignLead:
    nasty = words.NASTY_NAMES[number // 25 % len(words.NASTY_NAMES)] if number % 25 == 3 else None
    person = draw_person(rng, LIVE_FROM + number, nasty, with_email=number % 40 != 11)
    if number % 100 == 17:
        person.properties["message"] = words.INJECTED_MESSAGE
    at = 0.2 + 0.72 * seconds * rng.random()
    return CampaignLead(number, at, person, rng.choice(owner_ids) if number % 50 == 29 else None)


def _steps_of(rng: Random, lead: CampaignLead, seconds: float) -> list[Step]:
    """The acts of one lead: what others do in their first days, pressed into the rest of the campaign."""
    room = seconds - lead.at - 0.5
    acts = [act for act in draw_acts(rng, lead.person, 12) if act.after < FIRST_DAYS]
    steps = [Step(lead.at + 0.4 + room * (1 - math.exp(-act.after / 2)), lead.number, act.kind) for act in acts]
    if lead.person.email is not None:
        sent = lead.at + 0.1 + rng.random() * 0.2
        steps += [Step(sent, lead.number, "processed"), Step(sent + 0.15, lead.number, "delivered")]
        if lead.number % 33 == 5:  # the e-mail tool can be quicker than the CRM
            steps.append(Step(max(0.05, lead.at - 0.6), lead.number, "open"))
    return steps


def draw_campaign(seed: int, leads: int = 500, events: int = 5_000, seconds: float = 75.0) -> Campaign:
    """Draw a campaign of exactly so many leads and engagement events within so many seconds."""
    rng = Random(f"campaign-{seed}")
    owner_ids = tuple(rep.owner_id for rep in reps())
    crowd = tuple(_lead(rng, number, seconds, owner_ids) for number in range(leads))
    steps = [step for lead in crowd for step in _steps_of(rng, lead, seconds)]
    rng.shuffle(steps)
    if len(steps) > events:
        steps = steps[:events]
    with_mail = [lead for lead in crowd if lead.person.email is not None]
    while len(steps) < events:  # a second mailing, mostly opened by the recipients' mail scanners
        lead = rng.choice(with_mail)
        kind = rng.choice(("processed", "delivered", "machine_open", "deferred"))
        steps.append(Step(rng.uniform(lead.at + 0.5, seconds), lead.number, kind))
    steps.sort()
    mail = tuple(step for step in steps if step.kind in MAIL_ACTS)
    crm = tuple(step for step in steps if step.kind not in MAIL_ACTS)
    trouble = [Step(rng.uniform(0.1, 0.9) * seconds, -1, kind) for kind in ("forged",) * 6 + ("stale",) * 3]
    return Campaign(seconds, crowd, mail, crm, tuple(sorted(trouble)))


def count_kinds(campaign: Campaign) -> Counter[str]:
    """How many steps of each kind there are."""
    return Counter(step.kind for step in (*campaign.mail, *campaign.crm))
