"""The org's ways in: OAuth, REST with query pages, collections and composite, the Tooling API, and convertLead over SOAP."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.standins import Knobs
from tests.standins.salesforce.org import STANDARD, Org, Record, Refused, suffixed
from tests.standins.salesforce.query import Malformed, Parser

CLIENT_ID, USERNAME, REFRESH_TOKEN = "3MVG9.consumer.key", "integration@example.com", "5Aep861.refresh"
ORGANIZATION = "00D000000000001EAA"
DATA = "/services/data/v64.0/"
QUERY_ROWS = 200  # of one page; a real org may send as few
LIMIT_PAUSE_S = 900.0
DAILY = 100_000
ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns="urn:partner.soap.sforce.com"><soapenv:Body>{}</soapenv:Body></soapenv:Envelope>'
)
Answer = tuple[int, Any]


@cache
def private_key() -> rsa.RSAPrivateKey:
    """The key of the connected app; made once a run."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_pem() -> str:
    return (
        private_key()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


class Unanswered(Exception):
    """A call that is refused as a whole."""

    def __init__(self, status: int, code: str, message: str = "refused", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers or {}


@dataclass
class Api:
    """The routes of one org."""

    org: Org
    knobs: Knobs
    tokens: set[str] = field(default_factory=set)
    given: int = 0
    impatient: int = 0
    closed_until: float = 0.0
    used: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    cursors: dict[str, list[Record]] = field(default_factory=dict)

    # ---- the door
    def _let_in(self, token: str) -> None:
        if token not in self.tokens:
            raise Unanswered(401, "INVALID_SESSION_ID", "Session expired or invalid")
        now = self.org.clock.now().timestamp()
        if now < self.closed_until:
            self.impatient += 1
            raise Unanswered(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        if self.knobs.too_many:
            self.knobs.too_many -= 1
            self.closed_until = now + LIMIT_PAUSE_S
            raise Unanswered(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        self.used += 1

    def guard(self, handle: Callable[[Request, Any], Answer]) -> Callable[[Request], Awaitable[Response]]:
        """Check the token, read the body, and turn refusals into the REST API's error list."""

        async def answer(request: Request) -> Response:
            headers = {"sforce-limit-info": f"api-usage={self.used}/{DAILY}"}
            try:
                scheme, _, token = request.headers.get("authorization", "").partition(" ")
                self._let_in(token if scheme == "Bearer" else "")
                name = f"{request.method} {request.scope['path'].removeprefix(DATA)}"
                self.calls[name] = self.calls.get(name, 0) + 1
                body = await request.body()
                status, document = handle(request, json.loads(body) if body else None)
            except Unanswered as refusal:
                errors = [{"message": str(refusal), "errorCode": refusal.code}]
                return JSONResponse(errors, refusal.status, {**headers, **refusal.headers})
            except Refused as refusal:
                errors = [{"message": str(refusal), "errorCode": refusal.code, "fields": list(refusal.fields)}]
                return JSONResponse(errors, 400, headers)
            return JSONResponse(document, status, headers)

        return answer

    async def token(self, request: Request) -> Response:
        form = {key: values[0] for key, values in parse_qs((await request.body()).decode()).items()}
        kind = form.get("grant_type")
        if kind == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            word = self._fault_of(form.get("assertion", ""))
        elif kind == "refresh_token":
            right = (form.get("client_id"), form.get("refresh_token")) == (CLIENT_ID, REFRESH_TOKEN)
            word = "" if right else "invalid_grant"
        else:
            word = "unsupported_grant_type"
        if word:
            return JSONResponse({"error": word, "error_description": "refused"}, 400)
        self.given += 1
        self.tokens.add(f"00D!{self.given}")
        identity = f"https://login.salesforce.com/id/{ORGANIZATION}/{self.org.user}"
        return JSONResponse({"access_token": f"00D!{self.given}", "token_type": "Bearer", "id": identity, "scope": "api"})

    def _fault_of(self, assertion: str) -> str:
        try:
            head, claims, signature = assertion.split(".")
            key = private_key().public_key()
            key.verify(_decode(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
            told = json.loads(_decode(claims))
        except (ValueError, InvalidSignature):
            return "invalid_grant"
        now = self.org.clock.now().timestamp()
        right = (told.get("iss"), told.get("sub"), told.get("aud")) == (CLIENT_ID, USERNAME, "https://login.salesforce.com")
        return "" if right and now < told.get("exp", 0) <= now + 300 else "invalid_grant"

    # ---- reading
    def userinfo(self, request: Request, body: Any) -> Answer:
        return 200, {"user_id": self.org.user, "organization_id": ORGANIZATION}

    def limits(self, request: Request, body: Any) -> Answer:
        return 200, {"DailyApiRequests": {"Max": DAILY, "Remaining": DAILY - self.used}}

    def describe(self, request: Request, body: Any) -> Answer:
        thing = request.path_params["thing"]
        fields = self.org.fields(thing)
        if fields is None:
            raise Unanswered(404, "NOT_FOUND", "The requested resource does not exist")
        told = [{"name": name, "updateable": editable} for name, editable in {"Id": False, **fields}.items()]
        return 200, {"name": thing, "queryable": True, "createable": True, "updateable": True, "fields": told}

    def query(self, request: Request, body: Any) -> Answer:
        return 200, self._select(request.query_params.get("q", ""))

    def _select(self, text: str, tooling: bool = False) -> Record:
        def fields_of(thing: str) -> Any:
            return None if (thing == "CustomField") is not tooling else self.org.fields(thing)

        try:
            query = Parser(text, fields_of).read()
        except Malformed as fault:
            raise Unanswered(400, fault.code, str(fault)) from None
        found = query.run(self.org.tables[query.thing].values())
        if not query.fields:
            return {"totalSize": len(found), "done": True, "records": []}
        rows = [{"attributes": {"type": query.thing}, **{name: _at(record, name) for name in query.fields}} for record in found]
        rows = [_nested(row) for row in rows]
        return self._paged(rows, len(rows))

    def _paged(self, rows: list[Record], total: int) -> Record:
        if len(rows) <= QUERY_ROWS:
            return {"totalSize": total, "done": True, "records": rows}
        name = f"01g{len(self.cursors):012}-{QUERY_ROWS}"
        self.cursors[name] = rows[QUERY_ROWS:]
        return {"totalSize": total, "done": False, "nextRecordsUrl": f"{DATA}query/{name}", "records": rows[:QUERY_ROWS]}

    def query_more(self, request: Request, body: Any) -> Answer:
        rows = self.cursors.get(request.path_params["cursor"])
        if rows is None:
            raise Unanswered(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return 200, self._paged(rows, len(rows))

    def tooling_query(self, request: Request, body: Any) -> Answer:
        return 200, self._select(request.query_params.get("q", ""), tooling=True)

    def composite(self, request: Request, body: Any) -> Answer:
        parts = body["compositeRequest"]
        queries = [part for part in parts if part["url"].startswith(f"{DATA}query")]
        if len(parts) > 25 or len(queries) > 5 or body.get("allOrNone") is not False:
            raise Unanswered(400, "LIMIT_EXCEEDED", "too many subrequests")
        return 200, {"compositeResponse": [self._part(part) for part in parts]}

    def _part(self, part: Record) -> Record:
        things = part["url"].removeprefix(f"{DATA}sobjects/")
        answer: Any
        try:
            if part["method"] == "POST" and "/" not in things:
                made = self.org.create(things, part["body"], self.org.user)
                status, answer = 201, {"id": made["Id"], "success": True, "errors": []}
            else:
                status, answer = 200, self._select(parse_qs(urlsplit(part["url"]).query)["q"][0])
        except Unanswered as refusal:
            status, answer = refusal.status, [{"message": str(refusal), "errorCode": refusal.code}]
        except Refused as refusal:
            status = 400
            answer = [{"message": str(refusal), "errorCode": refusal.code, "fields": list(refusal.fields)}]
        return {"body": answer, "httpHeaders": {}, "httpStatusCode": status, "referenceId": part["referenceId"]}

    # ---- writing
    def make(self, request: Request, body: Any) -> Answer:
        made = self.org.create(request.path_params["thing"], body, self.org.user)
        return 201, {"id": made["Id"], "success": True, "errors": []}

    def collection(self, request: Request, body: Any) -> Answer:
        records = body["records"]
        if not 1 <= len(records) <= 200 or body.get("allOrNone") is not False:
            raise Unanswered(400, "INVALID_INPUT", "1 to 200 records, and allOrNone false")
        rule = request.headers.get("sforce-auto-assign", "TRUE").upper() != "FALSE"
        return 200, [self._row(dict(one), rule) for one in records]

    def _row(self, values: Record, rule: bool) -> Record:
        thing = values.pop("attributes")["type"]
        try:
            made = self.org.update(thing, values.pop("id"), values, self.org.user)
            if rule and thing == "Lead":  # the org's active assignment rule takes the lead away again
                made["OwnerId"] = self.org.queue
        except Refused as refusal:
            return {"success": False, "errors": [refusal.row]}
        return {"id": made["Id"], "success": True, "errors": []}

    def make_field(self, request: Request, body: Any) -> Answer:
        place, _, name = body["FullName"].partition(".")
        thing = "Task" if place == "Activity" else place
        metadata = body["Metadata"]
        if thing not in STANDARD or not name.endswith("__c") or name in self.org.custom(thing):
            raise Unanswered(400, "DUPLICATE_DEVELOPER_NAME", "there is one")
        if metadata["type"] in ("Text", "LongTextArea") and not metadata.get("length"):
            raise Unanswered(400, "FIELD_INTEGRITY_EXCEPTION", "length is missing")
        values = {"DeveloperName": name.removesuffix("__c"), "TableEnumOrId": place, "Metadata": metadata}
        return 201, {"id": self.org.insert("CustomField", values, self.org.user)["Id"], "success": True, "errors": []}

    async def soap(self, request: Request) -> Response:
        text = (await request.body()).decode()
        told = {name: _element(text, name) for name in ("sessionId", "leadId", "ownerId", "opportunityName", "convertedStatus")}
        try:
            self._let_in(told["sessionId"])
            lead = self.org.convert(told["leadId"], told["ownerId"], told["opportunityName"], told["convertedStatus"])
        except Unanswered as refusal:
            fault = f"<soapenv:Fault><faultcode>sf:{refusal.code}</faultcode><faultstring>refused</faultstring></soapenv:Fault>"
            return _xml(500, fault)
        except Refused as refusal:
            error = f"<errors><message>refused</message><statusCode>{refusal.code}</statusCode></errors><success>false</success>"
            return _xml(200, f"<convertLeadResponse><result>{error}</result></convertLeadResponse>")
        made = f"<opportunityId>{lead['ConvertedOpportunityId']}</opportunityId><success>true</success>"
        return _xml(200, f"<convertLeadResponse><result>{made}</result></convertLeadResponse>")

    def routes(self) -> list[Route]:
        table = (
            ("GET", "/services/oauth2/userinfo", self.userinfo),
            ("GET", f"{DATA}limits", self.limits),
            ("GET", f"{DATA}query", self.query),
            ("GET", f"{DATA}query/{{cursor}}", self.query_more),
            ("GET", f"{DATA}tooling/query", self.tooling_query),
            ("POST", f"{DATA}tooling/sobjects/CustomField", self.make_field),
            ("GET", f"{DATA}sobjects/{{thing}}/describe", self.describe),
            ("POST", f"{DATA}sobjects/{{thing}}", self.make),
            ("POST", f"{DATA}composite", self.composite),
            ("PATCH", f"{DATA}composite/sobjects", self.collection),
        )
        routes = [Route(path, self.guard(handle), methods=[method]) for method, path, handle in table]
        return [
            *routes,
            Route("/services/oauth2/token", self.token, methods=["POST"]),
            Route("/services/Soap/u/64.0", self.soap, methods=["POST"]),
        ]


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _element(text: str, name: str) -> str:
    found = re.search(rf"<(?:\w+:)?{name}>([^<]*)</", text)
    return found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") if found else ""


def _at(record: Record, name: str) -> Any:
    value = record.get(name)
    return suffixed(value) if name.endswith("Id") and isinstance(value, str) and len(value) == 15 else value


def _nested(row: Record) -> Record:
    """`UserRole.Name` as the object inside that the REST API makes of it."""
    for name in [name for name in row if "." in name]:
        outer, _, inner = name.partition(".")
        value = row.pop(name)
        row[outer] = None if value is None else {inner: value}
    return row


def _xml(status: int, inside: str) -> Response:
    return Response(ENVELOPE.format(inside), status, media_type="text/xml")
