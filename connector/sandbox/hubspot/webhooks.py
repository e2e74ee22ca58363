# ruff: noqa: SIM905 - lists of words read best as words
"""Webhook notices as HubSpot sends them: batches of up to 100 events, signed with v3 (and v1 beside it, as HubSpot does).

Source: HubSpot "Webhooks API" and "Validating requests from HubSpot". v3 signs method + URI + body + timestamp with
HMAC-SHA256 and the app's client secret, in base64; v1 is the SHA-256 hex digest of secret + body.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any

from connector.sandbox.hubspot.store import Change
from connector.sandbox.ledger import FORGED, GENUINE, REPEAT, STALE
from connector.sandbox.sender import Parcel, Sender

BATCH = 100
CREATION_SUBSCRIPTION, CHANGE_SUBSCRIPTION = 59, 25
STALE_S = 900.0
#: The properties to whose changes the app has subscribed. Those we write ourselves are among them, so that the echoes come too.
SUBSCRIBED = frozenset(
    "email lifecyclestage hs_lead_status hubspot_owner_id recent_conversion_date hs_email_optout hs_email_last_open_date "
    "hs_email_last_click_date hs_email_last_reply_date hs_analytics_last_visit_timestamp engagements_last_meeting_booked "
    "notes_last_contacted leadswitch_tier".split()
)


@dataclass
class Account:
    """Who we are to HubSpot, and where it sends its notices. With an empty target nothing is sent."""

    target: str
    secret: str
    portal_id: int = 62_515
    app_id: int = 54_321


@dataclass
class Notices:
    """Gathers changes and sends them in batches every `every_s` seconds, with the troubles of real life mixed in."""

    account: Account
    sender: Sender
    rng: Random
    every_s: float = 0.2
    trouble: bool = False  # repeats and disorder only while a campaign runs
    waiting: list[dict[str, Any]] = field(default_factory=list)
    event_id: int = 3_816_279_301
    _later: set[asyncio.Task[None]] = field(default_factory=set)

    def tell(self, change: Change) -> None:
        """Note one change, if the app has subscribed to it."""
        if (
            not self.account.target
            or change.record.kind != "contacts"
            or (change.name is not None and change.name not in SUBSCRIBED)
        ):
            return
        # HubSpot's event ids repeat between objects; a receiver must not take them for unique.
        self.event_id += self.rng.random() > 0.02
        event: dict[str, Any] = {
            "eventId": self.event_id,
            "subscriptionId": CREATION_SUBSCRIPTION if change.name is None else CHANGE_SUBSCRIPTION,
            "portalId": self.account.portal_id,
            "appId": self.account.app_id,
            "occurredAt": change.at,
            "subscriptionType": "contact.creation" if change.name is None else "contact.propertyChange",
            "attemptNumber": 0,
            "objectId": int(change.record.id),
            "changeSource": change.source,
            "sourceId": change.source_id,
        }
        event |= {"changeFlag": "NEW"} if change.name is None else {"propertyName": change.name, "propertyValue": change.value}
        self.waiting.append(event)

    async def run(self) -> None:
        """Send what is waiting, for ever."""
        while True:
            await asyncio.sleep(self.every_s)
            self.flush()

    def flush(self) -> None:
        events, self.waiting = self.waiting, []
        if self.trouble:
            self.rng.shuffle(events)
            held = [event for event in events if self.rng.random() < 0.03]
            if held:
                events = [event for event in events if event not in held]
                self._after(self.rng.uniform(0.5, 2.5), lambda: self.waiting.extend(held))
        for start in range(0, len(events), BATCH):
            batch = events[start : start + BATCH]
            self.send(GENUINE, batch)
            if self.trouble and self.rng.random() < 0.06:
                again = [event | {"attemptNumber": 1} for event in batch] if self.rng.random() < 0.5 else batch
                self._after(self.rng.uniform(0.2, 2.0), lambda again=again: self.send(REPEAT, again))

    def send(self, mark: str, batch: list[dict[str, Any]]) -> None:
        """Send one batch; what is forged has a wrong secret, what is stale an old but right signature."""
        keys = [
            f"{e['eventId']}.{e['objectId']}.{e['subscriptionId']}.{e['occurredAt']}.{e.get('propertyName', '')}" for e in batch
        ]
        subjects = sorted({str(event["objectId"]) for event in batch})
        secret = "not-the-secret" if mark == FORGED else self.account.secret
        age_s = STALE_S if mark == STALE else 0.0

        def wrap(attempt: int) -> Parcel:
            body = json.dumps([event | {"attemptNumber": event["attemptNumber"] + attempt} for event in batch]).encode()
            return sign(self.account.target, body, secret, time.time() - age_s)

        self.sender.send(mark, keys, subjects, wrap)

    def misbehave(self, kind: str) -> None:
        """Send a made-up creation of a contact that does not exist: forged, or signed long ago."""
        at = round(time.time() * 1000) - (round(STALE_S * 1000) if kind == STALE else 0)
        ghost = {"eventId": self.rng.randrange(10**9), "subscriptionId": CREATION_SUBSCRIPTION, "portalId": self.account.portal_id}
        ghost |= {
            "appId": self.account.app_id,
            "occurredAt": at,
            "attemptNumber": 0,
            "objectId": 990_000_000 + self.rng.randrange(10**6),
        }
        event = ghost | {
            "subscriptionType": "contact.creation",
            "changeFlag": "NEW",
            "changeSource": "CRM_UI",
            "sourceId": "userId:1",
        }
        self.send(STALE if kind == STALE else FORGED, [event])

    def _after(self, seconds: float, act: Any) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            act()

        task = asyncio.create_task(wait())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    @property
    def idle(self) -> bool:
        return not self.waiting and not self._later and not self.sender.ledger.pending


def sign(url: str, body: bytes, secret: str, at: float) -> Parcel:
    """The request with HubSpot's signature headers; `at` in seconds since 1970."""
    stamp = str(round(at * 1000))
    text = b"POST" + url.encode() + body + stamp.encode()
    signature = base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha256).digest()).decode()
    headers = {
        "content-type": "application/json",
        "user-agent": "HubSpot Connect 2.0 (namespace: webhooks-nio-http-client)",
        "x-hubspot-signature": hashlib.sha256(secret.encode() + body).hexdigest(),
        "x-hubspot-signature-version": "v1",
        "x-hubspot-signature-v3": signature,
        "x-hubspot-request-timestamp": stamp,
    }
    return Parcel(url, headers, body)
