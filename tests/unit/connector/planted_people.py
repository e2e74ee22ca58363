"""Invented people with planted slips of the pen, and with planted namesakes, relatives and colleagues."""

from __future__ import annotations

import string
from dataclasses import dataclass
from random import Random
from typing import Any

from connector.given_names import GROUPS, KNOWN

SOUNDS = "b br c ch d dr f fr g gr h j k kl l m n p pr r s sch st t tr v w z/a e i o u au ei ie"
ONSETS, VOWELS = (part.split() for part in SOUNDS.split("/"))
CODAS = ["n", "r", "l", "s", "t", "mann", "ner", "son", "ski", "er", "ard", "off", "ini", "ez", "land", "berg", "ley"]
TRADES = ["Systems", "Logistics", "Foods", "Energy", "Media", "Software", "Health", "Partners", "Motors", "Labs", "Bank", "Steel"]
FORMS = ["", " GmbH", " Ltd", " Inc.", " LLC", " AG", " Corp", " S.A.", " plc"]
GIVEN = sorted(KNOWN)


@dataclass(frozen=True)
class Pair:
    """Two records, and whether they are one person's."""

    one: dict[str, Any]
    other: dict[str, Any]
    same: bool


def surname(rng: Random) -> str:
    return "".join(rng.choice(ONSETS) + rng.choice(VOWELS) for _ in range(rng.choice((1, 1, 2)))).title() + rng.choice(CODAS)


def slip(rng: Random, word: str) -> str:
    """One letter wrong, missing, too many, or two swapped."""
    place = rng.randrange(len(word))
    letter = rng.choice(string.ascii_lowercase)
    kinds = [
        word[:place] + letter + word[place + 1 :],
        word[:place] + word[place + 1 :],
        word[:place] + letter + word[place:],
        word[:place] + word[place + 1 : place + 2] + word[place : place + 1] + word[place + 2 :],
    ]
    made = rng.choice(kinds)
    return made if made and made.lower() != word.lower() else word + letter


def person(rng: Random, company: tuple[str, str] | None = None, **fixed: str) -> dict[str, Any]:
    name = surname(rng)
    trade, form = rng.choice(TRADES), rng.choice(FORMS)
    firm, domain = company or (
        f"{name} {trade}{form}",
        f"{name.lower()}-{trade.lower()}.example.com".replace(".example.com", ".com"),
    )
    made: dict[str, Any] = {
        "first_name": rng.choice(GIVEN).title(),
        "last_name": surname(rng),
        "company": firm,
        "country": "DE",
        **fixed,
    }
    made["email"] = address(rng, made, domain if rng.random() < 0.75 else rng.choice(["gmail.com", "gmx.de", "yahoo.co.uk"]))
    made["website"] = f"https://www.{domain}" if rng.random() < 0.6 else None
    made["phone"] = f"+49301{rng.randrange(10**6, 10**7)}" if rng.random() < 0.5 else None
    return made


def address(rng: Random, made: dict[str, Any], domain: str) -> str:
    first, last = made["first_name"].lower(), made["last_name"].lower()
    form = rng.choice([f"{first}.{last}", f"{first[0]}.{last}", f"{first}{last}", f"{last}.{first}", f"{first[0]}{last}", last])
    return f"{form}@{domain}"


def misspelt(rng: Random, original: dict[str, Any]) -> dict[str, Any]:
    """The same person, as somebody else would type them."""
    made = dict(original)
    for name, chance in (("last_name", 0.45), ("first_name", 0.3)):
        if rng.random() < chance and len(made[name]) >= 4:
            made[name] = slip(rng, made[name])
    if rng.random() < 0.15:
        made["first_name"] = short_form(rng, original["first_name"])
    bare = original["company"]
    for form in FORMS[1:]:
        bare = bare.removesuffix(form)
    made["company"] = rng.choice([original["company"], bare, bare + rng.choice(FORMS), slip(rng, bare), bare.upper()])
    domain = original["email"].split("@")[1]
    choice = rng.random()
    if choice < 0.4:
        made["email"] = None
    elif choice < 0.7:
        made["email"] = slip(rng, original["email"].split("@")[0]) + "@" + domain
    else:
        made["email"] = address(rng, original, domain if rng.random() < 0.7 else "gmail.com")
    if rng.random() < 0.4:
        made["website"] = None
    if rng.random() < 0.6:
        made["phone"] = None
    return made


def short_form(rng: Random, first: str) -> str:
    group = next((names.split() for names in GROUPS if first.lower() in names.split()), [first])
    return rng.choice(group).title()


def other_person(rng: Random, original: dict[str, Any]) -> dict[str, Any]:
    """Somebody else who is easily taken for the first: a relative, a colleague, a namesake."""
    domain = original["email"].split("@")[1]
    place = (original["company"], domain if "-" in domain else original["company"].split()[0].lower() + "-x.com")
    kind = rng.randrange(5)
    if kind == 0:  # of one family, in the family's firm
        return person(rng, place, last_name=original["last_name"], first_name=another(rng, original["first_name"]))
    if kind == 1:  # a colleague with a like name
        near = [name for name in GIVEN if name[:2] == original["first_name"].lower()[:2] and name != original["first_name"].lower()]
        first = rng.choice(near or GIVEN).title()
        return (
            person(rng, place, first_name=first, last_name=original["last_name"])
            if not short(first, original)
            else person(rng, place)
        )
    if kind == 2:  # a namesake elsewhere
        return person(rng, first_name=original["first_name"], last_name=original["last_name"])
    if kind == 3:  # a colleague
        return person(rng, place)
    return person(rng, place, first_name=original["first_name"])  # a colleague of the same first name


def short(first: str, original: dict[str, Any]) -> bool:
    return any({first.lower(), original["first_name"].lower()} <= set(group.split()) for group in GROUPS)


def another(rng: Random, first: str) -> str:
    while True:
        chosen = rng.choice(GIVEN).title()
        if chosen.lower() != first.lower() and not short(chosen, {"first_name": first}):
            return chosen


def pairs(seed: int, count: int) -> list[Pair]:
    """Half of them one person's."""
    rng = Random(seed)
    made = []
    for number in range(count):
        original = person(rng)
        same = number % 2 == 0
        other = misspelt(rng, original) if same else other_person(rng, original)
        while not same and other["email"] == original["email"]:  # an address is one person's
            other = other_person(rng, original)
        made.append(Pair(original, other, same))
    return made
