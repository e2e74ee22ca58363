"""What browsers ask of an address that pages of other sites post to: the CORS preflight, and a word on every answer."""

from __future__ import annotations

from collections.abc import Sequence

from connector.errors import BadSignature, Configuration
from connector.ports import Answer, Delivery
from connector.settings import ConnectionSettings


class Origins:
    """The sites whose pages may post here, as `https://www.example.com`. Empty takes any site."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._allowed = frozenset(origin.rstrip("/").lower() for origin in allowed)

    @classmethod
    def of(cls, settings: ConnectionSettings) -> Origins:
        """The option `allowed_origins`. Raises `Configuration`."""
        given = settings.option("allowed_origins", ())
        if not isinstance(given, list | tuple) or not all(str(one).startswith(("http://", "https://")) for one in given):
            raise Configuration(
                f"{settings.name}: allowed_origins is not a list of origins.", 'Write it as ["https://www.example.com"].'
            )
        return cls([str(one) for one in given])

    def check(self, delivery: Delivery) -> None:
        """Raise `BadSignature` when a page of another site posts here. What is no browser names no origin."""
        origin = delivery.headers.get("origin", "").lower()
        if origin and self._allowed and origin not in self._allowed:
            raise BadSignature("This site may not post here.")

    def preflight(self, delivery: Delivery) -> Answer | None:
        """The answer to a browser's OPTIONS; None for another method. Raises `BadSignature`."""
        if delivery.method != "OPTIONS":
            return None
        self.check(delivery)
        asked = {"access-control-allow-methods": "POST", "access-control-allow-headers": "content-type"}
        return Answer(204, headers={**self.headers(delivery), **asked, "access-control-max-age": "86400", "allow": "OPTIONS, POST"})

    def headers(self, delivery: Delivery) -> dict[str, str]:
        """The headers that let the page see the answer."""
        origin = delivery.headers.get("origin", "")
        if not origin.isascii() or not origin.isprintable():
            return {}
        return {"access-control-allow-origin": origin, "vary": "origin"} if origin else {}
