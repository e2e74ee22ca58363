"""Pipedrive: persons, organisations, Leads, deals, activities and notes, with webhooks of version 2.

Written from the vendor's description, apart from the adapter. Every record has an owner: what nobody chose is our own user's.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr
from starlette.types import Scope

from connector.testing import StandingClock
from leads.records import FieldValue
from tests.standins import Knobs, Notice, Seen, SeenTask, lose_answers
from tests.standins.pipedrive.api import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, Api
from tests.standins.pipedrive.store import ADMIN, OUR_USER, REPS, Record, Store

PASSWORD = "a-long-webhook-password"
MAKERS = ("/api/v2/activities", "/v1/notes", "/api/v2/deals")


class PipedriveStandIn:
    """See `tests.standins.StandIn`."""

    adapter = "pipedrive"
    unknown_owner = "777"
    owners: Sequence[str] = tuple(str(one) for one in REPS)

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
            "adapter": "pipedrive",
            "base_url": base_url,
            "oauth_url": base_url,
            "trust_private_host": True,
            "client_id": SecretStr(CLIENT_ID),
            "client_secret": SecretStr(CLIENT_SECRET),
            "refresh_token": SecretStr(REFRESH_TOKEN),
            "webhook_secrets": (SecretStr(PASSWORD),),
        }

    def make_lead(self, **fields: FieldValue) -> str:
        user = ADMIN if "owner_id" in fields else OUR_USER
        given = {"name": "Somebody", "owner_id": OUR_USER, **self._given(fields)}
        return str(self.store.make("person", given, user=user)["id"])

    def edit_lead(self, external_id: str, **fields: FieldValue) -> None:
        self.store.change("person", external_id, self._given(fields), user=ADMIN)

    def make_company(self, name: str, website: str, owner_id: str) -> str:
        company = {"name": name, "website": website, "owner_id": int(owner_id)}
        return str(self.store.make("organization", company, user=ADMIN)["id"])

    def see(self, external_id: str) -> Seen:
        person = self.store.get("person", external_id)
        score = self.store.held("person", person, "Leadswitch score")
        tier = self.store.held("person", person, "Leadswitch tier")
        return Seen(
            owner_id=None if person["owner_id"] == OUR_USER else str(person["owner_id"]),
            score=None if score is None else int(score),
            tier=tier.lower() if tier else None,
            stage=self.store.held("person", person, "Leadswitch stage"),
            reasons=self.store.held("person", person, "Leadswitch reasons"),
            tasks=[_task(one) for one in self._of("activity", external_id) if one["type"] == "task"],
            notes=[one["content"] for one in self._of("note", external_id)],
            deals=[one["title"] for one in self._of("deal", external_id)],
        )

    def take_notices(self) -> list[Notice]:
        told, self.store.told = self.store.told, []
        return self.knobs.send([Notice("", _headers(hook), body) for hook, body in told])

    def expire_tokens(self) -> None:
        self.api.tokens.clear()

    def _of(self, kind: str, person: str) -> list[Record]:
        return [one for one in self.store.records[kind].values() if str(one.get("person_id")) == person]

    def _given(self, fields: dict[str, FieldValue]) -> Record:
        """Canonical fields as a person fills them in."""
        given: Record = {}
        for name, value in fields.items():
            if name in ("email", "phone"):
                given[f"{name}s"] = [{"value": value, "primary": True, "label": "work"}] if value else []
            elif name == "company":
                given["org_id"] = self.store.make("organization", {"name": value}, user=ADMIN)["id"]
            elif name == "owner_id":
                given["owner_id"] = int(str(value)) if value else OUR_USER
            elif name == "lifecycle_stage":
                field = next(one for one in self.store.fields["person"] if one["field_name"] == "Leadswitch stage")
                chosen = next(one["id"] for one in field["options"] if one["label"] == value)
                given["custom_fields"] = {field["field_code"]: chosen}
            else:
                given[{"title": "job_title"}.get(name, name)] = value
        return given


def _task(activity: Record) -> SeenTask:
    due_at = datetime.fromisoformat(f"{activity['due_date']}T{activity['due_time']}").replace(tzinfo=UTC)
    return SeenTask(str(activity["owner_id"]), activity["subject"], due_at)


def _headers(hook: Record) -> dict[str, str]:
    pair = f"{hook['http_auth_user']}:{hook['http_auth_password']}"
    return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}", "content-type": "application/json"}


def _makes(scope: Scope) -> bool:
    return scope["method"] == "POST" and scope["path"] in MAKERS


def open_stand_in(clock: StandingClock) -> PipedriveStandIn:
    """A fresh company."""
    return PipedriveStandIn(clock)
