"""Takes personal fields out of text before it leaves the house."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from leads.records import FieldValue
from scoring.facts import to_word

# A match begins where a word begins and is bounded, so that a long text without an address is read once and not once a letter.
EMAIL: Final = re.compile(r"(?<![\w.+'-])[\w.+'-]{1,64}\s?(?:@|\(at\)|\[at\])\s?[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
URL: Final = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
#: Seven digits and more, with the signs people put between them.
PHONE: Final = re.compile(r"\+?\(?\d(?:[\s()./-]{0,3}\d){6,}")
#: A name that follows a greeting or a signature, whoever it belongs to.
NAMED: Final = re.compile(
    r"\b((?i:my name is|i am|i'm|this is|regards,?|best,|cheers,|thanks,|sincerely,|dear|hi|hello)\s+)"
    r"([A-Z][\w'-]+(?:\s+[A-Z][\w'-]+){0,2})"
)
#: The lead's own fields and what stands in their place.
FIELDS: Final = (
    ("email", "[email]"),
    ("phone", "[phone]"),
    ("website", "[website]"),
    ("company", "[company]"),
    ("first_name", "[name]"),
    ("last_name", "[name]"),
)


def redact(text: str, facts: Mapping[str, FieldValue]) -> str:
    """The text without addresses, links, phone numbers and names; `facts` are the lead's own, taken out wherever they occur.

    Rather too much is taken out than too little: a lead called May loses the month as well.
    """
    # Look-alike letters and invisible ones would carry a name, or a fence, past the patterns.
    text = "".join(sign for sign in unicodedata.normalize("NFKC", text) if sign in "\n\t" or unicodedata.category(sign)[0] != "C")
    for name, mark in FIELDS:
        value = to_word(facts.get(name))
        if value is not None and len(value) > 1:
            text = re.sub(rf"(?<!\w){re.escape(unicodedata.normalize('NFKC', value))}(?!\w)", mark, text, flags=re.IGNORECASE)
    text = EMAIL.sub("[email]", text)
    text = URL.sub("[link]", text)
    text = PHONE.sub("[phone]", text)
    return NAMED.sub(r"\1[name]", text)
