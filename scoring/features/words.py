"""Small builders for the words of a reason."""

from __future__ import annotations

from collections.abc import Mapping

from leads.records import FieldValue
from scoring.features.feature import Words


def counted(verb: str, one: str, many: str, when: str) -> Words:
    """ "opened 4 emails this week", "opened only 1 email this week" when that is too few, "opened no emails this week"."""

    def words(value: FieldValue, up: bool) -> str | None:
        if value is None:
            return None
        number = int(float(value))
        if number == 0:
            return None if up else f"{verb} no {many} {when}".rstrip()
        only = "" if up else "only "
        return f"{verb} {only}{number} {one if number == 1 else many} {when}".rstrip()

    return words


def bad_count(verb: str, one: str, many: str, when: str) -> Words:
    """For counts that hurt: told when there are any and the score fell."""

    def words(value: FieldValue, up: bool) -> str | None:
        number = int(float(value or 0))
        return None if up or number == 0 else f"{verb} {number} {one if number == 1 else many} {when}".rstrip()

    return words


def flag(yes: str | None, no: str | None = None) -> Words:
    """One text for 1 and one for 0; None for the case that is not worth telling."""

    def words(value: FieldValue, up: bool) -> str | None:
        return None if value is None else (yes if float(value) else no)

    return words


def proper(value: FieldValue) -> str:
    """A level kept in lower case, written as a name: "DE", "Germany", "Computer Software"."""
    text = str(value).replace("_", " ")
    return text.upper() if len(text) <= 3 else " ".join(word[:1].upper() + word[1:] for word in text.split())


def named(prefix: str) -> Words:
    """ "country is Germany"."""

    def words(value: FieldValue, up: bool) -> str | None:
        return None if value is None else f"{prefix} {proper(value)}"

    return words


def table(texts: Mapping[str, str]) -> Words:
    """A text for each level; levels without one are not told."""

    def words(value: FieldValue, up: bool) -> str | None:
        return texts.get(str(value))

    return words


def share(text: str) -> Words:
    """`text` with {} in place of a whole percentage."""

    def words(value: FieldValue, up: bool) -> str | None:
        return None if value is None else text.format(f"{round(float(value) * 100)}%")

    return words


def amount(text: str) -> Words:
    """`text` with {} in place of a rounded number: "the company has about 1,200 people"."""

    def words(value: FieldValue, up: bool) -> str | None:
        return None if value is None else text.format(f"{float(value):,.0f}")

    return words


def span(hours: float) -> str:
    """A length of time as a person says it: "40 minutes", "5 hours", "3 days"."""
    if hours < 1:
        minutes = max(1, round(hours * 60))
        return "1 minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 36:
        whole = round(hours)
        return "1 hour" if whole == 1 else f"{whole} hours"
    days = round(hours / 24)
    return f"{days} days" if days < 60 else f"{round(days / 30)} months"


def silent(value: FieldValue, up: bool) -> str | None:
    """For features that steady the model but mean nothing to a rep, such as the hour of creation."""
    return None
