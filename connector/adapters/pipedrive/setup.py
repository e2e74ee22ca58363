"""What Pipedrive must have and allow: checked for `doctor`, made by `connections test --mend`.

Source: Pipedrive's reference of /v1/webhooks (one webhook for each object; at most 40 a user) and of /api/v2/personFields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from connector.adapters.pipedrive import words
from connector.adapters.pipedrive.calls import PipedriveCalls
from connector.adapters.pipedrive.fields import FieldBook, Kind
from connector.errors import Configuration, LeadswitchError
from leads.results import CheckResult

#: Kind of record → fields of ours: (name, type, choices).
FIELDS: Final[Mapping[Kind, tuple[tuple[str, str, tuple[str, ...]], ...]]] = {
    "person": (
        (words.SCORE, "double", ()),
        (words.TIER, "enum", words.TIERS),
        (words.REASONS, "text", ()),
        (words.ROUTED_BECAUSE, "text", ()),
        (words.STAGE, "enum", words.STAGES),
        (words.STATUS, "enum", words.STATUSES),
    ),
    "deal": ((words.MARKER, "varchar", ()),),
}
#: Objects without whose notices leads are missed until the next reconcile.
OBJECTS: Final = ("person", "lead", "deal", "activity")
WEBHOOK_USER: Final = "leadswitch"


class PipedriveSetup:
    """Looks, and makes what is missing. Neither raises: every trouble is a line of its own."""

    def __init__(self, calls: PipedriveCalls, book: FieldBook, connection: str, webhook_url: str, secret: str | None) -> None:
        self._calls, self._book, self._connection = calls, book, connection
        self._webhook_url, self._secret = webhook_url, secret

    def check(self) -> Iterator[CheckResult]:
        """Token, rights to read, fields, webhooks; stops after the token when that is no good."""
        token = self._try("token", "/v1/users/me", {})
        yield token
        if not token.ok:
            return
        for name, path in (("persons", "/api/v2/persons"), ("deals", "/api/v2/deals"), ("activities", "/api/v2/activities")):
            yield self._try(f"read {name}", path, {"limit": "1"})
        yield self._try("read leads", "/v1/leads", {"limit": "1"})
        for kind in FIELDS:
            yield self._line(f"fields of {kind}s", lambda kind=kind: self._said([one[0] for one in self._missing(kind)]))  # type: ignore[misc]
        yield self._line("webhooks", lambda: self._said([f"{one}.*" for one in self._unheard()]))

    def prepare(self) -> Iterator[CheckResult]:
        """The custom fields and the webhooks. What is there stays as it is."""
        self._book.forget()
        for kind in FIELDS:
            yield self._line(f"fields of {kind}s", lambda kind=kind: self._make_fields(kind))  # type: ignore[misc]
        yield self._line("webhooks", self._make_webhooks)

    def _try(self, name: str, path: str, params: Mapping[str, str]) -> CheckResult:
        def read() -> tuple[bool, str]:
            self._calls.call("GET", path, params=params)
            return True, "can be read"

        return self._line(name, read)

    def _line(self, name: str, look: Callable[[], tuple[bool, str]]) -> CheckResult:
        try:
            ok, detail = look()
        except LeadswitchError as error:
            return CheckResult(name, False, str(error), _mend(error))
        return CheckResult(name, ok, detail, "" if ok else f"Run: leadswitch connections test {self._connection} --mend")

    @staticmethod
    def _said(missing: list[str]) -> tuple[bool, str]:
        return not missing, f"missing: {', '.join(missing)}" if missing else "all there"

    def _missing(self, kind: Kind) -> list[tuple[str, str, tuple[str, ...]]]:
        there = self._book.all(kind)
        return [one for one in FIELDS[kind] if one[0] not in there]

    def _make_fields(self, kind: Kind) -> tuple[bool, str]:
        missing = self._missing(kind)
        for name, field_type, options in missing:
            self._book.make(kind, name, field_type, options)
        left = self._missing(kind)
        return not left, f"{len(missing) - len(left)} made, {len(left)} refused" if missing else "all there"

    def _unheard(self) -> list[str]:
        """The objects of which no active webhook of version 2 tells this connection."""
        heard: set[str] = set()
        for hook in self._calls.call("GET", "/v1/webhooks").get("data") or ():
            ours = str(hook.get("subscription_url")).rstrip("/") == self._webhook_url.rstrip("/")
            if ours and hook.get("is_active") and hook.get("event_action") == "*" and str(hook.get("version")).startswith("2"):
                heard.add(str(hook.get("event_object")))
        return [] if "*" in heard else [one for one in OBJECTS if one not in heard]

    def _make_webhooks(self) -> tuple[bool, str]:
        if self._secret is None:
            raise Configuration(f"{self._connection} has no webhook_secrets.", "Set it to a long random password.")
        missing = self._unheard()
        user, _, password = self._secret.rpartition(":")
        for one in missing:
            body = {
                "name": f"Leadswitch {self._connection} {one}",
                "subscription_url": self._webhook_url,
                "event_action": "*",
                "event_object": one,
                "http_auth_user": user or WEBHOOK_USER,
                "http_auth_password": password,
                "version": "2.0",
            }
            self._calls.call("POST", "/v1/webhooks", body=body, idempotent=False)
        left = self._unheard()
        return not left, f"{len(missing) - len(left)} made, {len(left)} refused" if missing else "all there"


def _mend(error: LeadswitchError) -> str:
    return error.mend if isinstance(error, Configuration) else "Try again; if it stays, look at Pipedrive's status page."
