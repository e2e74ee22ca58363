"""Made-up people for measurements: names, companies and addresses in the proportions of a business's own list."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Final

HEADINGS: Final = (
    *("id", "email", "phone", "first_name", "last_name", "company", "title"),
    *("country", "industry", "source", "visits", "created", "outcome"),
)
_FIRST: Final = """
anna bea carl dora emil finn greta hugo ida jan karl lena max nora otto paul rosa sven tina ulla vera willi yara zoe ada bruno clara
david elsa frank gina hans ines jonas kira lars mona nils olga petra ralf sara tom
"""
_STARTS: Final = """
ba be bo bra bru da de do dra fa fe fi fra ga ge gra ha he ho ja ka ke kra la le lo ma me mo na ne pa pe ra re sa se
"""
_ENDS: Final = "bach berg dorf er feld haus hoff ke lein ler mann mer ner rich sen ski son stein ter thal vic wald wig zer"
FIRST: Final = _FIRST.split()
STARTS: Final = _STARTS.split()
ENDS: Final = _ENDS.split()
TITLES: Final = ("CEO", "Head of Sales", "Engineer", "Clerk", "Marketing Manager", "CTO", "Student", "")
COUNTRIES: Final = (("DE", "+4930"), ("US", "+1212"), ("FR", "+331"), ("GB", "+4420"))
#: People at one company, on average.
AT_ONE: Final = 8


def people(chance: Random, rows: int, now: datetime, *, bad: float = 0.01, again: float = 0.01) -> Iterator[list[str]]:
    """So many rows under HEADINGS, in no order of time. `bad` is the share of rows that no import takes; `again` that of people who
    stand there once more, with a slip in the last name and without an address."""
    companies = max(rows // AT_ONE, 1)
    first, last, company = "anna", "baberg", 0
    for number in range(rows):
        slip = chance.random() < again
        if slip:
            last = last[:-2] + last[-1] + last[-2]
        else:
            first, last, company = chance.choice(FIRST), _name(chance), chance.randrange(companies)
        country, prefix = COUNTRIES[company % len(COUNTRIES)]
        created = now - timedelta(seconds=chance.randrange(3 * 365 * 86_400))
        yield [
            "" if chance.random() < bad else str(number),
            "" if slip else _address(chance, number, f"{first}.{last}", company),
            "" if slip or chance.random() < 0.4 else f"{prefix}{5_000_000 + number % 4_000_000}",
            first.title(),
            last.title(),
            f"{_company(company).title()} {company} GmbH",
            chance.choice(TITLES),
            country,
            ("Software", "Retail", "Health", "")[company % 4],
            ("web", "referral", "ads", "event")[number % 4],
            str(chance.randrange(40)),
            created.isoformat(),
            ("won", "lost", "lost", "")[chance.randrange(4)],
        ]


def _address(chance: Random, number: int, name: str, company: int) -> str:
    if chance.random() < 0.15:
        return f"{name}.{number}@gmail.com"
    return f"{name}{number % 97 or ''}@{_company(company)}{company}.com"


def _name(chance: Random) -> str:
    return chance.choice(STARTS) + chance.choice(STARTS) + chance.choice(ENDS)


def _company(number: int) -> str:
    return STARTS[number % len(STARTS)] + STARTS[number // 7 % len(STARTS)] + ENDS[number // 3 % len(ENDS)]
