"""One call to Salesforce: the path of the configured version, the budget, the token, and the errors sorted.

Sources: Salesforce's REST guide "Headers" (Sforce-Limit-Info, Sforce-Call-Options, Sforce-Auto-Assign,
Sforce-Duplicate-Rule-Header), "Composite" (25 requests, 5 queries) and "sObject Collections" (200 rows, errors row by row), and its
"API Request Limits" (of 24 hours).
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode
from xml.sax.saxutils import escape

import httpx

from connector.adapters.salesforce.auth import Tokens
from connector.adapters.salesforce.envelope import Element, parse
from connector.adapters.salesforce.refusals import LIMIT_PAUSE_S, TITLE, code_of, read_errors, sort_refusal
from connector.errors import Configuration, LeadswitchError, Retriable
from connector.http import Unsure, retry_after, sorted_error
from connector.pacing import PacedHttp
from connector.ports import ClientContext
from connector.settings import ConnectionSettings
from connector.signatures import number_option

API_VERSION: Final = "64.0"
CLIENT_NAME: Final = "leadswitch"
ROWS: Final = 200  # of one collection
CALLS_PER_10_S: Final = 100
#: The last tenth of the day's calls is for what is live.
RESERVE: Final = 0.1
MENDS: Final = {
    401: "The credentials are refused: set client_id, client_secret and username (or refresh_token) anew.",
    403: "The integration user lacks a permission: see the list in the adapter's page.",
}
PARTNER: Final = "urn:partner.soap.sforce.com"

_USAGE = re.compile(r"api-usage=(\d{1,12})/(\d{1,12})")


class SalesforceCalls:
    """What reader, writer and set-up share. Safe to share between threads."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext) -> None:
        version = str(settings.option("api_version", API_VERSION))
        if not re.fullmatch(r"[2-9]\d\.0", version):
            raise Configuration(f"{settings.name}: api_version {version} is none.", f'Write it as "{API_VERSION}".')
        if not settings.base_url:
            raise Configuration(
                f"{settings.name} has no base_url.", "Set it to your My Domain address: https://acme.my.salesforce.com"
            )
        self._version = version
        self.root = f"/services/data/v{version}/"
        self._reserve = min(number_option(settings, "reserve", RESERVE), 1.0)
        self._client_name = str(settings.option("client_name", CLIENT_NAME))
        self._background = False
        self._http = PacedHttp(TITLE, settings, context, calls_per_10_s=CALLS_PER_10_S)
        self._tokens = Tokens(settings, context, self._http)
        self._context = context

    def in_background(self) -> SalesforceCalls:
        """The same, leaving part of the budget alone: for writes and bulk reads, so that live events need not wait for them."""
        quiet = copy.copy(self)
        quiet._background = True
        return quiet

    def path(self, rest: str) -> str:
        """The path of a resource of this version."""
        return f"{self.root}{rest}"

    def query_url(self, query: str) -> str:
        """A query as the part of a composite call."""
        return f"{self.path('query')}?{urlencode({'q': query})}"

    def call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Any = None, idempotent: bool = True
    ) -> Any:
        """The JSON of a 2xx answer, None of an empty one. Renews the token once. Raises connector.errors."""
        request = {"params": params, "json": body}
        answer = self._send(method, path, {name: one for name, one in request.items() if one is not None}, idempotent)
        if error := self._error(answer, idempotent):
            raise error
        try:
            return answer.json() if answer.content else None
        except ValueError:
            sort = Retriable if idempotent else Unsure
            raise sort(f"{TITLE} answered {answer.status_code} with something that is not JSON.") from None

    def composite(self, requests: Sequence[Mapping[str, Any]], *, idempotent: bool) -> dict[str, Mapping[str, Any]]:
        """`referenceId` → status and body of up to 25 requests in one call; each succeeds or fails alone."""
        body = {"allOrNone": False, "compositeRequest": list(requests)}
        answer = self.call("POST", self.path("composite"), body=body, idempotent=idempotent)
        return {str(part.get("referenceId")): part for part in (answer or {}).get("compositeResponse") or ()}

    def collection(self, records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The results of changing up to 200 records, in their order; each succeeds or fails alone."""
        body = {"allOrNone": False, "records": list(records)}
        results = self.call("PATCH", self.path("composite/sobjects"), body=body)
        if not isinstance(results, list) or len(results) != len(records):
            raise Retriable(f"{TITLE} did not answer for every row.")
        return results

    def soap(self, body: str) -> Element:
        """The body of the answer to a SOAP call of the Partner API. Raises connector.errors."""
        path = f"/services/Soap/u/{self._version}"
        answer = self._send("POST", path, {"content": body}, idempotent=False, soap=True)
        try:
            told = parse(answer.content).find("Envelope", "Body")
        except ValueError:
            told = None
        if told is None:
            raise Unsure(f"{TITLE} answered {answer.status_code} with something that is no envelope.")
        if fault := told.find("Fault"):
            code = (fault.value("faultcode") or "").rpartition(":")[2]
            error = sort_refusal([{"errorCode": code}], "a SOAP call")
            raise error or Unsure(f"{TITLE} answered a SOAP call with a fault.")
        return told

    def _send(self, method: str, path: str, request: Mapping[str, Any], idempotent: bool, soap: bool = False) -> httpx.Response:
        token, renewed = self._tokens.current(), False
        while True:
            sent = self._soap_request(request, token) if soap else {**request, "headers": self._headers(token)}
            answer = self._http.send(method, path, background=self._background, idempotent=idempotent, **sent)
            self._note_usage(answer)
            if _wants_new_token(answer) and self._tokens.refreshable and not renewed:
                token, renewed = self._tokens.renew(token), True
                continue
            return answer

    def _headers(self, token: str) -> dict[str, str]:
        return {
            "authorization": f"Bearer {token}",
            "sforce-call-options": f"client={self._client_name}",  # change events name it: that is how our own are known
            "sforce-auto-assign": "FALSE",  # else an active assignment rule gives the lead to somebody else again
            "sforce-duplicate-rule-header": "allowSave=true",
        }

    def _soap_request(self, request: Mapping[str, Any], token: str) -> dict[str, Any]:
        envelope = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:p="{PARTNER}"><e:Header>'
            f"<p:SessionHeader><p:sessionId>{escape(token)}</p:sessionId></p:SessionHeader>"
            f"<p:CallOptions><p:client>{escape(self._client_name)}</p:client></p:CallOptions>"
            f"</e:Header><e:Body>{request['content']}</e:Body></e:Envelope>"
        )
        return {"content": envelope.encode(), "headers": {"content-type": "text/xml; charset=UTF-8", "soapaction": '""'}}

    def _error(self, answer: httpx.Response, idempotent: bool) -> LeadswitchError | None:
        if answer.is_success:
            return None
        try:
            errors = read_errors(answer.json())
        except ValueError:
            errors = []
        if answer.status_code == 403 and code_of(errors) == "REQUEST_LIMIT_EXCEEDED":
            pause = retry_after(answer, self._context.clock.now()) or LIMIT_PAUSE_S
            self._http.hold(pause)
            return Retriable(f"{TITLE}: the org's calls of the last 24 hours are used up.", pause)
        plain = sorted_error(answer, TITLE, MENDS, self._context.clock.now(), idempotent=idempotent)
        if answer.status_code >= 500 or answer.status_code in (401, 429):
            return plain
        return sort_refusal(errors, f"{answer.request.method} {answer.request.url.path}") or plain

    def _note_usage(self, answer: httpx.Response) -> None:
        """Keep the last of the day's calls for what is live: while there are few left, whatever is in the background waits."""
        found = _USAGE.search(answer.headers.get("sforce-limit-info", ""))
        if found and int(found[1]) > int(found[2]) * (1.0 - self._reserve):
            self._http.hold(LIMIT_PAUSE_S, background_alone=True)

    def close(self) -> None:
        self._http.close()


def _wants_new_token(answer: httpx.Response) -> bool:
    """A 401 (`INVALID_SESSION_ID`), or the same as a SOAP fault, which comes with a 500."""
    return answer.status_code == 401 or (answer.status_code == 500 and b"INVALID_SESSION_ID" in answer.content[:4000])
