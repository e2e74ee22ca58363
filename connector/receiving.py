"""The frame that receivers share: a body becomes entries, an entry becomes events, and one bad entry stops nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from connector.ports import Answer, ClientContext, CrmClient, Delivery, Receiver
from connector.reading import content_key, delivery_key, read_batch
from connector.settings import ConnectionSettings
from leads.records import InboundEvent, UnrecognisedEvent


class ReadingReceiver(ABC):
    """A receiver whose deliveries hold one or more entries. A vendor adds `verify` and `read`.

    `prefix` begins its event keys; `repeat_changes` are members of an entry that a vendor's repeat changes.
    """

    prefix: ClassVar[str]
    repeat_changes: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def verify(self, delivery: Delivery, now: datetime) -> bool:
        """See `Receiver.verify`."""

    @abstractmethod
    def read(self, entry: Mapping[str, Any], delivery: Delivery) -> Sequence[InboundEvent]:
        """The events of one entry. Raises ValueError with a short reason, free of personal data, when it cannot be read."""

    def entries(self, delivery: Delivery) -> Sequence[Any]:
        """The entries of a body: a JSON array, or one object. Raises ValueError with a short reason."""
        return read_batch(delivery.body)

    def delivery_key(self, delivery: Delivery) -> str:
        """Equal for a repeat of the same bytes."""
        return delivery_key(delivery.body)

    def handshake(self, delivery: Delivery) -> Answer | None:
        """Most vendors want none."""
        return None

    def acknowledgement(self, delivery: Delivery) -> Answer:
        """Most vendors want an empty 200."""
        return Answer()

    def events(self, delivery: Delivery) -> Sequence[InboundEvent]:
        """Every event in the order given; repeats keep their key, so that the store drops them."""
        try:
            entries = self.entries(delivery)
        except ValueError as error:
            return [UnrecognisedEvent(delivery_key(delivery.body), f"body: {error}")]
        return [event for entry in entries for event in self._read_one(entry, delivery)]

    def _read_one(self, entry: Any, delivery: Delivery) -> Sequence[InboundEvent]:
        try:
            if not isinstance(entry, dict):
                raise ValueError("not an object")
            return self.read(entry, delivery)
        except ValueError as error:
            return [UnrecognisedEvent(content_key(f"{self.prefix}?", entry, self.repeat_changes), str(error))]


@dataclass(frozen=True, slots=True)
class ListeningAdapter:
    """An adapter that only listens: `build` makes the receiver of a connection and raises `Configuration`.

    `requests_per_minute` bounds each client address, for addresses that anybody on the internet may post to.
    """

    name: str
    title: str
    kind: Literal["crm", "email", "generic"]
    build: Callable[[ConnectionSettings], Receiver]
    max_body_bytes: int = 1_048_576
    requests_per_minute: float | None = None

    def receiver(self, settings: ConnectionSettings, public_url: str) -> Receiver:
        """The inbound half. Raises `Configuration`."""
        return self.build(settings)

    def client(self, settings: ConnectionSettings, context: ClientContext) -> CrmClient | None:
        """There is nothing to write to."""
        return None
