"""Odoo: its ORM's records, both of its ways in, and the webhooks of an automation rule, several for one change and unsigned."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from connector.testing import StandingClock
from leads.records import FieldValue
from tests.standins import Knobs, Notice, Seen, SeenTask, lose_answers
from tests.standins.odoo.server import API_KEY, DATABASE, LOGIN, Methods, routes
from tests.standins.odoo.tables import Tables

SECRET = "a-long-word-in-the-path"
#: Odoo sends one change again and again while it computes; up to 18 times were seen.
REPEATS = 3
TOO_MANY_S = 5.0
STAGES = {"New": "lead", "Qualified": "mql", "Proposition": "opportunity", "Won": "customer"}
PLAIN = {
    "email": "email_from",
    "phone": "phone",
    "title": "function",
    "company": "partner_name",
    "website": "website",
    "city": "city",
    "postcode": "zip",
    "message": "description",
    "deal_amount": "expected_revenue",
}


class OdooStandIn:
    """See `tests.standins.StandIn`. `versions` are the ways in that this Odoo has."""

    adapter = "odoo"
    unknown_owner = "999999"

    def __init__(self, clock: StandingClock, versions: frozenset[str] = frozenset({"json2", "jsonrpc"})) -> None:
        self.clock, self.knobs = clock, Knobs()
        self.tables = Tables(clock.now)
        self.impatient = 0
        self._closed_until: datetime | None = None
        self._told: dict[int, datetime] = {}
        team = self.tables.insert("crm.team", {"name": "Inside"}, 1)
        self.stages = {
            name: self.tables.insert("crm.stage", {"name": name, "sequence": place, "is_won": name == "Won"}, 1)
            for place, name in enumerate(STAGES)
        }
        people = [("Ada Rep", True), ("Ben Rep", True), ("Cleo Rep", True), ("Dan Rep", False)]
        self._people = [
            self.tables.insert(
                "res.users",
                {"name": name, "login": f"{name[:3].lower()}@seller.example", "active": active, "sale_team_id": team},
                1,
            )
            for name, active in people
        ]
        self.uid = self.tables.insert("res.users", {"name": "Bot", "login": LOGIN, "active": True}, 1)
        self.tables.insert("ir.model", {"model": "crm.lead", "name": "Lead"}, 1)
        self.methods = Methods(self.tables, self.uid)
        self.app = lose_answers(self._pace(Starlette(routes=routes(self.methods, versions))), self.knobs, _makes)
        self._made_by_people = 0

    @property
    def owners(self) -> Sequence[str]:
        return [str(one) for one in [*self._people, self.uid]]

    @property
    def changes(self) -> int:
        return self._made_by_people + self.methods.written

    def connection(self, base_url: str) -> dict[str, Any]:
        return {
            "adapter": "odoo",
            "base_url": base_url,
            "trust_private_host": True,
            "token": SecretStr(API_KEY),
            "database": DATABASE,
            "login": LOGIN,
            "webhook_secrets": (SecretStr(SECRET),),
            "settle_s": 0,
            "reconcile_lag_s": 0,
            "calls_per_10_s": 1000,
        }

    def make_lead(self, **fields: FieldValue) -> str:
        self._made_by_people += 1
        defaults = {"type": "lead", "stage_id": self.stages["New"], "name": "A request", "expected_revenue": 0.0, "tag_ids": []}
        own = {name: 0 if kind == "integer" else False for name, kind in self.tables.own_fields.items()}
        number = self.tables.insert("crm.lead", {**own, **defaults, **self._values(fields, {})}, self._people[0])
        self._note(number)
        return str(number)

    def edit_lead(self, external_id: str, **fields: FieldValue) -> None:
        self._made_by_people += 1
        row = self.tables.rows["crm.lead"][int(external_id)]
        self.tables.update("crm.lead", [int(external_id)], self._values(fields, row), self._people[0])

    def make_company(self, name: str, website: str, owner_id: str) -> str:
        company = {"name": name, "is_company": True, "website": website, "user_id": int(owner_id)}
        return str(self.tables.insert("res.partner", company, self._people[0]))

    def see(self, external_id: str) -> Seen:
        row = self.tables.rows["crm.lead"][int(external_id)]
        stage = self.tables.rows["crm.stage"][row["stage_id"]]["name"]
        activities = [one for one in self.tables.rows["mail.activity"].values() if one["res_id"] == row["id"]]
        messages = [one for one in self.tables.rows["mail.message"].values() if one["res_id"] == row["id"]]
        return Seen(
            owner_id=str(row["user_id"]) if row["user_id"] else None,
            score=row.get("x_leadswitch_score"),
            tier=(row.get("x_leadswitch_tier") or "").lower() or None,
            stage="opportunity" if row["date_conversion"] else STAGES[stage],
            reasons=row.get("x_leadswitch_reasons") or None,
            tasks=[_task(one) for one in activities],
            notes=[one["body"] for one in messages],
            deals=[row["name"]] if row["type"] == "opportunity" and row["date_conversion"] else [],
        )

    def take_notices(self) -> list[Notice]:
        changed = [row for row in self.tables.rows["crm.lead"].values() if self._told.get(row["id"]) != row["write_date"]]
        self._told = {row["id"]: row["write_date"] for row in self.tables.rows["crm.lead"].values()}
        headers = {"content-type": "application/json", "user-agent": "python-requests/2.31.0"}
        sent = self.knobs.send([Notice(f"/{SECRET}", headers, _body(row)) for row in changed])
        return [notice for notice in sent for _ in range(REPEATS)]

    def expire_tokens(self) -> None:
        """An API key is no access token: it holds until it is taken away."""

    def _note(self, number: int) -> None:
        self._told.pop(number, None)

    def _values(self, fields: dict[str, FieldValue], row: dict[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {PLAIN[name]: value or False for name, value in fields.items() if name in PLAIN}
        if {"first_name", "last_name"} & set(fields):
            first, _, last = str(row.get("contact_name") or "").partition(" ")
            values["contact_name"] = f"{fields.get('first_name', first)} {fields.get('last_name', last)}".strip()
        if "owner_id" in fields:
            values["user_id"] = int(str(fields["owner_id"])) if fields["owner_id"] else False
        if "lifecycle_stage" in fields:
            stage = next(name for name, ours in STAGES.items() if ours == fields["lifecycle_stage"])
            values["stage_id"] = self.stages[stage]
        return values

    def _pace(self, app: Starlette) -> Any:
        """The gateway of a hosted Odoo, which refuses what comes too often."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            now = self.clock.now()
            closed = self._closed_until is not None and now < self._closed_until
            if scope["type"] == "http" and (closed or self.knobs.too_many):
                self.impatient += closed
                if not closed:
                    self.knobs.too_many -= 1
                    self._closed_until = datetime.fromtimestamp(now.timestamp() + TOO_MANY_S, UTC)
                refused = JSONResponse({}, 429, {"retry-after": str(TOO_MANY_S)})
                await refused(scope, receive, send)
                return
            await app(scope, receive, send)

        return answer


def _body(row: dict[str, Any]) -> bytes:
    said = {name: row[name] for name in ("id", "name", "email_from", "stage_id", "user_id", "expected_revenue")}
    said |= {name: row[name].strftime("%Y-%m-%d %H:%M:%S") for name in ("create_date", "write_date")}
    said |= {"_action": "Send lead to router(#321)", "_id": row["id"], "_model": "crm.lead"}
    return json.dumps(said, sort_keys=True).encode()


def _task(activity: dict[str, Any]) -> SeenTask:
    day = date.fromisoformat(activity["date_deadline"])
    return SeenTask(str(activity["user_id"]), activity["summary"], datetime(day.year, day.month, day.day, tzinfo=UTC))


def _makes(scope: Scope) -> bool:
    return str(scope["path"]).endswith(("/activity_schedule", "/message_post", "/convert_opportunity"))


def open_stand_in(clock: StandingClock) -> OdooStandIn:
    """A fresh database."""
    return OdooStandIn(clock)
