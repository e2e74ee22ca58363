"""Queries: values written so that none can end its own quotes, and pages followed to the end.

Source: Salesforce's "SOQL and SOSL Reference" (quoted string escapes, date formats) and REST guide "Query" (`nextRecordsUrl`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from connector.adapters.salesforce.refusals import read_errors, sort_refusal
from connector.errors import Retriable

if TYPE_CHECKING:
    from connector.adapters.salesforce.calls import SalesforceCalls

Record = Mapping[str, Any]

_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f", "\x00": ""}
)
#: Queries in one composite call: Salesforce takes 25 requests, of which 5 queries.
TOGETHER: Final = 5


def quote(text: str) -> str:
    """A string literal."""
    return f"'{text.translate(_ESCAPES)}'"


def any_of(values: Iterable[str]) -> str:
    """What stands behind IN."""
    return f"({', '.join(quote(one) for one in dict.fromkeys(values))})"


def moment(at: datetime) -> str:
    """A date and time literal, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rows(calls: SalesforceCalls, query: str, resource: str = "query") -> Iterator[Record]:
    """Every record of a query, page after page. Raises `connector.errors`."""
    yield from _pages(calls, calls.call("GET", calls.path(resource), params={"q": query}))


def _pages(calls: SalesforceCalls, answer: Any) -> Iterator[Record]:
    while True:
        yield from answer.get("records") or ()
        following = answer.get("nextRecordsUrl")
        if answer.get("done", True) or not following:
            return
        if not str(following).startswith(calls.root):
            raise Retriable("Salesforce names a next page outside of its API.")
        answer = calls.call("GET", str(following))


def rows_together(calls: SalesforceCalls, queries: Mapping[str, str]) -> dict[str, Sequence[Record]]:
    """Name → records of several queries in one composite call, which counts as one. A query that is refused is left out: the object
    is switched off in this org, or the user may not see it."""
    if len(queries) > TOGETHER:
        raise ValueError("too many queries for one call")
    requests = [{"method": "GET", "url": calls.query_url(query), "referenceId": name} for name, query in queries.items()]
    found: dict[str, Sequence[Record]] = {}
    for name, part in calls.composite(requests, idempotent=True).items():
        if part.get("httpStatusCode") == 200:
            found[name] = list(_pages(calls, part["body"]))
        elif isinstance(error := sort_refusal(read_errors(part.get("body")), "a query"), Retriable):
            raise error
    return found
