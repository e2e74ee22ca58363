"""Brevo: what became of transactional and marketing e-mails, by webhook under a token; people into automations by list."""

from __future__ import annotations

from connector.adapters.brevo.webhook import BrevoReceiver
from connector.ports import ClientContext, Enroller
from connector.receiving import ListeningAdapter
from connector.settings import ConnectionSettings


class Brevo(ListeningAdapter):
    """The adapter. Options of a connection are listed in doc.md beside this file."""

    __slots__ = ()

    def enroller(self, settings: ConnectionSettings, context: ClientContext) -> Enroller:
        """The part that enrols people. Raises `Configuration`."""
        from connector.adapters.brevo.enrolling import BrevoEnroller  # the web process needs none

        return BrevoEnroller(settings, context)


ADAPTER = Brevo("brevo", "Brevo", "email", BrevoReceiver.build)
