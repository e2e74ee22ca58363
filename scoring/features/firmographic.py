"""Who the lead is: person and company, read off the facts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from leads.records import FieldValue
from scoring.domains import ROLES, read_kind
from scoring.features.feature import Feature, Group, Words
from scoring.features.timelines import Timelines, Values
from scoring.features.titles import read_decision_power, read_function, read_seniority
from scoring.features.words import amount, flag, named, silent, table

#: What a full profile holds, for completeness.
PROFILE: Final = ("email", "phone", "first_name", "last_name", "title", "company", "country", "industry", "employees", "source")

#: Size classes by head count (Eurostat's bounds) and, where that is missing, by yearly revenue (the EU's definition of SMEs).
BY_PEOPLE: Final = ((10, "micro"), (50, "small"), (250, "medium"), (1_000, "large"))
BY_REVENUE: Final = ((2e6, "micro"), (10e6, "small"), (50e6, "medium"), (250e6, "large"))
LARGEST: Final = "enterprise"

SUFFIXES: Final = re.compile(r"\b(inc|ltd|llc|gmbh|ag|corp|co|company|limited|plc|sa|bv|oy|ab|as|srl|spa|group|holding)\b")

#: All but letters and digits.
ODD: Final = re.compile(r"[^a-z0-9]+")


def _fact(name: str, words: Words, meaning: str) -> Feature:
    return Feature(
        name=name,
        group=Group.FIRMOGRAPHIC,
        type="categorical",
        meaning=meaning,
        source=f"facts.{name}",
        missing="missing when the field is blank",
        compute=lambda lines: lines.lowered(name),
        words=words,
    )


def company_maturity(lines: Timelines) -> Values:
    people, revenue = lines.numbers("employees"), lines.numbers("revenue")
    return [_size(*numbers) for numbers in zip(people, revenue, strict=True)]


def _size(people: float | None, revenue: float | None) -> str | None:
    for number, bands in ((people, BY_PEOPLE), (revenue, BY_REVENUE)):
        if number is not None and number >= 0:
            return next((band for bound, band in bands if number < bound), LARGEST)
    return None


def revenue_per_employee(lines: Timelines) -> Values:
    both = zip(lines.numbers("revenue"), lines.numbers("employees"), strict=True)
    return [None if revenue is None or people is None or people < 1 else revenue / people for revenue, people in both]


def _of_title(read: Callable[[str], FieldValue]) -> Callable[[Timelines], Values]:
    return lambda lines: [None if title is None else read(title) for title in lines.words("title")]


def decision_maker_probability(lines: Timelines) -> Values:
    """The title's chance; in a company of fewer than 20 people half of what is missing to certainty is added."""
    both = zip(lines.words("title"), lines.numbers("employees"), strict=True)
    return [None if title is None else _decides(read_decision_power(title), people) for title, people in both]


def _decides(chance: float, people: float | None) -> float:
    return chance + (1 - chance) / 2 if people is not None and people < 20 and chance >= 0.1 else chance


def email_kind(lines: Timelines) -> Values:
    return [None if domain is None else read_kind(domain) for domain in lines.domains]


def role_address(lines: Timelines) -> Values:
    return [None if email is None else int(email.partition("@")[0].lower() in ROLES) for email in lines.words("email")]


def _plain(text: str) -> str:
    """Letters and digits, without the words that only say what kind of company it is."""
    low = text.lower()
    if low.isalnum() and low.isascii():  # one word, as most are
        return "" if SUFFIXES.fullmatch(low) else low
    return ODD.sub("", SUFFIXES.sub("", low))


def email_company_match(lines: Timelines) -> Values:
    """1 when the domain's name and the company's name or website agree."""
    return [_matches(*one) for one in zip(lines.domains, lines.words("company"), lines.words("website"), strict=True)]


def _matches(domain: str | None, company: str | None, website: str | None) -> int | None:
    if domain is None or (company is None and website is None):
        return None
    if website is not None and domain in website.lower():
        return 1
    label, name = _plain(domain.split(".")[0]), _plain(company or "")
    return int(len(label) > 2 and len(name) > 2 and (label in name or name in label))


def email_name_match(lines: Timelines) -> Values:
    """1 when the address carries the person's first or last name."""
    each = zip(lines.words("email"), lines.words("first_name"), lines.words("last_name"), strict=True)
    return [None if email is None or not (first or last) else _carries(email, first, last) for email, first, last in each]


def _carries(email: str, *names: str | None) -> int:
    local = _plain(email.partition("@")[0])
    return int(any(len(plain) > 1 and plain in local for name in names if name and (plain := _plain(name))))


def profile_completeness(lines: Timelines) -> Values:
    filled = zip(*(lines.words(name) for name in PROFILE), strict=True)
    return [(len(PROFILE) - words.count(None)) / len(PROFILE) for words in filled]


def has_phone(lines: Timelines) -> Values:
    return [int(phone is not None) for phone in lines.words("phone")]


def email_consent(lines: Timelines) -> Values:
    return [word if word in ("yes", "no") else None for word in lines.lowered("email_consent")]


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
        lambda lines: lines.numbers("employees"),
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
        lambda lines: lines.numbers("revenue"),
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
        _of_title(read_seniority),
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
        _of_title(read_function),
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
