"""Errors sorted by what the caller should do: retry, stop, skip, or mend the configuration.

Messages never hold secrets or personal data: they reach logs, dead letters and problem documents.
"""

from __future__ import annotations


class LeadswitchError(Exception):
    """Any error of ours. `str(error)` is one clear line."""


class Retriable(LeadswitchError):
    """Try again later: a time-out, a 429, a 5xx, a lock. `delay_s` is what the other side asked for, if it did."""

    def __init__(self, message: str, delay_s: float | None = None) -> None:
        super().__init__(message)
        self.delay_s = delay_s


class Fatal(LeadswitchError):
    """Trying again gives the same answer: stop, and keep the work as a dead letter."""


class Skippable(LeadswitchError):
    """Not an error for anyone: the record is gone, or there is nothing to do. Note it and go on."""


class Configuration(LeadswitchError):
    """Somebody must mend a setting, a permission or a credential. `mend` says how."""

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(f"{message} {mend}".strip())
        self.mend = mend


class Rejected(LeadswitchError):
    """A delivery that must not be stored. `status` is the HTTP status that the sender gets."""

    status = 400


class BadSignature(Rejected):
    """Forged, or signed with a secret we do not hold."""

    status = 401


class Stale(Rejected):
    """Rightly signed, but outside the replay window."""

    status = 401
