"""The policy: who gets which lead, as ordered data in one validated TOML file. See `docs/policy.md` for worked ones."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from allocation.hours import Calendar
from allocation.policy_checks import EVERYBODY, check_names, check_overflow, check_reach, check_roster
from allocation.policy_parts import (
    applied,
    read_by_tier,
    read_calendar,
    read_caps,
    read_fairness,
    read_owners,
    read_rep,
    read_rule,
    read_slas,
    read_team,
)
from allocation.policy_tables import Findings, PolicyError, Problem, Table, did_you_mean
from allocation.rep import Caps, LeadFacts, Rep
from allocation.terms import Fairness, Method, Owners, Rule, Sla, Team
from allocation.toml_lines import Path, line_numbers
from leads.enums import Gate, Tier

#: The part of leads that is given out at random among the eligible, so that what works can be told from what is merely done.
EXPLORE: Final = 0.05
__all__ = ["DEFAULT_POLICY", "Plan", "Policy", "PolicyError", "check_roster", "parse_policy", "read_policy"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the policy says for one lead: the rule that matched (None when none did), and the team as that rule has it."""

    rule: Rule | None
    team: Team
    method: Method
    skills: tuple[str, ...]
    gates_off: frozenset[Gate]
    caps: Caps  # the team's over the policy's
    calendar: Calendar  # of members who say nothing of their own
    owners: Owners


@dataclass(frozen=True)
class Policy:
    """A whole policy. `tables` is what it was read from, as plain values: equal tables are the same policy."""

    name: str
    tables: Mapping[str, Any]
    teams: Mapping[str, Team]
    rules: tuple[Rule, ...]
    fallback: str
    calendar: Calendar = field(default_factory=Calendar)
    caps: Caps = field(default_factory=Caps)
    tier_caps: Mapping[Tier, Caps] = field(default_factory=dict)
    owners: Owners = field(default_factory=Owners)
    fairness: Fairness = field(default_factory=Fairness)
    sla: Mapping[Tier, Sla] = field(default_factory=dict)
    explore: float = EXPLORE
    reps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()

    @cached_property
    def version(self) -> str:
        """Twelve hexadecimal digits over the content; comments, spacing and the order of keys do not count, that of rules does."""
        canonical = json.dumps(self.tables, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def plan(self, lead: LeadFacts) -> Plan:
        """The first rule that holds for the lead, with its team's terms where it says nothing; else the fallback team's."""
        for rule, team in self._led:
            if rule.when.holds(lead):
                return self._plan(rule, team, lead)
        return self._plan(None, self.teams[self.fallback], lead)

    def team_plan(self, name: str) -> Plan:
        """The plan of a team by itself, for leads that no rule has taken to it."""
        return self._plan(None, self.teams[name], LeadFacts(0))

    def overflow_plan(self, plan: Plan, name: str, lead: LeadFacts) -> Plan:
        """The plan when the lead has gone over to another team: that team's terms, and the gates that the rule switched off."""
        over = self._plan(plan.rule, self.teams[name], lead)
        return replace(over, gates_off=over.gates_off | (plan.rule.gates_off if plan.rule else frozenset()))

    def sla_of(self, team: Team, tier: Tier) -> Sla | None:
        """The deadlines of a tier: the team's before the policy's."""
        return team.sla.get(tier) or self.sla.get(tier)

    @cached_property
    def _led(self) -> tuple[tuple[Rule, Team], ...]:
        """Each rule with its team as the rule has it."""
        return tuple((rule, applied(self.teams[rule.team], rule)) for rule in self.rules)

    def _plan(self, rule: Rule | None, team: Team, lead: LeadFacts) -> Plan:
        relaxed = team.relax_skills_after is not None and lead.waiting_minutes >= team.relax_skills_after
        skills = () if relaxed else team.skills
        calendar = team.calendar.over(self.calendar) if team.calendar else self.calendar
        owners = team.owners or self.owners
        return Plan(rule, team, team.method, skills, team.gates_off, team.caps.over(self.caps), calendar, owners)

    def settled(self, rep: Rep) -> Rep:
        """The rep with what the file says of them, except for fields that a person set (`Rep.by_person`).

        Only people set a rep's own caps, each apart from the others: those win over the file's one by one.
        """
        said = self.reps.get(rep.id)
        if not said:
            return rep
        fields = {name: value for name, value in said.items() if name not in rep.by_person}
        if "active" in fields:
            fields["active"] = fields["active"] and rep.active  # nobody can own what their CRM does not let them own
        if "caps" in said:
            fields["caps"] = rep.caps.over(said["caps"])
        return replace(rep, **fields)

    def members(self, team: Team, roster: Iterable[Rep]) -> list[Rep]:
        """The reps of the roster who are in the team."""
        if team.reps is None:
            return [rep for rep in roster if team.name.lower() in rep.teams]
        if EVERYBODY in team.reps:
            return list(roster)
        return [rep for rep in roster if rep.id in team.reps]


def parse_policy(text: str, name: str = "policy.toml", known_reps: Collection[str] | None = None) -> Policy:
    """Read a policy file. `known_reps` are the rep ids that exist; without them ids are not checked.

    Raises `PolicyError` (a ValueError) whose text has one line for everything that is wrong: `policy.toml:12: …`.
    """
    try:
        tables = tomllib.loads(text)
    except ValueError as error:  # not TOML, or a number of more digits than can be read
        message = str(error)
        line = message.rpartition("line ")[2].split(",")[0] if "line " in message else str(text.count("\n") + 1)
        raise PolicyError(name, [Problem(int(line), f"this is not TOML: {message}")]) from error
    return read_policy(tables, name, known_reps, line_numbers(text))


def read_policy(
    tables: Mapping[str, Any],
    name: str = "policy",
    known_reps: Collection[str] | None = None,
    lines: dict[Path, int] | None = None,
) -> Policy:
    """The policy out of plain tables, as `Policy.tables` holds them. Raises `PolicyError`."""
    findings = Findings(lines or {})
    top = Table(tables, (), findings)
    title = top.text("name") or "policy"
    teams = {team: read_team(team, table) for team, table in top.tables("teams")}
    if not teams:
        findings.wrong(("teams",), 'there is no team; write for example [teams.sales] with reps = ["*"]')
        teams = {"sales": Team("sales", frozenset({EVERYBODY}))}
    rules = tuple(read_rule(row, place, teams) for place, row in enumerate(top.rows("rules"), 1))
    fallback = top.text("fallback") or next(iter(teams))
    if fallback not in teams:
        top.wrong("fallback", f'there is no team "{fallback}"{did_you_mean(fallback, teams)}')
    caps_table = top.table("caps")
    tier_caps = {Tier.read(tier): read_caps(below) for tier, below in read_by_tier(caps_table.table("tier"))}
    policy = Policy(
        title,
        tables,
        teams,
        rules,
        fallback,
        calendar=read_calendar(top.table("hours")),
        caps=read_caps(caps_table, "tier"),
        tier_caps=tier_caps,
        owners=read_owners(top.table("owners")),
        fairness=read_fairness(top.table("fairness")),
        sla=read_slas(top.table("sla")),
        explore=EXPLORE if (explore := top.number("explore", 0.0, 1.0)) is None else explore,
        reps={rep: read_rep(table) for rep, table in top.tables("reps")},
    )
    top.done()
    check_names(policy, findings, known_reps)
    check_overflow(policy, findings)
    check_reach(policy, findings)
    if findings.problems:
        raise PolicyError(name, findings.problems)
    return replace(policy, warnings=tuple(sorted(findings.warnings, key=lambda problem: problem.line)))


DEFAULT_POLICY: Final = read_policy(
    {"name": "Everybody in turn", "teams": {"sales": {"reps": [EVERYBODY], "nobody_free": "hold"}}}, "the default policy"
)
