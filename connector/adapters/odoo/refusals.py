"""Odoo's errors by what to do about them. It names them by their Python class; its texts speak of records and people, and are not
repeated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from connector.errors import Configuration, Fatal, LeadswitchError, Retriable, Skippable
from connector.http import Unsure

CREDENTIALS: Final = (
    "Set token to a live API key of the Odoo user (Preferences, Account Security), and database and login to its own."
)
RIGHTS: Final = "Give the API's user the right: Sales / Administrator sees every lead; a record rule may hide or lock some."

#: The last part of the error's class → what it means.
MISSING: Final = frozenset({"MissingError"})
CLOSED: Final = frozenset({"AccessDenied", "Unauthorized", "SessionExpiredException"})
FORBIDDEN: Final = frozenset({"AccessError", "Forbidden"})
REFUSED: Final = frozenset(
    {
        "ValidationError",
        "UserError",
        "RedirectWarning",
        "UnprocessableEntity",
        "BadRequest",
        "IntegrityError",
        "ForeignKeyViolation",
        "NotNullViolation",
        "UniqueViolation",
        "CheckViolation",
        "NumericValueOutOfRange",
        "TypeError",
        "KeyError",
    }
)
LATER: Final = frozenset(
    {
        "SerializationFailure",
        "TransactionRollbackError",
        "DeadlockDetected",
        "LockNotAvailable",
        "OperationalError",
        "PoolError",
        "TooManyConnections",
        "ConcurrencyError",
    }
)
_FIELD = re.compile(r"[Ii]nvalid field '?([a-z0-9_.]{1,64})'?")
_CLASS = re.compile(r"[A-Za-z_]{1,64}")


def refusal(error: Mapping[str, Any], what: str, connection: str, idempotent: bool) -> LeadswitchError | None:
    """The error for Odoo's document `{"name": "odoo.exceptions.AccessError", "message": …}`; None when the name is not known."""
    name = str(error.get("name") or "").rpartition(".")[2]
    if not _CLASS.fullmatch(name):
        return None
    said = f"Odoo refused {what} ({name})."
    if field := _FIELD.search(str(error.get("message") or "")):
        mend = f"Run: leadswitch connections test {connection} --mend"
        return Configuration(f"Odoo has no field {field.group(1)} ({what}).", mend)
    if name in MISSING:
        return Skippable(f"{said} There is no such record.")
    if name in CLOSED:
        return Configuration(said, CREDENTIALS)
    if name in FORBIDDEN:
        return Configuration(said, RIGHTS)
    if name in REFUSED or name == "ValueError":
        return Fatal(said)
    if name in LATER:
        return (Retriable if idempotent else Unsure)(said)
    return None
