"""Which company a lead belongs to: domain before name, a name only with a second signal, and ties broken in the tenant's order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.account_match import TIE_BREAKERS, Account, Seeker, keys, match
from connector.likeness import plain_company
from connector.testing import NOON

ACME = Account(1, "crm", "c1", "Acme Systems GmbH", ("acme.com",), "de", "100", False, None)


def found(fields: dict[str, Any], *accounts: Account) -> tuple[int, str] | None:
    match_ = match(Seeker.of(fields), accounts)
    return (match_.account.id, match_.because) if match_ else None


@pytest.mark.parametrize(
    ("fields", "because"),
    [
        ({"email": "ann@acme.com"}, "same domain"),
        ({"email": "ann@mail.acme.com", "company": "Something else"}, "same domain"),
        ({"email": "ann@gmail.com", "website": "https://www.acme.com/jobs"}, "same domain"),
        ({"company": "ACME Systems", "country": "Germany"}, "same name and same country"),
        ({"company": "acme systems ag", "email": "ann@acme.de"}, "same name and a domain in another country"),
        ({"company": "Acme Sytems GmbH", "country": "DE"}, "close name and same country"),
        ({"company": "Systems Acme", "country": "de"}, "close name and same country"),
    ],
)
def test_whose_company_it_is(fields: dict[str, Any], because: str) -> None:
    assert found(fields, ACME) == (1, because)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"email": "ann@gmail.com"}, "anybody can have an address there"),
        ({"company": "Acme Systems"}, "a name alone is no proof"),
        ({"company": "Acme Systems", "country": "FR"}, "a namesake in another country"),
        ({"company": "Acme Systems", "country": "DE", "email": "ann@other.org"}, "an address at another company"),
        ({"company": "Apex Systems", "country": "DE"}, "another name"),
        ({}, "nothing is known"),
    ],
)
def test_whose_company_it_is_not(fields: dict[str, Any], why: str) -> None:
    assert found(fields, ACME) is None, why


def test_free_mail_never_matches_even_when_a_company_has_such_a_domain_noted() -> None:
    assert found({"email": "ann@gmail.com"}, replace(ACME, domains=("gmail.com",))) is None


def test_of_companies_that_share_a_domain_the_one_of_the_same_name_is_meant() -> None:
    """Brands and daughters of one house have one domain of addresses."""
    daughter = replace(ACME, id=2, name="Acme Robotics", owner=None, customer=False)
    fields = {"email": "ann@acme.com", "company": "ACME Robotics GmbH"}
    assert found(fields, ACME, daughter) == (2, "same domain and name")
    assert found({**fields, "company": "Zenith"}, ACME, daughter) == (1, "same domain"), "the tie-breakers choose"


def test_ties_are_broken_in_order() -> None:
    nobody = replace(ACME, id=2, owner=None, customer=True)
    abroad = replace(ACME, id=3, country="fr", customer=True)
    customer = replace(ACME, id=4, customer=True, touched_at=NOON)
    fresher = replace(customer, id=5, touched_at=NOON + timedelta(days=1))
    seeker = Seeker.of({"email": "ann@acme.com", "country": "DE"})
    everyone = [nobody, abroad, customer, fresher, ACME]
    order = []
    while everyone:
        best = match(seeker, everyone, TIE_BREAKERS)
        assert best is not None
        order.append(best.account.id)
        everyone.remove(best.account)
    assert order == [5, 4, 1, 3, 2]
    best = match(seeker, [nobody, abroad, customer, fresher, ACME], ("oldest",))
    assert best is not None
    assert best.account.id == 1


@given(st.text(max_size=40), st.sampled_from(["acme.com", "x.de", ""]))
def test_who_has_the_same_name_or_domain_shares_a_key(name: str, domain: str) -> None:
    plain = plain_company(name)
    assert bool(keys(plain, [domain]) & keys(plain, [domain])) == bool(plain or domain)
