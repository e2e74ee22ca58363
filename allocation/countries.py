"""Countries by ISO 3166 code, however a CRM writes them. The table is that of the time zone database."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

#: What people write beside the names of the table.
ALSO: Final = {
    "uk": "GB", "united kingdom": "GB", "great britain": "GB", "england": "GB", "scotland": "GB", "wales": "GB",
    "usa": "US", "united states of america": "US", "america": "US", "deutschland": "DE", "österreich": "AT", "schweiz": "CH",
    "holland": "NL", "the netherlands": "NL", "czechia": "CZ", "south korea": "KR", "uae": "AE", "türkiye": "TR",
}  # fmt: skip


@cache
def countries() -> Mapping[str, str]:
    """Code → English name."""
    table = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    return dict(line.split("\t")[:2] for line in table.splitlines() if line and not line.startswith("#"))


@cache
def _codes() -> Mapping[str, str]:
    return {**{name.lower(): code for code, name in countries().items()}, **ALSO}


def country_code(text: str) -> str:
    """`DE` for "Germany", "de" and "DE"; what is not known stays as it is, in upper case."""
    word = text.strip()
    return _codes().get(word.lower(), word.upper())


def check_country(text: str) -> str | None:
    """What is wrong with a code in a policy or a setting, in one line that says what may be meant, or None."""
    code = text.strip().upper()
    if code in countries():
        return None
    meant = country_code(text)
    if meant not in countries():
        close = difflib.get_close_matches(text.strip().lower(), _codes(), n=1, cutoff=0.75)
        meant = _codes()[close[0]] if close else next(iter(difflib.get_close_matches(code, countries(), n=1, cutoff=0.75)), "")
    hint = f'; did you mean "{meant}"?' if meant else ', such as "DE"'
    return f'"{text}" is not an ISO 3166 country code of two letters{hint}'
