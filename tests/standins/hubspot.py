"""HubSpot: the sandbox's own CRM, on the test's clock and with its notices kept instead of sent."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.types import Scope

from connector.adapters.hubspot.words import FIELDS, STAGE_WORDS, STAGES
from connector.sandbox.hubspot.api import Api, object_routes
from connector.sandbox.hubspot.catalog import Catalog, catalog_routes
from connector.sandbox.hubspot.store import Change, Record, Store, to_milliseconds
from connector.sandbox.hubspot.webhooks import Account, sign
from connector.sandbox.rates import RollingWindow
from connector.testing import StandingClock
from leads.enums import LifecycleStage
from leads.records import FieldValue
from tests.standins import Knobs, Notice, Seen, SeenTask, lose_answers

SECRET, CLIENT_ID, REFRESH_TOKEN = "app-secret", "app-client", "app-refresh"
#: Where the house of the tests says that it is; HubSpot signs this address.
TARGET = "http://127.0.0.1:8080/webhooks/crm"
LIMIT, WINDOW_S = 100, 10.0
PERSON = ("CRM_UI", "userId:1001")
#: Canonical field → HubSpot's property; of several the first one.
PROPERTIES = {field: name for name, field in reversed(FIELDS.items())}


@dataclass
class _Window(RollingWindow):
    """HubSpot's rolling window on the test's clock; `too_many` of the knobs refuse calls for their own sake."""

    clock: StandingClock | None = None
    knobs: Knobs | None = None
    closed_until: float = 0.0
    impatient: int = 0

    def take(self, now: float) -> float:
        assert self.clock is not None
        assert self.knobs is not None
        moment = self.clock.now().timestamp()
        if moment < self.closed_until:
            self.impatient += 1
            return self.closed_until - moment
        wait = super().take(moment)
        if not wait and self.knobs.too_many:
            self.knobs.too_many -= 1
            wait = 5.0
        self.closed_until = moment + wait if wait else 0.0
        return wait


class HubSpotStandIn:
    """See `tests.standins.StandIn`."""

    adapter = "hubspot"
    unknown_owner = "1"

    def __init__(self, clock: StandingClock) -> None:
        self.clock, self.knobs = clock, Knobs()
        self.changes = 0
        self._told: list[Change] = []
        self._store = Store(clock=lambda: clock.now().timestamp())
        self._store.on_change = self._tell
        self._account = Account(TARGET, SECRET)
        self._window = _Window(LIMIT, WINDOW_S, clock=clock, knobs=self.knobs)
        self._tokens: dict[str, float] = {}
        api = Api(self._store, self._tokens, self._account.app_id, self._window, refresh_token=REFRESH_TOKEN)
        catalog = Catalog(api, TARGET, CLIENT_ID, SECRET)
        routes = [*object_routes(api), *catalog_routes(api, catalog)]
        self.app = lose_answers(Starlette(routes=routes), self.knobs, _makes)

    @property
    def owners(self) -> Sequence[str]:
        return [member.owner_id for member in self._store.owners]

    @property
    def impatient(self) -> int:
        return self._window.impatient

    def connection(self, base_url: str) -> dict[str, Any]:
        return {
            "adapter": "hubspot",
            "base_url": base_url,
            "trust_private_host": True,
            "client_id": SecretStr(CLIENT_ID),
            "client_secret": SecretStr(SECRET),
            "refresh_token": SecretStr(REFRESH_TOKEN),
            "webhook_secrets": (SecretStr(SECRET),),
            "calls_per_10_s": LIMIT,
        }

    def make_lead(self, **fields: FieldValue) -> str:
        return self._store.create("contacts", _properties({"lifecycle_stage": "lead", **fields}), *PERSON).id

    def edit_lead(self, external_id: str, **fields: FieldValue) -> None:
        self._store.update(self._store.objects["contacts"][external_id], _properties(fields), *PERSON)

    def make_company(self, name: str, website: str, owner_id: str) -> str:
        company = {"name": name, "domain": website, "hubspot_owner_id": owner_id}
        return self._store.create("companies", company, *PERSON).id

    def see(self, external_id: str) -> Seen:
        record = self._store.objects["contacts"][external_id]
        score, tier, stage = (record.value(name) for name in ("leadswitch_score", "leadswitch_tier", "lifecyclestage"))
        linked = {
            kind: [self._store.objects[kind][one] for one, _ in self._store.linked(("contacts", external_id), kind)]
            for kind in ("tasks", "notes", "deals")
        }
        return Seen(
            owner_id=record.value("hubspot_owner_id"),
            score=None if score is None else int(score),
            tier=tier.lower() if tier else None,
            stage=STAGES[stage].value if stage else None,
            reasons=record.value("leadswitch_reasons"),
            tasks=[_task(task) for task in linked["tasks"]],
            notes=[note.value("hs_note_body") or "" for note in linked["notes"]],
            deals=[deal.value("dealname") or "" for deal in linked["deals"]],
        )

    def take_notices(self) -> list[Notice]:
        told, self._told = self._told, []
        notices = []
        for _, changes in itertools.groupby(enumerate(told), lambda one: one[1].record.id):  # a delivery a contact
            body = json.dumps([_event(self._account, number, change) for number, change in changes]).encode()
            parcel = sign(TARGET, body, SECRET, self.clock.now().timestamp())
            notices.append(Notice("", parcel.headers, body))
        return self.knobs.send(notices)

    def expire_tokens(self) -> None:
        self._tokens.clear()

    def _tell(self, change: Change) -> None:
        self.changes += 1
        if change.record.kind == "contacts":
            self._told.append(change)


def _makes(scope: Scope) -> bool:
    return str(scope["path"]).endswith("/batch/create")


def _properties(fields: dict[str, FieldValue]) -> dict[str, str]:
    stage = fields.pop("lifecycle_stage", None)
    given = {PROPERTIES[name]: "" if value is None else str(value) for name, value in fields.items()}
    return given | ({"lifecyclestage": STAGE_WORDS[LifecycleStage.read(stage)]} if stage else {})


def _task(task: Record) -> SeenTask:
    due_at = datetime.fromtimestamp(to_milliseconds(task.value("hs_timestamp") or "0") / 1000, UTC)
    return SeenTask(task.value("hubspot_owner_id") or "", task.value("hs_task_subject") or "", due_at)


def _event(account: Account, number: int, change: Change) -> dict[str, Any]:
    event: dict[str, Any] = {
        "eventId": number,
        "subscriptionId": 1,
        "portalId": account.portal_id,
        "appId": account.app_id,
        "occurredAt": change.at,
        "subscriptionType": "contact.creation" if change.name is None else "contact.propertyChange",
        "attemptNumber": 0,
        "objectId": int(change.record.id),
        "changeSource": change.source,
        "sourceId": change.source_id,
    }
    return event | ({"changeFlag": "NEW"} if change.name is None else {"propertyName": change.name, "propertyValue": change.value})


def open_stand_in(clock: StandingClock) -> HubSpotStandIn:
    """A fresh account."""
    return HubSpotStandIn(clock)
