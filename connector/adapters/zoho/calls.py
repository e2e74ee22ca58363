"""One call to Zoho CRM: at most so many at a time, the credits, the token, and the errors sorted by Zoho's codes.

Source: Zoho's guide "API limits" (version 8): credits in 24 hours by edition, a call takes 1, a conversion 5, a query of up to 200
rows 1; 5 to 25 calls at the same moment by edition; 429 TOO_MANY_REQUESTS beyond them, without a Retry-After.
"""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import httpx

from connector.adapters.zoho.auth import BASE_URL, TITLE, Tokens
from connector.errors import Configuration, Fatal, LeadswitchError, Retriable, Skippable
from connector.http import Unsure, VendorHttp, retry_after, sorted_error
from connector.pacing import MAX_WAIT_S, TRIES_ON_429, Bucket, wait_for
from connector.ports import ClientContext
from connector.settings import ConnectionSettings
from connector.signatures import number_option

ROOT: Final = "/crm/v8"
#: Records a page, records in a write, rows of a query that cost one credit, and values in one `in (…)` of a query.
PAGE, BATCH, ROWS, VALUES = 200, 100, 200, 50
CONCURRENT: Final = 5
#: Bursts are no matter of Zoho's; this only keeps us from hammering, and carries the pauses that it asks for.
CALLS_PER_S: Final = 10
BACKGROUND_PER_S: Final = 6
DAY_S: Final = 86_400.0
CONVERSION_CREDITS: Final = 5
#: The pause after too many calls at once, and when the credits of the day are used up.
PAUSE_S, NO_CREDITS_PAUSE_S = 2.0, 900.0
SCOPES: Final = "A scope is missing: ZohoCRM.modules.ALL, ZohoCRM.users.READ, ZohoCRM.settings.fields.ALL, ZohoCRM.coql.READ and "\
    "ZohoCRM.notifications.ALL."  # fmt: skip
MENDS: Final = {401: "The token is wrong or revoked: set refresh_token anew.", 403: SCOPES}
_CODE = re.compile(r"[A-Z][A-Z_]{2,60}")
#: Zoho's codes that mean: later, mend it, it is gone. All others are final.
LATER: Final = frozenset({"RECORD_LOCKED", "INTERNAL_ERROR", "TOO_MANY_REQUESTS", "LIMIT_EXCEEDED", "CANNOT_PROCESS"})
MEND: Final = frozenset(
    {"NO_PERMISSION", "OAUTH_SCOPE_MISMATCH", "AUTHENTICATION_FAILURE", "INVALID_MODULE", "FEATURE_NOT_SUPPORTED"}
)
GONE: Final = frozenset({"NO_RECORDS_FOUND", "ID_ALREADY_CONVERTED", "CONVERTED_RECORD", "RECORD_NOT_FOUND"})


def code_error(row: Mapping[str, Any], what: str) -> LeadswitchError:
    """The error behind one of Zoho's answers of status "error", free of what people wrote."""
    code = str(row.get("code") or "")
    code = code if _CODE.fullmatch(code) else "an unnamed code"
    details = row.get("details")
    field = str(details.get("api_name") or "") if isinstance(details, dict) else ""
    field = f" for {field}" if re.fullmatch(r"\w{1,60}", field) else ""
    message = f"{TITLE} refused {what} ({code}{field})."
    if code in LATER:
        return Retriable(message, NO_CREDITS_PAUSE_S if code == "LIMIT_EXCEEDED" else None)
    if code in MEND:
        return Configuration(message, SCOPES if "SCOPE" in code else "Let the token's user do it.")
    return Skippable(message) if code in GONE else Fatal(message)


class ZohoCalls:
    """What reader and writers share. Safe to share between threads."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext) -> None:
        at_once = int(number_option(settings, "concurrent_calls", CONCURRENT))
        if at_once < 1:
            raise Configuration(f"{settings.name}: concurrent_calls is below 1.", "Zoho allows 5 and more.")
        self._at_once = threading.BoundedSemaphore(at_once)
        self._credits = int(number_option(settings, "credits_per_day", 0))
        self._tokens = Tokens(settings, context)
        self._http = VendorHttp(TITLE, settings.base_url or BASE_URL, context.clock, allow_private=settings.trust_private_host)
        self._context = context
        self._key = f"zoho:{context.connection}"
        self._background = False

    def in_background(self) -> ZohoCalls:
        """The same, slower: for writes and bulk reads, so that live events need not wait for them."""
        quiet = copy.copy(self)
        quiet._background = True
        return quiet

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        idempotent: bool = True,
    ) -> dict[str, Any]:
        """The document of a 2xx answer, empty for a 204. Rows that failed are in it. Raises connector.errors."""
        answer = self._send(method, f"{ROOT}/{path}", params, body, idempotent)
        document = _document(answer)
        error = sorted_error(answer, TITLE, MENDS, self._context.clock.now(), idempotent=idempotent)
        if answer.status_code == 429:
            raise Retriable(str(error), self._pause(answer))
        if document.get("status") == "error" and (error is None or answer.status_code < 500):
            raise code_error(document, f"{method} {path}")
        if error is not None:
            raise error
        return document

    def query(self, text: str) -> list[dict[str, Any]]:
        """The rows of a query in COQL."""
        return list(self.call("POST", "coql", body={"select_query": text}).get("data") or ())

    def among(self, select: str, module: str, name: str, values: Sequence[str], also: str = "") -> Iterator[dict[str, Any]]:
        """The rows of a module whose field `name` is one of `values`: ids and markers, so that none needs escaping."""
        plain = [one for one in values if re.fullmatch(r"[\w.:-]{1,128}", one)]
        for start in range(0, len(plain), VALUES):
            quoted = ", ".join(f"'{one}'" for one in plain[start : start + VALUES])
            where = f"(({name} in ({quoted})) and ({also}))" if also else f"{name} in ({quoted})"
            yield from self.query(f"select {select} from {module} where {where} limit {ROWS}")  # noqa: S608 - plain words alone

    def pages(self, path: str, params: Mapping[str, Any], token: str | None = None) -> Iterator[tuple[list[Any], str | None]]:
        """(records, token of the next page). Tokens lead beyond the 2,000 records that page numbers reach."""
        seen: set[str] = set()
        while True:
            asked = {**params, "per_page": PAGE} | ({"page_token": token} if token else {})
            answer = self.call("GET", path, params=asked)
            info = answer.get("info") or {}
            following = info.get("next_page_token") if info.get("more_records") else None
            token = str(following) if following and following not in seen else None
            yield list(answer.get("data") or ()), token
            if token is None:
                return
            seen.add(token)

    def _send(
        self, method: str, path: str, params: Mapping[str, Any] | None, body: Mapping[str, Any] | None, idempotent: bool
    ) -> httpx.Response:
        tokens, renewed, limited = self._tokens.current(), False, 0
        while True:
            self._wait_for_budget(CONVERSION_CREDITS if path.endswith("/actions/convert") else 1)
            headers = {"authorization": f"Zoho-oauthtoken {tokens['access_token']}"}
            with self._at_once:
                url = f"{tokens['api_domain']}{path}"
                answer = self._http.send(method, url, idempotent=idempotent, params=params, json=body, headers=headers)
            if answer.status_code == 401 and not renewed and _document(answer).get("code") == "INVALID_TOKEN":
                tokens, renewed = self._tokens.renew(str(tokens["access_token"])), True
                continue
            if answer.status_code != 429:
                return answer
            limited += 1
            pause = self._pause(answer)
            self._context.budget.hold(self._key, pause)
            if limited >= TRIES_ON_429 or pause > MAX_WAIT_S:
                return answer

    def _wait_for_budget(self, credits_taken: int) -> None:
        buckets = [Bucket(self._key, CALLS_PER_S, 1.0)]
        if self._background:
            buckets.insert(0, Bucket(f"{self._key}:background", BACKGROUND_PER_S, 1.0))
        if self._credits:
            buckets.append(Bucket(f"{self._key}:day", self._credits, DAY_S, credits_taken))
        wait_for(TITLE, self._context, buckets)

    def _pause(self, answer: httpx.Response) -> float:
        asked = retry_after(answer, self._context.clock.now())
        if asked is not None:
            return max(asked, 0.1)
        return PAUSE_S if _document(answer).get("code") == "TOO_MANY_REQUESTS" else NO_CREDITS_PAUSE_S

    def close(self) -> None:
        self._http.close()
        self._tokens.close()


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json() if answer.content else {}
    except ValueError:
        document = None
    if not isinstance(document, dict):
        if answer.is_success:
            raise Retriable(f"{TITLE} answered {answer.status_code} with something that is not a JSON object.")
        return {}
    return document


def rows_of(answer: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """The answers of a batch, in the order of its rows. Raises `Unsure` when there is not one for each."""
    rows = [row for row in answer.get("data") or () if isinstance(row, dict)]
    if len(rows) != count:
        raise Unsure(f"{TITLE} did not answer for every row.")
    return rows
