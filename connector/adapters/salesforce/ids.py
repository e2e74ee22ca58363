"""Record ids: 15 characters that tell upper from lower case, or 18, the last three of which say which letters are upper case.

Source: Salesforce's Object Reference, "ID Field Type". Screens and formulas show the short form, the API the long one.
"""

from __future__ import annotations

import re
from typing import Final

_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_SUFFIX: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
LEAD, CONTACT, USER, QUEUE = "00Q", "003", "005", "00G"  # how the ids of an object begin


def read_record_id(value: object) -> str:
    """The id in its long form; a long one is taken as it stands. Raises ValueError when it is none."""
    text = value.strip() if isinstance(value, str) else ""
    if not _ID.fullmatch(text):
        raise ValueError("no record id")
    if len(text) == 18:
        return text
    return text + "".join(_SUFFIX[_capitals(text[start : start + 5])] for start in (0, 5, 10))


def _capitals(five: str) -> int:
    """Which of five characters are upper case, as the bits of a number."""
    return sum(1 << place for place, character in enumerate(five) if character.isupper())


def long_or_none(value: object) -> str | None:
    """The id in its long form, or None when it is none."""
    try:
        return read_record_id(value)
    except ValueError:
        return None


def is_same(one: object, other: object) -> bool:
    """Whether both are the id of one record, in whichever form."""
    known, wanted = long_or_none(one), long_or_none(other)
    return known is not None and wanted is not None and known[:15] == wanted[:15]
