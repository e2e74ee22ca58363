"""What Salesforce must have and allow: checked for `doctor`, made by `connections test --mend`.

Sources: Salesforce's Tooling API guide, "CustomField" (FullName and Metadata), and Object Reference, "PermissionSet",
"FieldPermissions" and "PermissionSetAssignment": a field made through an API is seen by nobody until a permission set grants it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from connector.adapters.salesforce import soql, words
from connector.adapters.salesforce.calls import RESERVE, SalesforceCalls
from connector.adapters.salesforce.ids import is_same, long_or_none
from connector.adapters.salesforce.shape import Shape
from connector.errors import Configuration, LeadswitchError
from connector.settings import ConnectionSettings
from leads.results import CheckResult

PERMISSION_SET: Final = "Leadswitch"
IDENTITY: Final = "/services/oauth2/userinfo"


def _field(label: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"label": label, "type": kind, "required": False, **more}


def _text(label: str, length: int = 255, **more: Any) -> dict[str, Any]:
    return _field(label, "Text", length=length, **more)


_MARKER: Final = _text("Leadswitch marker", 80, description="Keeps a record from being made twice.")
#: Object in the Tooling API → (object in the REST API, field → its description). Tasks share their fields with events, as Activity.
FIELDS: Final[Mapping[str, tuple[str, Mapping[str, Mapping[str, Any]]]]] = {
    "Lead": (
        "Lead",
        {
            words.SCORE: _field(
                "Leadswitch score", "Number", precision=3, scale=0, description="0 to 100, higher is likelier to buy."
            ),
            words.TIER: _text("Leadswitch tier", 10, description="A is worked first."),
            words.REASONS: _field("Leadswitch reasons", "LongTextArea", length=2000, visibleLines=3),
            words.ROUTED_BECAUSE: _field("Leadswitch routed because", "LongTextArea", length=2000, visibleLines=3),
            words.STAGE: _text("Leadswitch stage", 40, description="How far the person has come."),
        },
    ),
    "Activity": ("Task", {words.MARKER: _MARKER}),
    "Opportunity": ("Opportunity", {words.MARKER: _MARKER}),
}


class SalesforceSetup:
    """Looks, and makes what is missing. Neither raises: every trouble is a line of its own."""

    def __init__(self, calls: SalesforceCalls, shape: Shape, settings: ConnectionSettings, statuses: Mapping[str, str]) -> None:
        self._calls, self._shape, self._statuses = calls, shape, statuses
        self._name = settings.name
        self._user_id, self._organization_id = settings.option("user_id"), settings.option("organization_id")

    def check(self) -> Iterator[CheckResult]:
        """Credentials, daily calls, identity, objects, fields, statuses; stops after the credentials when those are no good."""
        self._shape.forget()
        try:
            limits = self._calls.call("GET", self._calls.path("limits")) or {}
        except LeadswitchError as error:
            yield CheckResult("credentials", False, str(error), _mend(error))
            return
        yield CheckResult("credentials", True, "the token is taken")
        yield _daily_calls(limits.get("DailyApiRequests") or {})
        yield from self._check_identity()
        for thing in ("Lead", "Task", "Note", "Opportunity"):
            yield self._try(f"object: {thing}", lambda thing=thing: self._check_object(thing))  # type: ignore[misc]
        for thing, fields in FIELDS.values():
            yield self._try(f"fields of {thing}", lambda thing=thing, fields=fields: self._check_fields(thing, fields))  # type: ignore[misc]
        yield self._try("lead statuses", self._check_statuses)

    def prepare(self) -> Iterator[CheckResult]:
        """The fields, and a permission set that grants them to our user. What is there stays as it is."""
        for place, (thing, fields) in FIELDS.items():
            yield self._try(
                f"fields of {thing}",
                lambda place=place, thing=thing, fields=fields: self._make_fields(place, thing, fields),  # type: ignore[misc]
            )
        self._shape.forget()

    def _try(self, name: str, look: Callable[[], tuple[bool, str, str]]) -> CheckResult:
        try:
            return CheckResult(name, *look())
        except LeadswitchError as error:
            return CheckResult(name, False, str(error), _mend(error))

    def _check_identity(self) -> Iterator[CheckResult]:
        try:
            who = self._calls.call("GET", IDENTITY)
        except LeadswitchError as error:
            yield CheckResult("identity", False, str(error), _mend(error))
            return
        yield _compare("user_id", self._user_id, who.get("user_id"), "our own changes are not known in outbound messages")
        yield _compare("organization_id", self._organization_id, who.get("organization_id"), "messages of any org are taken")

    def _check_object(self, thing: str) -> tuple[bool, str, str]:
        told = self._calls.call("GET", self._calls.path(f"sobjects/{thing}/describe"))
        wanted = ("queryable", "createable", "updateable")
        lacking = [right for right in wanted if not told.get(right) and not (thing == "Lead" and right == "createable")]
        detail = f"not {', '.join(lacking)}" if lacking else "may be read and written"
        return not lacking, detail, f"Grant read, create and edit on {thing} in the user's permission set." if lacking else ""

    def _check_fields(self, thing: str, fields: Mapping[str, Any]) -> tuple[bool, str, str]:
        there = self._shape.fields(thing)
        missing = [name for name in fields if name not in there]
        fixed = [name for name in fields if name in there and not there[name].get("updateable")]
        if not missing and not fixed:
            return True, "all there", ""
        told = [f"missing or hidden: {', '.join(missing)}"] * bool(missing) + [f"read-only: {', '.join(fixed)}"] * bool(fixed)
        return False, "; ".join(told), f"Run: leadswitch connections test {self._name} --mend"

    def _check_statuses(self) -> tuple[bool, str, str]:
        there = {status.name.lower() for status in self._shape.statuses()}
        lacking = sorted(ours for ours, word in self._statuses.items() if word.lower() not in there)
        if not lacking:
            return True, "every status that we write is in the picklist", ""
        return False, f"no value for: {', '.join(lacking)}", "Name the org's own values in `statuses` of the connection."

    def _make_fields(self, place: str, thing: str, fields: Mapping[str, Mapping[str, Any]]) -> tuple[bool, str, str]:
        there = self._calls.call("GET", self._calls.path(f"sobjects/{thing}/describe")).get("fields") or ()
        seen = {str(one["name"]) for one in there if one.get("updateable")}
        lacking = [name for name in fields if name not in seen]
        if not lacking:
            return True, "all there", ""
        made = [name for name in lacking if self._make_field(place, name, fields[name])]
        self._grant(thing, lacking)
        return True, f"{len(made)} made, {len(lacking)} granted", ""

    def _make_field(self, place: str, name: str, metadata: Mapping[str, Any]) -> bool:
        """Whether it was made; one that is there and only hidden is left."""
        developer_name = name.removesuffix("__c")
        query = (
            f"SELECT Id FROM CustomField WHERE DeveloperName = {soql.quote(developer_name)} AND TableEnumOrId = {soql.quote(place)}"  # noqa: S608
        )
        if next(iter(soql.rows(self._calls, query, "tooling/query")), None) is not None:
            return False
        body = {"FullName": f"{place}.{name}", "Metadata": dict(metadata)}
        self._calls.call("POST", self._calls.path("tooling/sobjects/CustomField"), body=body, idempotent=False)
        return True

    def _grant(self, thing: str, names: list[str]) -> None:
        owner = self._permission_set()
        query = f"SELECT Field FROM FieldPermissions WHERE ParentId = {soql.quote(owner)} AND SobjectType = {soql.quote(thing)}"  # noqa: S608
        granted = {str(one["Field"]) for one in soql.rows(self._calls, query)}
        for field in (f"{thing}.{name}" for name in names):
            if field not in granted:
                rights = {"PermissionsRead": True, "PermissionsEdit": True}
                self._make("FieldPermissions", {"ParentId": owner, "SobjectType": thing, "Field": field, **rights})

    def _permission_set(self) -> str:
        """The id of our permission set, which our user holds."""
        query = f"SELECT Id FROM PermissionSet WHERE Name = {soql.quote(PERMISSION_SET)}"  # noqa: S608 - SOQL, quoted
        found = next(iter(soql.rows(self._calls, query)), None)
        owner = str(found["Id"]) if found else self._make("PermissionSet", {"Name": PERMISSION_SET, "Label": "Leadswitch"})
        user = str(long_or_none(self._calls.call("GET", IDENTITY).get("user_id")))
        is_it = f"AssigneeId = {soql.quote(user)} AND PermissionSetId = {soql.quote(owner)}"
        query = f"SELECT Id FROM PermissionSetAssignment WHERE {is_it}"  # noqa: S608 - SOQL, quoted
        if next(iter(soql.rows(self._calls, query)), None) is None:
            self._make("PermissionSetAssignment", {"AssigneeId": user, "PermissionSetId": owner})
        return owner

    def _make(self, thing: str, values: Mapping[str, Any]) -> str:
        made = self._calls.call("POST", self._calls.path(f"sobjects/{thing}"), body=values, idempotent=False)
        return str(made["id"])


def _compare(option: str, given: Any, true: Any, otherwise: str) -> CheckResult:
    if is_same(given, true):
        return CheckResult(option, True, "as in the connection")
    what = f"{option} of the connection is another one" if given else f"without {option} {otherwise}"
    return CheckResult(option, False, what, f'Set {option} = "{long_or_none(true)}" in the connection.')


def _daily_calls(told: Mapping[str, Any]) -> CheckResult:
    left, most = int(told.get("Remaining", 0)), int(told.get("Max", 0))
    few = most > 0 and left <= most * RESERVE
    mend = "Look at what else calls this org, or buy more calls." if few else ""
    return CheckResult("daily calls", not few, f"{left} of {most} left", mend)


def _mend(error: LeadswitchError) -> str:
    return error.mend if isinstance(error, Configuration) else "Try again; if it stays, look at the log."
