"""People, seeded: who they are, how keen they are, and how likely they are to buy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from connector.sandbox.world import words


@dataclass(frozen=True)
class Person:
    """One made-up contact. `properties` are HubSpot contact properties; `fit` and `interest` are hidden from the service."""

    properties: dict[str, str]
    fit: float
    interest: float

    @property
    def email(self) -> str | None:
        return self.properties.get("email")

    def chance(self, steps: float) -> float:
        """The probability of buying, given how much they have engaged (a sum of weighted acts). This is the hidden truth."""
        return 1 / (1 + math.exp(-(-3.7 + 1.9 * self.fit + 0.3 * self.interest + 1.25 * steps)))


def draw_person(rng: Random, number: int, names: tuple[str, str] | None = None, with_email: bool = True) -> Person:
    """Draw one person. `number` keeps e-mail addresses apart. A third of the profile is missing now and then, as in life."""
    first, last = names or (rng.choice(words.FIRST), rng.choice(words.LAST))
    head, tail = rng.choice(words.COMPANY_HEAD), rng.choice(words.COMPANY_TAIL)
    title, title_fit = rng.choice(tuple(words.TITLES.items()))
    industry, industry_fit = rng.choice(tuple(words.INDUSTRIES.items()))
    source, source_fit = rng.choice(tuple(words.SOURCES.items()))
    country, city, state, phone = rng.choice(words.PLACES)
    employees = rng.choice(words.EMPLOYEES)
    size_fit = 0.25 * (math.log10(employees) - 1.8)
    domain = f"{head}-{tail}.example".lower()
    free_mail = rng.random() < 0.12
    properties = {
        "firstname": first,
        "lastname": last,
        "company": f"{head} {tail}",
        "jobtitle": title,
        "industry": industry,
        "numemployees": str(employees),
        "country": country,
        "state": state,
        "city": city,
        "hs_analytics_source": source,
        "phone": f"{phone}{number % 10_000:04d}",
        "website": f"https://{domain}",
    }
    for name in ("industry", "numemployees", "jobtitle", "phone", "state", "city", "website"):
        if rng.random() < 0.22:
            del properties[name]
    if with_email:
        local = f"{rng.choice(words.FIRST)}.{rng.choice(words.LAST)}.{number}".lower()
        properties["email"] = f"{local}@{'gmail.com' if free_mail else domain}"
    if rng.random() < 0.3:
        properties["message"] = rng.choice(words.MESSAGES)
    fit = title_fit + industry_fit + source_fit + size_fit - (0.4 if free_mail else 0.0)
    return Person(properties, fit, rng.gauss(0, 1))
