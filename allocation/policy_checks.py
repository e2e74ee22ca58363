"""What can be wrong between the parts of a policy, and between it and the reps that exist."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

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
    places: list[tuple[Path, Mapping[str, Any]]] = [
        (("teams", team.name), {"overflow": team.overflow, "default_rep": team.default_rep, "manager": team.manager,
                                "weights": team.weights, "reps": team.reps})
        for team in policy.teams.values()
    ]  # fmt: skip
    places += [(("rules", place), rule.terms) for place, rule in enumerate(policy.rules)]
    for base, terms in places:
        overflow = terms.get("overflow")
        if overflow is not None and overflow not in policy.teams:
            findings.wrong((*base, "overflow"), f'there is no team "{overflow}"{did_you_mean(overflow, policy.teams)}')
    if known_reps is None:
        return
    used: list[tuple[Path, str]] = [(("reps", rep), rep) for rep in policy.reps]
    for base, terms in places:
        used += [((*base, "reps"), rep) for rep in sorted(terms.get("reps") or ()) if rep != EVERYBODY]
        used += [((*base, "weights", rep), rep) for rep in terms.get("weights") or ()]
        used += [((*base, key), terms[key]) for key in ("default_rep", "manager") if terms.get(key)]
    for path, rep in used:
        if rep not in known_reps:
            findings.wrong(path, f'there is no rep "{rep}"{did_you_mean(rep, known_reps)}; see leadswitch reps list')


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
    """Rules may overlap: the first that holds wins. One that an earlier rule covers entirely, and two of which neither is the
    narrower, are worth a warning. A narrow rule above a wide one is how exceptions are written."""
    for place, rule in enumerate(policy.rules):
        above = next((earlier for earlier in policy.rules[:place] if earlier.when.covers(rule.when)), None)
        if above:
            findings.odd(("rules", place), f'rule "{rule.name}" never applies: "{above.name}" above it takes all its leads')
            continue
        for earlier in policy.rules[:place]:
            if earlier.team != rule.team and earlier.when.meets(rule.when) and not rule.when.covers(earlier.when):
                message = f'rules "{earlier.name}" and "{rule.name}" overlap: a lead that meets both goes by "{earlier.name}"'
                findings.odd(("rules", place), f"{message}, which stands first")


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
        lines += _overloaded(policy, rep)
    for team in policy.teams.values():
        members = policy.members(team, known.values())
        if not members:
            lines.append(f"team {team.name} has no rep in the CRM")
        elif not any(team.weights.get(rep.id, rep.weight) > 0 for rep in members):
            lines.append(f"every rep of team {team.name} has weight 0, so nobody gets its leads")
    return lines


def _overloaded(policy: Policy, rep: Rep) -> list[str]:
    """A rep who holds more than their cap, or holds leads that they cannot work."""
    if rep.open_leads and not rep.active:
        return [f"rep {rep.id} is not active and holds {rep.open_leads} open leads; reassign them, or set the rep active"]
    caps = [rep.caps.over(team.caps.over(policy.caps)).open for team in policy.teams.values() if rep in policy.members(team, [rep])]
    cap = max((cap for cap in caps if cap is not None), default=None)
    if cap is None or None in caps or rep.open_leads <= cap:
        return []
    return [f"rep {rep.id} holds {rep.open_leads} open leads, more than the cap of {cap}: no new ones until enough are closed"]
