"""Odoo's two ways in, JSON-2 and JSON-RPC, over the same methods."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.standins.odoo.tables import OdooError, Row, Tables

API_KEY, LOGIN, DATABASE = "odoo-api-key", "bot@example.com", "acme"
#: Methods that are called on no record.
OF_MODEL = frozenset({"search_read", "create", "context_get"})


class Methods:
    """The methods of Odoo's models that may be called from outside. `uid` is the API's user."""

    def __init__(self, tables: Tables, uid: int) -> None:
        self.tables, self.uid = tables, uid
        self.keeps: dict[str, Any] = {}  # fields of crm.lead that some module sets back after every write
        self.written = 0

    def context_get(self, model: str, ids: Sequence[int]) -> Row:
        return {"lang": "en_US", "tz": "UTC", "uid": self.uid}

    def search_read(
        self,
        model: str,
        ids: Sequence[int],
        domain: Sequence[Any] = (),
        fields: Sequence[str] = (),
        offset: int = 0,
        limit: int | None = None,
        order: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> list[Row]:
        found = self.tables.search_read(model, domain, fields, context or {})
        for part in reversed((order or "id asc").split(", ")):
            name, _, way = part.partition(" ")
            found.sort(key=lambda row: self.tables.rows[model][row["id"]][name], reverse=way == "desc")
        return found[offset : offset + limit if limit else None]

    def create(self, model: str, ids: Sequence[int], vals_list: Sequence[Row]) -> list[int]:
        if model == "ir.model.fields":
            for vals in vals_list:
                if not vals["name"].startswith("x_") or vals.get("state") != "manual":
                    raise OdooError("odoo.exceptions.ValidationError", 422, "Custom fields must begin with x_")
            self.tables.own_fields |= {vals["name"]: vals["ttype"] for vals in vals_list}
            for row in self.tables.rows["crm.lead"].values():
                row.update({vals["name"]: 0 if vals["ttype"] == "integer" else False for vals in vals_list})
            vals_list = [{**vals, "model": "crm.lead"} for vals in vals_list]
        self.written += 1
        return [self.tables.insert(model, vals, self.uid) for vals in vals_list]

    def write(self, model: str, ids: Sequence[int], vals: Row) -> bool:
        self.tables.update(model, ids, vals, self.uid)
        if model == "crm.lead":
            for number in ids:
                self.settle(number, vals)
                self.tables.rows[model][number].update(self.keeps)
        self.written += 1
        return True

    def settle(self, number: int, vals: Row) -> None:
        """What Odoo does by itself when a lead is won, lost or taken up again."""
        row = self.tables.rows["crm.lead"][number]
        if "stage_id" in vals and vals["stage_id"] and self.tables.rows["crm.stage"][vals["stage_id"]]["is_won"]:
            row["probability"] = 100.0
        if row["probability"] == 100.0 or row["active"] is False:
            row["date_closed"] = row["date_closed"] or self.tables.now()

    def activity_schedule(
        self,
        model: str,
        ids: Sequence[int],
        act_type_xmlid: str = "",
        date_deadline: Any = None,
        summary: str = "",
        note: str = "",
        **act_values: Any,
    ) -> list[int]:
        if act_type_xmlid != "mail.mail_activity_data_todo":
            raise OdooError("builtins.ValueError", 500, "External ID not found in the system")
        made = {"date_deadline": date_deadline, "summary": summary, "note": note, "state": "planned", **act_values}
        self.written += 1
        return [
            self.tables.insert("mail.activity", {"res_model": model, "res_id": self._there(model, one), **made}, self.uid)
            for one in ids
        ]

    def message_post(self, model: str, ids: Sequence[int], body: str = "", subtype_xmlid: str = "") -> list[int]:
        (number,) = ids
        kind = {"message_type": "notification", "date": self.tables.now()}
        self.written += 1
        return [self.tables.insert("mail.message", {"model": model, "res_id": self._there(model, number), "body": body, **kind}, 1)]

    def convert_opportunity(
        self, model: str, ids: Sequence[int], partner: Any, user_ids: Any = False, team_id: Any = False
    ) -> bool:
        for number in ids:
            row = self.tables.rows[model][self._there(model, number)]
            if row["active"] and row["probability"] != 100.0:
                self.tables.update(model, [number], {"type": "opportunity", "date_conversion": self.tables.now()}, self.uid)
        self.written += 1
        return True

    def _there(self, model: str, number: int) -> int:
        if number not in self.tables.rows[model]:
            raise OdooError("odoo.exceptions.MissingError", 404, "Record does not exist or has been deleted.")
        return number


def call(methods: Methods, model: str, method: str, ids: Sequence[int], arguments: Row) -> Any:
    """Call a public method. Raises `OdooError`."""
    methods.tables.fields(model)
    public = {name for name, _ in inspect.getmembers(Methods, inspect.isfunction)} - {"settle", "_there", "__init__"}
    if method not in public:
        raise OdooError("werkzeug.exceptions.NotFound", 404, f"the method '{model}.{method}' does not exist")
    function = getattr(methods, method)
    if method in OF_MODEL and ids:
        raise OdooError("werkzeug.exceptions.UnprocessableEntity", 422, f"cannot call {model}.{method} with ids")
    context = (
        arguments if "context" in inspect.signature(function).parameters else {k: v for k, v in arguments.items() if k != "context"}
    )
    try:
        inspect.signature(function).bind(model, ids, **context)
    except TypeError as error:
        raise OdooError("werkzeug.exceptions.UnprocessableEntity", 422, str(error)) from None
    return function(model, ids, **context)


def routes(methods: Methods, versions: frozenset[str]) -> list[Route]:
    """The addresses of an Odoo that speaks these of json2 and jsonrpc."""

    async def json2(request: Request) -> Response:
        try:
            if request.headers.get("authorization", "").lower() != f"bearer {API_KEY}":
                raise OdooError("werkzeug.exceptions.Unauthorized", 401, "Invalid apikey")
            arguments = await request.json()
            ids = arguments.pop("ids", [])
            return JSONResponse(call(methods, request.path_params["model"], request.path_params["method"], ids, arguments))
        except OdooError as error:
            document = {
                "name": error.name,
                "message": error.message,
                "arguments": [error.message],
                "context": {},
                "debug": "Traceback",
            }
            return JSONResponse(document, error.status)

    async def jsonrpc(request: Request) -> Response:
        message = await request.json()
        service, method, args = (message["params"][name] for name in ("service", "method", "args"))
        answer: Row = {"jsonrpc": "2.0", "id": message["id"]}
        try:
            if (service, method) == ("common", "authenticate"):
                answer["result"] = methods.uid if args[:3] == [DATABASE, LOGIN, API_KEY] else False
            else:
                answer["result"] = _execute(methods, *args)
        except OdooError as error:
            data = {"name": error.name, "message": error.message, "arguments": [error.message], "debug": "Traceback"}
            answer["error"] = {"code": 200, "message": "Odoo Server Error", "data": data}
        return JSONResponse(answer)

    made = {
        "json2": Route("/json/2/{model}/{method}", json2, methods=["POST"]),
        "jsonrpc": Route("/jsonrpc", jsonrpc, methods=["POST"]),
    }
    return [route for name, route in made.items() if name in versions]


def _execute(methods: Methods, database: str, uid: int, key: str, model: str, method: str, args: list[Any], named: Row) -> Any:
    if (database, uid, key) != (DATABASE, methods.uid, API_KEY):
        raise OdooError("odoo.exceptions.AccessDenied", 403, "Access Denied")
    ids = args.pop(0) if method not in OF_MODEL and args else []
    places = [name for name in inspect.signature(getattr(methods, method, call)).parameters if name not in ("model", "ids")]
    result = call(methods, model, method, ids, {**dict(zip(places, args, strict=False)), **named})
    if method == "activity_schedule":  # a recordset that JSON-RPC can only show as text
        return f"mail.activity({', '.join(map(str, result))},)"
    return result[0] if method == "message_post" else result
