"""Lengths of time as people write them: `90m`, `2h`, `14d`, `4w`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_SPAN: Final = re.compile(r"(\d{1,5})([mhdw])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
MOST: Final = timedelta(days=366)


def read_span(text: str) -> timedelta:
    """The length of time, from a minute to a year. Raises `ValueError`."""
    found = _SPAN.fullmatch(text.strip()) if isinstance(text, str) else None
    span = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta()
    if not timedelta() < span <= MOST:
        raise ValueError(f'{text!r} is not a length of time up to a year; write for example "90m", "2h", "14d" or "4w"')
    return span
