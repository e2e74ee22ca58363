"""The way out to vendors: one synchronous HTTP client with time-outs, quick retries, sorted errors and an address guard.

Messages name the vendor, the status and the path, never a body, a query or a header: those hold personal data and secrets.
"""

from __future__ import annotations

import email.utils
import ipaddress
import re
import socket
import weakref
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore
import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, retry_if_result, stop_after_attempt, wait_exponential_jitter

from connector.clock import Clock
from connector.errors import Configuration, Fatal, LeadswitchError, Retriable, Skippable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]

#: Seconds; a vendor that takes longer is treated as down, and the queue tries again later.
TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
TRIES: Final = 3
#: Statuses that mean "not now" although they are not 5xx: time-out, locked, too early, too many, HubSpot's "migration running".
NOT_NOW: Final = frozenset({408, 423, 425, 429, 477})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
#: What an error document may contribute to a message: upper-case categories and ids, nothing that could be about a person.
_CATEGORY = re.compile(r"[A-Z][A-Z0-9_]{2,60}")


class Unsure(Retriable):
    """The request left, and whether it took effect is not known. Before it is sent again, look its result up."""


def _embedded(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one (mapped, 6to4, NAT64), which is where such a packet ends up."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return inner or address
    return address


def is_allowed(address: str, allow_private: bool) -> bool:
    """Whether we may connect to `address`. Link-local (where clouds keep their metadata) and multicast never."""
    one = _embedded(ipaddress.ip_address(address.partition("%")[0]))
    if one.is_link_local or one.is_multicast or one.is_unspecified:
        return False
    return allow_private or one.is_global


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host. Raises OSError."""
    return list(dict.fromkeys(str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))


def guard_url(url: str, allow_private: bool, look_up: Resolve = resolve) -> str:
    """`url` when we may call it: http or https, no credentials in it, and every address of its host allowed.

    Raises `Configuration`; `Retriable` when the host cannot be resolved now.
    """
    host, port = check_url(url)
    allowed_addresses(host, port, allow_private, look_up)
    return url


def check_url(url: str) -> tuple[str, int]:
    """(host, port) of a well-formed http(s) URL without credentials. Looks nothing up. Raises `Configuration`."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise Configuration("A URL is malformed.", "Write it as https://host/path.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Configuration("A URL is not http or https.", "Write it as https://host/path.")
    if parts.username is not None or parts.password is not None:
        raise Configuration(f"The URL of {parts.hostname} holds credentials.", "Put them into their own settings.")
    return parts.hostname, port


def allowed_addresses(host: str, port: int, allow_private: bool, look_up: Resolve = resolve) -> list[str]:
    """The host's addresses, all of which we may connect to. Raises `Configuration` when one is not, `Retriable` when none."""
    try:
        addresses = look_up(host, port)
    except (OSError, UnicodeError):
        raise Retriable(f"The host {host} cannot be resolved.") from None
    if not addresses:
        raise Retriable(f"The host {host} cannot be resolved.")
    if all(is_allowed(address, allow_private) for address in addresses):
        return addresses
    mend = "Mend the URL." if allow_private else "If that is meant, set trust_private_host = true on the connection."
    raise Configuration(f"The host {host} leads to an address inside this network.", mend)


class _GuardedBackend(httpcore.NetworkBackend):
    """Resolves, checks and connects in one go, so that the address checked is the address used (no DNS rebinding)."""

    def __init__(self, allow_private: bool, look_up: Resolve) -> None:
        self._allow_private = allow_private
        self._look_up = look_up
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception | None = None
        for address in allowed_addresses(host, port, self._allow_private, self._look_up):
            try:
                return self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"no address for {host}")

    def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.NetworkStream:
        raise httpcore.ConnectError("unix sockets are not vendors")


class _GuardedTransport(httpx.HTTPTransport):
    """httpx's transport over the guarded backend. TLS still checks the certificate against the host's name."""

    def __init__(self, allow_private: bool, look_up: Resolve, width: int) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=width,
            max_keepalive_connections=width,
            keepalive_expiry=30.0,
            network_backend=_GuardedBackend(allow_private, look_up),
        )


class VendorHttp:
    """Calls one vendor. Safe to share between threads; redirects are never followed."""

    def __init__(
        self,
        title: str,
        base_url: str,
        clock: Clock,
        *,
        allow_private: bool = False,
        look_up: Resolve = resolve,
        timeout: httpx.Timeout = TIMEOUT,
        width: int = 20,
    ) -> None:
        check_url(base_url)
        self._title = title
        self._clock = clock
        self._client = httpx.Client(
            base_url=base_url,
            timeout=timeout,
            follow_redirects=False,
            trust_env=False,
            transport=_GuardedTransport(allow_private, look_up, width),
            headers={"user-agent": "leadswitch", "accept": "application/json"},
        )
        self._finalizer = weakref.finalize(self, self._client.close)  # who forgets to close leaks no sockets

    def send(self, method: str, path: str, *, idempotent: bool, **request: Any) -> httpx.Response:
        """One answer, whatever its status; tried three times within seconds where that cannot do anything twice.

        A failed connection is always tried again, because nothing was sent. A lost answer or a 5xx is, when `idempotent`.
        `request` is what httpx takes: params, json, data, headers. Raises `Retriable`, `Unsure` or `Configuration`.
        """

        def may_repeat(error: BaseException) -> bool:
            unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
            return unsent or (idempotent and isinstance(error, httpx.TransportError))

        def is_server_error(answer: httpx.Response) -> bool:
            return idempotent and answer.status_code >= 500 and retry_after(answer, self._clock.now()) is None

        def last(state: RetryCallState) -> httpx.Response:
            assert state.outcome is not None  # noqa: S101 - tenacity calls this after an attempt
            answer: httpx.Response = state.outcome.result()
            return answer

        tries = Retrying(
            stop=stop_after_attempt(TRIES),
            wait=wait_exponential_jitter(multiplier=0.2, max=2.0, jitter=0.2),
            retry=retry_if_exception(may_repeat) | retry_if_result(is_server_error),
            retry_error_callback=last,
            sleep=self._clock.sleep,
        )
        try:
            return tries(self._client.request, method, path, **request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Retriable(f"{self._title} cannot be reached ({type(error).__name__}).") from None
        except httpx.TransportError as error:
            sort = Retriable if idempotent else Unsure
            raise sort(f"{self._title} did not answer {method} {path} ({type(error).__name__}).") from None
        except httpx.InvalidURL:
            raise Configuration(f"{self._title}: the address is malformed.", "Mend base_url.") from None

    def close(self) -> None:
        self._finalizer()


def retry_after(answer: httpx.Response, now: datetime) -> float | None:
    """The seconds that a Retry-After header asks for: a count or an HTTP date. None without a readable one."""
    text = answer.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,7}(\.\d+)?", text):
        return float(text)
    parsed = email.utils.parsedate_tz(text)
    if parsed is None:
        return None
    return max(0.0, email.utils.mktime_tz(parsed) - now.astimezone(UTC).timestamp())


def category(answer: httpx.Response) -> str:
    """What an error document may add to a message: its category, when it is a plain upper-case word; else nothing."""
    try:
        document = answer.json()
    except ValueError:
        return ""
    found = document.get("category") or document.get("subCategory") if isinstance(document, dict) else None
    return found if isinstance(found, str) and _CATEGORY.fullmatch(found) else ""


def sorted_error(
    answer: httpx.Response, title: str, mends: Mapping[int, str], now: datetime, *, idempotent: bool = True
) -> LeadswitchError | None:
    """The error for an answer by what to do about it, or None when it is a 2xx. `mends` says how to mend 401 and 403."""
    status = answer.status_code
    if 200 <= status < 300:
        return None
    path = answer.request.url.path
    what = f"{title} answered {status} to {answer.request.method} {path}"
    if word := category(answer):
        what = f"{what} ({word})"
    if status in NOT_NOW:
        return Retriable(f"{what}.", retry_after(answer, now))
    if status >= 500:
        return (Retriable if idempotent else Unsure)(f"{what}.", retry_after(answer, now))
    if status in mends:
        return Configuration(f"{what}.", mends[status])
    if status in (401, 403):
        return Configuration(f"{what}.", "Mend the credentials and their scopes.")
    if 300 <= status < 400:
        return Configuration(f"{what}: it wants a redirect, which is not followed.", "Mend base_url.")
    if status in (404, 410):
        return Skippable(f"{what}: there is no such record.")
    return Fatal(f"{what}.")
