"""Reading what a stranger sent: bounded, and safe to store. Shared by the adapters.

A vendor's body is hostile until shown otherwise: NaN, numbers of ten thousand digits, lone surrogates and NUL characters all
parse as JSON and then break a database. Nothing here raises anything but ValueError; `read_rows` turns that into `Retriable`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.errors import MessageError
from email.parser import BytesParser
from email.policy import HTTP
from email.utils import parseaddr
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from connector.errors import Retriable
from leads.records import FieldValue

T = TypeVar("T")

#: Longer values are cut: no name or title needs more, and a card or a log line must stay a line.
TEXT_LIMIT = 2_000
#: What a person wrote in a form.
MESSAGE_LIMIT = 20_000
#: Fields of a form: more than any form has, few enough to read at once.
FORM_FIELDS = 500
#: Counts since 1970 above this are milliseconds: as seconds they would lie after the year 5000.
MILLISECONDS_FROM = 1e11


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


def read_form(body: bytes) -> dict[str, str]:
    """The fields of an `application/x-www-form-urlencoded` body in UTF-8; of a name that comes twice, the last.

    Raises ValueError with a short reason.
    """
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, strict_parsing=True, max_num_fields=FORM_FIELDS)
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except ValueError:
        raise ValueError("not a form, or too many fields") from None
    if not pairs:
        raise ValueError("an empty form")
    return dict(pairs)


def read_multipart(body: bytes, content_type: str) -> dict[str, str]:
    """The text fields of a `multipart/form-data` body; files in it are passed over. Raises ValueError with a short reason."""
    head = f"Content-Type: {content_type[:500]}\r\n\r\n".encode("utf-8", "replace")
    try:
        message = BytesParser(policy=HTTP).parsebytes(head + body)
        if message.get_content_type() != "multipart/form-data" or not message.is_multipart():
            raise ValueError("not a form")
        fields: dict[str, str] = {}
        for part in list(message.iter_parts())[:FORM_FIELDS]:
            name = part.get_param("name", header="content-disposition")
            payload = part.get_payload(decode=True)
            if isinstance(name, str) and part.get_filename() is None and isinstance(payload, bytes):
                fields[name] = payload.decode("utf-8").removesuffix("\r\n")
        return fields
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except (LookupError, TypeError, AttributeError, MessageError):  # what the standard library makes of hostile headers
        raise ValueError("not a form") from None


def nest_form(fields: Mapping[str, str]) -> dict[str, Any]:
    """`data[merges][EMAIL]=x` as nested objects, the way PHP writes them. A name that is both field and object keeps the object."""
    nested: dict[str, Any] = {}
    for name, value in fields.items():
        first, *rest = (part.removesuffix("]") for part in name.split("["))
        place = nested
        for part in rest:
            inside = place.get(first)
            if not isinstance(inside, dict):
                inside = place[first] = {}
            place, first = inside, part
        if not isinstance(place.get(first), dict):
            place[first] = value
    return nested


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


def read_time(value: object) -> datetime:
    """The aware moment of ISO 8601 text (UTC when it names no zone), or of a count of seconds or milliseconds since 1970.

    Raises ValueError outside 1970–9999.
    """
    if isinstance(value, str) and not value.strip().replace(".", "", 1).isdigit():
        try:
            moment = datetime.fromisoformat(value.strip()[:64])
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValueError("no moment") from None
        if moment.year < 1970:
            raise ValueError("no moment")
        return moment
    moment_s = read_number(value)
    return read_moment(value, per_second=1000 if moment_s is not None and moment_s > MILLISECONDS_FROM else 1)


def read_email(value: object) -> str:
    """An address, also out of `Name <address>`. Raises ValueError when there is none."""
    text = read_text(value, 320)
    address = parseaddr(text)[1] if text else ""
    if "@" not in address:
        raise ValueError("no e-mail address")
    return address


def read_link(url: object) -> str | None:
    """Host and path of a link. What may name a person goes: query, fragment, parts of the path with an address, mailto:."""
    try:
        parts = urlsplit(str(url))
        if parts.scheme not in ("http", "https"):
            return read_text(parts.scheme, 20)
        path = "/".join("*" if "@" in unquote(part) else part for part in parts.path.split("/"))
        return read_text(f"{(parts.hostname or '').lower()}{path}", 300)
    except ValueError:
        return None


def read_facts(entry: Mapping[str, Any], kept: Mapping[str, str], limit: int = 300) -> dict[str, FieldValue]:
    """The small facts of `entry` that `kept` names (the vendor's name → ours); missing and empty ones are left out."""
    facts = {name: read_value(entry[given], limit) for given, name in kept.items() if entry.get(given) not in (None, "", [], {})}
    return {name: value for name, value in facts.items() if value is not None}


def read_object(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object called `name`, or an empty one when there is none."""
    inside = entry.get(name)
    return inside if isinstance(inside, dict) else {}


def read_rows(title: str, rows: Iterable[Any], read: Callable[[Any], T]) -> list[T]:
    """What `read` makes of each row that `title` answered with. Raises `Retriable` when one has not the vendor's shape."""
    try:
        return [read(row) for row in rows]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Retriable(f"{title} answered with a record that cannot be read.") from None


def id_key(prefix: str, given: object, otherwise: object) -> str:
    """An event key from the vendor's own id; from the content `otherwise` when there is none. At most 64 characters."""
    text = read_text(given, 200) if isinstance(given, str | int) and not isinstance(given, bool) else None
    if text is None:
        return content_key(prefix, otherwise)
    return f"{prefix}:{text}" if len(text) <= 60 and text.isprintable() else content_key(prefix, text)


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
