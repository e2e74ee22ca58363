"""People written in two ways are found, and people who are only alike are left alone."""

from __future__ import annotations

from typing import Any

import pytest

from connector.likeness import blocks, compare, person_of, plain_company
from connector.mailboxes import FREE_HOUSES, FREE_MAIL, company_domain, is_free_mail, registered_domain
from connector.pipeline.normalise import normalise_fields
from connector.storage.namesakes import SHARED
from tests.unit.connector.planted_people import pairs


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether the two would be found under a common key, and taken for one."""
    first, second = (
        person_of(normalise_fields({name: value for name, value in record.items() if value})) for record in (one, other)
    )
    return len(blocks(first) & blocks(second)) >= SHARED and compare(first, second).same


@pytest.mark.parametrize("seed", [101, 102, 103])
def test_of_planted_people_nearly_all_are_found_and_hardly_anybody_else(seed: int) -> None:
    told = [(pair.same, same(pair.one, pair.other)) for pair in pairs(seed, 4_000)]
    right = sum(truth and found for truth, found in told)
    assert right / sum(found for _, found in told) >= 0.995
    assert right / sum(truth for truth, _ in told) >= 0.94


ANN = {"first_name": "Ann", "last_name": "Berger", "company": "Acme Systems GmbH", "email": "ann.berger@acme.example.com"}


@pytest.mark.parametrize(
    "other",
    [
        {"first_name": "Ann", "last_name": "Bergr", "company": "ACME Systems", "website": "www.acme.example.com"},
        {"first_name": "Ann", "last_name": "Berger", "company": "Acme Systms Ltd.", "email": "ann.bergr@acme.example.com"},
        {"first_name": "Berger", "last_name": "Ann", "company": "Acme Systems GmbH", "website": "https://acme.example.com/team"},
        {"first_name": "Ann", "last_name": "Berger", "company": "Acme", "email": "aberger@gmail.com", "website": "example.com"},
    ],
)
def test_one_person(other: dict[str, str]) -> None:
    assert same(ANN, other)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({**ANN, "first_name": "Anna", "email": "anna.berger@acme.example.com"}, "a sister in the firm"),
        ({**ANN, "last_name": "Bergen", "email": "ann.bergen@acme.example.com"}, "an address that is spelt as its own name is"),
        ({**ANN, "company": "Zenith Foods", "email": "ann.berger@zenith.com"}, "a namesake elsewhere"),
        ({"first_name": "Ann", "last_name": "Berger", "email": "ann.berger2@gmail.com"}, "nothing but the name"),
        ({**ANN, "last_name": None, "email": None}, "no last name"),
        ({**ANN, "first_name": "Cleo", "email": None}, "a colleague of the same last name"),
    ],
)
def test_two_people(other: dict[str, Any], why: str) -> None:
    assert not same(ANN, other), why


@pytest.mark.parametrize(
    "site",
    ["n/a", "none", "www", "gmail.com", "https://www.linkedin.com/in/ann", "facebook.com/pages/acme", "sites.google.com/view/acme"],
)
def test_a_site_that_says_nothing_of_a_company_makes_nobody_alike(site: str) -> None:
    namesake = {"first_name": "Ann", "last_name": "Berger", "website": site}
    assert not same(namesake, {**namesake, "email": "other@gmail.com"})
    assert company_domain("", site) == ""


@pytest.mark.parametrize(
    ("email", "site", "domain"),
    [
        ("ann@mail.acme.com", "other.org", "acme.com"),
        ("ann@gmail.com", "https://www.acme.com/jobs", "acme.com"),
        ("ann@linkedin.com", "", "linkedin.com"),
        ("", "https://www.linkedin.com/", "linkedin.com"),
        ("", "acme.wixsite.com/home", "acme.wixsite.com"),
    ],
)
def test_whose_domain_it_is(email: str, site: str, domain: str) -> None:
    assert company_domain(email, site) == domain


def test_the_grounds_name_nobody() -> None:
    likeness = compare(person_of(ANN), person_of({**ANN, "last_name": "Bergr"}))
    assert likeness.same
    for value in ANN.values():
        assert value.casefold() not in " ".join(likeness.because).casefold()


def test_a_company_is_known_without_its_legal_form() -> None:
    assert plain_company("The Müller & Söhne GmbH & Co. KG") == plain_company("Muller Sohne") == "muller sohne"
    assert plain_company("AG") == "ag", "a name that is nothing else stays"


NOTHING = ("n/a", "none", "-", "www", "localhost", "1.2.3.4", "http://[::1]/", "co.uk", "acme inc")


@pytest.mark.parametrize(
    ("host", "free", "domain"),
    [
        ("mail.acme.co.uk", False, "acme.co.uk"),
        ("yahoo.co.uk", True, "yahoo.co.uk"),
        ("GMX.fr", True, "gmx.fr"),
        ("", False, ""),
        ("www.acme.uk.com", False, "acme.uk.com"),
        ("acme.github.io", False, "acme.github.io"),
        *(
            (nothing, False, "")
            for nothing in ("n/a", "none", "-", "www", "localhost", "1.2.3.4", "http://[::1]/", "co.uk", "acme inc")
        ),
    ],
)
def test_domains(host: str, free: bool, domain: str) -> None:
    assert (is_free_mail(host), registered_domain(host)) == (free, domain)


def test_every_house_of_free_mail_is_known_as_one() -> None:
    assert all(is_free_mail(host) for host in FREE_MAIL)
    assert all(is_free_mail(f"{name}.{ending}") for name in FREE_HOUSES for ending in ("com", "fr", "co.uk"))
