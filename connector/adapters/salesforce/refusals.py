"""Salesforce's error codes sorted by what to do. Messages carry codes and field names alone: the vendor's texts may name people.

Source: Salesforce's SOAP API guide "Core Data Types: StatusCode" and REST guide "Status Codes and Error Responses".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from connector.errors import Configuration, Fatal, LeadswitchError, Retriable, Skippable

TITLE: Final = "Salesforce"
#: After the calls of a day are used up. They come back bit by bit, because the day is the last 24 hours.
LIMIT_PAUSE_S: Final = 900.0

_CODE = re.compile(r"[A-Z][A-Z0-9_]{2,80}")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,80}")

#: Somebody else is at the record, or the service is busy: later it will do.
LATER: Final[Mapping[str, float | None]] = {
    "UNABLE_TO_LOCK_ROW": 5.0,
    "ENTITY_IS_LOCKED": 900.0,  # in approval: unlocked when somebody has approved
    "REQUEST_LIMIT_EXCEEDED": LIMIT_PAUSE_S,
    "REQUEST_RUNNING_TOO_LONG": None,
    "QUERY_TIMEOUT": None,
    "SERVER_UNAVAILABLE": None,
    "UNKNOWN_EXCEPTION": None,
    "TXN_SECURITY_METERING_ERROR": None,
    "LIMIT_EXCEEDED": None,
    "PROCESSING_HALTED": None,
}
#: There is nothing to write any more.
GONE: Final[Mapping[str, str]] = {
    "ENTITY_IS_DELETED": "the record was deleted or merged into another",
    "NOT_FOUND": "there is no such record",
    "CANNOT_UPDATE_CONVERTED_LEAD": "the lead was converted; its contact and opportunity are worked from now on",
}
#: A person has to mend the org or the rights of the user.
MENDS: Final[Mapping[str, str]] = {
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": "A validation rule of the org refuses it: let the rule pass the integration user.",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": "A trigger or flow of the org fails on it: look at its error, or let it pass our user.",
    "CANNOT_EXECUTE_FLOW_TRIGGER": "A flow of the org fails on it: look at its error e-mail, or let it pass our user.",
    "DUPLICATES_DETECTED": "A duplicate rule blocks it: set the rule's action on edit to Allow, or bypass it for our user.",
    "INSUFFICIENT_ACCESS_OR_READONLY": "The integration user may not edit this record: give it the Modify All permission on leads "
    "or share the records with it.",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": "The integration user may not see a record that this one points to: share it.",
    "INSUFFICIENT_ACCESS": "The integration user lacks a permission: see the list in the adapter's page.",
    "INVALID_FIELD": "A field is missing or hidden from the integration user. Run: leadswitch connections test NAME --mend",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "A field is read-only for the integration user: make it editable in its permission set.",
    "INVALID_TYPE": "An object is not there or hidden from the integration user: grant it in its permission set.",
    "REQUIRED_FIELD_MISSING": "The org made a field required that we do not fill: make it optional for the integration user.",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "A picklist lacks the value: add it, or mend `statuses` of the connection.",
    "INACTIVE_OWNER_OR_USER": "The user is deactivated and cannot own records: take the rep out of the roster.",
    "OP_WITH_INVALID_USER_TYPE_EXCEPTION": "The user is deactivated or has no licence for this: take the rep out of the roster.",
    "API_DISABLED_FOR_ORG": "The org's edition or the user's profile has no API access: grant API Enabled.",
    "API_CURRENTLY_DISABLED": "The user's profile has no API access: grant API Enabled.",
    "STORAGE_LIMIT_EXCEEDED": "The org's data storage is full: free some.",
    "NUMBER_OUTSIDE_VALID_RANGE": "Our score field was made too small: give it three digits.",
}


def read_errors(document: Any) -> list[Mapping[str, Any]]:
    """The errors of an answer or a row: a list of objects, or one."""
    entries = document if isinstance(document, list) else [document]
    return [one for one in entries if isinstance(one, dict)]


def code_of(errors: Sequence[Mapping[str, Any]]) -> str:
    """The first error's code: `errorCode` of an answer, `statusCode` of a row; empty when it has not a code's form."""
    code = str((errors[0].get("errorCode") or errors[0].get("statusCode") or "") if errors else "")
    return code if _CODE.fullmatch(code) else ""


def sort_refusal(errors: Sequence[Mapping[str, Any]], what: str) -> LeadswitchError | None:
    """The error of a refusal by its code, or None when the code says nothing of what to do."""
    code = code_of(errors)
    named = [str(one) for one in (errors[0].get("fields") or ()) if _FIELD.fullmatch(str(one))] if errors else []
    message = f"{TITLE} refused {what} ({code}{': ' + ', '.join(named[:5]) if named else ''})."
    if code in LATER:
        return Retriable(message, LATER[code])
    if code in GONE:
        return Skippable(f"{message} It is left: {GONE[code]}.")
    if code in MENDS:
        return Configuration(message, MENDS[code])
    return Fatal(message) if code else None
