"""The closing table: it holds when all is well, and each thing that goes wrong shows in the line that is about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connector.sandbox.show.verdict import judge
from connector.sandbox.show.witness import Evidence

Json = dict[str, Any]
PEOPLE = {
    "1": {"id": "1", "name": "Alex", "team": "Americas", "slack_id": "U1"},
    "2": {"id": "2", "name": "Bea", "team": "EMEA", "slack_id": "U2"},
}


def contact(contact_id: str, owner: str, tier: str, score: str) -> Json:
    return {"id": contact_id, "properties": {"hubspot_owner_id": owner, "leadswitch_tier": tier, "leadswitch_score": score}}


def decision(lead_id: int, owner: str, tier: str, score: int) -> Json:
    return {"lead_id": lead_id, "owner_id": owner, "outcome": "assigned", "tier": tier, "first_tier": tier, "score": score}


def message(ts: str, channel: str, event: str, **payload: Any) -> Json:
    metadata = {"event_type": event, "event_payload": payload}
    return {"ts": ts, "channel": channel, "deleted": False, "metadata": metadata, "posted_at": float(ts)}


def delivery(mark: str, keys: list[str], subjects: list[str], status: int = 200) -> Json:
    return {"mark": mark, "keys": keys, "subjects": subjects, "status": status, "first_at": 10.0}


def world() -> Json:
    """Three leads: one hot of Alex's, one warm of Bea's, one cold of Bea's."""
    return {
        "contacts": {"11": contact("11", "1", "A", "91"), "12": contact("12", "2", "B", "60"), "13": contact("13", "2", "D", "5")},
        "tasks": [
            {"id": f"t{n}", "contacts": [n], "properties": {"hubspot_owner_id": o}}
            for n, o in (("11", "1"), ("12", "2"), ("13", "2"))
        ],
        "messages": [
            message("10.3", "D1", "leadswitch_card", lead_id=1, destination="dm:1"),
            message("10.4", "C0LEADS000", "leadswitch_card", lead_id=1, destination="channel:#leads"),
            message("10.5", "D2", "leadswitch_card", lead_id=2, destination="dm:2"),
            message("70.0", "D2", "leadswitch_digest", lead_ids=[3]),
        ],
        "ledgers": {
            "crm": [
                delivery("genuine", ["a", "b", "c"], ["11", "12", "13"]),
                delivery("repeat", ["a"], ["11"]),
                delivery("forged", ["x"], ["990000001"], 401),
            ],
            "mail": [delivery("genuine", ["d"], ["a@acme.example"]), delivery("stale", ["y"], ["ghost@acme.example"], 401)],
        },
        "decisions": {"11": decision(1, "1", "A", 91), "12": decision(2, "2", "B", 62), "13": decision(3, "2", "D", 5)},
        "people": PEOPLE,
        "expected_leads": 3,
        "answers": [{"what": "accept", "ok": True, "why": ""}],
    }


def test_all_is_well() -> None:
    verdict = judge(Evidence(**world()))
    assert verdict.ok, [check for check in verdict.checks if not check.ok]
    assert verdict.figures["lost"] == verdict.figures["doubled"] == 0
    assert (verdict.figures["events_in"], verdict.figures["rejected"], verdict.figures["duplicates"]) == (4, 2, 1)
    assert verdict.figures["p50_s"] == pytest.approx(0.4)


def _second_task(w: Json) -> None:
    w["tasks"].append(w["tasks"][0] | {"id": "t9"})


def _second_card(w: Json) -> None:
    w["messages"].append(message("10.9", "D1", "leadswitch_card", lead_id=1, destination="dm:1"))


def _no_card(w: Json) -> None:
    del w["messages"][1]


def _no_digest(w: Json) -> None:
    del w["messages"][3]


def _digest_of_somebody_else(w: Json) -> None:
    w["messages"][3]["channel"] = "D1"


def _no_channel_card(w: Json) -> None:
    del w["messages"][1]


def _wrong_owner(w: Json) -> None:
    w["contacts"]["12"]["properties"]["hubspot_owner_id"] = "1"


def _wrong_tier(w: Json) -> None:
    w["contacts"]["13"]["properties"]["leadswitch_tier"] = "C"


def _undecided(w: Json) -> None:
    del w["decisions"]["13"]


def _forged_accepted(w: Json) -> None:
    w["ledgers"]["crm"][2]["status"] = 200


def _ghost(w: Json) -> None:
    w["decisions"]["990000001"] = decision(9, "1", "D", 3)


def _unacknowledged(w: Json) -> None:
    w["ledgers"]["mail"][0]["status"] = 503


def _backwards(w: Json) -> None:
    w["backward_moves"] = 1


def _others_task(w: Json) -> None:
    w["tasks"][0]["properties"]["hubspot_owner_id"] = "2"


def _unanswered(w: Json) -> None:
    w["answers"].append({"what": "pass", "ok": False, "why": "timeout"})


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (_second_task, "leads with exactly one task"),
        (_second_card, "destinations with more than one card of a lead"),
        (_no_card, "cards for hot and warm leads"),
        (_no_digest, "other leads listed in their owner's digest"),
        (_digest_of_somebody_else, "other leads listed in their owner's digest"),
        (_no_channel_card, "cards for hot and warm leads"),
        (_wrong_owner, "CRM holds owner, score, tier as decided"),
        (_wrong_tier, "CRM holds owner, score, tier as decided"),
        (_undecided, "leads decided"),
        (_forged_accepted, "forged or stale deliveries, refused with 401"),
        (_ghost, "leads made from forged deliveries"),
        (_unacknowledged, "events sent and acknowledged"),
        (_backwards, "lifecycle stages moved backwards"),
        (_others_task, "tasks that are not the owner's"),
        (_unanswered, "clicks and commands that did what they say"),
    ],
)
def test_what_goes_wrong_shows_in_its_line(spoil: Callable[[Json], None], line: str) -> None:
    spoilt = world()
    spoil(spoilt)
    verdict = judge(Evidence(**spoilt))
    assert not verdict.ok
    assert line in [check.name for check in verdict.checks if not check.ok]


def test_lost_and_doubled_are_counted() -> None:
    spoilt = world()
    _second_task(spoilt)
    _second_card(spoilt)
    _no_digest(spoilt)
    figures = judge(Evidence(**spoilt)).figures
    assert (figures["lost"], figures["doubled"]) == (1, 2)


def test_many_hot_leads_may_share_a_message_in_the_channel_but_not_in_the_direct_one() -> None:
    shared = world()
    shared["messages"][1] = message("10.4", "C0LEADS000", "leadswitch_roundup", lead_ids=[1])
    verdict = judge(Evidence(**shared))
    assert verdict.ok
    assert verdict.figures["shared_messages"] == 2
    shared["messages"][0] = message("10.3", "D1", "leadswitch_digest", lead_ids=[1])
    assert not judge(Evidence(**shared)).ok
