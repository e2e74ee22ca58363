"""Outgoing webhooks, signed as Standard Webhooks has it (https://www.standardwebhooks.com): `v1,` and the base64 of the HMAC-SHA256
over id, timestamp and body. The id stays the same in every try, so that the receiver can drop a repeat."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from connector.bootstrap import House
from connector.clock import Clock
from connector.errors import Configuration, Skippable
from connector.http import VendorHttp, sorted_error
from connector.pipeline.crm_wishes import OWN
from connector.settings import WebhookSettings
from connector.storage.effects import Effect
from leads.fields import OPEN
from leads.records import Lead

PREFIX: Final = "whsec_"
EVENT: Final = "playbook.step"


def key_of(name: str, secret: str) -> bytes:
    """The bytes of a secret. Raises `Configuration`."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:
        raise Configuration(f"webhooks.{name}: the secret is not whsec_ and the base64 of 24 to 64 bytes.", "Make a new one.")
    return key


def sign(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


class WebhookSender:
    """Calls the receivers of `[webhooks.NAME]`, through the address guard. Safe to share between threads."""

    def __init__(self, receivers: Mapping[str, WebhookSettings], clock: Clock) -> None:
        self._clock = clock
        self._keys = {name: key_of(name, one.secret.get_secret_value()) for name, one in receivers.items()}
        self._urls = {name: urlsplit(one.url) for name, one in receivers.items()}
        self._http = {
            name: VendorHttp(
                f"The webhook {name}", f"{url.scheme}://{url.netloc}", clock, allow_private=receivers[name].trust_private_host
            )
            for name, url in self._urls.items()
        }

    def deliver(self, house: House, effect: Effect, in_doubt: bool) -> str:
        """Send one event; returns its id."""
        name = str(effect.payload["to"])
        if name not in self._http:
            raise Configuration(f"There is no [webhooks.{name}] in the configuration.", "Write it, or drop this letter.")
        lead = house.leads.get(effect.lead_id or 0)
        if lead is None or lead.erased:
            raise Skippable("The lead is gone.")
        message_id = "msg_" + house.vault.index("webhook", effect.subject)
        body = json.dumps(_event(house, effect, lead), ensure_ascii=False, separators=(",", ":")).encode()
        stamp, url = int(self._clock.now().timestamp()), self._urls[name]
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign(self._keys[name], message_id, stamp, body),
        }
        query = parse_qsl(url.query, keep_blank_values=True) or None
        answer = self._http[name].send("POST", url.path or "/", idempotent=True, params=query, content=body, headers=headers)
        error = sorted_error(answer, f"The webhook {name}", {}, self._clock.now())
        if isinstance(error, Skippable):  # no record is gone here, but the receiver
            raise Configuration(f"The webhook {name} answered {answer.status_code}.", f"Mend the url of [webhooks.{name}].")
        if error is not None:
            raise error
        return message_id


def _event(house: House, effect: Effect, lead: Lead) -> dict[str, Any]:
    """The body: the lead as it stands, with what describes it and the facts that the step names."""
    stored = house.scores.newest(lead.id)
    named = [name for name in (*OPEN, *effect.payload.get("facts", ())) if lead.fields.get(name) is not None]
    return {
        "type": EVENT,
        "timestamp": (effect.created_at or house.clock.now()).isoformat(),
        "data": {
            "playbook": effect.payload["name"],
            "title": effect.payload[OWN],
            "lead_id": lead.id,
            "connection": lead.connection,
            "external_id": lead.external_id,
            "score": stored.score.score if stored else None,
            "tier": stored.score.tier.value if stored else None,
            "rep_id": lead.owner_id,
            "facts": {name: lead.fields[name] for name in dict.fromkeys(named)},
        },
    }
