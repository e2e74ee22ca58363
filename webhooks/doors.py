"""Who may knock at a connection: address lists and a rate for each client, for sources that cannot sign.

Behind a proxy every request comes from the proxy. `trusted_proxies` names it; then the client is the last address of
X-Forwarded-For that is not a trusted proxy's. Without it that header is ignored: anybody can write one.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from connector.errors import Configuration
from connector.ports import Adapter
from connector.settings import ConnectionSettings
from connector.signatures import number_option
from webhooks.limits import Buckets
from webhooks.problems import Problem

#: The header under which an adapter finds the client's address. One that comes from outside is replaced.
CLIENT: Final = "x-leadswitch-client"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Door:
    """Admits clients of one connection. `per_minute` None sets no rate; no `allowed` networks admit every address."""

    def __init__(
        self,
        allowed: Sequence[Network] = (),
        proxies: Sequence[Network] = (),
        per_minute: float | None = None,
        make_buckets: Callable[[float, float], Buckets] = Buckets,
    ) -> None:
        self._allowed = tuple(allowed)
        self._proxies = tuple(proxies)
        self._buckets = make_buckets(per_minute, per_minute / 4) if per_minute else None

    def admit(self, peer: str, headers: Mapping[str, str]) -> str:
        """The client's address. Raises `Problem`: 403 for an address that is not allowed, 429 over the rate."""
        client = self._client(peer, headers.get("x-forwarded-for", ""))
        if self._allowed and not _within(client, self._allowed):
            raise Problem(403, "address", "This address may not send here.")
        if self._buckets is not None and (wait := self._buckets.take(client)):
            again = {"retry-after": str(math.ceil(wait))}
            raise Problem(429, "too-many", "Too many requests.", "Slow down, and send it again.", headers=again)
        return client

    def _client(self, peer: str, forwarded: str) -> str:
        client = peer
        if self._proxies and _within(peer, self._proxies):
            for one in reversed(forwarded.split(",")):
                client = one.strip() or client
                if not _within(client, self._proxies):
                    break
        return client[:64]


def build_door(settings: ConnectionSettings, adapter: Adapter) -> Door | None:
    """The door of a connection, or None when everybody may knock as often as they like. Raises `Configuration`."""
    usual = getattr(adapter, "requests_per_minute", None)
    limited = usual is not None or settings.option("requests_per_minute") is not None
    rate = number_option(settings, "requests_per_minute", usual or 0) if limited else None
    allowed = _networks(settings, "allowed_addresses")
    proxies = _networks(settings, "trusted_proxies")
    return Door(allowed, proxies, rate or None) if limited or allowed or proxies else None


def _networks(settings: ConnectionSettings, key: str) -> list[Network]:
    given: Any = settings.option(key, ())
    try:
        return [ipaddress.ip_network(str(one), strict=False) for one in ([given] if isinstance(given, str) else given)]
    except (ValueError, TypeError):
        raise Configuration(f"{settings.name}: {key} is not a list of networks.", 'Write it as ["192.0.2.0/24"].') from None


def _within(address: str, networks: Sequence[Network]) -> bool:
    try:
        one = ipaddress.ip_address(address)
    except ValueError:
        return False
    one = one.ipv4_mapped or one if isinstance(one, ipaddress.IPv6Address) else one
    return any(one in network for network in networks)
