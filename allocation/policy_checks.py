"""What can be wrong between the parts of a policy, and between it and the reps that exist."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from allocation.hours import check_holiday_place, zone_of
from allocation.policy_tables import Findings, did_you_mean
from allocation.rep import Rep
from allocation.terms import NobodyFree
from allocation.toml_lines import Path

if TYPE_CHECKING:
    from allocation.policy import Policy

EVERYBODY: Final = "*"


def check_names(policy: Policy, findings: Findings, known_reps: Collection[str] | None) -> None:
    """Every team and rep that is named must exist. None for `known_reps` leaves the reps out."""
    for team in policy.teams.values():
        if team.overflow is not None and team.overflow not in policy.teams:
            findings.wrong(
                ("teams", team.name, "overflow"), f'there is no team "{team.overflow}"{did_you_mean(team.overflow, policy.teams)}'
            )
    if known_reps is None:
        return
    used: list[tuple[Path, str]] = [(("reps", rep), rep) for rep in policy.reps]
    for team in policy.teams.values():
        base: Path = ("teams", team.name)
        used += [((*base, "reps"), rep) for rep in sorted(team.reps or ()) if rep != EVERYBODY]
        used += [((*base, "weights", rep), rep) for rep in team.weights]
        used += [((*base, "default_rep"), team.default_rep)] if team.default_rep else []
    for path, rep in used:
        if rep not in known_reps:
            findings.wrong(path, f'there is no rep "{rep}"{did_you_mean(rep, known_reps)}')


def check_overflow(policy: Policy, findings: Findings) -> None:
    """An overflow that comes back to its own team would never end. One problem a cycle, at the first team of it in the file."""
    reported: set[str] = set()
    for start in policy.teams:
        chain = [start]
        while (team := policy.teams.get(chain[-1])) and team.nobody_free is NobodyFree.OVERFLOW and team.overflow:
            if team.overflow == start and not reported & set(chain):
                reported.update(chain)
                route = " → ".join((*chain, start))
                message = f"the overflow runs in a circle: {route}; end it with another nobody_free"
                findings.wrong(("teams", start, "overflow"), message)
            if team.overflow in chain:
                break
            chain.append(team.overflow)


def check_reach(policy: Policy, findings: Findings) -> None:
    """Rules may overlap: the first that holds wins. One that an earlier rule covers entirely is worth a warning."""
    for place, rule in enumerate(policy.rules):
        above = next((earlier for earlier in policy.rules[:place] if earlier.when.covers(rule.when)), None)
        if above:
            findings.odd(("rules", place), f'rule "{rule.name}" never applies: "{above.name}" above it takes all its leads')


def check_roster(policy: Policy, roster: Sequence[Rep]) -> list[str]:
    """What does not fit between the policy and the reps that exist, one clear line each; empty when all is well."""
    known = {rep.id: policy.settled(rep) for rep in roster}
    findings = Findings({})
    check_names(policy, findings, known)
    lines = [problem.message for problem in findings.problems]
    for rep in known.values():
        try:
            zone_of(rep.timezone or policy.calendar.zone)
        except ValueError as error:
            lines.append(f"rep {rep.id}: {error}; the policy's zone {policy.calendar.zone} is used")
        if rep.holiday_country and (mistake := check_holiday_place(rep.holiday_country, rep.holiday_region)):
            lines.append(f"rep {rep.id}: {mistake}; holidays that are not known count as working days")
    for team in policy.teams.values():
        members = policy.members(team, known.values())
        if not members:
            lines.append(f"team {team.name} has no rep in the CRM")
        elif not any(team.weights.get(rep.id, rep.weight) > 0 for rep in members):
            lines.append(f"every rep of team {team.name} has weight 0, so nobody gets its leads")
    return lines
