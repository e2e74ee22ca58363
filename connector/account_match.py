"""Which company a lead belongs to, when its CRM does not say: by domain, then by name with a second signal.

Free-mail domains say nothing about a company. Of several companies that fit equally well the tie-breakers choose, in the order the
tenant set. Pure: no database, no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from rapidfuzz import fuzz

from allocation.countries import country_code
from connector.likeness import plain_company
from connector.mailboxes import company_domain
from leads.records import FieldValue

TieBreaker = Literal["owner", "country", "customer", "touched", "oldest"]
TIE_BREAKERS: Final[tuple[TieBreaker, ...]] = ("owner", "country", "customer", "touched", "oldest")
#: From here on two names of companies, legal forms apart, are close (0 to 100, words in any order).
CLOSE: Final = 90.0


@dataclass(frozen=True, slots=True)
class Account:
    """A company as stored. `domains` are registered domains, `country` a lower-case code, `owner` the CRM's id of a rep."""

    id: int
    connection: str
    external_id: str
    name: str
    domains: tuple[str, ...]
    country: str | None
    owner: str | None
    customer: bool
    touched_at: datetime | None


@dataclass(frozen=True, slots=True)
class Seeker:
    """What a lead tells of its company; missing is the empty text."""

    name: str
    domain: str
    country: str

    @classmethod
    def of(cls, fields: Mapping[str, FieldValue]) -> Seeker:
        """What these fields tell."""
        return cls(
            name=plain_company(str(fields.get("company") or "")),
            domain=company_domain(str(fields.get("email") or ""), str(fields.get("website") or "")),
            country=read_country(fields.get("country")) or "",
        )


@dataclass(frozen=True, slots=True)
class Match:
    """A company, and what it was known by, in words for a rep."""

    account: Account
    because: str


def read_country(value: FieldValue) -> str | None:
    """A country's lower-case code, from a code or an English name; None when it is neither."""
    code = country_code(str(value or "").strip().lower())
    return code.lower() if len(code) == 2 else None


def keys(name: str, domains: Iterable[str]) -> frozenset[str]:
    """The keys under which a company is looked for; `name` is plain. A close name shares its beginning or its end."""
    named = {f"n:{name}", f"a:{name[:5]}", f"z:{name[-5:]}"} if name else set()
    return frozenset({*(f"d:{domain}" for domain in domains if domain), *named})


def match(seeker: Seeker, candidates: Sequence[Account], tie_breakers: Sequence[TieBreaker] = TIE_BREAKERS) -> Match | None:
    """The company of a lead among these candidates, or None."""
    found = [(grade, account, why) for account in candidates for grade, why in [_grade(seeker, account)] if why]
    if not found:
        return None
    best = min(grade for grade, _, _ in found)
    alike = [(account, why) for grade, account, why in found if grade == best]
    account, why = min(alike, key=lambda one: [RANKS[name](seeker, one[0]) for name in (*tie_breakers, "oldest")])
    return Match(account, why)


def _grade(seeker: Seeker, account: Account) -> tuple[int, str]:
    """(grade, the lower the better; why), an empty why for none."""
    name = plain_company(account.name)
    close = bool(seeker.name and name) and fuzz.token_sort_ratio(seeker.name, name) >= CLOSE
    if seeker.domain and seeker.domain in account.domains:  # which brands and daughters of one house may share
        return (0, "same domain and name") if close else (1, "same domain")
    signal = _second_signal(seeker, account) if close else ""
    if not signal:
        return 9, ""
    return (2, f"same name and {signal}") if seeker.name == name else (3, f"close name and {signal}")


def _second_signal(seeker: Seeker, account: Account) -> str:
    """What else speaks for it beside the name. A lead with another company's own domain has none."""
    label = seeker.domain.partition(".")[0]
    if label and any(domain.partition(".")[0] == label for domain in account.domains):
        return "a domain in another country"
    if seeker.domain and account.domains:
        return ""
    return "same country" if seeker.country and seeker.country == account.country else ""


RANKS: Final[Mapping[str, Callable[[Seeker, Account], Any]]] = {
    "owner": lambda _, account: account.owner is None,
    "country": lambda seeker, account: not seeker.country or account.country != seeker.country,
    "customer": lambda _, account: not account.customer,
    "touched": lambda _, account: -account.touched_at.timestamp() if account.touched_at else 0.0,
    "oldest": lambda _, account: account.id,
}
