# ruff: noqa: SIM905 - lists of words read best as words
"""HubSpot's routes beside the objects: owners, properties, associations, sign-in, and the app's webhook settings."""

from __future__ import annotations

import secrets
import time
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.sandbox.hubspot import schema
from connector.sandbox.hubspot.api import Api, Handler, Json
from connector.sandbox.hubspot.store import Refused
from connector.sandbox.hubspot.webhooks import CHANGE_SUBSCRIPTION, CREATION_SUBSCRIPTION, SUBSCRIBED
from connector.sandbox.world.team import Member

SCOPES = (
    "crm.objects.contacts.read crm.objects.contacts.write crm.objects.companies.read crm.objects.deals.read "
    "crm.objects.deals.write crm.objects.owners.read crm.schemas.contacts.read crm.schemas.contacts.write oauth"
).split()
STAMP = "2024-02-01T09:00:00.000Z"


class Catalog:
    """What the account is made of, apart from its records."""

    def __init__(self, api: Api, target: str, client_id: str, client_secret: str) -> None:
        self.api, self.store, self.target = api, api.store, target
        self.client_id, self.client_secret = client_id, client_secret

    # ---- owners
    def owners(self, request: Request, body: Json) -> Json:
        if request.query_params.get("archived") == "true":
            return {"results": []}
        limit = int(request.query_params.get("limit") or 100)
        after = int(request.query_params.get("after") or 0)
        owners = [owner for owner in self.store.owners if owner.email == request.query_params.get("email", owner.email)]
        answer: Json = {"results": [_owner(owner) for owner in owners[after : after + limit]]}
        if after + limit < len(owners):
            answer["paging"] = {"next": {"after": str(after + limit), "link": "?after=" + str(after + limit)}}
        return answer

    def owner(self, request: Request, body: Json) -> Json:
        for owner in self.store.owners:
            if owner.owner_id == request.path_params["id"]:
                return _owner(owner)
        raise Refused(404, "OBJECT_NOT_FOUND", "Owner not found")

    # ---- properties
    def properties(self, request: Request, body: Json) -> Json:
        return {"results": list(self.store.properties[self._kind(request)].values())}

    def property(self, request: Request, body: Json) -> Json:
        known = self.store.properties[self._kind(request)].get(request.path_params["name"])
        if known is None:
            raise Refused(404, "OBJECT_NOT_FOUND", f"Property {request.path_params['name']} does not exist")
        return known

    def create_property(self, request: Request, body: Json) -> Response:
        return JSONResponse(self._add_property(self._kind(request), body), 201)

    def create_properties(self, request: Request, body: Json) -> Response:
        made, errors = [], []
        for one in body.get("inputs") or []:
            try:
                made.append(self._add_property(self._kind(request), one))
            except Refused as refusal:
                errors.append(
                    {
                        "status": "error",
                        "category": refusal.category,
                        "message": refusal.message,
                        "context": {"name": [one.get("name")]},
                    }
                )
        answer: Json = {"status": "COMPLETE", "results": made, "startedAt": STAMP, "completedAt": STAMP}
        return JSONResponse(answer | ({"numErrors": len(errors), "errors": errors} if errors else {}), 207 if errors else 201)

    def _add_property(self, kind: str, one: Json) -> Json:
        missing = [key for key in ("name", "label", "type", "fieldType", "groupName") if not one.get(key)]
        if missing:
            raise Refused(400, "VALIDATION_ERROR", f"Invalid input JSON: required fields were not set: {missing}")
        name = one["name"]
        if name in self.store.properties[kind]:
            raise Refused(409, "OBJECT_ALREADY_EXISTS", f"A property named '{name}' already exists.")
        if name != name.lower() or not name.replace("_", "").isalnum() or not name[0].isalpha():
            raise Refused(400, "VALIDATION_ERROR", f"{name[:60]!r} is not a valid property name")
        if one["type"] not in ("string", "number", "date", "datetime", "enumeration", "bool"):
            raise Refused(400, "VALIDATION_ERROR", f"{one['type']!r} is not a property type")
        made = schema.definition(name, "datetime" if one["type"] == "date" else one["type"], label=one["label"])
        self.store.properties[kind][name] = made | one | {"options": one.get("options") or [], "hubspotDefined": False}
        return self.store.properties[kind][name]

    def groups(self, request: Request, body: Json) -> Json:
        return {"results": [{"name": "contactinformation", "label": "Contact information", "displayOrder": 0, "archived": False}]}

    def create_group(self, request: Request, body: Json) -> Response:
        return JSONResponse({"displayOrder": -1, "archived": False} | body, 201)

    def _kind(self, request: Request) -> str:
        return self.store.kind_of(request.path_params["kind"])

    # ---- associations
    def associate(self, request: Request, body: Json) -> Response:
        start, end = (self.store.kind_of(request.path_params[key]) for key in ("kind", "other"))
        results = []
        for one in body.get("inputs") or []:
            types = one.get("types") or [{}]
            a, b = str(one["from"]["id"]), str(one["to"]["id"])
            self.store.link((start, a), (end, b), types[0].get("associationTypeId"))
            results.append({"fromObjectTypeId": start, "fromObjectId": a, "toObjectTypeId": end, "toObjectId": b, "labels": []})
        return JSONResponse({"status": "COMPLETE", "results": results, "startedAt": STAMP, "completedAt": STAMP}, 201)

    def associate_one(self, request: Request, body: Json) -> Json:
        start, end = (self.store.kind_of(request.path_params[key]) for key in ("kind", "other"))
        a, b = request.path_params["id"], request.path_params["other_id"]
        self.store.link((start, a), (end, b))
        return {"status": "COMPLETE", "results": [{"from": {"id": a}, "to": {"id": b}}], "startedAt": STAMP, "completedAt": STAMP}

    def associations(self, request: Request, body: Json) -> Json:
        start, end = (self.store.kind_of(request.path_params[key]) for key in ("kind", "other"))
        return {"results": self._linked(start, request.path_params["id"], end)}

    def batch_associations(self, request: Request, body: Json) -> Json:
        start, end = (self.store.kind_of(request.path_params[key]) for key in ("kind", "other"))
        ids = [str(one["id"]) for one in body.get("inputs") or []]
        results = [{"from": {"id": one}, "to": linked} for one in ids if (linked := self._linked(start, one, end))]
        return {"status": "COMPLETE", "results": results, "startedAt": STAMP, "completedAt": STAMP}

    def _linked(self, start: str, record_id: str, end: str) -> list[Json]:
        return [
            {
                "toObjectId": int(other),
                "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": one, "label": None} for one in types],
            }
            for other, types in self.store.linked((start, record_id), end)
        ]

    # ---- the app
    def subscriptions(self, request: Request, body: Json) -> Json:
        shared = {"active": True, "createdAt": STAMP, "updatedAt": STAMP}
        changes = [
            {"id": str(CHANGE_SUBSCRIPTION + 100 + i), "eventType": "contact.propertyChange", "propertyName": n} | shared
            for i, n in enumerate(sorted(SUBSCRIBED))
        ]
        whole = ("contact.creation", "contact.deletion", "contact.merge", "contact.privacyDeletion", "contact.restore")
        return {
            "results": [
                *({"id": str(CREATION_SUBSCRIPTION + i), "eventType": kind} | shared for i, kind in enumerate(whole)),
                *changes,
            ]
        }

    def settings(self, request: Request, body: Json) -> Json:
        throttling = {"period": "SECONDLY", "maxConcurrentRequests": 10}
        return {"targetUrl": self.target, "throttling": throttling, "createdAt": STAMP, "updatedAt": STAMP}

    def account(self, request: Request, body: Json) -> Json:
        return {
            "portalId": 62_515,
            "accountType": "STANDARD",
            "timeZone": "UTC",
            "companyCurrency": "USD",
            "uiDomain": "app.hubspot.com",
        }

    async def token_info(self, request: Request) -> Response:
        body = await request.body()
        token = request.path_params.get("token") or (await request.json()).get("tokenKey") if body or request.path_params else ""
        if self.api.tokens.get(str(token), 0) < time.time():
            return JSONResponse({"status": "error", "message": "token not found", "category": "VALIDATION_ERROR"}, 404)
        return JSONResponse(
            {
                "userId": 1001,
                "hubId": 62_515,
                "hub_id": 62_515,
                "appId": self.api.app_id,
                "app_id": self.api.app_id,
                "scopes": SCOPES,
            }
        )

    async def sign_in(self, request: Request) -> Response:
        """OAuth: a refresh token for a new access token that lasts 30 minutes."""
        form = {key: values[0] for key, values in parse_qs((await request.body()).decode("utf-8", "replace")).items()}
        right = form.get("client_id") == self.client_id and form.get("client_secret") == self.client_secret
        if form.get("grant_type") != "refresh_token" or not right or form.get("refresh_token") != self.api.refresh_token:
            return JSONResponse({"status": "BAD_REFRESH_TOKEN", "message": "missing or invalid refresh token"}, 400)
        token = f"sandbox-{secrets.token_hex(12)}"
        self.api.tokens[token] = time.time() + 1800
        return JSONResponse(
            {"token_type": "bearer", "access_token": token, "refresh_token": self.api.refresh_token, "expires_in": 1800}
        )


def _owner(owner: Member) -> Json:
    first, _, last = owner.name.partition(" ")
    teams = [{"id": str(300 + ("Americas EMEA APAC Enterprise".split().index(owner.team))), "name": owner.team, "primary": True}]
    shown: Json = {
        "id": owner.owner_id,
        "email": owner.email,
        "type": "PERSON",
        "firstName": first,
        "lastName": last,
        "teams": teams,
    }
    user = 1_000 + owner.number
    return shown | {"userId": user, "userIdIncludingInactive": user, "createdAt": STAMP, "updatedAt": STAMP, "archived": False}


def catalog_routes(api: Api, catalog: Catalog) -> list[Route]:
    """All routes that are not about records."""
    table: list[tuple[str, tuple[str, ...], str, Handler]] = [
        ("GET", ("/crm/v3/owners", "/crm/v3/owners/", "/crm/owners/2026-03"), "owners", catalog.owners),
        ("GET", ("/crm/v3/owners/{id}", "/crm/owners/2026-03/{id}"), "owner", catalog.owner),
        ("GET", ("/crm/v3/properties/{kind}", "/crm/properties/2026-03/{kind}"), "properties", catalog.properties),
        ("POST", ("/crm/v3/properties/{kind}", "/crm/properties/2026-03/{kind}"), "create property", catalog.create_property),
        (
            "POST",
            ("/crm/v3/properties/{kind}/batch/create", "/crm/properties/2026-03/{kind}/batch/create"),
            "create properties",
            catalog.create_properties,
        ),
        ("GET", ("/crm/v3/properties/{kind}/groups", "/crm/properties/2026-03/{kind}/groups"), "groups", catalog.groups),
        (
            "POST",
            ("/crm/v3/properties/{kind}/groups", "/crm/properties/2026-03/{kind}/groups"),
            "create group",
            catalog.create_group,
        ),
        ("GET", ("/crm/v3/properties/{kind}/{name}", "/crm/properties/2026-03/{kind}/{name}"), "property", catalog.property),
        (
            "GET",
            ("/webhooks/v3/{app}/subscriptions", "/webhooks/2026-03/{app}/subscriptions"),
            "subscriptions",
            catalog.subscriptions,
        ),
        ("GET", ("/webhooks/v3/{app}/settings", "/webhooks/2026-03/{app}/settings"), "settings", catalog.settings),
        ("GET", ("/account-info/v3/details", "/account-info/2026-03/details"), "account", catalog.account),
    ]
    for prefix in ("/crm/v4/associations/{kind}/{other}", "/crm/associations/2026-03/{kind}/{other}"):
        table += [
            ("POST", (prefix + "/batch/create", prefix + "/batch/associate/default"), "associate", catalog.associate),
            ("POST", (prefix + "/batch/read",), "batch associations", catalog.batch_associations),
        ]
    for prefix in ("/crm/v4/objects/{kind}/{id}/associations", "/crm/objects/2026-03/{kind}/{id}/associations"):
        table += [
            ("GET", (prefix + "/{other}",), "associations", catalog.associations),
            (
                "PUT",
                (prefix + "/default/{other}/{other_id}", prefix + "/{other}/{other_id}"),
                "associate one",
                catalog.associate_one,
            ),
        ]
    routes = [
        Route(path, api.guard(handler), methods=[method], name=name) for method, paths, name, handler in table for path in paths
    ]
    routes += [
        Route(path, catalog.sign_in, methods=["POST"]) for path in ("/oauth/v1/token", "/oauth/v3/token", "/oauth/2026-03/token")
    ]
    routes.append(Route("/oauth/v1/access-tokens/{token}", catalog.token_info, methods=["GET"]))
    routes.append(Route("/oauth/v2/private-apps/get/access-token-info", catalog.token_info, methods=["POST"]))
    return routes
