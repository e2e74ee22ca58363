"""What EspoCRM must have and allow: checked for `doctor`, made by `connections test --mend` as far as the user may.

Source: EspoCRM's public source of `Controllers/FieldManager` (administrators alone) and `App/user` (the user with its rights).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from connector.adapters.espocrm import words
from connector.adapters.espocrm.calls import CREDENTIALS, ROLE, EspoCalls
from connector.adapters.espocrm.words import Names
from connector.errors import Configuration, LeadswitchError
from leads.results import CheckResult

#: Entity → what the role must allow.
RIGHTS: Final[Mapping[str, tuple[str, ...]]] = {
    "Lead": ("read", "edit", "stream"),
    "Task": ("create", "read", "edit"),
    "Opportunity": ("create", "read"),
    "User": ("read",),
}
#: Hooks without which leads are missed until the next reconcile.
EVENTS: Final = ("Lead.create", "Lead.update", "Lead.delete")


def fields(names: Names) -> dict[str, dict[str, Any]]:
    """Our fields on a lead, by the name that EspoCRM gives them, in the form of its field manager."""
    kinds: tuple[dict[str, Any], ...] = (
        {"type": "int", "label": "Leadswitch score", "min": 0, "max": 100},
        {"type": "varchar", "label": "Leadswitch tier", "maxLength": 10},
        {"type": "text", "label": "Leadswitch reasons"},
        {"type": "text", "label": "Leadswitch routed because"},
        {"type": "varchar", "label": "Leadswitch stage", "maxLength": 40},
    )
    return dict(zip(names.all(), kinds, strict=True))


class EspoSetup:
    """Looks, and makes what is missing. Neither raises: every trouble is a line of its own."""

    def __init__(self, calls: EspoCalls, names: Names, connection: str, webhook_url: str) -> None:
        self._calls, self._names = calls, names
        self._connection, self._webhook_url = connection, webhook_url

    def check(self) -> Iterator[CheckResult]:
        """Credentials, rights, fields, webhooks; stops after the credentials when those are no good."""
        try:
            told = self._calls.call("GET", "App/user")
        except LeadswitchError as error:
            yield CheckResult("credentials", False, str(error), _mend(error))
            return
        user, acl = (told.get(name) if isinstance(told, dict) else None for name in ("user", "acl"))
        if not isinstance(user, dict) or not user.get("id"):
            yield CheckResult("credentials", False, "EspoCRM does not say who we are", CREDENTIALS)
            return
        yield CheckResult("credentials", True, f'api_user_id = "{user["id"]}"')
        yield self._rights(user, acl if isinstance(acl, dict) else {})
        yield self._try("right: read leads", self._read_one)
        yield self._fields()
        yield self._hooks()

    def prepare(self) -> Iterator[CheckResult]:
        """Our fields on leads. What is there stays as it is."""
        yield self._try("fields of leads", self._make_fields)

    def _rights(self, user: Mapping[str, Any], acl: Mapping[str, Any]) -> CheckResult:
        name = "rights of the role"
        if user.get("type") in ("admin", "super-admin"):
            return CheckResult(name, True, "an administrator's")
        table = acl.get("table")
        lacking = [
            f"{entity} {action}"
            for entity, actions in RIGHTS.items()
            for action in actions
            if isinstance(table, dict) and not _allows(table.get(entity), action)
        ]
        if acl.get("assignmentPermission") not in (None, "all"):
            lacking.append("Assignment Permission all")
        return CheckResult(name, not lacking, f"lacking: {', '.join(lacking)}" if lacking else "enough", ROLE if lacking else "")

    def _read_one(self) -> str:
        self._calls.list(words.LEAD, [], ("id",), limit=1)
        return "the leads can be read"

    def _fields(self) -> CheckResult:
        name = "fields of leads"
        try:
            missing = self._missing()
        except LeadswitchError as error:
            return CheckResult(name, False, str(error), _mend(error))
        mend = f"Run: leadswitch connections test {self._connection} --mend" if missing else ""
        return CheckResult(name, not missing, f"missing: {', '.join(missing)}" if missing else "all there", mend)

    def _hooks(self) -> CheckResult:
        """Which of our hooks this user sees: those that it made, or all, for an administrator."""
        name = "webhooks"
        try:
            rows, _ = self._calls.list("Webhook", [], ("event", "url", "isActive"), order_by="createdAt")
        except LeadswitchError:
            return CheckResult(name, True, f"EspoCRM does not show them to this user; wanted: {', '.join(EVENTS)}")
        there = {row.get("event") for row in rows if row.get("isActive") and self._webhook_url in str(row.get("url"))}
        missing = [event for event in EVENTS if event not in there]
        if missing:
            return CheckResult(name, True, f"not seen: {', '.join(missing)}; an administrator may have made them, see doc.md")
        return CheckResult(name, True, "all active")

    def _make_fields(self) -> str:
        wanted = fields(self._names)
        missing = self._missing()
        for name in missing:
            short = name[1].lower() + name[2:] if name.startswith("cL") else name  # EspoCRM puts the c before it itself
            try:
                self._calls.call("POST", "Admin/fieldManager/Lead", body={"name": short, **wanted[name]}, idempotent=False)
            except Configuration as error:
                raise Configuration(str(error), _by_hand(missing, wanted)) from None
        still = self._missing() if missing else []
        if still:
            raise Configuration(f"EspoCRM made other names than {', '.join(still)}.", 'Set field_prefix = "" and mend again.')
        return f"{len(missing)} made" if missing else "all there"

    def _missing(self) -> list[str]:
        there = self._calls.call("GET", "Metadata", params={"key": "entityDefs.Lead.fields"})
        if not isinstance(there, dict) or "status" not in there:
            raise Configuration("EspoCRM does not show us the fields of leads.", ROLE)
        return [name for name in self._names.all() if name not in there]

    def _try(self, name: str, look: Callable[[], str]) -> CheckResult:
        try:
            return CheckResult(name, True, look())
        except LeadswitchError as error:
            return CheckResult(name, False, str(error), _mend(error))


def _allows(rights: object, action: str) -> bool:
    return rights is True or (isinstance(rights, dict) and rights.get(action) not in (None, "no"))


def _by_hand(missing: list[str], wanted: Mapping[str, Mapping[str, Any]]) -> str:
    """Administrators alone may make fields, and an API user is none."""
    named = ", ".join(f"{name} ({wanted[name]['type']})" for name in missing)
    return f"As an administrator make them in Administration, Entity Manager, Lead, Fields: {named}. EspoCRM adds the c by itself."


def _mend(error: LeadswitchError) -> str:
    return error.mend if isinstance(error, Configuration) else "Try again; if it stays, look at EspoCRM's data/logs."
