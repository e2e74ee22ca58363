"""The short way of reading an address, a number or a host says what the long way says."""

from __future__ import annotations

import phonenumbers
import pytest
from email_validator import validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.mailboxes import PLAIN_HOST, _extract, registered_domain
from connector.pipeline.normalise import PLAIN_EMAIL, PLAIN_PHONE, normalise_email, normalise_phone


@settings(max_examples=300, deadline=None)
@given(st.from_regex(PLAIN_EMAIL, fullmatch=True).filter(lambda text: len(text) <= 60))
def test_what_is_plain_is_valid_and_stays_as_it_is(text: str) -> None:
    assert normalise_email(text) == text
    assert str(validate_email(text, check_deliverability=False).normalized).lower() == text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (" Ada@Example.COM ", "ada@example.com"),
        ("a..b@example.com", None),
        (".a@example.com", None),
        ("a@-x.com", None),
        ("a@ab--cd.com", None),
        ("a@example", None),
        ("ada@sub.example.co.uk", "ada@sub.example.co.uk"),
        ("a@b.invalid", None),
    ],
)
def test_what_is_not_plain_goes_the_long_way(text: str, read: str | None) -> None:
    assert normalise_email(text) == read


@settings(max_examples=300, deadline=None)
@given(st.from_regex(PLAIN_PHONE, fullmatch=True))
def test_a_plain_number_stays_as_it_is(text: str) -> None:
    number = phonenumbers.parse(text, None)
    assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == text
    assert normalise_phone(text, "DE") == text


@settings(max_examples=300, deadline=None)
@given(st.from_regex(PLAIN_HOST, fullmatch=True))
def test_a_plain_host_is_what_the_public_suffix_list_says(host: str) -> None:
    found = _extract(host)
    assert registered_domain(host) == f"{found.domain}.{found.suffix}"
