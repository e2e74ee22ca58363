"""Customer.io: what became of messages, by signed reporting webhook; people into campaigns by event."""

from __future__ import annotations

from connector.adapters.customerio.webhook import CustomerIoReceiver
from connector.ports import ClientContext, Enroller
from connector.receiving import ListeningAdapter
from connector.settings import ConnectionSettings


class CustomerIo(ListeningAdapter):
    """The adapter. Options of a connection are listed in doc.md beside this file."""

    __slots__ = ()

    def enroller(self, settings: ConnectionSettings, context: ClientContext) -> Enroller:
        """The part that enrols people. Raises `Configuration`."""
        from connector.adapters.customerio.enrolling import CustomerIoEnroller  # the web process needs none

        return CustomerIoEnroller(settings, context)


ADAPTER = CustomerIo("customerio", "Customer.io", "email", CustomerIoReceiver.build)
