"""What is looked at in HubSpot before anything runs: here the subscriptions, of which each property counts for itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from connector.adapters.hubspot.calls import HubSpotCalls
from connector.adapters.hubspot.setup import CHANGES, PROPERTIES, SUBSCRIPTIONS, HubSpotSetup

CHANGE = "contact.propertyChange"
WHOLE = tuple({"eventType": one, "active": True} for one in SUBSCRIPTIONS if one != CHANGE)


class Account:
    """Answers as an account does in which everything is there but some subscriptions."""

    def __init__(self, subscriptions: Sequence[dict[str, Any]]) -> None:
        self.subscriptions = subscriptions

    def path(self, area: str, rest: str = "") -> str:
        return f"/{area}/{rest}"

    def call(self, method: str, path: str, **_: Any) -> dict[str, Any]:
        if path.startswith("/webhooks/"):
            return {"results": list(self.subscriptions)}
        return {"results": PROPERTIES.get(path.rpartition("/")[2], ())}


def missing(*subscriptions: dict[str, Any]) -> str:
    setup = HubSpotSetup(cast(HubSpotCalls, Account(subscriptions)), "hub", "54321")
    return {result.name: result.detail for result in setup.check()}["webhook subscriptions"]


@pytest.mark.parametrize("prefix", ["contact", "object"])
def test_all_that_routing_waits_for_is_asked_for(prefix: str) -> None:
    heard = [{"eventType": f"{prefix}.propertyChange", "propertyName": name, "active": True} for name in CHANGES]
    assert missing(*WHOLE, *heard) == "all active"
    assert missing(*WHOLE, *heard[:-1]) == "missing: contact.propertyChange of notes_last_contacted"
    assert missing(*WHOLE, *heard[:-1], {**heard[-1], "active": False}) == "missing: contact.propertyChange of notes_last_contacted"


def test_a_whole_kind_of_event_that_nobody_subscribed_to_is_named() -> None:
    assert missing(*WHOLE[1:]).startswith(
        "missing: contact.creation, contact.propertyChange, contact.propertyChange of hubspot_owner_id"
    )
