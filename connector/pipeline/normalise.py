"""One way of writing each field, so that equal things are equal: e-mail, phone, country, length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from leads.records import FieldValue, LeadChange

MAX_TEXT: Final = 500
MAX_MESSAGE: Final = 8_000
MAX_EXTRAS: Final = 200


def normalise_email(text: str) -> str | None:
    """The address in lower case with a normalised domain; None when it is none."""
    try:
        return str(validate_email(text.strip(), check_deliverability=False, allow_smtputf8=True).normalized).lower()
    except EmailNotValidError:
        return None


def normalise_phone(text: str, country: str | None) -> str:
    """E.164 where the number is a possible one (with a country for national ones); else the text as it came, trimmed."""
    try:
        number = phonenumbers.parse(text, country if country and len(country) == 2 else None)
    except phonenumbers.NumberParseException:
        return text.strip()
    if not phonenumbers.is_possible_number(number):
        return text.strip()
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalise_fields(fields: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    """Every field trimmed, bounded and free of NUL bytes; blank text is missing. An address that is none is kept out."""
    cleaned = {name: _clean(value, MAX_MESSAGE if name == "message" else MAX_TEXT) for name, value in fields.items()}
    country = cleaned.get("country")
    for name, value in cleaned.items():
        if not isinstance(value, str):
            continue
        if name == "email":
            cleaned[name] = normalise_email(value)
        elif name == "phone":
            cleaned[name] = normalise_phone(value, country.upper() if isinstance(country, str) else None)
    return cleaned


def normalise(change: LeadChange) -> LeadChange:
    """A change with its fields in one way of writing."""
    extra = dict(list(change.extra.items())[:MAX_EXTRAS])
    return replace(
        change,
        fields=normalise_fields(change.fields),
        extra={name[:120]: _clean(value, MAX_TEXT) for name, value in extra.items()},
    )


def _clean(value: FieldValue, limit: int) -> FieldValue:
    if not isinstance(value, str):
        return value
    return value.replace("\x00", "").strip()[:limit] or None
