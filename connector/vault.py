"""Sealing of personal fields and secrets at rest: AES-256-GCM under a key ring, and keyed blind indexes for look-ups.

Every person has a data key of their own, wrapped by the ring. Erasing somebody shreds that key, and with it every value sealed
under it: the inbox apart, nothing needs to be found and rewritten.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector.errors import Configuration, Fatal

NONCE_BYTES = 12
URL_SAFE = bytes.maketrans(b"+/", b"-_")
_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
KEY_BYTES = 32


class Vault:
    """A ring of master keys. The first seals; all open; the last is the root of the blind indexes and must never be dropped."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise Configuration("There is no encryption key.", "Set LEADSWITCH_ENCRYPTION_KEYS to id:base64 of 32 bytes.")
        self._sealers = {name: AESGCM(key) for name, key in keys.items()}
        self._current = next(iter(keys))
        self._prefix = bytes([len(self._current.encode())]) + self._current.encode()
        index_key = hmac.digest(list(keys.values())[-1], b"leadswitch blind index", "sha256")
        block = index_key.ljust(64, b"\0")
        self._inner, self._outer = (hashlib.sha256(bytes(byte ^ pad for byte in block)) for pad in (0x36, 0x5C))

    def seal(self, plain: bytes, context: bytes = b"") -> bytes:
        """Seal under the current master key. `context` must be given again to open."""
        nonce = os.urandom(NONCE_BYTES)
        return self._prefix + nonce + self._sealers[self._current].encrypt(nonce, plain, context)

    def open(self, sealed: bytes, context: bytes = b"") -> bytes:
        """Open what `seal` made. Raises `Fatal` when it was changed, `Configuration` when its key is not on the ring."""
        sealed = bytes(sealed)
        if not sealed:
            raise Fatal("A sealed value does not open: it is empty.")
        name = sealed[1 : 1 + sealed[0]].decode(errors="replace")
        sealer = self._sealers.get(name)
        if sealer is None:
            raise Configuration(f"Stored values are sealed with key {name!r}.", "Put that key back on LEADSWITCH_ENCRYPTION_KEYS.")
        return _decrypt(sealer, sealed[1 + sealed[0] :], context)

    def new_data_key(self) -> bytes:
        """A fresh key of one person, wrapped for storage."""
        return self.seal(AESGCM.generate_key(KEY_BYTES * 8), b"data key")

    def new_person(self) -> tuple[bytes, PersonSeal]:
        """A fresh key of one person, wrapped for storage, and the seal that it makes."""
        key = AESGCM.generate_key(KEY_BYTES * 8)
        return self.seal(key, b"data key"), PersonSeal(key)

    def person(self, wrapped: bytes) -> PersonSeal:
        """The seal of the person whose wrapped data key this is."""
        return PersonSeal(self.open(wrapped, b"data key"))

    def seal_json(self, value: Any, context: bytes = b"") -> bytes:
        return self.seal(_as_json(value).encode("utf-8", "replace"), context)

    def open_json(self, sealed: bytes, context: bytes = b"") -> Any:
        return json.loads(self.open(sealed, context))

    def index(self, kind: str, value: str) -> str:
        """A keyed, one-way look-up token of a value: equal values give equal tokens, and the token says nothing without the key.

        HMAC-SHA256 (RFC 2104) from the two states that its key comes to: a lead asks for some twenty tokens, and setting the
        key up for each took three times as long as the digest.
        """
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(f"{kind}\x00{value}".encode("utf-8", "replace"))
        outer.update(inner.digest())
        return binascii.b2a_base64(outer.digest()[:18], newline=False).translate(URL_SAFE).decode("ascii")


class PersonSeal:
    """Seals and opens values under one person's data key."""

    def __init__(self, key: bytes) -> None:
        self._sealer = AESGCM(key)

    def seal_json(self, value: Any) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        plain = _as_json(value).encode("utf-8", "replace")
        return nonce + self._sealer.encrypt(nonce, plain, b"")

    def open_json(self, sealed: bytes) -> Any:
        return json.loads(_decrypt(self._sealer, bytes(sealed), b""))


def _decrypt(sealer: AESGCM, sealed: bytes, context: bytes) -> bytes:
    try:
        return sealer.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context)
    except (InvalidTag, ValueError) as error:  # ValueError: too short to hold a nonce
        raise Fatal("A sealed value does not open: it was changed, or belongs elsewhere.") from error


def parse_keys(text: str) -> dict[str, bytes]:
    """Read `id:base64,id:base64`. Raises `Configuration` naming the entry that is wrong, never its value."""
    keys: dict[str, bytes] = {}
    for place, entry in enumerate((part.strip() for part in text.split(",") if part.strip()), start=1):
        name, _, encoded = entry.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            key = b""
        if not name or len(name) > 32 or len(key) != KEY_BYTES:
            raise Configuration(f"Entry {place} of LEADSWITCH_ENCRYPTION_KEYS is not id:base64 of 32 bytes.")
        if name in keys:
            raise Configuration(f"Entry {place} of LEADSWITCH_ENCRYPTION_KEYS has the name of one before it.", "Rename it.")
        keys[name] = key
    return keys


def open_vault(configured: str | None, home: Path) -> Vault:
    """The vault of the configured keys, or of a key file made once in `home` for the embedded default."""
    if configured:
        return Vault(parse_keys(configured))
    path = home / "encryption.keys"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        draft = home / f".encryption.keys.{secrets.token_hex(8)}"
        draft.touch(mode=0o600)
        draft.write_text("k1:" + base64.b64encode(os.urandom(KEY_BYTES)).decode() + "\n", encoding="ascii")
        try:
            os.link(draft, path)  # atomic, and the first of several processes wins
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return Vault(parse_keys(path.read_text(encoding="ascii").strip()))
