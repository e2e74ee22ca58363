"""Zoho CRM's API, version 8, over a store: its limits, its answers by row, and its refusals with a 200."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.standins import Knobs
from tests.standins.zoho.coql import BadQuery, run
from tests.standins.zoho.store import OUR_USER, REPS, Record, RowError, Store

CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "self-client", "self-secret", "self-refresh"
PAUSE_S = 2.0
WEEK = timedelta(days=7)
#: Records that page numbers reach.
REACH = 2000


class Refused(Exception):
    """A whole call that Zoho does not take."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.answer = JSONResponse({"code": code, "details": {}, "message": code.lower(), "status": "error"}, status)


class Api:
    """The door and the desks behind it."""

    def __init__(self, store: Store, knobs: Knobs) -> None:
        self.store, self.knobs = store, knobs
        self.base_url = ""
        self.tokens: dict[str, float] = {}
        self.closed_until = 0.0
        self.impatient = 0
        self.calls: list[tuple[str, str]] = []
        root = "/crm/v8"
        self.app = Starlette(
            routes=[
                Route("/oauth/v2/token", self._oauth, methods=["POST"]),
                Route(f"{root}/users", self._door(self._users)),
                Route(f"{root}/coql", self._door(self._coql), methods=["POST"]),
                Route(f"{root}/settings/fields", self._door(self._fields), methods=["GET", "POST"]),
                Route(f"{root}/actions/watch", self._door(self._watch), methods=["GET", "POST", "PUT"]),
                Route(f"{root}/Leads/{{id}}/actions/convert", self._door(self._convert), methods=["POST"]),
                Route(f"{root}/Leads/{{id}}/Notes", self._door(self._notes)),
                Route(f"{root}/{{module}}", self._door(self._records), methods=["GET", "POST", "PUT"]),
            ]
        )

    # --- the door

    async def _oauth(self, request: Request) -> Response:
        form = await request.form()
        wanted = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": REFRESH_TOKEN,
            "grant_type": "refresh_token",
        }
        if dict(form) != wanted:
            return JSONResponse({"error": "invalid_code"})  # with a 200
        token = secrets.token_hex(8)
        self.tokens[token] = self._seconds() + 3600
        return JSONResponse({"access_token": token, "api_domain": self.base_url, "token_type": "Bearer", "expires_in": 3600})

    def _door(self, desk: Callable[[Request, Any], Response]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme != "Zoho-oauthtoken" or self.tokens.get(token, 0.0) <= self._seconds():
                return Refused(401, "INVALID_TOKEN").answer
            now = self._seconds()
            if now < self.closed_until:
                self.impatient += 1
                return Refused(429, "TOO_MANY_REQUESTS").answer
            if self.knobs.too_many:
                self.knobs.too_many -= 1
                self.closed_until = now + PAUSE_S
                return Refused(429, "TOO_MANY_REQUESTS").answer
            self.calls.append((request.method, request.url.path))
            try:
                return desk(request, json.loads(await request.body() or b"{}"))
            except Refused as refused:
                return refused.answer

        return answer

    def _seconds(self) -> float:
        return self.store.clock.now().timestamp()

    # --- records

    def _records(self, request: Request, body: Any) -> Response:
        module = request.path_params["module"]
        if module not in self.store.modules:
            raise Refused(400, "INVALID_MODULE")
        if request.method == "GET":
            return self._list(module, request)
        rows = body.get("data")
        if not isinstance(rows, list) or not 0 < len(rows) <= 100:
            raise Refused(400, "INVALID_DATA")
        changed: dict[str, set[str]] = {}
        answers = [self._write(module, row, changed, new=request.method == "POST") for row in rows]
        self.store.tell(module, "insert" if request.method == "POST" else "update", changed)
        good = sum(answer["status"] == "success" for answer in answers)
        done = 201 if request.method == "POST" else 200
        return JSONResponse({"data": answers}, done if good == len(rows) else 207 if good else 202)

    def _write(self, module: str, row: Record, changed: dict[str, set[str]], *, new: bool) -> Record:
        try:
            if new:
                record_id = self.store.make(module, row, OUR_USER)["id"]
                changed[record_id] = set()
            else:
                names = self.store.change(module, row, OUR_USER)
                record_id = row["id"]
                if names:
                    changed[record_id] = names
        except RowError as error:
            return error.row
        details = {"id": record_id, "Modified_Time": self.store.now()}
        return {"code": "SUCCESS", "details": details, "message": "record updated", "status": "success"}

    def _list(self, module: str, request: Request) -> Response:
        asked = request.query_params
        names = asked.get("fields", "").split(",")
        per_page, page = int(asked.get("per_page", 200)), int(asked.get("page", 1))
        ids = asked["ids"].split(",") if "ids" in asked else None
        if not asked.get("fields") or len(names) > 50 or not 0 < per_page <= 200 or len(ids or ()) > 100:
            raise Refused(400, "REQUIRED_PARAM_MISSING" if not asked.get("fields") else "INVALID_DATA")
        known = self.store.fields(module)
        found = [one for one in self.store.modules[module].values() if ids is None or one["id"] in ids]
        if asked.get("converted") != "both":
            found = [one for one in found if not one.get("Converted__s")]
        found.sort(key=lambda one: int(one["id"]))
        start = int(base64.b64decode(asked["page_token"])) if "page_token" in asked else (page - 1) * per_page
        if "page_token" not in asked and start + per_page > REACH:
            raise Refused(400, "DISCRETE_PAGINATION_LIMIT_EXCEEDED")
        shown = [{name: one.get(name) for name in ("id", *names) if name in known} for one in found[start : start + per_page]]
        more = start + per_page < len(found)
        token = base64.b64encode(str(start + per_page).encode()).decode() if more else None
        info = {"per_page": per_page, "count": len(shown), "page": page, "more_records": more, "next_page_token": token}
        return JSONResponse({"data": shown, "info": info}) if shown else Response(status_code=204)

    def _coql(self, request: Request, body: Any) -> Response:
        try:
            found = run(body.get("select_query", ""), {name: rows.values() for name, rows in self.store.modules.items()})
        except (BadQuery, IndexError):
            raise Refused(400, "INVALID_QUERY") from None
        return (
            JSONResponse({"data": found, "info": {"count": len(found), "more_records": False}})
            if found
            else Response(status_code=204)
        )

    def _notes(self, request: Request, body: Any) -> Response:
        lead = request.path_params["id"]
        found = [one for one in self.store.modules["Notes"].values() if one["Parent_Id"]["id"] == lead]
        return JSONResponse({"data": found, "info": {"more_records": False}}) if found else Response(status_code=204)

    def _convert(self, request: Request, body: Any) -> Response:
        lead = request.path_params["id"]
        try:
            deal = self.store.convert(lead, body["data"][0], OUR_USER)
        except RowError as error:
            return JSONResponse({"data": [error.row]}, 202)
        self.store.tell("Leads", "update", {lead: {"Converted__s"}})
        details = {
            "Contacts": {"id": self.store.number()},
            "Accounts": None,
            "Deals": {"id": deal["id"], "name": deal["Deal_Name"]},
        }
        row = {"code": "SUCCESS", "details": details, "message": "The record has been converted successfully", "status": "success"}
        return JSONResponse({"data": [row]})

    # --- the rest

    def _users(self, request: Request, body: Any) -> Response:
        kind = request.query_params.get("type")
        named = {OUR_USER: "Leadswitch", **{rep: f"Rep {rep[-2:]}" for rep in REPS}}
        shown = {"CurrentUser": [OUR_USER], "ActiveUsers": list(named), "DeactiveUsers": []}.get(str(kind))
        if shown is None:
            raise Refused(400, "INVALID_DATA")
        users = [
            {
                "id": one,
                "full_name": named[one],
                "email": f"u{one[-2:]}@acme.example",
                "status": "active",
                "role": {"name": "Inside"},
            }
            for one in shown
        ]
        return JSONResponse({"users": users, "info": {"more_records": False}}) if users else Response(status_code=204)

    def _fields(self, request: Request, body: Any) -> Response:
        module = request.query_params.get("module", "")
        if module not in self.store.modules:
            raise Refused(400, "INVALID_MODULE")
        if request.method == "GET":
            shown = [
                {"api_name": name, "pick_list_values": [{"display_value": one, "actual_value": one} for one in options]}
                for name, options in self.store.fields(module).items()
            ]
            return JSONResponse({"fields": shown})
        if not 0 < len(body.get("fields") or ()) <= 5:
            raise Refused(400, "LIMIT_EXCEEDED")
        rows = []
        for one in body["fields"]:
            options = tuple(choice["actual_value"] for choice in one.get("pick_list_values") or ())
            self.store.custom[module][one["field_label"].replace(" ", "_")] = ("-None-", *options) if options else ()
            details = {"id": self.store.number()}
            rows.append({"code": "SUCCESS", "details": details, "message": "field created", "status": "success"})
        return JSONResponse({"fields": rows}, 201)

    def _watch(self, request: Request, body: Any) -> Response:
        if request.method == "GET":
            wanted = request.query_params.get("channel_id")
            found = [one for one in self.store.channels.values() if one["channel_id"] == wanted and self._alive(one)]
            shown = [{name: value for name, value in one.items() if name != "events"} for one in found]
            return JSONResponse({"watch": shown, "info": {"more_records": False}}) if found else Response(status_code=204)
        rows = [self._subscribe(one, new=request.method == "POST") for one in body["watch"]]
        return JSONResponse({"watch": rows}, 201 if request.method == "POST" else 200)

    def _subscribe(self, wanted: Record, *, new: bool) -> Record:
        known = wanted["channel_id"] in self.store.channels and self._alive(self.store.channels[wanted["channel_id"]])
        late = datetime.fromisoformat(wanted["channel_expiry"]) > self.store.clock.now() + WEEK
        if late or len(wanted["token"]) > 50 or not wanted["notify_url"]:
            return RowError("INVALID_DATA", "channel_expiry" if late else "token").row
        if not new and not known:
            return RowError("NOT_SUBSCRIBED").row
        self.store.channels[wanted["channel_id"]] = wanted
        return {"code": "SUCCESS", "details": {"events": []}, "message": "Successfully subscribed", "status": "success"}

    def _alive(self, channel: Record) -> bool:
        return datetime.fromisoformat(channel["channel_expiry"]) > self.store.clock.now()
