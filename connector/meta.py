"""How Meta's platforms (lead ads, WhatsApp) sign and set up webhooks.

Source: Meta's Graph API guide "Webhooks, Getting started": X-Hub-Signature-256 is `sha256=` and the HMAC of the body under the app
secret; a GET with `hub.challenge` and the verify token sets an address up. No time is signed.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from connector.errors import BadSignature, Configuration
from connector.ports import Answer, Delivery
from connector.reading import read_batch
from connector.settings import ConnectionSettings
from connector.signatures import live_secrets, matches

SIGNATURE: Final = "x-hub-signature-256"
LONGEST_CHALLENGE: Final = 500


class MetaSignature:
    """Checks signatures under the app secrets, and answers the set-up request that shows `verify_token`."""

    def __init__(self, secrets: Sequence[str], verify_token: str) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets)
        self._verify_token = verify_token.encode()

    @classmethod
    def of(cls, settings: ConnectionSettings) -> MetaSignature:
        """Raises `Configuration`. Without `client_id` (the verify token) no address can be set up anew."""
        secrets = live_secrets(settings, "the app secret that Meta shows under App settings, Basic")
        token = settings.client_id.get_secret_value() if settings.client_id else ""
        if settings.client_id is not None and not token:
            raise Configuration(f"{settings.name}: client_id, the verify token, is empty.", "Make up a long one.")
        return cls(secrets, token)

    def check(self, delivery: Delivery) -> None:
        """Raises `BadSignature`."""
        given = delivery.headers.get(SIGNATURE, "")
        made = (b"sha256=" + hmac.new(secret, delivery.body, "sha256").hexdigest().encode() for secret in self._secrets)
        if not matches(given, made):
            raise BadSignature("The signature is wrong.")

    def handshake(self, delivery: Delivery) -> Answer | None:
        """The challenge, to whoever knows the verify token; None when this is no GET. Raises `BadSignature`."""
        if delivery.method != "GET":
            return None
        asked = parse_qs(urlsplit(delivery.url).query)
        token, challenge = asked.get("hub.verify_token", [""])[0], asked.get("hub.challenge", [""])[0]
        if asked.get("hub.mode") != ["subscribe"] or not self._verify_token or not matches(token, [self._verify_token]):
            raise BadSignature("The verify token is not this connection's.")
        return Answer(body=challenge[:LONGEST_CHALLENGE].encode("utf-8", "replace"))


def read_changes(body: bytes) -> Iterator[Any]:
    """What changed, one entry each: {"object", "entry", "at", "field", "value"}. Raises ValueError for no JSON.

    What is not in Meta's form is given as it is, so that it is kept as unknown.
    """
    for notice in read_batch(body):
        found = list(_changes(notice)) if isinstance(notice, dict) else []
        yield from found or [notice]


def _changes(notice: dict[str, Any]) -> Iterator[dict[str, Any]]:
    entries = notice.get("entry")
    for one in entries if isinstance(entries, list) else ():
        changes = one.get("changes") if isinstance(one, dict) else None
        for change in changes if isinstance(changes, list) else ():
            if isinstance(change, dict):
                told = {"field": change.get("field"), "value": change.get("value")}
                yield {"object": notice.get("object"), "entry": one.get("id"), "at": one.get("time"), **told}
