"""One call to EspoCRM: credentials, pace, and errors sorted.

Sources: EspoCRM's documentation "REST API" (X-Api-Key; X-Hmac-Authorization over method and path; Espo-Authorization), "API search
parameters" (`where` as PHP writes arrays, at most 200 records a page, 403 beyond) and the public source of `Core/Api/ErrorOutput`
(400, 401, 403, 404, 409, 500 and 503 with X-Status-Reason).
"""

from __future__ import annotations

import base64
import copy
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import httpx

from connector.errors import Configuration, Fatal, LeadswitchError, Retriable
from connector.http import sorted_error
from connector.pacing import PacedHttp
from connector.ports import ClientContext
from connector.settings import ConnectionSettings

TITLE: Final = "EspoCRM"
API: Final = "/api/v1/"
#: EspoCRM counts nothing itself; it is most often a small server of one's own.
CALLS_PER_10_S: Final = 100
PAGE: Final = 100
CREDENTIALS: Final = "Set token to the key of an active API user (Administration, API Users)."
ROLE: Final = (
    "Give the API user a role that may read and edit all leads, and create tasks, opportunities and stream posts; see doc.md."
)
#: A word of X-Status-Reason → how to mend it.
REASONS: Final[Mapping[str, str]] = {
    "assignment": "Set Assignment Permission to all in the API user's role.",
    "max size": "Set page_size to at most the EspoCRM setting recordListMaxSizeLimit.",
}
_REFUSED_FIELD = re.compile(r'"field"\s*:\s*"([A-Za-z0-9_]{1,64})"')
_REFUSED_TYPE = re.compile(r'"type"\s*:\s*"([A-Za-z0-9_]{1,64})"')

Where = Sequence[Mapping[str, Any]]


class EspoCalls:
    """What client, writer and reader share. Safe to share between threads."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext) -> None:
        if not settings.base_url or settings.token is None:
            raise Configuration(f"{settings.name}: base_url or token is missing.", f"Set the site's address. {CREDENTIALS}")
        size = settings.option("page_size", PAGE)
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= 200:
            raise Configuration(f"{settings.name}: page_size is not a whole number from 1 to 200.", "Mend the option.")
        self.page_size = size
        self._token = settings.token.get_secret_value()
        self._user = settings.client_id.get_secret_value() if settings.client_id else None
        self._secret = settings.client_secret.get_secret_value() if settings.client_secret else None
        self._http = PacedHttp(TITLE, settings, context, calls_per_10_s=CALLS_PER_10_S)
        self._context = context
        self._background = False

    def in_background(self) -> EspoCalls:
        """The same, leaving part of the budget alone: for writes and bulk reads, so that live events need not wait for them."""
        quiet = copy.copy(self)
        quiet._background = True
        return quiet

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Any = None,
        body: Mapping[str, Any] | None = None,
        idempotent: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The JSON of a 2xx answer. `path` is what follows `api/v1/`. Raises connector.errors, without EspoCRM's texts."""
        answer = self._http.send(
            method,
            f"{API}{path}",
            background=self._background,
            idempotent=idempotent,
            params=params,
            json=body,
            headers={**self._credentials(method, path), **(headers or {})},
        )
        if answer.is_success:
            return _document(answer)
        raise self._sorted(answer, idempotent)

    def list(
        self,
        entity: str,
        where: Where,
        attributes: Sequence[str] = (),
        *,
        order_by: str = "id",
        limit: int | None = None,
        offset: int = 0,
        total: bool = False,
    ) -> tuple[list[Mapping[str, Any]], int | None]:
        """(records, how many there are in all, if asked for) of one page."""
        params = [("maxSize", str(limit or self.page_size)), ("offset", str(offset)), ("orderBy", order_by), ("order", "asc")]
        if attributes:
            chosen = ",".join(attributes)
            params += [("attributeSelect", chosen), ("select", chosen)]  # the second for versions before 9.0
        params += list(_where(where))
        answer = self.call("GET", entity, params=params, headers={} if total else {"x-no-total": "true"})
        rows = answer.get("list") if isinstance(answer, dict) else None
        if not isinstance(rows, list) or not all(isinstance(row, dict) and isinstance(row.get("id"), str) for row in rows):
            raise Retriable(f"{TITLE} answered GET {entity} with something that is not a list of records.")
        count = answer.get("total")
        return rows, count if total and isinstance(count, int) and count >= 0 else None

    def by_ids(self, entity: str, ids: Sequence[str], attributes: Sequence[str] = ()) -> dict[str, Mapping[str, Any]]:
        """Id → record, of those that EspoCRM has and shows us."""
        wanted = [one for one in dict.fromkeys(ids) if one]
        size = min(self.page_size, 50)  # so that the address stays short
        found: dict[str, Mapping[str, Any]] = {}
        for start in range(0, len(wanted), size):
            rows, _ = self.list(entity, [term("in", "id", wanted[start : start + size])], attributes, limit=size)
            found |= {str(row["id"]): row for row in rows}
        return found

    def _credentials(self, method: str, path: str) -> dict[str, str]:
        if self._user is not None:
            return {"espo-authorization": base64.b64encode(f"{self._user}:{self._token}".encode()).decode()}
        if self._secret is not None:
            signed = hmac.new(self._secret.encode(), f"{method} /{path}".encode(), "sha256").hexdigest()
            return {"x-hmac-authorization": base64.b64encode(f"{self._token}:{signed}".encode()).decode()}
        return {"x-api-key": self._token}

    def _sorted(self, answer: httpx.Response, idempotent: bool) -> LeadswitchError:
        if answer.status_code == 429:
            return Retriable(f"{TITLE} answered 429 to {answer.request.method}.", self._http.pause(answer))
        what = f"{TITLE} answered {answer.status_code} to {answer.request.method} {answer.request.url.path}"
        if answer.status_code == 400 and (field := _REFUSED_FIELD.search(answer.text)):
            kind = _REFUSED_TYPE.search(answer.text)
            return Fatal(f"{what}: the field {field.group(1)} is refused ({kind.group(1) if kind else 'invalid'}).")
        if answer.status_code == 403:
            reason = answer.headers.get("x-status-reason", "").lower()
            mend = next((mend for word, mend in REASONS.items() if word in reason), ROLE)
            return Configuration(f"{what}.", mend)
        if answer.status_code == 409:
            return Conflict(f"{what}: there is a duplicate, or it was changed meanwhile.", _document_or_none(answer))
        error = sorted_error(answer, TITLE, {401: CREDENTIALS}, self._context.clock.now(), idempotent=idempotent)
        return error or Retriable(f"{what}.")

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()


class Conflict(Fatal):
    """A 409. `body` is what EspoCRM says of it: for a duplicate the records that are there already."""

    def __init__(self, message: str, body: Any) -> None:
        super().__init__(message)
        self.body = body


def term(kind: str, attribute: str, value: Any = None) -> dict[str, Any]:
    """One condition of a list."""
    return {"type": kind, "attribute": attribute, **({} if value is None else {"value": value})}


def _where(where: Where) -> Iterator[tuple[str, str]]:
    for number, condition in enumerate(where):
        for name, value in condition.items():
            if isinstance(value, list | tuple):
                yield from ((f"where[{number}][{name}][]", str(one)) for one in value)
            else:
                yield f"where[{number}][{name}]", str(value)


def _document(answer: httpx.Response) -> Any:
    try:
        return answer.json() if answer.content else {}
    except ValueError:
        raise Retriable(f"{TITLE} answered {answer.status_code} with something that is not JSON.") from None


def _document_or_none(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None
