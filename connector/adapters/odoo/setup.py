"""What Odoo must have and allow: checked for `doctor`, made by `connections test --mend`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from connector.adapters.odoo import words
from connector.adapters.odoo.calls import OdooCalls
from connector.adapters.odoo.stages import Stages
from connector.errors import Configuration, LeadswitchError
from leads.results import CheckResult

BY_HAND: Final = (
    "Give the user the group Settings for a moment, or make the fields by hand on crm.lead (Settings, Technical, Fields): "
    + ", ".join(f"{name} ({kind})" for name, (_, kind) in words.OURS.items())
)


class OdooSetup:
    """Looks, and makes what is missing. Neither raises: every trouble is a line of its own."""

    def __init__(self, calls: OdooCalls, stages: Stages, connection: str, webhook_url: str) -> None:
        self._calls, self._stages = calls, stages
        self._connection, self._webhook_url = connection, webhook_url

    def check(self) -> Iterator[CheckResult]:
        """Credentials, rights, fields, stages, webhooks; stops after the credentials when those are no good."""
        credentials = self._try("credentials", self._who)
        yield credentials
        if not credentials.ok:
            return
        yield self._try("right: read leads", lambda: self._count(words.LEAD, "id"))
        yield self._try("right: read users", lambda: self._count("res.users", "login"))
        yield self._fields()
        yield self._try("stages", self._named_stages)
        yield self._webhooks()

    def prepare(self) -> Iterator[CheckResult]:
        """Our fields on `crm.lead`. What is there stays as it is."""
        yield self._try("fields of leads", self._make_fields)

    def _who(self) -> str:
        uid = self._calls.user_id()
        return f"user {uid} over {'JSON-2' if self._calls.protocol() == 'json2' else 'JSON-RPC'}; api_user_id = {uid}"

    def _count(self, model: str, field: str) -> str:
        self._calls.search_read(model, [], [field], limit=1)
        return "can be read"

    def _fields(self) -> CheckResult:
        """Reading them shows whether they are there: whoever may not look at Odoo's models may do that."""
        missing, error = [], None
        for name in words.OURS:
            try:
                self._calls.search_read(words.LEAD, [], [name], limit=1)
            except Configuration as trouble:
                missing.append(name)
                error = trouble
            except LeadswitchError as trouble:
                return CheckResult("fields of leads", False, str(trouble), _mend(trouble))
        return CheckResult("fields of leads", not missing, f"missing: {', '.join(missing)}" if missing else "all there",
                           error.mend if error else "")  # fmt: skip

    def _named_stages(self) -> str:
        there = {stage.ours for stage in self._stages.all() if stage.ours}
        missing = sorted(name for name, ours in self._stages.names.items() if ours not in there)
        if missing:
            raise Configuration(f"Odoo has no stage called {', '.join(missing)}.", "Name your own in the option stages.")
        return "all there"

    def _webhooks(self) -> CheckResult:
        """Whether a rule calls us. Only administrators may look."""
        name = "webhook rules"
        try:
            rows = self._calls.search_read("ir.actions.server", [["webhook_url", "ilike", self._webhook_url]], ["name"])
        except LeadswitchError:
            return CheckResult(name, True, f"Odoo does not show them to this user; wanted: one that calls {self._webhook_url}/…")
        if rows:
            return CheckResult(name, True, f"{len(rows)} call us")
        return CheckResult(name, True, "none calls us yet: changes are found by reconcile alone; see doc.md for the rules")

    def _make_fields(self) -> str:
        missing = self._missing()
        if not missing:
            return "all there"
        (model,) = self._calls.search_read("ir.model", [["model", "=", words.LEAD]], ["model"], limit=1) or (None,)
        if model is None:
            raise Configuration("Odoo does not show us its models.", BY_HAND)
        vals_list = [
            {"model_id": model["id"], "name": name, "field_description": label, "ttype": kind, "state": "manual"}
            for name, (label, kind) in words.OURS.items()
            if name in missing
        ]
        try:
            self._calls.call("ir.model.fields", "create", idempotent=False, vals_list=vals_list)
        except Configuration as error:
            raise Configuration(str(error), BY_HAND) from None
        return f"{len(missing)} made"

    def _missing(self) -> set[str]:
        domain = [["model", "=", words.LEAD], ["name", "in", list(words.OURS)]]
        try:
            rows = self._calls.search_read("ir.model.fields", domain, ["name"])
        except Configuration as error:
            raise Configuration(str(error), BY_HAND) from None
        return set(words.OURS) - {str(row.get("name")) for row in rows}

    def _try(self, name: str, look: Callable[[], str]) -> CheckResult:
        try:
            return CheckResult(name, True, look())
        except LeadswitchError as error:
            return CheckResult(name, False, str(error), _mend(error))


def _mend(error: LeadswitchError) -> str:
    return error.mend if isinstance(error, Configuration) else "Try again; if it stays, look at Odoo's log."
