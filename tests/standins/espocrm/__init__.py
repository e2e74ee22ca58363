"""EspoCRM: its REST API with a role's rights, and webhooks of several leads at once, signed both ways, without event or moment."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from connector.testing import StandingClock
from leads.records import FieldValue
from tests.standins import Knobs, Notice, Seen, SeenTask, lose_answers
from tests.standins.espocrm.records import Records, Row
from tests.standins.espocrm.server import API_KEY, Api

#: Event → (id, secret key) of its hook.
HOOKS = {
    "Lead.create": ("66a0000000000hook1", "secret-of-creations"),
    "Lead.update": ("66a0000000000hook2", "secret-of-updates"),
    "Lead.delete": ("66a0000000000hook3", "secret-of-deletions"),
}
#: Records in one delivery.
PORTION = 5
TOO_MANY_S = 5.0
NAMES = {
    "first_name": "firstName",
    "last_name": "lastName",
    "email": "emailAddress",
    "phone": "phoneNumber",
    "title": "title",
    "company": "accountName",
    "website": "website",
    "industry": "industry",
    "city": "addressCity",
    "country": "addressCountry",
    "source": "source",
    "message": "description",
    "deal_amount": "opportunityAmount",
    "owner_id": "assignedUserId",
}
STAGES = {"lead": "New", "opportunity": "Converted"}


class EspoStandIn:
    """See `tests.standins.StandIn`. Our fields are there from the start, as an administrator makes them; `bare`: they are not."""

    adapter = "espocrm"
    unknown_owner = "66a00000000none00"

    def __init__(self, clock: StandingClock, bare: bool = False) -> None:
        self.clock, self.knobs = clock, Knobs()
        self.records = Records(clock.now)
        self.impatient = 0
        self._closed_until: datetime | None = None
        self._heard = 0
        people = [
            ("Ada Rep", "regular", True),
            ("Ben Rep", "regular", True),
            ("Cleo Rep", "regular", True),
            ("Dan Rep", "regular", False),
        ]
        self._people = [self._person(name, kind, active) for name, kind, active in people]
        self.admin, self.api_user = self._person("Root", "admin", True), self._person("Leadswitch", "api", True)
        self.api = Api(self.records, self.api_user, self.admin)
        if not bare:
            words = ("Score", "Tier", "Reasons", "RoutedBecause", "Stage")
            self.records.own_attributes = [f"cLeadswitch{word}" for word in words]
        self.app = lose_answers(self._pace(Starlette(routes=self.api.routes())), self.knobs, _makes)
        self.records.changes = 0

    @property
    def owners(self) -> Sequence[str]:
        """Those that an API user is shown: neither the deactivated nor itself."""
        return [*self._people[:3], self.admin]

    @property
    def changes(self) -> int:
        return self.records.changes

    def connection(self, base_url: str) -> dict[str, Any]:
        return {
            "adapter": "espocrm",
            "base_url": base_url,
            "trust_private_host": True,
            "token": SecretStr(API_KEY),
            "webhook_secrets": tuple(SecretStr(secret) for _, secret in HOOKS.values()),
            "api_user_id": self.api_user,
            "reconcile_lag_s": 0,
            "calls_per_10_s": 1000,
        }

    def make_lead(self, **fields: FieldValue) -> str:
        return str(self.records.insert("Lead", {"status": "New", **_values(fields)}, self._people[0])["id"])

    def edit_lead(self, external_id: str, **fields: FieldValue) -> None:
        self.records.update("Lead", external_id, _values(fields), self._people[0])

    def make_company(self, name: str, website: str, owner_id: str) -> str:
        company = {"name": name, "website": website, "assignedUserId": owner_id}
        return str(self.records.insert("Account", company, self._people[0])["id"])

    def see(self, external_id: str) -> Seen:
        row = self.records.rows["Lead"][external_id]
        of_lead = {
            entity: [one for one in self.records.rows[entity].values() if one["parentId"] == external_id]
            for entity in ("Task", "Note")
        }
        deal = self.records.rows["Opportunity"].get(row["createdOpportunityId"] or "")
        return Seen(
            owner_id=row["assignedUserId"],
            score=row.get("cLeadswitchScore"),
            tier=(row.get("cLeadswitchTier") or "").lower() or None,
            stage="opportunity" if row["status"] == "Converted" else row.get("cLeadswitchStage") or "lead",
            reasons=row.get("cLeadswitchReasons"),
            tasks=[_task(one) for one in of_lead["Task"]],
            notes=[one["post"] for one in of_lead["Note"]],
            deals=[deal["name"]] if deal else [],
        )

    def take_notices(self) -> list[Notice]:
        fresh, self._heard = self.records.told[self._heard :], len(self.records.told)
        notices = []
        for event in HOOKS:  # a hook is of one event, and sends its records together
            data = [said for told, said in fresh if told == event]
            notices += [self._notice(event, data[start : start + PORTION]) for start in range(0, len(data), PORTION)]
        return self.knobs.send(notices)

    def expire_tokens(self) -> None:
        """An API key is no access token: it holds until it is made anew."""

    def _notice(self, event: str, data: Sequence[Row]) -> Notice:
        body = json.dumps(list(data)).encode()
        hook, secret = HOOKS[event]
        made = hmac.new(secret.encode(), body, hashlib.sha256)
        headers = {
            "content-type": "application/json",
            "signature": base64.b64encode(f"{hook}:{made.hexdigest()}".encode()).decode(),
            "x-signature": base64.b64encode(f"{hook}:".encode() + made.digest()).decode(),
        }
        return Notice(f"?event={event}", headers, body)

    def _person(self, name: str, kind: str, active: bool) -> str:
        login = name.split()[0].lower()
        values = {"name": name, "userName": login, "emailAddress": f"{login}@seller.example", "isActive": active, "type": kind}
        return str(self.records.insert("User", {**values, "defaultTeamName": "Inside"}, "system")["id"])

    def _pace(self, app: Starlette) -> Any:
        """The gateway before a hosted EspoCRM, which refuses what comes too often."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            now = self.clock.now()
            closed = self._closed_until is not None and now < self._closed_until
            if scope["type"] == "http" and (closed or self.knobs.too_many):
                self.impatient += closed
                if not closed:
                    self.knobs.too_many -= 1
                    self._closed_until = datetime.fromtimestamp(now.timestamp() + TOO_MANY_S, UTC)
                await Response("", 429, {"retry-after": str(TOO_MANY_S)})(scope, receive, send)
                return
            await app(scope, receive, send)

        return answer


def _values(fields: dict[str, FieldValue]) -> Row:
    values: Row = {NAMES[name]: value for name, value in fields.items() if name in NAMES}
    if "lifecycle_stage" in fields:
        values["status"] = STAGES[str(fields["lifecycle_stage"])]
    return values


def _task(task: Row) -> SeenTask:
    due_at = datetime.strptime(task["dateEnd"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    return SeenTask(task["assignedUserId"], task["name"], due_at)


def _makes(scope: Scope) -> bool:
    made = itertools.product(("POST",), ("/api/v1/Task", "/api/v1/Note", "/api/v1/Lead/action/convert"))
    return (scope["method"], scope["path"]) in set(made)


def open_stand_in(clock: StandingClock) -> EspoStandIn:
    """A fresh database."""
    return EspoStandIn(clock)
