"""What HubSpot must have and allow: checked for `doctor`, made by `connections test --mend`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from connector.adapters.hubspot import words
from connector.adapters.hubspot.calls import HubSpotCalls
from connector.errors import Configuration, Fatal, LeadswitchError, Skippable
from leads.results import CheckResult

GROUP: Final = "leadswitch"
OBJECTS: Final = ("contacts", "tasks", "notes", "deals")


def _property(name: str, label: str, kind: str = "string", field: str = "text", **more: Any) -> dict[str, Any]:
    return {"name": name, "label": label, "type": kind, "fieldType": field, "groupName": GROUP, **more}


#: Object → the properties that we write.
PROPERTIES: Final[Mapping[str, tuple[dict[str, Any], ...]]] = {
    "contacts": (
        _property(words.SCORE, "Leadswitch score", "number", "number", description="0 to 100, higher is likelier to buy."),
        _property(
            words.TIER,
            "Leadswitch tier",
            "enumeration",
            "select",
            description="A is worked first.",
            options=[{"label": tier, "value": tier, "displayOrder": place, "hidden": False} for place, tier in enumerate("ABCD")],
        ),
        _property(words.REASONS, "Leadswitch reasons", field="textarea", description="What moved the score most."),
        _property(words.ROUTED_BECAUSE, "Leadswitch routed because", field="textarea", description="Why this owner."),
    ),
    **{
        kind: (_property(words.MARKER, "Leadswitch marker", description="Keeps it from being made twice."),)
        for kind in ("tasks", "notes", "deals")
    },
}
#: Subscriptions without which leads are missed until the next reconcile.
SUBSCRIPTIONS: Final = (
    "contact.creation",
    "contact.propertyChange",
    "contact.deletion",
    "contact.merge",
    "contact.privacyDeletion",
)
#: Properties whose changes routing waits for: who owns the contact, how far it is, and when somebody was last in touch.
CHANGES: Final = ("hubspot_owner_id", "lifecyclestage", "hs_lead_status", "notes_last_contacted")
MEND_PROPERTIES: Final = "Run: leadswitch connections test {} --mend"


class HubSpotSetup:
    """Looks, and makes what is missing. Neither raises: every trouble is a line of its own."""

    def __init__(self, calls: HubSpotCalls, connection: str, app_id: str | None) -> None:
        self._calls = calls
        self._connection = connection
        self._app_id = app_id

    def check(self) -> Iterator[CheckResult]:
        """Token, scopes, properties, webhook subscriptions; stops after the token when that is no good."""
        token = self._try("token", "GET", self._calls.path("owners"), {"limit": "1"}, found="the owners can be read")
        yield token
        if not token.ok:
            return
        contacts = self._calls.path("objects", "contacts")
        yield self._try("scope: read contacts", "GET", contacts, {"limit": "1"}, found="the contacts can be read")
        yield self._write_scope()
        for kind in ("companies", "deals"):
            path = self._calls.path("objects", kind)
            yield self._try(f"scope: read {kind}", "GET", path, {"limit": "1"}, found=f"the {kind} can be read")
        for kind in OBJECTS:
            try:
                missing = [one["name"] for one in self._missing(kind)]
            except LeadswitchError as error:
                yield CheckResult(f"properties of {kind}", False, str(error), _mend(error))
                continue
            detail = f"missing: {', '.join(missing)}" if missing else "all there"
            mend = MEND_PROPERTIES.format(self._connection) if missing else ""
            yield CheckResult(f"properties of {kind}", not missing, detail, mend)
        yield self._subscriptions()

    def prepare(self) -> Iterator[CheckResult]:
        """The property group and the properties of every kind of object that we write. What is there stays as it is."""
        for kind in OBJECTS:
            name = f"properties of {kind}"
            try:
                missing = self._missing(kind)
                if missing:
                    self._make_group(kind)
                    path = self._calls.path("properties", f"{kind}/batch/create")
                    self._calls.call("POST", path, body={"inputs": missing}, idempotent=False)
                    missing_still = self._missing(kind)
                    made = len(missing) - len(missing_still)
                    yield CheckResult(name, not missing_still, f"{made} made, {len(missing_still)} refused")
                else:
                    yield CheckResult(name, True, "all there")
            except LeadswitchError as error:
                yield CheckResult(name, False, str(error), _mend(error))

    def _try(self, name: str, method: str, path: str, params: Mapping[str, str], found: str) -> CheckResult:
        try:
            self._calls.call(method, path, params=params)
        except LeadswitchError as error:
            return CheckResult(name, False, str(error), _mend(error))
        return CheckResult(name, True, found)

    def _write_scope(self) -> CheckResult:
        """An update of contact 0, which never exists, with nothing: any answer but 401 and 403 shows the scope."""
        name = "scope: write contacts"
        body = {"inputs": [{"id": "0", "properties": {}}]}
        try:
            self._calls.call("POST", self._calls.path("objects", "contacts/batch/update"), body=body)
        except (Fatal, Skippable):
            return CheckResult(name, True, "contacts may be written")
        except LeadswitchError as error:
            return CheckResult(name, False, str(error), _mend(error))
        return CheckResult(name, True, "contacts may be written")

    def _missing(self, kind: str) -> list[dict[str, Any]]:
        answer = self._calls.call("GET", self._calls.path("properties", kind))
        there = {one.get("name") for one in answer.get("results", [])}
        return [one for one in PROPERTIES[kind] if one["name"] not in there]

    def _make_group(self, kind: str) -> None:
        path = self._calls.path("properties", f"{kind}/groups")
        groups = self._calls.call("GET", path).get("results", [])
        if GROUP not in {group.get("name") for group in groups}:
            self._calls.call("POST", path, body={"name": GROUP, "label": "Leadswitch"}, idempotent=False)

    def _subscriptions(self) -> CheckResult:
        """Which webhooks the app has. Only public apps may ask; a private app's are seen in its settings."""
        name = "webhook subscriptions"
        wanted = f"{', '.join(SUBSCRIPTIONS)} (of {', '.join(CHANGES)})"
        if self._app_id is None:
            return CheckResult(name, True, f"not looked at: set app_id to have them checked; wanted: {wanted}")
        try:
            answer = self._calls.call("GET", self._calls.path("webhooks", f"{self._app_id}/subscriptions"))
        except (Configuration, Skippable):
            return CheckResult(name, True, f"HubSpot does not show them to this token; see the app's settings for: {wanted}")
        except LeadswitchError as error:
            return CheckResult(name, False, str(error), _mend(error))
        active = [one for one in answer.get("results", []) if one.get("active")]
        events = {str(one.get("eventType")).replace("object.", "contact.") for one in active}
        heard = {one.get("propertyName") for one in active}
        missing = [one for one in SUBSCRIPTIONS if one not in events]
        missing += [f"contact.propertyChange of {one}" for one in CHANGES if one not in heard]
        mend = "Subscribe to them in the app's webhook settings." if missing else ""
        return CheckResult(name, not missing, f"missing: {', '.join(missing)}" if missing else "all active", mend)


def _mend(error: LeadswitchError) -> str:
    return error.mend if isinstance(error, Configuration) else "Try again; if it stays, look at HubSpot's status page."
