"""Past decisions through another policy, read from the database: what `leadswitch simulate` and the API answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from statistics import median
from typing import Any

from allocation.policy import Policy, check_roster
from allocation.simulate import Past, Placed, Simulation, simulate
from connector.bootstrap import House
from connector.errors import Fatal
from connector.pipeline.allocate import ENGINE
from connector.pipeline.roster import build_roster
from leads.enums import Tier

#: Leads that would have gone elsewhere are listed up to here; their number is always told.
LISTED = 200


def run(house: House, policy: Policy, since: datetime, report: Callable[[float, str], None]) -> Simulation:
    """Run every decision since then through `policy`. Raises `Fatal` when there is none, or a record is of another form."""
    total = house.lessons.count(since)
    if not total:
        raise Fatal(f"No decision was made since {since:%Y-%m-%d %H:%M} UTC: there is nothing to simulate.")

    def pasts() -> Iterator[Past]:
        for number, taught in enumerate(house.lessons.since(since), 1):
            if number % 50 == 0:
                report(number / total, f"{number:,} of {total:,} decisions")
            yield Past(taught.decision.record, taught.ended_at, credited=taught.decision.actor != ENGINE)

    try:
        return simulate(pasts(), policy, house.lessons.given_before(since))
    except ValueError as error:
        raise Fatal(f"A stored decision cannot be simulated: {error}.") from error


def oddities(house: House, policy: Policy) -> list[str]:
    """What does not fit between the policy and the reps that exist, one line each."""
    return check_roster(policy, build_roster(house, house.clock.now()))


def as_json(house: House, found: Simulation, policy: Policy, since: datetime) -> dict[str, Any]:
    """The whole result as plain values. Times in minutes; expected conversions are sums of probabilities."""
    names = house.reps.names()
    return {
        "policy": policy.name,
        "policy_version": found.policy_version,
        "since": since.isoformat(),
        "leads": len(found.placed),
        "moved": len(found.moved),
        "waiting": {"was": found.waiting_was, "now": found.waiting_now},
        "unfairness": {"was": round(found.unfairness_was, 4), "now": round(found.unfairness_now, 4)},
        "expected_conversions": _both(found, "conversions"),
        "expected_value": _both(found, "expected"),
        "waits_minutes": {"was": _waits(found, "waited_was"), "now": _waits(found, "waited")},
        "reps": [
            {
                "rep_id": rep,
                "name": names.get(rep, rep),
                "leads": {"was": share.was, "now": share.now},
                "tier_a": {"was": share.tiers_was[Tier.A], "now": share.tiers_now[Tier.A]},
                "expected_conversions": {"was": round(share.conversions_was, 3), "now": round(share.conversions_now, 3)},
                "expected_value": {"was": round(share.expected_was, 2), "now": round(share.expected_now, 2)},
            }
            for rep, share in sorted(found.shares.items(), key=lambda item: names.get(item[0], item[0]))
        ],
        "moves": [_move(lead, names) for lead in found.moved[:LISTED]],
    }


def _both(found: Simulation, name: str) -> dict[str, float]:
    return {when: round(sum(getattr(share, f"{name}_{when}") for share in found.shares.values()), 3) for when in ("was", "now")}


def _waits(found: Simulation, name: str) -> dict[str, float]:
    """Of the leads that somebody had: how many waited at all, the median of all, and the longest."""
    had = [getattr(lead, name) for lead in found.placed if (lead.was if name == "waited_was" else lead.now) is not None]
    return {
        "waited": sum(minutes > 0 for minutes in had),
        "median": round(median(had), 2) if had else 0.0,
        "longest": round(max(had, default=0.0), 2),
    }


def _move(lead: Placed, names: dict[str, str]) -> dict[str, Any]:
    return {
        "lead_id": lead.lead_id,
        "at": lead.at.isoformat(),
        "tier": lead.tier.value,
        "was": names.get(lead.was, lead.was) if lead.was else None,
        "now": names.get(lead.now, lead.now) if lead.now else None,
        "because": lead.because,
    }
