"""Access tokens: a private app's fixed one, or OAuth tokens that are refreshed and shared by all processes.

Source: HubSpot's guide "Working with OAuth": POST /oauth/v1/token, form-encoded; access tokens live 30 minutes.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

from connector.errors import Configuration, Retriable
from connector.http import VendorHttp, sorted_error
from connector.ports import ClientContext
from connector.settings import ConnectionSettings

#: Renewed this many seconds before it runs out, so that no call starts with a token that dies on the way.
MARGIN_S: Final = 60.0
REFUSED: Final = "Install the app again and set refresh_token, client_id and client_secret anew."


class Tokens:
    """Gives the token to call with. Safe to share between threads. Raises `Configuration` when there is no way to one."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext, http: VendorHttp) -> None:
        self._fixed = settings.token.get_secret_value() if settings.token else None
        self._settings = settings
        self._context = context
        self._http = http
        self._lock = threading.Lock()
        self._held: Mapping[str, Any] | None = None
        oauth = {name: getattr(settings, name) for name in ("client_id", "client_secret", "refresh_token")}
        if self._fixed is None and not all(oauth.values()):
            raise Configuration(
                f"The connection {settings.name} has no credentials.",
                "Set token (private app), or client_id, client_secret and refresh_token (OAuth).",
            )
        self._oauth = {name: secret.get_secret_value() for name, secret in oauth.items()} if all(oauth.values()) else None

    @property
    def refreshable(self) -> bool:
        return self._oauth is not None

    def current(self) -> str:
        """A token that should work now; refreshed when it is about to run out."""
        if self._oauth is None:
            return self._fixed or ""
        with self._lock:
            held = self._held or self._context.token_store.load(self._context.connection)
            if held is None or float(held["expires_at"]) - MARGIN_S <= self._now():
                held = self._refresh(self._oauth, held)
            self._held = held
            return str(held["access_token"])

    def renew(self, refused: str) -> str:
        """Another token after `refused` was answered with 401. One that another process got meanwhile will do."""
        if self._oauth is None:
            raise Configuration("HubSpot refuses the token.", REFUSED)
        with self._lock:
            stored = self._context.token_store.load(self._context.connection)
            if stored is None or stored["access_token"] == refused:
                stored = self._refresh(self._oauth, stored)
            self._held = stored
            return str(stored["access_token"])

    def _refresh(self, oauth: Mapping[str, str], held: Mapping[str, Any] | None) -> Mapping[str, Any]:
        refresh_token = str((held or {}).get("refresh_token") or oauth["refresh_token"])
        form = {**oauth, "grant_type": "refresh_token", "refresh_token": refresh_token}
        answer = self._http.send("POST", "/oauth/v1/token", idempotent=True, data=form)
        mends = dict.fromkeys((400, 401, 403), REFUSED)
        if error := sorted_error(answer, "HubSpot", mends, self._context.clock.now()):
            raise error
        try:
            given = answer.json()
            tokens = {
                "access_token": str(given["access_token"]),
                "refresh_token": str(given.get("refresh_token") or refresh_token),
                "expires_at": self._now() + float(given.get("expires_in", 1800)),
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Retriable("HubSpot answered without tokens.") from None
        self._context.token_store.save(self._context.connection, tokens)
        return tokens

    def _now(self) -> float:
        return float(self._context.clock.now().timestamp())
