"""One way of writing each field, so that equal things are equal: e-mail, phone, country, length."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from leads.records import EngagementEvent, FieldValue, LeadChange

MAX_TEXT: Final = 500
MAX_MESSAGE: Final = 8_000
MAX_EXTRAS: Final = 200
KEY_LENGTH: Final = 120
ID_LENGTH: Final = 128


#: An address so plain that every rule holds for it: what the validator would take ten times as long to say.
PLAIN_EMAIL: Final = re.compile(
    r"[a-z0-9]+(?:[._-][a-z0-9]+){0,4}"
    r"@(?:[a-z0-9]{1,30}(?:-[a-z0-9]{1,20}){0,2}\.){1,3}(?:com|net|org|edu|io|de|fr|nl|uk|eu)",
    re.ASCII,
)

#: A number in E.164 of countries whose trunk prefix it cannot hold: parsing it gives it back as it is.
PLAIN_PHONE: Final = re.compile(r"\+(?:1[2-9]\d{9}|(?:31|33|34|41|43|44|45|46|49)[1-9]\d{6,10})", re.ASCII)


def normalise_email(text: str) -> str | None:
    """The address in lower case with a normalised domain; None when it is none."""
    plain = text.strip().lower()
    if len(plain) <= 60 and PLAIN_EMAIL.fullmatch(plain):
        return plain
    try:
        return str(validate_email(text.strip(), check_deliverability=False, allow_smtputf8=True).normalized).lower()
    except EmailNotValidError:
        return None


def normalise_phone(text: str, country: str | None) -> str:
    """E.164 where the number is a possible one (with a country for national ones); else the text as it came, trimmed."""
    if PLAIN_PHONE.fullmatch(text):
        return text
    try:
        number = phonenumbers.parse(text, country if country and len(country) == 2 else None)
    except phonenumbers.NumberParseException:
        return text.strip()
    if not phonenumbers.is_possible_number(number):
        return text.strip()
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalise_unstored(
    fields: Mapping[str, FieldValue], extra: Mapping[str, FieldValue]
) -> tuple[dict[str, FieldValue], dict[str, FieldValue]]:
    """(fields, the tenant's own columns) of a lead that is scored and not stored.

    As `normalise`, but for the phone number, which stays as it was written: parsing one takes longer than scoring a lead, and no
    feature reads more of it than that it is there.
    """
    facts = _clean_fields({name: value for name, value in fields.items() if value is not None})
    return facts, _clean_all(extra if len(extra) <= MAX_EXTRAS else dict(list(extra.items())[:MAX_EXTRAS]))


def normalise_fields(fields: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    """Every field trimmed, bounded and free of NUL bytes; blank text is missing. An address that is none is kept out."""
    cleaned = _clean_fields(fields)
    phone, country = cleaned.get("phone"), cleaned.get("country")
    if isinstance(phone, str):
        cleaned["phone"] = normalise_phone(phone, country.upper() if isinstance(country, str) else None)
    return cleaned


def _clean_fields(fields: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    """`normalise_fields` with the phone number as it was written."""
    cleaned = {name: _clean(value, MAX_MESSAGE if name == "message" else MAX_TEXT) for name, value in fields.items()}
    email = cleaned.get("email")
    if isinstance(email, str):
        cleaned["email"] = normalise_email(email)
    return cleaned


def normalise(change: LeadChange) -> LeadChange:
    """A change with its fields in one way of writing."""
    extra = dict(list(change.extra.items())[:MAX_EXTRAS])
    return replace(
        change,
        fields=normalise_fields(change.fields),
        extra=_clean_all(extra),
        event_key=normalise_name(change.event_key, KEY_LENGTH),
        external_id=normalise_name(change.external_id, ID_LENGTH),
        merged_ids=tuple(normalise_name(merged, ID_LENGTH) for merged in change.merged_ids),
    )


def normalise_act(event: EngagementEvent) -> EngagementEvent:
    """An act in one way of writing. An address that is none names nobody."""
    return replace(
        event,
        event_key=normalise_name(event.event_key, KEY_LENGTH),
        external_id=normalise_name(event.external_id, ID_LENGTH) if event.external_id else None,
        email=normalise_email(event.email) if event.email else None,
        properties=_clean_all(event.properties),
        text=str(_clean(event.text, MAX_MESSAGE) or "") or None,
        phone=normalise_phone(event.phone, None)[:MAX_TEXT] if event.phone else None,
    )


def _clean_all(values: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    return {_safe(name)[:120]: _clean(value, MAX_TEXT) for name, value in values.items()}


def normalise_name(text: str, limit: int) -> str:
    """An id or key that any database takes. One that is too long is cut and told apart by a hash of the whole."""
    safe = _safe(text)
    if len(safe) <= limit:
        return safe
    return f"{safe[: limit - 33]}:{hashlib.sha256(safe.encode()).hexdigest()[:32]}"


def _clean(value: FieldValue, limit: int) -> FieldValue:
    if isinstance(value, str):
        if value.isalnum() and value.isascii() and len(value) <= limit:  # one plain word, as most are
            return value
        return _safe(value).strip()[:limit] or None
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _safe(text: str) -> str:
    """Without NUL and without half a character, which databases refuse."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
