"""Access tokens of Zoho, refreshed and shared by all processes, and the data centre that they belong to.

Source: Zoho's guides "Refreshing access tokens" (POST /oauth/v2/token; tokens live an hour; errors come with status 200; ten tokens
in ten minutes and no more) and "Multi DC" (`api_domain` in the answer says where the account's API is).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from connector.errors import Configuration, Retriable
from connector.http import VendorHttp, sorted_error
from connector.ports import ClientContext
from connector.settings import ConnectionSettings

TITLE: Final = "Zoho"
BASE_URL: Final = "https://www.zohoapis.com"
#: Host of the API → host of the accounts, of each data centre.
CENTRES: Final[Mapping[str, str]] = {
    "www.zohoapis.com": "accounts.zoho.com",
    "www.zohoapis.eu": "accounts.zoho.eu",
    "www.zohoapis.in": "accounts.zoho.in",
    "www.zohoapis.com.au": "accounts.zoho.com.au",
    "www.zohoapis.jp": "accounts.zoho.jp",
    "www.zohoapis.com.cn": "accounts.zoho.com.cn",
    "www.zohoapis.ca": "accounts.zohocloud.ca",
    "www.zohoapis.sa": "accounts.zoho.sa",
    "www.zohoapis.uk": "accounts.zoho.uk",
    "sandbox.zohoapis.com": "accounts.zoho.com",
    "sandbox.zohoapis.eu": "accounts.zoho.eu",
    "sandbox.zohoapis.in": "accounts.zoho.in",
}
#: Renewed this many seconds before it runs out, so that no call starts with a token that dies on the way.
MARGIN_S: Final = 60.0
#: After more than ten refreshes in ten minutes.
TOO_OFTEN_S: Final = 600.0
#: How long a token lives whose answer does not say.
LIVES_S: Final = 3600.0
REFUSED: Final = (
    "Make a new refresh token in the API console of the account's own data centre, and set client_id and client_secret."
)


class Tokens:
    """Gives the token to call with and where to. Safe to share between threads."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext) -> None:
        named = {name: getattr(settings, name) for name in ("client_id", "client_secret", "refresh_token")}
        if not all(named.values()):
            raise Configuration(
                f"The connection {settings.name} has no credentials.",
                "Set client_id, client_secret and refresh_token of a self client in Zoho's API console.",
            )
        self._oauth = {name: secret.get_secret_value() for name, secret in named.items()}
        self._base_url = (settings.base_url or BASE_URL).rstrip("/")
        self._context = context
        self._lock = threading.Lock()
        self._held: Mapping[str, Any] | None = None
        accounts_url = str(settings.option("accounts_url") or self._accounts_url())
        self._http = VendorHttp(TITLE, accounts_url, context.clock, allow_private=settings.trust_private_host)

    def current(self) -> Mapping[str, Any]:
        """`access_token` and `api_domain` that should work now; refreshed when about to run out."""
        with self._lock:
            held = self._held or self._context.token_store.load(self._context.connection)
            if held is None or float(held.get("expires_at", 0)) - MARGIN_S <= self._now():
                held = self._refresh()
            self._held = held
            return held

    def renew(self, refused: str) -> Mapping[str, Any]:
        """Another token after `refused` was answered with INVALID_TOKEN. One that another process got meanwhile will do."""
        with self._lock:
            stored = self._context.token_store.load(self._context.connection)
            if stored is None or stored["access_token"] == refused:
                stored = self._refresh()
            self._held = stored
            return stored

    def _refresh(self) -> Mapping[str, Any]:
        form = {**self._oauth, "grant_type": "refresh_token"}
        answer = self._http.send("POST", "/oauth/v2/token", idempotent=True, data=form)
        given = _document(answer)
        if given.get("error") == "Access Denied":
            raise Retriable("Zoho gives no more access tokens for now.", TOO_OFTEN_S)
        if error := sorted_error(answer, TITLE, dict.fromkeys((400, 401, 403, 404), REFUSED), self._context.clock.now()):
            raise error
        if not given:
            raise Retriable("Zoho answered a refresh with something that is not a JSON object.")
        if "access_token" not in given:  # Zoho refuses with a 200
            raise Configuration("Zoho refuses the refresh token.", REFUSED)
        lives_s = given.get("expires_in")
        tokens = {
            "access_token": str(given["access_token"]),
            "expires_at": self._now() + (float(lives_s) if isinstance(lives_s, int | float) else LIVES_S),
            "api_domain": self._domain(given.get("api_domain")),
        }
        self._context.token_store.save(self._context.connection, tokens)
        return tokens

    def _domain(self, given: object) -> str:
        """Where the account's API is. An answer that names any host but Zoho's own is not followed."""
        domain = str(given or self._base_url).rstrip("/")
        parts = urlsplit(domain)
        if domain != self._base_url and (parts.scheme != "https" or parts.netloc not in CENTRES):
            raise Configuration("Zoho's OAuth answer names a host that is not one of Zoho's.", "Look at accounts_url.")
        return domain

    def _accounts_url(self) -> str:
        host = urlsplit(self._base_url).hostname or ""
        if host not in CENTRES:
            known = ", ".join(CENTRES)
            raise Configuration(f"{host} is no API host of Zoho's.", f"Set base_url to one of {known}, or set accounts_url too.")
        return f"https://{CENTRES[host]}"

    def _now(self) -> float:
        return float(self._context.clock.now().timestamp())

    def close(self) -> None:
        self._http.close()


def _document(answer: httpx.Response) -> Mapping[str, Any]:
    """The object of an answer, empty when it holds none."""
    try:
        given = answer.json()
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}
