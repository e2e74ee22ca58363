"""How likely two records speak of one person, when no address, number or id says so.

Each thing that is compared (last name, first name, company, domain, address, phone, country) adds or takes what it is worth, as a
logarithm of odds; this is the Fellegi-Sunter model of record linkage (J. Am. Stat. Assoc. 64, 1969, 1183-1210). The worths and the
threshold were set on invented people with planted slips of the pen and with planted namesakes, relatives and colleagues:
`tests/unit/connector/test_likeness.py` measures precision and recall anew, on other seeds.

Pure: no database, no clock. Fields are expected in one way of writing (`connector.pipeline.normalise`).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rapidfuzz import fuzz
from rapidfuzz.distance import DamerauLevenshtein

from connector.given_names import are_one, are_two
from connector.mailboxes import company_domain, is_free_mail
from leads.records import FieldValue

#: Odds, as a logarithm, that any two records which share a block are one person.
PRIOR: Final = -6.0
#: From here on two leads are merged.
THRESHOLD: Final = 0.9
_LEGAL: Final = """
inc incorporated llc llp ltd limited corp corporation co company plc gmbh mbh ag kg kgaa ohg ug se sa sas sarl srl spa bv nv ab as
oy aps pty pte kk group holding holdings international the and und
"""
#: Words that say what kind of company it is, not which.
LEGAL: Final = frozenset(_LEGAL.split())


@dataclass(frozen=True, slots=True)
class Person:
    """What is compared of one record; missing is the empty text."""

    first: str = ""
    last: str = ""
    company: str = ""
    domain: str = ""
    mailbox: str = ""  # the address's local part
    free_mail: str = ""  # the domain, when it is one that anybody can have an address at
    phone: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class Likeness:
    """`probability` that two records are one person, and what spoke for and against it, in words that name nobody."""

    probability: float
    because: tuple[str, ...]

    @property
    def same(self) -> bool:
        return self.probability >= THRESHOLD


def person_of(fields: Mapping[str, FieldValue]) -> Person:
    """The record of a lead's fields."""
    mailbox, _, host = _text(fields, "email").partition("@")
    free = is_free_mail(host)
    return Person(
        first=plain(_text(fields, "first_name")),
        last=plain(_text(fields, "last_name")),
        company=plain_company(_text(fields, "company")),
        domain=company_domain(_text(fields, "email"), _text(fields, "website")),
        mailbox=mailbox,
        free_mail=host if free else "",
        phone=_text(fields, "phone"),
        country=_text(fields, "country").casefold(),
    )


def compare(one: Person, other: Person) -> Likeness:
    """Likeness of two records. Without a last name on both sides there is none."""
    if not one.last or not other.last:
        return Likeness(0.0, ("a last name is missing",))
    found = [_last(one, other), _first(one, other), _company(one, other), _domain(one, other)]
    found += [_mailbox(one, other), _phone(one, other), _country(one, other)]
    spoken = [(worth, words) for worth, words in found if words]
    if not any(worth > 0 for worth, _ in (found[2], found[3], found[5])):
        return Likeness(0.0, ("nothing but the name is alike",))
    odds = PRIOR + sum(worth for worth, _ in spoken)
    return Likeness(1 / (1 + math.exp(-odds)), tuple(f"{words} ({worth:+.1f})" for worth, words in spoken))


def blocks(person: Person) -> frozenset[str]:
    """The keys under which a record is looked for: one slip of the pen leaves several of them as they were."""
    if len(person.last) < 2:
        return frozenset()
    places = [f"d:{person.domain}"] if person.domain else []
    places += [f"c:{person.company[:5]}", f"c:{person.company[-5:]}"] if person.company else []
    names = {f"{person.last[:3]}-", f"-{person.last[-3:]}"}
    if person.first:
        names |= {f"{person.first}, {person.last[0]}", "+".join(sorted((person.first, person.last)))}
    return frozenset(f"{place}|{name}" for place in places for name in names)


# -- what is compared


def _last(one: Person, other: Person) -> tuple[float, str]:
    if one.last == other.last:
        return 4.5, "same last name"
    if {one.last, other.last} == {one.first, other.first} or (one.last == other.first and one.first == other.last):
        return 2.5, "names the other way round"
    if _one_slip(one.last, other.last):
        return 3.0, "last names a slip apart"
    return -8.0, "other last name"


def _first(one: Person, other: Person) -> tuple[float, str]:
    if not one.first or not other.first:
        return 0.0, ""
    if one.first == other.first:
        return 2.5, "same first name"
    if one.first == other.last and one.last == other.first:
        return 2.5, "names the other way round"
    if are_one(one.first, other.first):
        return 2.0, "short form of the first name"
    if are_two(one.first, other.first):
        return -8.0, "other first name"
    if 1 in (len(one.first), len(other.first)):
        return (0.5, "same initial") if one.first[0] == other.first[0] else (-8.0, "other initial")
    if _one_slip(one.first, other.first) and not _ends_otherwise(one.first, other.first):
        return 1.5, "first names a slip apart"
    return -8.0, "other first name"


def _company(one: Person, other: Person) -> tuple[float, str]:
    if not one.company or not other.company:
        return 0.0, ""
    if one.company == other.company:
        return 3.5, "same company"
    if _one_slip(one.company, other.company) or fuzz.token_sort_ratio(one.company, other.company) >= 90:
        return 2.5, "company written alike"
    if f"{one.company} ".startswith(f"{other.company} ") or f"{other.company} ".startswith(f"{one.company} "):
        return 2.0, "company written shorter"
    return -2.5, "other company"


def _domain(one: Person, other: Person) -> tuple[float, str]:
    if not one.domain or not other.domain:
        return 0.0, ""
    return (4.0, "same domain") if one.domain == other.domain else (-2.0, "other domain")


def _mailbox(one: Person, other: Person) -> tuple[float, str]:
    """Two addresses at one place are two people's, as a rule: unless one is a slip of the other or written in another way."""
    if not one.mailbox or not other.mailbox or (one.domain, one.free_mail) != (other.domain, other.free_mail):
        return 0.0, ""
    if one.mailbox == other.mailbox:
        return 6.0, "same address"
    if any(
        _spelt_apart(mine, one.mailbox, theirs, other.mailbox)
        for mine, theirs in ((one.first, other.first), (one.last, other.last))
    ):
        return -7.0, "each address is its own name's"
    if _slips(one.mailbox, other.mailbox) <= 1:
        digits = re.sub(r"\D", "", one.mailbox) != re.sub(r"\D", "", other.mailbox)
        return (-5.0, "addresses with other numbers") if digits else (1.0, "addresses a slip apart")
    return -0.5, "address written in another way"


def _phone(one: Person, other: Person) -> tuple[float, str]:
    if not one.phone or not other.phone:
        return 0.0, ""
    return (4.0, "same phone") if one.phone == other.phone else (-0.5, "other phone")


def _country(one: Person, other: Person) -> tuple[float, str]:
    if not one.country or not other.country:
        return 0.0, ""
    return (0.2, "same country") if one.country == other.country else (-2.0, "other country")


# -- letters


@lru_cache(maxsize=20_000)
def plain(text: str) -> str:
    """Letters and digits of a name in lower case without accents; "Müller-Lüdenscheidt" → "muller ludenscheidt"."""
    if text.isascii() and text.isalnum():
        return text.lower()
    bare = unicodedata.normalize("NFKD", text.casefold().replace("ß", "ss").replace("ø", "o").replace("ł", "l"))
    return " ".join(re.sub(r"[^\w]+|_", " ", "".join(letter for letter in bare if not unicodedata.combining(letter))).split())


@lru_cache(maxsize=20_000)
def plain_company(text: str) -> str:
    """A company's name without its legal form; one that is nothing else keeps it."""
    words = plain(text.replace("&", " and ").replace(".", "")).split()
    return " ".join(word for word in words if word not in LEGAL) or " ".join(words)


def _slips(one: str, other: str) -> int:
    """Letters that are wrong, missing, too many or swapped; 3 stands for more than two."""
    return int(DamerauLevenshtein.distance(one, other, score_cutoff=2))


def _one_slip(one: str, other: str) -> bool:
    """One slip in a word of four letters or more, two in one of nine."""
    shorter = min(len(one), len(other))
    return shorter >= 3 and len(one) + len(other) > 6 and _slips(one, other) <= (2 if shorter >= 9 else 1)


def _ends_otherwise(one: str, other: str) -> bool:
    """Whether only a vowel at the end differs, as in Mario and Maria, Daniel and Daniela."""
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) == len(longer):
        return shorter[:-1] == longer[:-1] and {shorter[-1], longer[-1]} <= set("aeio")
    return longer[:-1] == shorter and longer[-1] in "aeio"


def _spelt_apart(mine: str, mailbox: str, theirs: str, other: str) -> bool:
    """Whether two names differ, and each record's address is spelt as its own name is: then nobody slipped."""
    return len(mine) > 2 and len(theirs) > 2 and mine in mailbox and theirs in other and mine not in other and theirs not in mailbox


def _text(fields: Mapping[str, FieldValue], name: str) -> str:
    value = fields.get(name)
    return str(value).strip() if value is not None else ""
