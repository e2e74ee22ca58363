"""Who the lead is: person and company, read off the facts."""

from __future__ import annotations

import re
from typing import Final

from leads.records import FieldValue
from scoring.features.domains import ROLES, read_kind
from scoring.features.feature import Feature, Group, Words
from scoring.features.timeline import Timeline
from scoring.features.titles import read_decision_power, read_function, read_seniority
from scoring.features.words import amount, flag, named, silent, table

#: What a full profile holds, for completeness.
PROFILE: Final = ("email", "phone", "first_name", "last_name", "title", "company", "country", "industry", "employees", "source")

#: Size classes by head count (Eurostat's bounds) and, where that is missing, by yearly revenue (the EU's definition of SMEs).
BY_PEOPLE: Final = ((10, "micro"), (50, "small"), (250, "medium"), (1_000, "large"))
BY_REVENUE: Final = ((2e6, "micro"), (10e6, "small"), (50e6, "medium"), (250e6, "large"))
LARGEST: Final = "enterprise"

SUFFIXES: Final = re.compile(r"\b(inc|ltd|llc|gmbh|ag|corp|co|company|limited|plc|sa|bv|oy|ab|as|srl|spa|group|holding)\b")


def _fact(name: str, words: Words, meaning: str) -> Feature:
    return Feature(
        name=name,
        group=Group.FIRMOGRAPHIC,
        type="categorical",
        meaning=meaning,
        source=f"facts.{name}",
        missing="missing when the field is blank",
        compute=lambda line: (line.word(name) or "").lower() or None,
        words=words,
    )


def company_maturity(line: Timeline) -> FieldValue:
    for name, bands in (("employees", BY_PEOPLE), ("revenue", BY_REVENUE)):
        number = line.number(name)
        if number is not None and number >= 0:
            return next((band for bound, band in bands if number < bound), LARGEST)
    return None


def revenue_per_employee(line: Timeline) -> FieldValue:
    revenue, people = line.number("revenue"), line.number("employees")
    return None if revenue is None or people is None or people < 1 else revenue / people


def title_seniority(line: Timeline) -> FieldValue:
    title = line.word("title")
    return None if title is None else read_seniority(title)


def title_function(line: Timeline) -> FieldValue:
    title = line.word("title")
    return None if title is None else read_function(title)


def decision_maker_probability(line: Timeline) -> FieldValue:
    """The title's chance; in a company of fewer than 20 people half of what is missing to certainty is added."""
    title = line.word("title")
    if title is None:
        return None
    chance = read_decision_power(title)
    people = line.number("employees")
    return chance + (1 - chance) / 2 if people is not None and people < 20 and chance >= 0.1 else chance


def email_kind(line: Timeline) -> FieldValue:
    return None if line.email_domain is None else read_kind(line.email_domain)


def role_address(line: Timeline) -> FieldValue:
    email = line.word("email")
    return None if email is None else int(email.partition("@")[0].lower() in ROLES)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", SUFFIXES.sub("", text.lower()))


def email_company_match(line: Timeline) -> FieldValue:
    """1 when the domain's name and the company's name or website agree."""
    domain, company, website = line.email_domain, line.word("company"), line.word("website")
    if domain is None or (company is None and website is None):
        return None
    if website is not None and domain in website.lower():
        return 1
    label, name = _plain(domain.split(".")[0]), _plain(company or "")
    return int(len(label) > 2 and len(name) > 2 and (label in name or name in label))


def email_name_match(line: Timeline) -> FieldValue:
    """1 when the address carries the person's first or last name."""
    email = line.word("email")
    names = [_plain(name) for name in (line.word("first_name"), line.word("last_name")) if name]
    if email is None or not names:
        return None
    local = _plain(email.partition("@")[0])
    return int(any(len(name) > 1 and name in local for name in names))


def profile_completeness(line: Timeline) -> FieldValue:
    return sum(line.word(name) is not None for name in PROFILE) / len(PROFILE)


def has_phone(line: Timeline) -> FieldValue:
    return int(line.word("phone") is not None)


def email_consent(line: Timeline) -> FieldValue:
    word = (line.word("email_consent") or "").lower()
    return word if word in ("yes", "no") else None


def _completeness_words(value: FieldValue, up: bool) -> str | None:
    filled = float(value or 0)
    if up:
        return f"{filled:.0%} of the profile is filled in" if filled >= 0.5 else None
    return f"only {filled:.0%} of the profile is filled in" if filled < 0.5 else None


def _seniority_words(value: FieldValue, up: bool) -> str | None:
    steps = {0: "is an intern or student", 1: "has a junior or plain job title", 2: "is a manager", 3: "is a director"}
    steps |= {4: "is a vice president or head of a function", 5: "is a chief officer, founder or owner"}
    return None if value is None else steps.get(int(float(value)))


FUNCTION_WORDS: Final = {
    "revenue": "works in sales",
    "marketing": "works in marketing",
    "technology": "works in technology",
    "finance": "works in finance or purchasing",
    "operations": "works in operations",
    "people": "works in human resources",
    "product": "works in product or design",
    "study": "studies or teaches",
    "general management": "works in general management",
}

KIND_WORDS: Final = {
    "free": "uses a free-mail address",
    "business": "uses a company address",
    "disposable": "uses a throw-away address",
    "education": "uses a school or university address",
    "government": "uses a government address",
}

_FIRM = Group.FIRMOGRAPHIC
_BLANK = "missing when the field is blank"

FEATURES: Final = (
    _fact("country", named("country is"), "Country of the lead"),
    _fact("region", named("region is"), "State or region of the lead"),
    _fact("industry", named("industry is"), "Industry of the company"),
    _fact("source", named("came from"), "Where the lead came from, in the tenant's words"),
    _fact("language", named("language is"), "Language of the lead"),
    _fact("product", named("interested in"), "Product the lead asked for"),
    Feature(
        "employees",
        _FIRM,
        "numeric",
        "Head count of the company",
        "facts.employees",
        _BLANK,
        lambda line: line.number("employees"),
        amount("company has about {} people"),
        topic="company size",
    ),
    Feature(
        "revenue",
        _FIRM,
        "numeric",
        "Yearly revenue of the company, in the tenant's currency",
        "facts.revenue",
        _BLANK,
        lambda line: line.number("revenue"),
        amount("company earns about {} a year"),
        topic="company size",
    ),
    Feature(
        "revenue_per_employee",
        _FIRM,
        "numeric",
        "Revenue for each person employed",
        "facts.revenue, facts.employees",
        "missing unless both are known and there are people",
        revenue_per_employee,
        amount("company earns about {} per person"),
        topic="company size",
    ),
    Feature(
        "company_maturity",
        _FIRM,
        "categorical",
        "Size class: micro, small, medium, large, enterprise",
        "facts.employees, else facts.revenue",
        "missing when both are",
        company_maturity,
        table({band: f"{band} company" for _, band in BY_PEOPLE} | {LARGEST: "enterprise company"}),
        topic="company size",
    ),
    Feature(
        "title_seniority",
        _FIRM,
        "numeric",
        "Seniority of the job title, 0 intern to 5 chief or owner",
        "facts.title",
        _BLANK,
        title_seniority,
        _seniority_words,
        better=1,
        topic="title",
    ),
    Feature(
        "title_function",
        _FIRM,
        "categorical",
        "Line of work of the job title",
        "facts.title",
        _BLANK,
        title_function,
        table(FUNCTION_WORDS),
    ),
    Feature(
        "decision_maker_probability",
        _FIRM,
        "numeric",
        "Chance that the person decides, from title and company size",
        "facts.title, facts.employees",
        "missing without a title",
        decision_maker_probability,
        lambda value, up: None if value is None else ("likely decides on a purchase" if up else "unlikely to decide alone"),
        better=1,
        topic="title",
    ),
    Feature(
        "email_kind",
        _FIRM,
        "categorical",
        "Kind of the e-mail domain: business, free, education, government, disposable",
        "facts.email",
        "missing without an address",
        email_kind,
        table(KIND_WORDS),
    ),
    Feature(
        "role_address",
        _FIRM,
        "numeric",
        "1 when the address is a shared one such as info@ or sales@",
        "facts.email",
        "missing without an address",
        role_address,
        flag("uses a shared address (info@, sales@)"),
        better=-1,
    ),
    Feature(
        "email_company_match",
        _FIRM,
        "numeric",
        "1 when the e-mail domain agrees with the company's name or website",
        "facts.email, facts.company, facts.website",
        "missing without an address, or without company and website",
        email_company_match,
        flag("e-mail address matches the company", "e-mail address does not match the company"),
        better=1,
    ),
    Feature(
        "email_name_match",
        _FIRM,
        "numeric",
        "1 when the address carries the person's name",
        "facts.email, facts.first_name, facts.last_name",
        "missing without an address or a name",
        email_name_match,
        silent,
    ),
    Feature(
        "profile_completeness",
        _FIRM,
        "numeric",
        "Share of ten profile fields that are filled",
        "facts",
        "never missing",
        profile_completeness,
        _completeness_words,
        better=1,
    ),
    Feature(
        "has_phone",
        _FIRM,
        "numeric",
        "1 when a phone number is known",
        "facts.phone",
        "never missing",
        has_phone,
        flag("left a phone number", "left no phone number"),
        better=1,
    ),
    Feature(
        "email_consent",
        _FIRM,
        "categorical",
        "Whether the lead agreed to e-mail",
        "facts.email_consent",
        "missing unless yes or no",
        email_consent,
        table({"yes": "agreed to e-mail", "no": "asked not to be e-mailed"}),
    ),
)
