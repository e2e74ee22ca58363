"""Putting a person into a Customer.io campaign: an event by the Track API, which the campaign has as its trigger.

Source: Customer.io's reference "Track v2 API", entity calls of type person with the action event: Basic authentication with site id
and API key, and `id`, a ULID by which repeats are dropped. The address stands in the body, so that no path or log names the person.
"""

from __future__ import annotations

import hashlib
from typing import Final

from connector.clock import to_ms
from connector.errors import Configuration
from connector.http import VendorHttp, sorted_error
from connector.ports import ClientContext, Enrolment
from connector.settings import ConnectionSettings

TITLE: Final = "Customer.io"
BASE_URL: Final = "https://track.customer.io"  # track-eu in the EU region
#: Crockford's base 32, in which a ULID is written.
LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MENDS: Final = {401: "Set client_id to the site id and token to the API key of the Track API."}


class CustomerIoEnroller:
    """See `connector.ports.Enroller`. The sequence is the event's name."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext) -> None:
        if settings.client_id is None or settings.token is None:
            raise Configuration(f"The connection {settings.name} has no client_id and token.", MENDS[401])
        self._auth = (settings.client_id.get_secret_value(), settings.token.get_secret_value())
        self._clock = context.clock
        self._http = VendorHttp(TITLE, settings.base_url or BASE_URL, context.clock, allow_private=settings.trust_private_host)

    def enrol(self, enrolment: Enrolment) -> str:
        """Send the event."""
        event = ulid(to_ms(enrolment.asked_at), enrolment.key)
        body = {
            "type": "person",
            "identifiers": {"email": enrolment.email},
            "action": "event",
            "name": enrolment.sequence,
            "id": event,
            "timestamp": int(enrolment.asked_at.timestamp()),
        }
        answer = self._http.send("POST", "/api/v2/entity", idempotent=True, auth=self._auth, json=body)
        if error := sorted_error(answer, TITLE, MENDS, self._clock.now()):
            raise error
        return event


def ulid(moment_ms: int, key: str) -> str:
    """26 letters: 48 bits of the moment, and 80 bits that the key decides."""
    number = (moment_ms << 80) | int.from_bytes(hashlib.sha256(key.encode()).digest()[:10])
    return "".join(LETTERS[(number >> shift) & 31] for shift in range(125, -1, -5))
