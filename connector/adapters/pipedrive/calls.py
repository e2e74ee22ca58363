"""One call to Pipedrive: the rate budgets, the token, the pages, and the errors sorted.

Source: Pipedrive's guide "Rate limiting": a burst limit of 20 calls in any 2 seconds on the smallest plan (more on others), and a
daily budget of which every call takes what its path costs; 429 beyond either; who goes on all the same gets 403 from Cloudflare, as
HTML.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx

from connector.adapters.pipedrive.auth import Credentials
from connector.errors import Configuration, Fatal, Retriable
from connector.http import VendorHttp, retry_after, sorted_error
from connector.pacing import BACKGROUND_SHARE, MAX_WAIT_S, TRIES_ON_429, Bucket, wait_for
from connector.ports import ClientContext
from connector.settings import ConnectionSettings
from connector.signatures import number_option

TITLE: Final = "Pipedrive"
BASE_URL: Final = "https://api.pipedrive.com"
#: Records a page, in both versions of the API.
PAGE: Final = 500
#: Ids in one call.
BATCH: Final = 100
WINDOW_S: Final = 2.0
DAY_S: Final = 86_400.0
CALLS_PER_2_S: Final = 20
#: The pause after a refusal that does not say how long.
PAUSE_S, CLOUDFLARE_PAUSE_S = 2.0, 120.0
MENDS: Final = {
    401: "The token is wrong or revoked: set token (or refresh_token) anew.",
    402: "The company's plan or trial has ended.",
    403: "A permission is missing: use the token of an admin, or give the app the scopes contacts:full, leads:full, deals:full, "
    "activities:full, users:read, webhooks:full and contact-fields:full.",
}
#: What a call takes from the daily budget, by method and path; the first that matches.
COSTS: Final[tuple[tuple[str, re.Pattern[str], int], ...]] = tuple(
    (method, re.compile(path), cost)
    for method, path, cost in (
        ("POST", r"/api/v2/leads/[^/]+/convert/deal", 40),
        ("GET", r"/v1/users/me|/api/v2/.*/(\d+|convert/status/[^/]+)", 2),
        ("GET", r"/v1/webhooks", 10),
        ("GET", r"/v1/.*", 20),
        ("GET", r"/api/v2/.*", 10),
        ("POST|PUT|PATCH", r"/v1/.*", 10),
        ("POST|PATCH", r"/api/v2/.*", 5),
        ("DELETE", r"/.*", 6),
    )
)


def cost_of(method: str, path: str) -> int:
    """Tokens of the daily budget; the dearer where a path is not in the table."""
    return next((cost for methods, form, cost in COSTS if method in methods.split("|") and form.fullmatch(path)), 20)


class PipedriveCalls:
    """What reader and writers share. Safe to share between threads."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext) -> None:
        limit = int(number_option(settings, "calls_per_2_s", CALLS_PER_2_S))
        if limit < 2:
            raise Configuration(f"{settings.name}: calls_per_2_s is below 2.", "Pipedrive allows 20 and more.")
        # Pipedrive counts over any two seconds: a burst of a quarter and the rest spread over two seconds never exceed that
        self._capacity = max(1, limit // 4)
        self._per_s = WINDOW_S * self._capacity / (limit - self._capacity)
        self._tokens_per_day = int(number_option(settings, "tokens_per_day", 0))
        if 0 < self._tokens_per_day < 1_000:
            raise Configuration(f"{settings.name}: tokens_per_day is below 1,000.", "Leave it out, or set your plan's budget.")
        base_url = settings.base_url or BASE_URL
        self._credentials = Credentials(settings, context, base_url)
        self._http = VendorHttp(TITLE, base_url, context.clock, allow_private=settings.trust_private_host)
        self._context = context
        self._key = f"pipedrive:{context.connection}"
        self._background = False

    def in_background(self) -> PipedriveCalls:
        """The same, leaving part of the burst alone: for writes and bulk reads, so that live events need not wait for them."""
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
    ) -> Any:
        """The document of a 2xx answer. Waits for the budgets, obeys 429, renews the token once. Raises connector.errors."""
        answer = self._send(method, path, params, body, idempotent)
        if _is_cloudflare(answer):
            self._context.budget.hold(self._key, CLOUDFLARE_PAUSE_S)
            raise Retriable(f"{TITLE}'s Cloudflare turns us away for now ({method} {path}).", CLOUDFLARE_PAUSE_S)
        error = sorted_error(answer, TITLE, MENDS, self._context.clock.now(), idempotent=idempotent)
        if answer.status_code == 429:
            raise Retriable(str(error), self._pause(answer))
        if error is not None:
            raise error
        try:
            document = answer.json() if answer.content else {}
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise Retriable(f"{TITLE} answered {answer.status_code} with something that is not a JSON object.")
        if document.get("success") is False:
            raise Fatal(f"{TITLE} answered {answer.status_code} to {method} {path}, and that it did not do it.")
        return document

    def pages(self, path: str, params: Mapping[str, Any], cursor: str | None = None) -> Iterator[tuple[list[Any], str | None]]:
        """(records, cursor of the next page) of a list of version 2. Ends at the last page, and when a cursor comes again."""
        seen: set[str] = set()
        while True:
            asked = {"limit": PAGE, **params} | ({"cursor": cursor} if cursor else {})
            answer = self.call("GET", path, params=asked)
            cursor = (answer.get("additional_data") or {}).get("next_cursor") or None
            if cursor in seen:
                cursor = None
            yield list(answer.get("data") or ()), cursor
            if cursor is None:
                return
            seen.add(cursor)

    def offset_pages(self, path: str, params: Mapping[str, Any]) -> Iterator[list[Any]]:
        """The pages of a list of version 1, which counts records instead."""
        start = 0
        while True:
            answer = self.call("GET", path, params={**params, "limit": PAGE, "start": start})
            records = list(answer.get("data") or ())
            yield records
            more = answer.get("additional_data") or {}
            more = more.get("pagination") or more
            if not more.get("more_items_in_collection") or not records:
                return
            start += len(records)

    def sleep(self, seconds: float) -> None:
        """Wait for something that Pipedrive does in its own time."""
        self._context.clock.sleep(seconds)

    def _send(
        self, method: str, path: str, params: Mapping[str, Any] | None, body: Mapping[str, Any] | None, idempotent: bool
    ) -> httpx.Response:
        tokens, renewed, limited = self._credentials.current(), False, 0
        while True:
            self._wait_for_budget(cost_of(method, path))
            url = f"{str(tokens.get('api_domain') or '').rstrip('/')}{path}"
            headers = self._credentials.headers(tokens)
            answer = self._http.send(method, url, idempotent=idempotent, params=params, json=body, headers=headers)
            if answer.status_code == 401 and self._credentials.refreshable and not renewed:
                tokens, renewed = self._credentials.renew(str(tokens["access_token"])), True
                continue
            if answer.status_code != 429:
                return answer
            limited += 1
            pause = self._pause(answer)
            self._context.budget.hold(self._key, pause)
            if limited >= TRIES_ON_429 or pause > MAX_WAIT_S:
                return answer

    def _wait_for_budget(self, cost: int) -> None:
        buckets = [Bucket(self._key, self._capacity, self._per_s)]
        if self._background:
            share = max(1, round(self._capacity * BACKGROUND_SHARE))
            per_s = self._per_s * share / (self._capacity * BACKGROUND_SHARE)
            buckets.insert(0, Bucket(f"{self._key}:background", share, per_s))
        if self._tokens_per_day:
            buckets.append(Bucket(f"{self._key}:day", self._tokens_per_day, DAY_S, cost))
        wait_for(TITLE, self._context, buckets)

    def _pause(self, answer: httpx.Response) -> float:
        asked = retry_after(answer, self._context.clock.now())
        if asked is None:
            reset = answer.headers.get("x-ratelimit-reset", "")
            asked = float(reset) if re.fullmatch(r"\d{1,6}(\.\d+)?", reset) else PAUSE_S
        return max(asked, 0.1)

    def close(self) -> None:
        self._http.close()
        self._credentials.close()


def _is_cloudflare(answer: httpx.Response) -> bool:
    """Pipedrive's own refusals are JSON; those of the network before it are pages."""
    return answer.status_code == 403 and "json" not in answer.headers.get("content-type", "")
