"""One call to HubSpot: the path of the configured API version, the rate budget, the token, and the errors sorted.

Source: HubSpot's "API usage guidelines": 100 calls in any 10 seconds (190 on larger plans), search 5 a second, 429 with
Retry-After or with the name of the limit.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final, Literal

import httpx

from connector.adapters.hubspot.auth import Tokens
from connector.errors import Configuration, Retriable
from connector.http import VendorHttp, retry_after, sorted_error
from connector.pacing import BACKGROUND_SHARE, MAX_WAIT_S, TRIES_ON_429, Bucket, wait_for
from connector.ports import ClientContext
from connector.settings import ConnectionSettings

TITLE: Final = "HubSpot"
BASE_URL: Final = "https://api.hubapi.com"
API_VERSIONS: Final = ("v3", "2026-03")
Area = Literal["objects", "owners", "properties", "associations", "webhooks"]

#: The pause after a 429 that does not say how long, by the name of the limit.
PAUSES_S: Final = {"SECONDLY": 1.0, "DAILY": 900.0}
SEARCHES_PER_S: Final = 4
MENDS: Final = {
    401: "The token is wrong, revoked or expired: set token (or refresh_token) anew.",
    403: "A scope is missing: give the app crm.objects.contacts.read and .write, crm.schemas.contacts.read and .write, "
    "crm.objects.owners.read and the task scopes, then install it again.",
}


def _document(answer: httpx.Response) -> Any:
    try:
        document = answer.json() if answer.content else {}
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Retriable(f"{TITLE} answered {answer.status_code} with something that is not a JSON object.")
    return document


class HubSpotCalls:
    """What client, writer and backfill share. Safe to share between threads."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext) -> None:
        self.version = str(settings.option("api_version", "v3"))
        if self.version not in API_VERSIONS:
            raise Configuration(
                f"{settings.name}: api_version {self.version} is unknown.", f"Use one of {', '.join(API_VERSIONS)}."
            )
        limit = int(settings.option("calls_per_10_s", 100))
        if limit < 5:
            raise Configuration(f"{settings.name}: calls_per_10_s is below 5.", "HubSpot allows 100 and more.")
        # HubSpot counts over any ten seconds: a burst of a tenth and nine tenths spread over ten seconds never exceed that
        self._capacity = max(1, limit // 10)
        self._per_s = 10 * self._capacity / (limit - self._capacity)
        self._background = False
        self._searches = int(settings.option("searches_per_s", SEARCHES_PER_S))
        self._http = VendorHttp(TITLE, settings.base_url or BASE_URL, context.clock, allow_private=settings.trust_private_host)
        self._tokens = Tokens(settings, context, self._http)
        self._context = context
        self._key = f"hubspot:{context.connection}"

    def in_background(self) -> HubSpotCalls:
        """The same, leaving part of the budget alone: for writes and bulk reads, so that live events need not wait for them."""
        quiet = copy.copy(self)
        quiet._background = True
        return quiet

    def path(self, area: Area, rest: str = "") -> str:
        """The path below an area: /crm/v3/objects/contacts or /crm/objects/2026-03/contacts."""
        if self.version != "v3":
            root = f"/webhooks/{self.version}" if area == "webhooks" else f"/crm/{area}/{self.version}"
        elif area == "webhooks":
            root = "/webhooks/v3"
        else:
            root = f"/crm/v4/{area}" if area == "associations" else f"/crm/v3/{area}"
        return f"{root}/{rest}" if rest else root

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Any = None,
        body: Mapping[str, Any] | None = None,
        idempotent: bool = True,
    ) -> Any:
        """The JSON object of a 2xx answer. Waits for the budget, obeys 429, renews the token once. Raises connector.errors."""
        answer = self._send(method, path, params, body, idempotent)
        error = sorted_error(answer, TITLE, MENDS, self._context.clock.now(), idempotent=idempotent)
        if error is None:
            return _document(answer)
        if answer.status_code == 429:
            raise Retriable(str(error), self._pause(answer))
        if "PROPERTY_DOESNT_EXIST" in answer.text:
            message = f"{TITLE} lacks a property that we write ({method} {path})."
            raise Configuration(message, f"Run: leadswitch connections test {self._context.connection} --mend")
        raise error

    def _send(self, method: str, path: str, params: Any, body: Mapping[str, Any] | None, idempotent: bool) -> httpx.Response:
        token, renewed = self._tokens.current(), False
        limited = 0
        while True:
            self._wait_for_budget(search=path.endswith("/search"))
            headers = {"authorization": f"Bearer {token}"}
            answer = self._http.send(method, path, idempotent=idempotent, params=params, json=body, headers=headers)
            if answer.status_code == 401 and self._tokens.refreshable and not renewed:
                token, renewed = self._tokens.renew(token), True
                continue
            if answer.status_code != 429:
                return answer
            limited += 1
            pause = self._pause(answer)
            self._context.budget.hold(self._key, pause)
            if limited >= TRIES_ON_429 or pause > MAX_WAIT_S:
                return answer

    def _wait_for_budget(self, search: bool) -> None:
        buckets = [Bucket(self._key, self._capacity, self._per_s)]
        if self._background:
            share = max(1, round(self._capacity * BACKGROUND_SHARE))
            per_s = self._per_s * share / (self._capacity * BACKGROUND_SHARE)
            buckets.insert(0, Bucket(f"{self._key}:background", share, per_s))
        if search:
            buckets.append(Bucket(f"{self._key}:search", self._searches, 1.0))
        wait_for(TITLE, self._context, buckets)

    def _pause(self, answer: httpx.Response) -> float:
        asked = retry_after(answer, self._context.clock.now())
        if asked is not None:
            return max(asked, 0.1)
        try:
            document = answer.json()
        except ValueError:
            document = {}
        policy = str(document.get("policyName", "")) if isinstance(document, dict) else ""
        return PAUSES_S.get(policy.partition("_")[0], 10.0)

    def close(self) -> None:
        self._http.close()
