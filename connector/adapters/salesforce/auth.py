"""Access tokens: by a signed assertion (JWT bearer), by a refresh token, or one given for a trial.

Sources: Salesforce's help "OAuth 2.0 JWT Bearer Flow" (RS256; iss, sub, aud, exp in minutes) and "OAuth 2.0 Refresh Token Flow".
Neither answer says how long a token lives, because that is the org's session setting: it is used until it is refused, and renewed
once.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from connector.adapters.salesforce.refusals import TITLE
from connector.errors import Configuration
from connector.http import sorted_error
from connector.pacing import PacedHttp
from connector.ports import ClientContext
from connector.settings import ConnectionSettings

TOKEN_PATH: Final = "/services/oauth2/token"  # noqa: S105 - a path
JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE: Final = "https://login.salesforce.com"
ASSERTION_S: Final = 180
#: `error` of the token endpoint, as far as it says what to mend.
MENDS: Final[Mapping[str, str]] = {
    "invalid_grant": "Pre-authorise the app for the integration user (its permission set or profile), and see that the certificate "
    "of the app belongs to the key, that `username` is right and that the clock is.",
    "invalid_client_id": "Set client_id to the consumer key of the connected app.",
    "invalid_client": "Set client_id and client_secret to those of the connected app.",
    "inactive_user": "Activate the integration user.",
    "inactive_org": "The org is locked or closed: ask Salesforce.",
    "invalid_app_access": "Give the integration user's profile or permission set access to the connected app.",
}


class Tokens:
    """Gives the token to call with. Safe to share between threads. Raises `Configuration` when there is no way to one."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext, http: PacedHttp) -> None:
        self._context, self._http = context, http
        self._lock = threading.Lock()
        self._held: Mapping[str, Any] | None = None
        self._name = settings.name
        self._fixed = settings.token.get_secret_value() if settings.token else None
        self._client_id = settings.client_id.get_secret_value() if settings.client_id else ""
        secret = settings.client_secret.get_secret_value() if settings.client_secret else ""
        self._refresh_token = settings.refresh_token.get_secret_value() if settings.refresh_token else ""
        self._username = str(settings.option("username", ""))
        self._audience = str(settings.option("audience", AUDIENCE))
        self._key = _read_key(secret, settings.name) if secret.lstrip().startswith("-----BEGIN") else None
        self._secret = "" if self._key else secret
        signs = self._key is not None and self._username
        if self._fixed is None and not (self._client_id and (signs or self._refresh_token)):
            raise Configuration(
                f"The connection {settings.name} has no credentials.",
                "Set client_id, client_secret (the private key, in PEM) and username (JWT bearer), or client_id and refresh_token.",
            )

    @property
    def refreshable(self) -> bool:
        return self._fixed is None

    def current(self) -> str:
        """The token that worked last, or a first one."""
        if self._fixed is not None:
            return self._fixed
        with self._lock:
            self._held = self._held or self._context.token_store.load(self._context.connection) or self._ask(None)
            return str(self._held["access_token"])

    def renew(self, refused: str) -> str:
        """Another token after `refused` was. One that another process got meanwhile will do."""
        if self._fixed is not None:
            raise Configuration(f"{TITLE} refuses the token.", "Set token anew, or use JWT bearer, which renews itself.")
        with self._lock:
            stored = self._context.token_store.load(self._context.connection)
            if stored is None or stored["access_token"] == refused:
                stored = self._ask(stored)
            self._held = stored
            return str(stored["access_token"])

    def _ask(self, held: Mapping[str, Any] | None) -> Mapping[str, Any]:
        refresh_token = str((held or {}).get("refresh_token") or self._refresh_token)
        if self._key is not None:
            form = {"grant_type": JWT_BEARER, "assertion": self._assertion(self._key)}
        else:
            form = {"grant_type": "refresh_token", "client_id": self._client_id, "refresh_token": refresh_token}
            form |= {"client_secret": self._secret} if self._secret else {}
        answer = self._http.send("POST", TOKEN_PATH, background=False, idempotent=True, data=form)
        if error := sorted_error(answer, TITLE, {}, self._context.clock.now()):
            if answer.status_code in (400, 401, 403):
                word = _error_word(answer.text)
                mend = MENDS.get(word, "Mend the credentials of the connected app.")
                raise Configuration(f"{TITLE} gives no token ({word or answer.status_code}).", mend)
            raise error
        tokens = {"access_token": _access_token(answer.text)}
        if self._key is None:
            tokens["refresh_token"] = str(answer.json().get("refresh_token") or refresh_token)
        self._context.token_store.save(self._context.connection, tokens)
        return tokens

    def _assertion(self, key: rsa.RSAPrivateKey) -> str:
        claims = {
            "iss": self._client_id,
            "sub": self._username,
            "aud": self._audience,
            "exp": int(self._context.clock.now().timestamp()) + ASSERTION_S,
        }
        signed = f"{_encode(json.dumps({'alg': 'RS256'}).encode())}.{_encode(json.dumps(claims).encode())}"
        return f"{signed}.{_encode(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def _read_key(text: str, name: str) -> rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Configuration(
            f"{name}: client_secret is not an RSA private key without a passphrase.", "Make one: openssl genrsa 2048"
        )
    return key


def _error_word(text: str) -> str:
    try:
        document = json.loads(text)
    except ValueError:
        return ""
    word = document.get("error") if isinstance(document, dict) else None
    return word if isinstance(word, str) and word.replace("_", "").isalpha() and len(word) < 60 else ""


def _access_token(text: str) -> str:
    try:
        return str(json.loads(text)["access_token"])
    except (ValueError, KeyError, TypeError):
        raise Configuration(f"{TITLE} answered without a token.", "See that base_url is your My Domain address.") from None
