"""Putting a person into a Brevo automation: onto a list whose joining is the automation's entry.

Source: Brevo's reference "Create a contact": `updateEnabled` adds a contact who is known to the lists, 201 when made, 204 when
updated. Being on a list already changes nothing, so that a repeat is harmless. Who opted out at Brevo stays so.
"""

from __future__ import annotations

from typing import Final

from connector.errors import Configuration
from connector.http import VendorHttp, sorted_error
from connector.ports import ClientContext, Enrolment
from connector.settings import ConnectionSettings

TITLE: Final = "Brevo"
BASE_URL: Final = "https://api.brevo.com"
MENDS: Final = {401: "Set token to an API key of the account (v3)."}


class BrevoEnroller:
    """See `connector.ports.Enroller`. The sequence is the number of the list."""

    def __init__(self, settings: ConnectionSettings, context: ClientContext) -> None:
        if settings.token is None:
            raise Configuration(f"The connection {settings.name} has no token.", MENDS[401])
        self._headers = {"api-key": settings.token.get_secret_value()}
        self._clock = context.clock
        self._http = VendorHttp(TITLE, settings.base_url or BASE_URL, context.clock, allow_private=settings.trust_private_host)

    def enrol(self, enrolment: Enrolment) -> str:
        """Put the person on the list."""
        if not enrolment.sequence.isascii() or not enrolment.sequence.isdigit():
            raise Configuration(f'"{enrolment.sequence[:40]}" is not the number of a Brevo list.', "Mend the playbook's sequence.")
        body = {"email": enrolment.email, "listIds": [int(enrolment.sequence)], "updateEnabled": True}
        answer = self._http.send("POST", "/v3/contacts", idempotent=True, headers=self._headers, json=body)
        if error := sorted_error(answer, TITLE, MENDS, self._clock.now()):
            raise error
        return f"list {enrolment.sequence}"
