"""One call to Odoo: a method of a model, over JSON-2 (19.0 and later) or JSON-RPC (earlier ones), with its errors sorted.

Sources: Odoo's documentation "External JSON-2 API" (POST /json/2/<model>/<method>, `ids` and named arguments in the body, bearer
API key, X-Odoo-Database) and "External API" (service `object`, method `execute_kw`); JSON-RPC answers errors with HTTP 200.
"""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import httpx

from connector.adapters.odoo.refusals import CREDENTIALS, refusal
from connector.errors import Configuration, Fatal, Retriable
from connector.http import sorted_error
from connector.pacing import PacedHttp
from connector.ports import ClientContext
from connector.settings import ConnectionSettings

TITLE: Final = "Odoo"
#: Odoo itself counts nothing; a small server has few workers, and its hosts ask for modesty.
CALLS_PER_10_S: Final = 100
Protocol = Literal["json2", "jsonrpc"]
#: What an address answers that does not know JSON-2.
NOT_JSON2: Final = frozenset({301, 302, 303, 307, 308, 400, 404, 405, 415})
PROTOCOLS: Final = ("auto", "json2", "jsonrpc")
#: Arguments that JSON-RPC wants in their place: overrides in modules give them other names.
IN_PLACE: Final[Mapping[str, tuple[str, ...]]] = {
    "create": ("vals_list",),
    "write": ("vals",),
    "convert_opportunity": ("partner",),
}
#: Archived records (lost leads) are read too, and names come in one language.
CONTEXT: Final[Mapping[str, Any]] = {"active_test": False, "lang": "en_US"}


class OdooCalls:
    """What client, writer and reader share. Safe to share between threads."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext) -> None:
        if not settings.base_url or settings.token is None:
            raise Configuration(f"{settings.name}: base_url or token is missing.", "Set Odoo's address and an API key.")
        wish = str(settings.option("protocol", "auto"))
        if wish not in PROTOCOLS:
            raise Configuration(f"{settings.name}: protocol {wish} is unknown.", f"Use one of {', '.join(PROTOCOLS)}.")
        self._key = settings.token.get_secret_value()
        self._database = str(settings.option("database", ""))
        self._login = str(settings.option("login", ""))
        if wish == "jsonrpc" and not (self._database and self._login):
            raise Configuration(f"{settings.name}: JSON-RPC needs database and login.", "Set both options.")
        self._connection, self._context = settings.name, context
        self._background = False
        self._http = PacedHttp(TITLE, settings, context, calls_per_10_s=CALLS_PER_10_S)
        self._numbers = itertools.count(1)
        self._known = _Known(None if wish == "auto" else wish)  # type: ignore[arg-type]

    def in_background(self) -> OdooCalls:
        """The same, leaving part of the budget alone: for writes and bulk reads, so that live events need not wait for them."""
        quiet = copy.copy(self)
        quiet._background = True
        return quiet

    def call(self, model: str, method: str, ids: Sequence[int] | None = None, *, idempotent: bool = True, **arguments: Any) -> Any:
        """What the method returns. `ids` are the records that it is called on. Raises connector.errors, without Odoo's texts."""
        if self.protocol() == "json2":
            return self._json2(model, method, ids, idempotent, arguments)
        return self._execute(model, method, ids, idempotent, arguments)

    def search_read(
        self,
        model: str,
        domain: Sequence[Any],
        fields: Sequence[str],
        *,
        also: Sequence[str] = (),
        limit: int | None = None,
        order: str = "id asc",
    ) -> list[Mapping[str, Any]]:
        """Records that match and that we may see: those hidden by record rules are left out without a word.

        `also` are fields that this Odoo may lack: then they are not in the records.
        """
        bounds: dict[str, Any] = {"limit": limit} if limit else {}
        asked: dict[str, Any] = {"domain": list(domain), "order": order, "context": dict(CONTEXT), **bounds}
        try:
            found = self.call(model, "search_read", fields=[*fields, *also], **asked)
        except (Configuration, Fatal):  # the second since versions before 17.0 name a missing field as a KeyError
            if not also:
                raise
            found = self.call(model, "search_read", fields=list(fields), **asked)
        if not isinstance(found, list) or not all(isinstance(one, dict) and isinstance(one.get("id"), int) for one in found):
            raise Retriable(f"{TITLE} answered {model}.search_read with something that is not a list of records.")
        return found

    def protocol(self) -> Protocol:
        """Which way this Odoo is spoken to: as configured, or as its first answer shows."""
        with self._known.lock:
            if self._known.protocol is None:
                self._known.protocol = self._find_out()
            return self._known.protocol

    def user_id(self) -> int:
        """Our own user in Odoo."""
        if self.protocol() == "jsonrpc":
            return self._uid()
        told = self.call("res.users", "context_get")
        uid = told.get("uid") if isinstance(told, dict) else None
        if not isinstance(uid, int):
            raise Retriable(f"{TITLE} does not say who we are.")
        return uid

    def _find_out(self) -> Protocol:
        """Versions before 19.0 have no such address, or another one there that takes no JSON."""
        answer = self._post_json2("res.users", "context_get", {}, idempotent=True)
        if answer.is_success:
            return "json2"
        if answer.status_code not in NOT_JSON2:
            raise self._sorted(answer, _error_of(answer), "res.users.context_get", True)
        if self._database and self._login:
            return "jsonrpc"
        raise Configuration(
            f"{TITLE} does not speak JSON-2 at this address (it came with 19.0), or does not know which database is meant.",
            "Set database, and login for JSON-RPC.",
        )

    def _json2(self, model: str, method: str, ids: Sequence[int] | None, idempotent: bool, arguments: Mapping[str, Any]) -> Any:
        body = {**({"ids": list(ids)} if ids is not None else {}), **arguments}
        answer = self._post_json2(model, method, body, idempotent)
        if answer.is_success:
            return _document(answer)
        raise self._sorted(answer, _error_of(answer), f"{model}.{method}", idempotent)

    def _post_json2(self, model: str, method: str, body: Mapping[str, Any], idempotent: bool) -> httpx.Response:
        headers = {"authorization": f"Bearer {self._key}"}
        if self._database:
            headers["x-odoo-database"] = self._database
        return self._send(f"/json/2/{model}/{method}", body, headers, idempotent)

    def _execute(self, model: str, method: str, ids: Sequence[int] | None, idempotent: bool, arguments: Mapping[str, Any]) -> Any:
        named = dict(arguments)
        placed = [named.pop(name) for name in IN_PLACE.get(method, ()) if name in named]
        args = [*([list(ids)] if ids is not None else []), *placed]
        call = [self._database, self._uid(), self._key, model, method, args, named]
        return self._jsonrpc("object", "execute_kw", call, f"{model}.{method}", idempotent)

    def _uid(self) -> int:
        with self._known.lock:
            if self._known.uid is None:
                uid = self._jsonrpc("common", "authenticate", [self._database, self._login, self._key, {}], "authenticate", True)
                if isinstance(uid, bool) or not isinstance(uid, int):
                    raise Configuration(f"{TITLE} does not know this database, login and API key.", CREDENTIALS)
                self._known.uid = uid
            return self._known.uid

    def _jsonrpc(self, service: str, method: str, args: Sequence[Any], what: str, idempotent: bool) -> Any:
        params = {"service": service, "method": method, "args": args}
        body = {"jsonrpc": "2.0", "method": "call", "id": next(self._numbers), "params": params}
        answer = self._send("/jsonrpc", body, {}, idempotent)
        if not answer.is_success:
            raise self._sorted(answer, {}, what, idempotent)
        document = _document(answer)
        error = document.get("error") if isinstance(document, dict) else {}
        if not isinstance(document, dict) or error:
            data = error.get("data") if isinstance(error, dict) else None
            raise self._sorted(answer, data if isinstance(data, dict) else {}, what, idempotent)
        return document.get("result")

    def _send(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str], idempotent: bool) -> httpx.Response:
        return self._http.send("POST", path, background=self._background, idempotent=idempotent, json=body, headers=dict(headers))

    def _sorted(self, answer: httpx.Response, error: Mapping[str, Any], what: str, idempotent: bool) -> Exception:
        if answer.status_code == 429:
            return Retriable(f"{TITLE} answered 429 to {what}.", self._http.pause(answer))
        named = refusal(error, what, self._connection, idempotent)
        plain = sorted_error(answer, TITLE, {401: CREDENTIALS}, self._context.clock.now(), idempotent=idempotent)
        return named or plain or Retriable(f"{TITLE} answered {what} with an error without a name.")

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()


class _Known:
    """What is found out once, for all copies and threads."""

    def __init__(self, protocol: Protocol | None) -> None:
        self.lock = threading.RLock()
        self.protocol = protocol
        self.uid: int | None = None


def _document(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise Retriable(f"{TITLE} answered {answer.status_code} with something that is not JSON.") from None


def _error_of(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
