"""Zoho CRM: leads, tasks, notes, deals and notification channels that lapse.

Written from the vendor's description, apart from the adapter. Every record has an owner: what nobody chose is our own user's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr
from starlette.types import Scope

from connector.testing import StandingClock
from leads.records import FieldValue
from tests.standins import Knobs, Notice, Seen, SeenTask, lose_answers
from tests.standins.zoho.api import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, Api
from tests.standins.zoho.store import ADMIN, OUR_USER, REPS, Record, Store

TOKEN = "a-long-channel-token"
#: Canonical field → field of a lead.
NAMES = {
    "email": "Email",
    "first_name": "First_Name",
    "last_name": "Last_Name",
    "company": "Company",
    "phone": "Phone",
    "title": "Designation",
    "country": "Country",
    "lifecycle_stage": "Leadswitch_Stage",
    "lead_status": "Lead_Status",
}


class ZohoStandIn:
    """See `tests.standins.StandIn`."""

    adapter = "zoho"
    unknown_owner = "5725767000000999999"
    owners: Sequence[str] = REPS

    def __init__(self, clock: StandingClock) -> None:
        self.clock, self.knobs = clock, Knobs()
        self.store = Store(clock)
        self.api = Api(self.store, self.knobs)
        self.app = lose_answers(self.api.app, self.knobs, _makes)

    @property
    def changes(self) -> int:
        return self.store.changes

    @property
    def impatient(self) -> int:
        return self.api.impatient

    def connection(self, base_url: str) -> dict[str, Any]:
        self.api.base_url = base_url
        return {
            "adapter": "zoho",
            "base_url": base_url,
            "accounts_url": base_url,
            "trust_private_host": True,
            "client_id": SecretStr(CLIENT_ID),
            "client_secret": SecretStr(CLIENT_SECRET),
            "refresh_token": SecretStr(REFRESH_TOKEN),
            "webhook_secrets": (SecretStr(TOKEN),),
        }

    def make_lead(self, **fields: FieldValue) -> str:
        lead = self.store.make("Leads", {"Last_Name": "Somebody", **_given(fields)}, OUR_USER)
        self.store.tell("Leads", "insert", {lead["id"]: set()})
        return str(lead["id"])

    def edit_lead(self, external_id: str, **fields: FieldValue) -> None:
        changed = self.store.change("Leads", {"id": external_id, **_given(fields)}, ADMIN)
        if changed:
            self.store.tell("Leads", "update", {external_id: changed})

    def make_company(self, name: str, website: str, owner_id: str) -> str:
        company = {"Account_Name": name, "Website": website, "Owner": {"id": owner_id}}
        return str(self.store.make("Accounts", company, ADMIN)["id"])

    def see(self, external_id: str) -> Seen:
        lead = self.store.modules["Leads"][external_id]
        owner = lead["Owner"]["id"]
        tasks = [one for one in self.store.modules["Tasks"].values() if (one["What_Id"] or {}).get("id") == external_id]
        notes = [one for one in self.store.modules["Notes"].values() if one["Parent_Id"]["id"] == external_id]
        deal = self.store.modules["Deals"].get((lead["Converted_Deal"] or {}).get("id", ""))
        return Seen(
            owner_id=None if owner == OUR_USER else owner,
            score=lead.get("Leadswitch_Score"),
            tier=(lead.get("Leadswitch_Tier") or "").lower() or None,
            stage=lead.get("Leadswitch_Stage"),
            reasons=lead.get("Leadswitch_Reasons"),
            tasks=[_task(one) for one in tasks],
            notes=[one["Note_Content"] for one in notes],
            deals=[deal["Deal_Name"]] if deal else [],
        )

    def take_notices(self) -> list[Notice]:
        told, self.store.told = self.store.told, []
        return self.knobs.send([Notice("", {"content-type": "application/json"}, body) for _, body in told])

    def expire_tokens(self) -> None:
        self.api.tokens.clear()


def _given(fields: dict[str, FieldValue]) -> Record:
    given: Record = {NAMES[name]: value for name, value in fields.items() if name != "owner_id"}
    if "owner_id" in fields:
        given["Owner"] = {"id": fields["owner_id"] or OUR_USER}
    return given


def _task(record: Record) -> SeenTask:
    due_at = datetime.fromisoformat(record["Due_Date"]).replace(tzinfo=UTC)
    return SeenTask(record["Owner"]["id"], record["Subject"], due_at)


def _makes(scope: Scope) -> bool:
    path = str(scope["path"])
    return scope["method"] == "POST" and (path.endswith(("/Tasks", "/Notes", "/actions/convert")))


def open_stand_in(clock: StandingClock) -> ZohoStandIn:
    """A fresh organisation."""
    return ZohoStandIn(clock)
