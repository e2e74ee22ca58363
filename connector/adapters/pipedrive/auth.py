"""How calls to Pipedrive are signed: with a user's API token, or with OAuth tokens that are refreshed and shared by all processes.

Source: Pipedrive's guides "Authentication" (header x-api-token) and "OAuth authorization" (POST /oauth/token with Basic client
credentials; access tokens live an hour; the answer names the company's own address in `api_domain`).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from connector.errors import Configuration, Retriable
from connector.http import VendorHttp, sorted_error
from connector.ports import ClientContext
from connector.settings import ConnectionSettings

OAUTH_URL: Final = "https://oauth.pipedrive.com"
#: Renewed this many seconds before it runs out, so that no call starts with a token that dies on the way.
MARGIN_S: Final = 60.0
REFUSED: Final = "Install the app again and set refresh_token, client_id and client_secret anew."
OURS: Final = ".pipedrive.com"


class Credentials:
    """Gives the headers and the address to call with. Safe to share between threads."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext, base_url: str) -> None:
        self._api_token = settings.token.get_secret_value() if settings.token else None
        named = {name: getattr(settings, name) for name in ("client_id", "client_secret", "refresh_token")}
        self._oauth = {name: secret.get_secret_value() for name, secret in named.items()} if all(named.values()) else None
        if self._api_token is None and self._oauth is None:
            raise Configuration(
                f"The connection {settings.name} has no credentials.",
                "Set token (API token), or client_id, client_secret and refresh_token (OAuth).",
            )
        self._base_url = base_url
        self._context = context
        self._lock = threading.Lock()
        self._held: Mapping[str, Any] | None = None
        oauth_url = str(settings.option("oauth_url", OAUTH_URL))
        self._http = VendorHttp("Pipedrive", oauth_url, context.clock, allow_private=settings.trust_private_host)

    @property
    def refreshable(self) -> bool:
        return self._oauth is not None

    def current(self) -> Mapping[str, Any]:
        """The tokens that should work now: `access_token`, and `api_domain` when the calls go elsewhere than to base_url."""
        if self._oauth is None:
            return {"access_token": self._api_token}
        with self._lock:
            held = self._held or self._context.token_store.load(self._context.connection)
            if held is None or float(held.get("expires_at", 0)) - MARGIN_S <= self._now():
                held = self._refresh(self._oauth, held)
            self._held = held
            return held

    def renew(self, refused: str) -> Mapping[str, Any]:
        """Other tokens after the access token `refused` was. Those that another process got meanwhile will do."""
        if self._oauth is None:
            raise Configuration("Pipedrive refuses the API token.", "Set token anew.")
        with self._lock:
            stored = self._context.token_store.load(self._context.connection)
            if stored is None or stored["access_token"] == refused:
                stored = self._refresh(self._oauth, stored)
            self._held = stored
            return stored

    def headers(self, tokens: Mapping[str, Any]) -> dict[str, str]:
        """The header that carries the token."""
        if self._oauth is None:
            return {"x-api-token": str(tokens["access_token"])}
        return {"authorization": f"Bearer {tokens['access_token']}"}

    def _refresh(self, oauth: Mapping[str, str], held: Mapping[str, Any] | None) -> Mapping[str, Any]:
        refresh_token = str((held or {}).get("refresh_token") or oauth["refresh_token"])
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        basic = (oauth["client_id"], oauth["client_secret"])
        answer = self._http.send("POST", "/oauth/token", idempotent=True, data=form, auth=basic)
        if error := sorted_error(answer, "Pipedrive", dict.fromkeys((400, 401, 403, 404), REFUSED), self._context.clock.now()):
            raise error
        try:
            given = answer.json()
            tokens = {
                "access_token": str(given["access_token"]),
                "refresh_token": str(given.get("refresh_token") or refresh_token),
                "expires_at": self._now() + float(given.get("expires_in", 3600)),
                "api_domain": self._domain(given.get("api_domain")),
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Retriable("Pipedrive answered without tokens.") from None
        self._context.token_store.save(self._context.connection, tokens)
        return tokens

    def _domain(self, given: object) -> str:
        """Where the company's calls go. An answer that names any host but Pipedrive's own is not followed."""
        parts = urlsplit(str(given or self._base_url))
        if given and str(given).rstrip("/") != self._base_url.rstrip("/"):
            if parts.scheme != "https" or not (parts.hostname or "").endswith(OURS):
                raise Configuration("Pipedrive's OAuth answer names a host that is not Pipedrive's.", "Look at oauth_url.")
            return f"https://{parts.hostname}"
        return self._base_url

    def _now(self) -> float:
        return float(self._context.clock.now().timestamp())

    def close(self) -> None:
        self._http.close()
