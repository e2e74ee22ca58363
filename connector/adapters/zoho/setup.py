"""What Zoho must have and allow: checked for `doctor`, made by `connections test --mend`.

Source: Zoho's references of "Fields metadata" and "Create custom fields" (at most five a call; the API name is the label with
underscores).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from connector.adapters.zoho import words
from connector.adapters.zoho.calls import ZohoCalls, code_error
from connector.adapters.zoho.channel import Channel
from connector.errors import Configuration, LeadswitchError
from leads.results import CheckResult


def _label(name: str) -> str:
    return name.replace("_", " ")


def _field(name: str, data_type: str, **more: Any) -> dict[str, Any]:
    return {"field_label": _label(name), "data_type": data_type, **more}


def _picklist(name: str, values: tuple[str, ...]) -> dict[str, Any]:
    options = [{"display_value": value, "actual_value": value} for value in values]
    return _field(name, "picklist", pick_list_values=options)


#: Module → API name → how the field is made.
FIELDS: Final[Mapping[str, Mapping[str, dict[str, Any]]]] = {
    "Leads": {
        words.SCORE: _field(words.SCORE, "integer", length=3),
        words.TIER: _picklist(words.TIER, words.TIERS),
        words.REASONS: _field(words.REASONS, "textarea", textarea={"type": "small"}),
        words.ROUTED_BECAUSE: _field(words.ROUTED_BECAUSE, "textarea", textarea={"type": "small"}),
        words.STAGE: _picklist(words.STAGE, words.STAGES),
    },
    "Tasks": {words.MARKER: _field(words.MARKER, "text", length=100)},
}


class ZohoSetup:
    """Looks, and makes what is missing. Neither raises: every trouble is a line of its own."""

    def __init__(
        self, calls: ZohoCalls, connection: str, channel: Channel, status_words: Mapping[str, str], deal_stage: str
    ) -> None:
        self._calls, self._connection, self._channel = calls, connection, channel
        self._status_words, self._deal_stage = status_words, deal_stage

    def check(self) -> Iterator[CheckResult]:
        """Token, rights to read, fields, words of picklists, the channel; stops after the token when that is no good."""
        token = self._line("token", lambda: self._read("users", {"type": "CurrentUser"}))
        yield token
        if not token.ok:
            return
        for module in ("Leads", "Tasks", "Deals"):
            yield self._line(f"read {module}", lambda module=module: self._read(module, {"fields": "id", "per_page": 1}))  # type: ignore[misc]
        yield self._line("query", self._query)
        for module in FIELDS:
            yield self._line(f"fields of {module}", lambda module=module: self._said(self._missing(module)))  # type: ignore[misc]
        yield self._line("lead statuses", lambda: self._words("Leads", "Lead_Status", list(self._status_words.values())))
        yield self._line("deal stage", lambda: self._words("Deals", "Stage", [self._deal_stage]))
        yield self._line("notification channel", self._alive)

    def prepare(self) -> Iterator[CheckResult]:
        """The custom fields and the channel. What is there stays as it is."""
        for module in FIELDS:
            yield self._line(f"fields of {module}", lambda module=module: self._make(module))  # type: ignore[misc]
        yield self._line("notification channel", lambda: (True, self._channel.keep() or "all there"))

    def _line(self, name: str, look: Callable[[], tuple[bool, str]], mend: str = "") -> CheckResult:
        try:
            ok, detail = look()
        except LeadswitchError as error:
            return CheckResult(name, False, str(error), _mend(error))
        return CheckResult(name, ok, detail, "" if ok else mend or f"Run: leadswitch connections test {self._connection} --mend")

    def _read(self, path: str, params: Mapping[str, Any]) -> tuple[bool, str]:
        self._calls.call("GET", path, params=params)
        return True, "can be read"

    def _query(self) -> tuple[bool, str]:
        self._calls.query("select id from Leads where id != '0' limit 1")
        return True, "can be asked"

    @staticmethod
    def _said(missing: list[str]) -> tuple[bool, str]:
        return not missing, f"missing: {', '.join(missing)}" if missing else "all there"

    def _fields(self, module: str) -> dict[str, Mapping[str, Any]]:
        answer = self._calls.call("GET", "settings/fields", params={"module": module})
        return {str(one.get("api_name")): one for one in answer.get("fields") or ()}

    def _missing(self, module: str) -> list[str]:
        there = self._fields(module)
        return [name for name in FIELDS[module] if name not in there]

    def _words(self, module: str, field: str, wanted: list[str]) -> tuple[bool, str]:
        """Whether a picklist has the words that we write."""
        options = self._fields(module).get(field, {}).get("pick_list_values") or ()
        there = {one.get("actual_value") for one in options} | {one.get("display_value") for one in options}
        missing = [word for word in wanted if word not in there]
        if missing:
            option = "lead_statuses" if field == "Lead_Status" else "deal_stage"
            raise Configuration(f"{field} has no option {', '.join(missing)}.", f"Add it in Zoho, or name yours in {option}.")
        return True, "all there"

    def _make(self, module: str) -> tuple[bool, str]:
        missing = self._missing(module)
        if not missing:
            return True, "all there"
        body = {"fields": [FIELDS[module][name] for name in missing]}
        answer = self._calls.call("POST", "settings/fields", params={"module": module}, body=body, idempotent=False)
        for row in answer.get("fields") or ():
            if row.get("status") != "success":
                raise code_error(row, f"a field of {module}")
        left = self._missing(module)
        return not left, f"{len(missing) - len(left)} made, {len(left)} refused"

    def _alive(self) -> tuple[bool, str]:
        end = self._channel.expiry()
        return end is not None, f"lives until {end:%Y-%m-%d %H:%M} UTC" if end else "there is none, or it has lapsed"


def _mend(error: LeadswitchError) -> str:
    return error.mend if isinstance(error, Configuration) else "Try again; if it stays, look at Zoho's status page."
