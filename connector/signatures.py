"""What the vendors' signature schemes share: constant-time comparison, the replay window, secrets that travel with a request."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from connector.errors import BadSignature, Configuration, Stale
from connector.ports import Delivery
from connector.settings import ConnectionSettings

#: A shared secret shorter than this can be guessed.
SHORTEST: Final = 8
#: Where a vendor that does not sign can be told to put our secret. Any other word is the name of a header.
Place = Literal["path", "query", "basic", "bearer"] | str


def matches(given: str, made: Iterable[bytes]) -> bool:
    """Whether one of the signatures `made` is the one `given`, compared in constant time."""
    wanted = given.encode("utf-8", "replace")
    found = False
    for one in made:
        found |= hmac.compare_digest(one, wanted)
    return found


def read_stamp(text: str, vendor: str) -> int:
    """The count of a signature's timestamp. Raises `BadSignature` when it is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        raise BadSignature(f"The time of the {vendor} signature is missing or not a number.")
    return int(text)


def check_age(signed_at_s: float, now: datetime, window_s: float, vendor: str) -> None:
    """Raise `Stale` when a rightly signed request is further than `window_s` from now; 0 takes any age."""
    if window_s and abs(now.timestamp() - signed_at_s) > window_s:
        raise Stale(f"The {vendor} request is outside the replay window.")


def live_secrets(settings: ConnectionSettings, what: str, shortest: int = 1) -> tuple[str, ...]:
    """The connection's `webhook_secrets`, newest first. `what` says what they are. Raises `Configuration` when there is none."""
    secrets = tuple(secret.get_secret_value().strip() for secret in settings.webhook_secrets)
    if not secrets or not all(secrets):
        raise Configuration(
            f"The connection {settings.name} has no webhook_secrets.", f"Set it to {what}, as env:NAME or file:PATH."
        )
    if min(map(len, secrets)) < shortest:
        raise Configuration(
            f"{settings.name}: a secret in webhook_secrets is shorter than {shortest} characters.",
            "Make a long random one, such as `openssl rand -hex 24` gives.",
        )
    return secrets


def replay_window(settings: ConnectionSettings, default_s: float) -> float:
    """The option `replay_window_s`: seconds, 0 for any age. Raises `Configuration` when it is no such number."""
    return number_option(settings, "replay_window_s", default_s)


def number_option(settings: ConnectionSettings, key: str, default: float) -> float:
    """An option that is a number from 0 up. Raises `Configuration` when it is none."""
    given = settings.option(key, default)
    try:
        number = float(given)
    except (TypeError, ValueError):
        number = -1.0
    if isinstance(given, bool) or not 0 <= number < 1e9:
        raise Configuration(f"{settings.name}: {key} is not a number from 0 up.", "Mend it in the connection's table.")
    return number


class SharedSecret:
    """For vendors that sign nothing: one of the connection's long secrets has to come with the request.

    `places` are where it may stand. In `basic`, the secret is the password or `user:password`.
    """

    def __init__(self, secrets: Sequence[str], places: Sequence[Place]) -> None:
        self._secrets = tuple(secret.encode() for secret in secrets)
        self._places = tuple(places)

    def check(self, delivery: Delivery) -> None:
        """Raises `BadSignature` when no live secret comes with the request."""
        if not any(matches(given, self._secrets) for place in self._places for given in _presented(delivery, place)):
            raise BadSignature("The request does not carry the secret of this connection.")


def _presented(delivery: Delivery, place: Place) -> Iterator[str]:
    """What the request shows at one place."""
    if place == "path":
        yield unquote(urlsplit(delivery.url).path.rpartition("/webhooks/")[2].partition("/")[2].partition("/")[0])
    elif place == "query":
        asked = parse_qs(urlsplit(delivery.url).query)
        yield from asked.get("secret", ())
        yield from asked.get("access_token", ())
    elif place in ("basic", "bearer"):
        scheme, _, credentials = delivery.headers.get("authorization", "").partition(" ")
        if scheme.lower() == place:
            yield from _read_basic(credentials) if place == "basic" else (credentials.strip(),)
    else:
        yield delivery.headers.get(place, "")


def _read_basic(credentials: str) -> Iterator[str]:
    try:
        pair = base64.b64decode(credentials.strip().encode(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return
    yield pair
    yield pair.partition(":")[2]
