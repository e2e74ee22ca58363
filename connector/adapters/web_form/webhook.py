"""The inbound half of a form on a page: JSON, form-encoded or multipart; a honeypot, a filter of programs, CORS.

A page cannot keep a secret: the one in its address only keeps out who has not seen the page. What holds the form is the rate for
each client address, the list of sites, the hidden field that only programs fill in, and the time it takes a person to write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from connector.browsers import Origins
from connector.errors import Configuration
from connector.eventmap import EventMap
from connector.machines import is_machine
from connector.ports import Answer, Delivery
from connector.reading import content_key, delivery_key, id_key, read_form, read_json, read_multipart, read_number
from connector.receiving import ReadingReceiver
from connector.settings import ConnectionSettings
from connector.signatures import SHORTEST, SharedSecret, live_secrets, number_option
from leads.enums import EngagementKind
from leads.records import InboundEvent

#: A field that people do not see. Its name invites programs.
HONEYPOT: Final = "homepage_url"
#: Fields that the page may add: an id of this submission, and how long it was open.
SUBMISSION: Final = "_id"
OPEN_MS: Final = "_open_ms"
#: Nobody fills in a form in less.
QUICKEST_MS: Final = 1_500
#: A double click sends the same form twice: within so many seconds the same content is one submission.
SAME_S: Final = 600
#: More links in one message than a person writes to a salesperson.
MOST_LINKS: Final = 5
_LINK: Final = re.compile(r"https?://|\[url=|<a\s", re.IGNORECASE)


class WebFormReceiver(ReadingReceiver):
    """Checks and reads one form's submissions."""

    prefix = "form"

    def __init__(
        self, secret: SharedSecret, origins: Origins, event_map: EventMap, honeypot: str, thanks_url: str | None, quickest_ms: float
    ) -> None:
        self._secret = secret
        self._origins = origins
        self._map = event_map
        self._honeypot = honeypot
        self._thanks_url = thanks_url
        self._quickest_ms = quickest_ms

    @classmethod
    def build(cls, settings: ConnectionSettings) -> WebFormReceiver:
        """The receiver of a connection. Raises `Configuration`."""
        secrets = live_secrets(settings, "the long random part of the form's address", SHORTEST)
        thanks_url = settings.option("thanks_url")
        if thanks_url is not None and not str(thanks_url).startswith(("https://", "http://", "/")):
            raise Configuration(f"{settings.name}: thanks_url is no address.", "Write it as https://www.example.com/thanks.")
        return cls(
            SharedSecret(secrets, ("path", "query")),
            Origins.of(settings),
            EventMap.of(settings),
            str(settings.option("honeypot", HONEYPOT)),
            None if thanks_url is None else str(thanks_url),
            number_option(settings, "quickest_ms", QUICKEST_MS),
        )

    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """False: a page signs nothing. Raises `BadSignature` for another address or another site."""
        self._secret.check(delivery)
        self._origins.check(delivery)
        return False

    def handshake(self, delivery: Delivery) -> Answer | None:
        return self._origins.preflight(delivery)

    def acknowledgement(self, delivery: Delivery) -> Answer:
        """A page that posts by script sees a 200; one that posts by itself is led on, when `thanks_url` is set."""
        headers = self._origins.headers(delivery)
        if self._thanks_url is not None and not _is_json(delivery):
            return Answer(303, headers={**headers, "location": self._thanks_url})
        return Answer(200, b'{"ok": true}', "application/json", headers)

    def delivery_key(self, delivery: Delivery) -> str:
        """The content within ten minutes: a double click is one submission, the same words next week are another."""
        return delivery_key(f"{_slot(delivery.received_at)}:".encode() + delivery.body)

    def entries(self, delivery: Delivery) -> Sequence[Any]:
        content_type = delivery.headers.get("content-type", "")
        if _is_json(delivery):
            return [read_json(delivery.body)]
        if content_type.lower().startswith("multipart/"):
            return [read_multipart(delivery.body, content_type)]
        return [read_form(delivery.body)]

    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        self._refuse_programs(entry, delivery)
        said = {name: value for name, value in entry.items() if not name.startswith("_") and name != self._honeypot}
        otherwise = content_key("form", [_slot(delivery.received_at), said])
        key = id_key("form", entry[SUBMISSION], entry) if entry.get(SUBMISSION) else otherwise
        return self._map.read(
            "form", said, kind=self._map.always or EngagementKind.FORM_SUBMITTED, key=key, moment=delivery.received_at
        )

    def _refuse_programs(self, entry: Mapping[str, Any], delivery: Delivery) -> None:
        """Raises ValueError: kept as unknown, so that nobody is lost by mistake. The sender sees no difference."""
        if entry.get(self._honeypot) not in (None, "", [], {}):
            raise ValueError("the hidden field is filled in: a program")
        open_ms = read_number(entry.get(OPEN_MS))
        if open_ms is not None and open_ms < self._quickest_ms:
            raise ValueError("sent too quickly: a program")
        if is_machine(EngagementKind.PAGE_VIEWED, delivery.headers.get("user-agent")):
            raise ValueError("sent by a program")
        links = sum(len(_LINK.findall(value)) for value in entry.values() if isinstance(value, str))
        if links > MOST_LINKS:
            raise ValueError("more links than a person writes")


def _is_json(delivery: Delivery) -> bool:
    return "json" in delivery.headers.get("content-type", "").partition(";")[0].lower()


def _slot(moment: datetime) -> int:
    return int(moment.timestamp()) // SAME_S
