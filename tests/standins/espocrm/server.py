"""EspoCRM's REST API over the records."""

from __future__ import annotations

import base64
import hmac
import json
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.standins.espocrm.records import EspoError, Records, Row

API_KEY, SECRET_KEY, ADMIN, PASSWORD = "espo-api-key", "espo-secret-key", "admin", "espo-password"
MAX_SIZE = 200
_WHERE = re.compile(r"where\[(\d+)\]\[(type|attribute|value)\](\[\])?")


class Api:
    """The routes. `api_user` is the user of the key, who is no administrator; `rights` its role."""

    def __init__(self, records: Records, api_user: str, admin: str) -> None:
        self.records, self.api_user, self.admin = records, api_user, admin
        self.prefix = "c"  # what is put before custom fields
        self.rights: Row = {
            "Lead": dict.fromkeys(("create", "read", "edit", "delete", "stream"), "all"),
            "Task": dict.fromkeys(("create", "read", "edit"), "all"),
            "Opportunity": dict.fromkeys(("create", "read", "edit"), "all"),
            "Account": {"create": "all", "read": "all"},
            "User": {"read": "all"},
        }  # fmt: skip
        self.assignment = "all"

    def routes(self) -> list[Route]:
        paths = {
            "/api/v1/App/user": ("GET", self.app_user),
            "/api/v1/Metadata": ("GET", self.metadata),
            "/api/v1/Admin/fieldManager/{entity}": ("POST", self.make_field),
            "/api/v1/Lead/action/getConvertAttributes": ("POST", self.convert_attributes),
            "/api/v1/Lead/action/convert": ("POST", self.convert),
            "/api/v1/{entity}/{id}/posts": ("GET", self.posts),
        }
        made = [Route(path, self._answer(function), methods=[method]) for path, (method, function) in paths.items()]
        for path, method, function in (
            ("/api/v1/{entity}", "GET", self.list),
            ("/api/v1/{entity}", "POST", self.create),
            ("/api/v1/{entity}/{id}", "PUT", self.update),
        ):
            made.append(Route(path, self._answer(function), methods=[method]))
        return made

    def _answer(self, function: Any) -> Any:
        async def answer(request: Request) -> Response:
            try:
                user = self._user(request)
                given = await request.json() if request.method in ("POST", "PUT") else {}
                return Response(json.dumps(function(request, user, given)), 200, media_type="application/json")
            except EspoError as error:
                body = json.dumps(error.body) if error.body is not None else ""
                return Response(body, error.status, {"x-status-reason": error.reason}, media_type="application/json")

        return answer

    def _user(self, request: Request) -> str:
        """Who calls. A failed login is answered 401 without a word."""
        headers, path = request.headers, request.url.path.removeprefix("/api/v1")
        if headers.get("x-api-key") == API_KEY:
            return self.api_user
        if given := headers.get("x-hmac-authorization"):
            made = hmac.new(SECRET_KEY.encode(), f"{request.method} {path}".encode(), "sha256").hexdigest()
            if base64.b64decode(given).decode() == f"{API_KEY}:{made}":
                return self.api_user
        if (given := headers.get("espo-authorization")) and base64.b64decode(given).decode() == f"{ADMIN}:{PASSWORD}":
            return self.admin
        raise EspoError(401)

    def app_user(self, request: Request, user: str, given: Row) -> Row:
        kind = "admin" if user == self.admin else "api"
        return {
            "user": {"id": user, "type": kind},
            "acl": {"table": self.rights, "assignmentPermission": self.assignment},
            "token": None,
        }

    def metadata(self, request: Request, user: str, given: Row) -> Any:
        if request.query_params.get("key") != "entityDefs.Lead.fields":
            raise EspoError(400)
        return {name: {"type": "varchar"} for name in self.records.known("Lead")}

    def make_field(self, request: Request, user: str, given: Row) -> Row:
        if user != self.admin:
            raise EspoError(403)
        name = f"{self.prefix}{given['name'][0].upper()}{given['name'][1:]}" if self.prefix else given["name"]
        if name in self.records.known("Lead"):
            raise EspoError(409, f"Field '{name}' already exists in 'Lead'.")
        self.records.own_attributes.append(name)
        for row in self.records.rows["Lead"].values():
            row[name] = None
        return {"type": given["type"], "label": given["label"], "isCustom": True}

    def list(self, request: Request, user: str, given: Row) -> Row:
        entity, asked = self._entity(request, "read"), request.query_params
        size = int(asked.get("maxSize", MAX_SIZE))
        if size > MAX_SIZE:
            raise EspoError(403, f"Max size should not exceed {MAX_SIZE}. Use offset and limit.")
        rows = self.records.find(entity, _where(request))
        if entity == "User" and user != self.admin:
            rows = [row for row in rows if row["isActive"] and row["type"] != "api"]
        if entity == "Webhook" and user != self.admin:
            rows = [row for row in rows if row["createdById"] == user]
        order = asked.get("orderBy", "createdAt")
        if order not in self.records.known(entity):
            raise EspoError(400, f"Order by non-existing field '{order}'.")
        rows.sort(key=lambda row: (str(row[order] or ""), row["id"]), reverse=asked.get("order") == "desc")
        offset = int(asked.get("offset", 0))
        chosen = asked.get("attributeSelect", asked.get("select", ""))
        names = {*chosen.split(","), "id"} if chosen else self.records.known(entity)
        page = [{name: value for name, value in row.items() if name in names} for row in rows[offset : offset + size]]
        return {"total": -1 if request.headers.get("x-no-total") == "true" else len(rows), "list": page}

    def create(self, request: Request, user: str, given: Row) -> Row:
        entity = self._entity(request, "create")
        if entity == "Note" and (given.get("type") != "Post" or given.get("parentId") not in self.records.rows["Lead"]):
            raise EspoError(403)
        return self.records.insert(entity, given, user)

    def update(self, request: Request, user: str, given: Row) -> Row:
        entity, number = self._entity(request, "edit"), request.path_params["id"]
        kept = {name: value for name, value in given.items() if not (entity == "Lead" and name in self.records.forbidden)}
        if entity == "Lead" and {"firstName", "emailAddress"} & kept.keys() and "x-skip-duplicate-check" not in request.headers:
            raise EspoError(409, "duplicate")
        return self.records.update(entity, number, kept, user)

    def posts(self, request: Request, user: str, given: Row) -> Row:
        rows = [row for row in self.records.rows["Note"].values() if row["parentId"] == request.path_params["id"]]
        size, offset = int(request.query_params["maxSize"]), int(request.query_params["offset"])
        return {"total": len(rows), "list": rows[::-1][offset : offset + size]}

    def convert_attributes(self, request: Request, user: str, given: Row) -> Row:
        lead = self.records.get("Lead", given["id"])
        found: Row = {"Account": {"name": lead["accountName"]}}
        found["Contact"] = {name: lead[name] for name in ("firstName", "lastName", "emailAddress", "assignedUserId")}
        if "create" in self.rights["Opportunity"]:
            found["Opportunity"] = {"amount": lead["opportunityAmount"], "assignedUserId": lead["assignedUserId"]}
        return found

    def convert(self, request: Request, user: str, given: Row) -> Row:
        lead, wanted = self.records.get("Lead", given["id"]), given.get("records") or {}
        if not given.get("skipDuplicateCheck") and (there := self._duplicates(wanted)):
            raise EspoError(409, "duplicate", there)
        links: Row = {}
        for entity in ("Account", "Contact", "Opportunity"):
            if entity not in wanted:
                continue
            values = {**wanted[entity]}
            if "createdAccountId" in links:
                values["accountId"] = links["createdAccountId"]
            if entity == "Opportunity":
                values = {"stage": "Prospecting", "probability": 10, **values}
            links[f"created{entity}Id"] = self.records.insert(entity, values, user)["id"]
        return self.records.update("Lead", lead["id"], {"status": "Converted", "convertedAt": self.records.stamp(), **links}, user)

    def _duplicates(self, wanted: Row) -> Any:
        found = []
        for entity, name in (("Account", "name"), ("Contact", "emailAddress")):
            value = (wanted.get(entity) or {}).get(name)
            same = [row for row in self.records.rows[entity].values() if value and row[name] == value]
            found += [{"id": row["id"], "name": "A name", "_entityType": entity} for row in same]
        return found

    def _entity(self, request: Request, action: str) -> str:
        entity = str(request.path_params["entity"])
        if entity not in self.records.rows:
            raise EspoError(404)
        if entity in self.rights and action not in self.rights[entity]:
            raise EspoError(403, f"No '{action}' access for {entity}.")
        return entity


def _where(request: Request) -> list[Row]:
    found: dict[int, Row] = {}
    for name, value in request.query_params.multi_items():
        if named := _WHERE.fullmatch(name):
            condition = found.setdefault(int(named.group(1)), {})
            if named.group(3):
                condition.setdefault(named.group(2), []).append(value)
            else:
                condition[named.group(2)] = value
    return [found[number] for number in sorted(found)]
