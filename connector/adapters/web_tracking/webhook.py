"""The collector behind `script.js`: what identified visitors of your own site saw, and the script itself.

The script keeps what an unknown visitor sees in their browser, and sends it once they say who they are: the server never holds
anything about somebody it does not know. An address of a person who refuses (Do Not Track, Global Privacy Control, no consent where
it is required) is not sent at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from connector.browsers import Origins
from connector.machines import is_machine
from connector.ports import Answer, Delivery
from connector.reading import content_key, read_email, read_json, read_link, read_moment, read_text, read_value
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import SHORTEST, SharedSecret, live_secrets
from leads.enums import ChangeKind, ChangeOrigin, EngagementKind
from leads.records import EngagementEvent, FieldValue, InboundEvent, LeadChange

SCRIPT: Final = "leadswitch.js"
KINDS: Final[Mapping[str, EngagementKind]] = {
    "page": EngagementKind.PAGE_VIEWED,
    "download": EngagementKind.CONTENT_DOWNLOADED,
    "video": EngagementKind.VIDEO_WATCHED,
}
IDENTIFY: Final = "identify"
#: The browser's clock is believed as far back as the script keeps events, and a little ahead.
OLDEST: Final = timedelta(days=91)
AHEAD: Final = timedelta(minutes=5)
MOST_EVENTS: Final = 60
#: Where the web server puts the client's address (webhooks.doors).
CLIENT: Final = "x-leadswitch-client"


@cache
def read_script() -> bytes:
    """The script as browsers get it."""
    return (Path(__file__).parent / "script.js").read_bytes()


class WebTrackingReceiver(ReadingReceiver):
    """Checks and reads what one site's pages send."""

    prefix = "web"

    def __init__(self, secret: SharedSecret, origins: Origins) -> None:
        self._secret = secret
        self._origins = origins

    @classmethod
    def build(cls, settings: ConnectionSettings) -> WebTrackingReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        secrets = live_secrets(settings, "the long random part of the script's address", SHORTEST)
        return cls(SharedSecret(secrets, ("path",)), Origins.of(settings))

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """False: a page signs nothing. Raises `BadSignature` for another address or another site."""
        self._secret.check(delivery)
        self._origins.check(delivery)
        return False

    def handshake(self, delivery: Delivery) -> Answer | None:
        """The script, and the browser's preflight."""
        if delivery.method in ("GET", "HEAD") and urlsplit(delivery.url).path.endswith(f"/{SCRIPT}"):
            self._secret.check(delivery)
            kept = {"cache-control": "public, max-age=3600", "cross-origin-resource-policy": "cross-origin"}
            return Answer(body=read_script(), content_type="text/javascript; charset=utf-8", headers=kept)
        return self._origins.preflight(delivery)

    def acknowledgement(self, delivery: Delivery) -> Answer:
        return Answer(204, headers=self._origins.headers(delivery))

    def entries(self, delivery: Delivery) -> Sequence[Any]:
        """One entry an event, each with its visitor."""
        document = read_json(delivery.body)
        if not isinstance(document, dict) or not isinstance(document.get("e"), list):
            raise ValueError("not what the script sends")
        visitor, email = document.get("v"), document.get("m")
        return [
            {**one, "visitor": visitor, "email": email} if isinstance(one, dict) else one for one in document["e"][:MOST_EVENTS]
        ]

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        visitor = read_text(entry.get("visitor"), 64)
        if visitor is None or not visitor.isalnum() or len(visitor) < 16:
            raise ValueError("names no visitor")
        kind, moment = str(entry.get("k", "")), _moment(entry, delivery.received_at)
        key = content_key("web", [visitor, entry.get("i") or [kind, entry.get("u"), entry.get("at")]])
        if kind == IDENTIFY:
            fields: dict[str, FieldValue] = {"email": read_email(entry.get("email"))}
            return [LeadChange(key, visitor, moment, ChangeKind.CHANGED, ChangeOrigin.PERSON, fields)]
        if kind not in KINDS:
            raise ValueError("unknown event type: kept")
        address = delivery.headers.get(CLIENT)
        machine = is_machine(KINDS[kind], delivery.headers.get("user-agent"), address)
        # the event that identified the visitor may come after those that it goes along with: they are named as well
        email = read_email(entry["email"]) if entry.get("email") else None
        properties = _properties(entry)
        return [EngagementEvent(key, KINDS[kind], moment, email, visitor, machine=machine, properties=properties)]


def _moment(entry: Mapping[str, Any], received_at: datetime) -> datetime:
    moment = read_moment(entry.get("at"), per_second=1000)
    return moment if received_at - OLDEST <= moment <= received_at + AHEAD else received_at


def _properties(entry: Mapping[str, Any]) -> dict[str, FieldValue]:
    told: dict[str, FieldValue] = {
        "url": read_link(entry.get("u")),
        "referrer": read_text(entry.get("r"), 120),
        "session": read_text(entry.get("s"), 40),
        "percent": read_value(entry.get("p"), 10),
    }
    return {name: value for name, value in told.items() if value is not None}
