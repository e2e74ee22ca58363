"""Reading single facts: what counts as blank, as a number, as a word."""

from __future__ import annotations

from collections.abc import Mapping

from leads.records import FieldValue


def email_domain(facts: Mapping[str, FieldValue]) -> str | None:
    """The domain of `facts["email"]`, or the fact `email_domain` when the address itself is not given."""
    given = to_word(facts.get("email_domain"))
    if given is not None:
        return given.lower()
    _, at, domain = (to_word(facts.get("email")) or "").rpartition("@")
    return domain.lower() or None if at else None


def to_word(value: FieldValue) -> str | None:
    """Text without surrounding space; None for blanks and for "Select", the text of a drop-down nobody answered."""
    if value is None:
        return None
    text = str(value).strip()
    return None if not text or (len(text) == 6 and text.lower() == "select") else text


def expect_value(probability: float, deal_amount: FieldValue) -> float | None:
    """What leads like this one bring on average, in the deal's currency: probability times size; None where that is not known."""
    amount = to_number(deal_amount)
    return None if amount is None or amount < 0 else round(probability * amount, 2)


def to_number(value: FieldValue) -> float | None:
    """A finite float, or None."""
    if value is None:
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < float("inf") else None
