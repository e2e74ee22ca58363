"""Texts with places in braces: `{company} has gone quiet`. They are filled in when they are sent and never stored filled."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Final

from leads.fields import OPEN, PERSONAL
from leads.records import FieldValue

#: Beside the lead's facts.
STANDING: Final = ("score", "tier", "reasons", "rep", "playbook")
#: What a text for the CRM or for Slack may hold: nothing that names the person, because others than the rep may read it there.
IMPERSONAL: Final = frozenset((*OPEN, *STANDING))
#: What a message to the person may hold.
ANYTHING: Final = frozenset((*OPEN, *PERSONAL, *STANDING))


def places(text: str) -> list[str]:
    """The names in the braces. Raises `ValueError` for braces that do not match or hold more than a name."""
    found = []
    for _, name, form, conversion in Formatter().parse(text):
        if name is None:
            continue
        if form or conversion or not name.isidentifier():
            raise ValueError(f'"{{{name}}}" is not a place; write a fact in braces, such as {{country}}')
        found.append(name)
    return found


def fill(text: str, facts: Mapping[str, FieldValue]) -> str:
    """The text with every place filled; what is not known is left out, and the space before it too."""
    parts: list[str] = []
    for said, name, _, _ in Formatter().parse(text):
        parts.append(said)
        if name is None:
            continue
        value = facts.get(name)
        if value is None or value == "":
            parts[-1] = said.rstrip(" ")
        else:
            parts.append(str(value))
    return "".join(parts)
