"""The allocation policy: checked against the reps that exist, and put in force."""

from __future__ import annotations

from dataclasses import dataclass

from allocation.policy import Policy, check_roster, parse_policy
from connector.bootstrap import House
from connector.commands.people import Actor
from connector.errors import Configuration
from connector.pipeline.roster import build_roster
from leads.enums import Role


@dataclass(frozen=True, slots=True)
class Checked:
    """A policy that can be used, and what is odd about it: (line, message), the line None where it is about the reps."""

    policy: Policy
    warnings: tuple[tuple[int | None, str], ...]


def check_policy(text: str, name: str, house: House | None = None) -> Checked:
    """Read a policy; with a house that has reps, also whether they, their hours and their loads fit it.

    Raises `PolicyError` (a ValueError) with a line for every mistake.
    """
    roster = build_roster(house, house.clock.now()) if house else []
    policy = parse_policy(text, name, known_reps={rep.id for rep in roster} if roster else None)
    warnings: list[tuple[int | None, str]] = [(one.line, one.message) for one in policy.warnings]
    if roster:
        warnings += [(None, line) for line in check_roster(policy, roster)]
    return Checked(policy, tuple(warnings))


def publish_policy(house: House, text: str, name: str, actor: Actor, reason: str) -> Checked:
    """Put a policy in force for every process, within seconds, and record who and why.

    Raises `PolicyError` when it is wrong, and `Configuration` when this actor may not, or gives no reason.
    """
    if not actor.may(Role.ADMIN):
        raise Configuration("Only admins may publish a policy.")
    if not reason.strip():
        raise Configuration("Say why the policy changes.", "Add --why TEXT.")
    checked = check_policy(text, name, house)
    with house.db.transaction():
        newest = house.policies.newest()
        before = newest.version if newest else house.policy.version
        house.policies.publish(checked.policy.version, checked.policy.name, text, actor.label, reason.strip())
        detail = {"before": before, "after": checked.policy.version}
        house.audit.add(actor.label, "policy.published", f"policy:{checked.policy.version}", reason=reason.strip(), detail=detail)
    house.policy_shelf.look_again()
    return checked
