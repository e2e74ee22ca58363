"""Reading what a stranger sent: bounded, and safe to store. Shared by the adapters.

A vendor's body is hostile until shown otherwise: NaN, numbers of ten thousand digits, lone surrogates and NUL characters all
parse as JSON and then break a database. Nothing here raises anything but ValueError.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from leads.records import FieldValue

#: Longer values are cut: no name or title needs more, and a card or a log line must stay a line.
TEXT_LIMIT = 2_000
#: What a person wrote in a form.
MESSAGE_LIMIT = 20_000


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def read_json(body: bytes) -> Any:
    """The JSON document in `body`, which must be UTF-8. Raises ValueError with a short reason."""
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError:
        raise ValueError("not JSON, or cut short") from None


def read_batch(body: bytes) -> list[Any]:
    """The entries of a JSON array; a single object counts as a batch of one. Raises ValueError with a short reason."""
    document = read_json(body)
    if isinstance(document, list):
        return document
    if isinstance(document, dict):
        return [document]
    raise ValueError("neither a list nor an object")


def read_text(value: object, limit: int = TEXT_LIMIT) -> str | None:
    """Text that any database takes: no NUL, no lone surrogate, trimmed, at most `limit` characters. Empty reads as None."""
    if value is None:
        return None
    if isinstance(value, dict | list):
        value = json.dumps(value, sort_keys=True, default=str)
    text = str(value)[:limit].replace("\x00", "")
    return text.encode("utf-8", "replace").decode("utf-8").strip() or None


def read_value(value: object, limit: int = TEXT_LIMIT) -> FieldValue:
    """A scalar as it is, text made safe, anything nested as its JSON text. A number without an end reads as None."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if abs(value) < 2**63 else str(value)
    return read_text(value, limit)


def read_number(value: object) -> float | None:
    """A finite number from a number or from text such as "1,200.50"; None when it is not one."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = float(str(value).replace(",", "").replace(" ", ""))
    except ValueError:
        return None
    return number if abs(number) < 1e15 else None  # also drops NaN, for which every comparison is false


def read_id(value: object) -> str:
    """A vendor's record id as text: ids come as numbers and as strings. Raises ValueError when there is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("no record id")
    text = read_text(value, 128)
    if text is None or not text.isprintable():
        raise ValueError("no record id")
    return text


def read_moment(value: object, per_second: int = 1) -> datetime:
    """The aware moment of a count since 1970 (`per_second` = 1000 for milliseconds). Raises ValueError outside 1970–9999."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("no moment")
    try:
        seconds = float(value) / per_second
        if seconds <= 0:
            raise ValueError("no moment")
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError("no moment") from None


def content_key(prefix: str, content: object, leave_out: frozenset[str] = frozenset()) -> str:
    """A key made of what an event says, for vendors (or events) without a usable id. At most 64 characters.

    Equal content gives an equal key whatever the order of its members; `leave_out` names members that a repeat changes.
    """
    if isinstance(content, Mapping):
        content = {key: value for key, value in content.items() if key not in leave_out}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return f"{prefix}:{hashlib.sha256(text.encode()).hexdigest()[:40]}"


def delivery_key(body: bytes) -> str:
    """The key of one delivery: equal for a repeat of the same bytes, 64 characters."""
    return hashlib.sha256(body).hexdigest()
