"""The public keys of SNS. The web process must not wait for a fetch: a certificate it does not know yet is learned behind its back,
and what was signed with it meanwhile is verified in the worker, after storing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from typing import Final

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from connector.errors import BadSignature, LeadswitchError

log = structlog.get_logger(__name__)

#: SNS changes its certificate about once a year: more than a few are somebody trying out names.
MOST_KNOWN: Final = 16
#: Seconds before an address that failed is asked again.
PAUSE_S: Final = 300.0


def read_key(pem: bytes) -> rsa.RSAPublicKey:
    """The key of a certificate in PEM. Raises ValueError."""
    key = x509.load_pem_x509_certificate(pem).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("not an RSA certificate")
    return key


class Certificates:
    """Keys by the address of their certificate. `pinned` ones, when there are any, are the only ones believed.

    `fetch` gets the PEM at an address whose host was checked. Safe to share between threads.
    """

    def __init__(
        self,
        fetch: Callable[[str], bytes],
        pinned: Collection[rsa.RSAPublicKey] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._pinned = tuple(pinned)
        self._monotonic = monotonic
        self._known: dict[str, rsa.RSAPublicKey] = {}
        self._asked: dict[str, float] = {}
        self._lock = threading.Lock()

    def known(self, url: str) -> Collection[rsa.RSAPublicKey]:
        """The keys that may have signed, as far as they are known without asking anybody."""
        return self._pinned or ((self._known[url],) if url in self._known else ())

    def get(self, url: str) -> Collection[rsa.RSAPublicKey]:
        """The keys that may have signed, fetched if need be. Raises what `fetch` raises, `BadSignature` for no certificate."""
        keys = self.known(url)
        if keys:
            return keys
        try:
            key = read_key(self._fetch(url))
        except ValueError:
            raise BadSignature("There is no certificate at the SNS certificate's address.") from None
        with self._lock:
            if len(self._known) >= MOST_KNOWN:
                self._known.pop(next(iter(self._known)))
            self._known[url] = key
        return (key,)

    def learn(self, url: str) -> None:
        """Fetch in a thread of its own; never twice within a pause, and never many at once."""
        with self._lock:
            now = self._monotonic()
            self._asked = {one: at for one, at in self._asked.items() if now - at < PAUSE_S}
            if url in self._asked or len(self._asked) >= MOST_KNOWN:
                return
            self._asked[url] = now
        threading.Thread(target=self._learn, args=(url,), name="sns-certificate", daemon=True).start()

    def _learn(self, url: str) -> None:
        try:
            self.get(url)
        except LeadswitchError as error:
            log.warning("SNS certificate not learned", error=str(error))
