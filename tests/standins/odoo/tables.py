"""Odoo's records in memory, as its ORM shows them: fields that are declared, many2one as pairs, False for empty, domains."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Row = dict[str, Any]
#: Fields by model. A field whose kind names a model is a many2one to it.
FIELDS: dict[str, dict[str, str]] = {
    "crm.lead": {
        "name": "char",
        "type": "char",
        "active": "boolean",
        "user_id": "res.users",
        "team_id": "crm.team",
        "stage_id": "crm.stage",
        "probability": "float",
        "tag_ids": "many2many",
        "contact_name": "char",
        "partner_name": "char",
        "function": "char",
        "email_from": "char",
        "phone": "char",
        "website": "char",
        "city": "char",
        "zip": "char",
        "description": "html",
        "state_id": "res.country.state",
        "country_id": "res.country",
        "source_id": "utm.source",
        "campaign_id": "utm.campaign",
        "medium_id": "utm.medium",
        "expected_revenue": "float",
        "date_closed": "datetime",
        "date_conversion": "datetime",
    },
    "res.users": {
        "name": "char",
        "login": "char",
        "email": "char",
        "active": "boolean",
        "share": "boolean",
        "sale_team_id": "crm.team",
    },
    "res.partner": {"name": "char", "is_company": "boolean", "website": "char", "email": "char", "country_id": "res.country",
                    "user_id": "res.users", "active": "boolean"},
    "res.country": {"name": "char"},
    "crm.team": {"name": "char"},
    "crm.stage": {"name": "char", "sequence": "integer", "is_won": "boolean"},
    "crm.tag": {"name": "char"},
    "mail.activity": {
        "res_model": "char",
        "res_id": "integer",
        "user_id": "res.users",
        "date_deadline": "date",
        "summary": "char",
        "note": "html",
        "state": "char",
        "active": "boolean",
    },
    "mail.message": {"model": "char", "res_id": "integer", "body": "html", "date": "datetime", "message_type": "char"},
    "calendar.event": {"opportunity_id": "crm.lead", "name": "char"},
    "ir.model": {"model": "char", "name": "char"},
    "ir.model.fields": {"model_id": "ir.model", "model": "char", "name": "char", "field_description": "char", "ttype": "char",
                        "state": "char"},
    "ir.actions.server": {"name": "char", "webhook_url": "char"},
}  # fmt: skip
#: Kept by Odoo itself on every record.
AUTOMATIC = {"id": "integer", "create_date": "datetime", "write_date": "datetime", "write_uid": "res.users"}


class OdooError(Exception):
    """An exception of Odoo: its class, HTTP status under JSON-2, and text."""

    def __init__(self, name: str, status: int, message: str) -> None:
        super().__init__(message)
        self.name, self.status, self.message = name, status, message


@dataclass
class Tables:
    """Every model's rows by id. `hidden` are leads that a record rule keeps from the API's user."""

    now: Callable[[], datetime]
    rows: dict[str, dict[int, Row]] = field(default_factory=lambda: {model: {} for model in FIELDS})
    own_fields: dict[str, str] = field(default_factory=dict)  # x_ fields of crm.lead
    hidden: set[int] = field(default_factory=set)
    locked: set[int] = field(default_factory=set)  # leads that a record rule lets the API's user read and not write
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def fields(self, model: str) -> dict[str, str]:
        if model not in FIELDS:
            raise OdooError("werkzeug.exceptions.NotFound", 404, f"the model '{model}' does not exist")
        return {**AUTOMATIC, **FIELDS[model], **(self.own_fields if model == "crm.lead" else {})}

    def check_names(self, model: str, names: Iterable[str]) -> None:
        known = self.fields(model)
        for name in names:
            if name not in known:
                raise OdooError("builtins.ValueError", 500, f"Invalid field '{name}' in '{model}'")

    def insert(self, model: str, values: Mapping[str, Any], uid: int) -> int:
        self.check_names(model, values)
        self.check_links(model, values)
        number = int(next(self._numbers))
        moment = self.now()
        empty = dict.fromkeys(self.fields(model), False)
        booleans = {"active": True} if "active" in self.fields(model) else {}
        stamps = {"id": number, "create_date": moment, "write_date": moment, "write_uid": uid}
        self.rows[model][number] = {**empty, **booleans, **values, **stamps}
        return number

    def update(self, model: str, ids: Sequence[int], values: Mapping[str, Any], uid: int) -> None:
        self.check_names(model, values)
        for number in ids:
            if number not in self.rows[model]:
                raise OdooError("odoo.exceptions.MissingError", 404, "Record does not exist or has been deleted.")
            if model == "crm.lead" and number in self.hidden | self.locked:
                raise OdooError("odoo.exceptions.AccessError", 403, f"Ada Rep may not write {model}({number},)")
        self.check_links(model, values)
        for number in ids:
            self.rows[model][number].update(values, write_date=self.now(), write_uid=uid)

    def check_links(self, model: str, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            target = self.fields(model)[name]
            if target in self.rows and value is not False and value not in self.rows[target]:
                raise OdooError("odoo.exceptions.ValidationError", 422, "The operation cannot be completed: a record is missing")

    def search_read(self, model: str, domain: Sequence[Any], names: Sequence[str], context: Mapping[str, Any]) -> list[Row]:
        self.check_names(model, [*names, *(term[0] for term in domain)])
        hide = "active" in self.fields(model) and context.get("active_test", True)
        return [
            {"id": number, **{name: self._shown(model, name, row[name]) for name in names}}
            for number, row in self.rows[model].items()
            if not (hide and row["active"] is False)
            and not (model == "crm.lead" and number in self.hidden)
            and all(_matches(row[name], operator, value) for name, operator, value in domain)
        ]

    def _shown(self, model: str, name: str, value: Any) -> Any:
        target = self.fields(model)[name]
        if isinstance(value, datetime):
            return value.strftime("%Y-%m-%d %H:%M:%S")
        if target in self.rows and value is not False:
            return [value, self.rows[target][value]["name"]]
        return value


def _matches(value: Any, operator: str, wanted: Any) -> bool:
    if isinstance(value, datetime) and isinstance(wanted, str):
        wanted = datetime.strptime(wanted, "%Y-%m-%d %H:%M:%S").replace(tzinfo=value.tzinfo)
    match operator:
        case "=":
            return bool(value == wanted)
        case "in":
            return value in wanted
        case ">":
            return bool(value > wanted)
        case ">=":
            return bool(value >= wanted)
        case "<":
            return bool(value < wanted)
        case "ilike":
            return str(wanted).lower() in str(value).lower()
        case _:
            raise OdooError("builtins.ValueError", 500, f"Invalid operator {operator}")
