"""The policy: who gets which lead, as ordered data in one validated TOML file. See `docs/policy.md` for worked ones."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from allocation.hours import Calendar, check_holiday_place, parse_week, zone_of
from allocation.languages import language_code
from allocation.policy_checks import EVERYBODY, check_names, check_overflow, check_reach, check_roster
from allocation.policy_tables import Findings, PolicyError, Problem, Table, did_you_mean, shown
from allocation.rep import Caps, LeadFacts, Rep, Territory
from allocation.terms import (
    FACTORS,
    RANGE_CONDITIONS,
    SKILLS,
    SWITCHABLE,
    WORD_CONDITIONS,
    Fairness,
    Match,
    Method,
    NobodyFree,
    OwnerKind,
    Owners,
    Rule,
    Sla,
    Team,
    in_postcodes,
)
from allocation.toml_lines import Path, line_numbers
from leads.enums import Gate, Tier

TIERS: Final = tuple(str(tier) for tier in Tier)
__all__ = ["DEFAULT_POLICY", "Plan", "Policy", "PolicyError", "check_roster", "in_postcodes", "parse_policy", "read_policy"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the policy says for one lead: the rule that matched (None when none did) and what holds after it."""

    rule: Rule | None
    team: Team
    method: Method
    skills: tuple[str, ...]
    gates_off: frozenset[Gate]
    caps: Caps  # the team's over the policy's


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
    explore: float = 0.0
    reps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()

    @cached_property
    def version(self) -> str:
        """Twelve hexadecimal digits over the content; comments, spacing and the order of keys do not count, that of rules does."""
        canonical = json.dumps(self.tables, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def plan(self, lead: LeadFacts) -> Plan:
        """The first rule that holds for the lead, with its team's terms where it says nothing; else the fallback team's."""
        rule = next((rule for rule in self.rules if rule.when.holds(lead)), None)
        team = self.teams[rule.team if rule else self.fallback]
        skills = team.skills if rule is None or rule.skills is None else rule.skills
        if team.relax_skills_after is not None and lead.waiting_minutes >= team.relax_skills_after:
            skills = ()
        method = (rule.method if rule else None) or team.method
        return Plan(rule, team, method, skills, rule.gates_off if rule else frozenset(), team.caps.over(self.caps))

    def overflow_plan(self, plan: Plan, name: str) -> Plan:
        """The plan when the lead has gone over to another team: that team's terms, the rule's gates."""
        team = self.teams[name]
        return replace(plan, team=team, method=team.method, skills=team.skills, caps=team.caps.over(self.caps))

    def settled(self, rep: Rep) -> Rep:
        """The rep with what the file says of them, except for fields that a person set (`Rep.by_person`).

        Only people set a rep's own caps, each apart from the others: those win over the file's one by one.
        """
        said = self.reps.get(rep.id)
        if not said:
            return rep
        fields = {name: value for name, value in said.items() if name not in rep.by_person}
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
    except tomllib.TOMLDecodeError as error:
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
    teams = {name: _team(name, table) for name, table in top.tables("teams")}
    if not teams:
        findings.wrong(("teams",), 'there is no team; write for example [teams.sales] with reps = ["*"]')
        teams = {"sales": Team("sales", frozenset({EVERYBODY}))}
    rules = tuple(_rule(row, place, teams) for place, row in enumerate(top.rows("rules"), 1))
    fallback = top.text("fallback") or next(iter(teams))
    if fallback not in teams:
        top.wrong("fallback", f'there is no team "{fallback}"{did_you_mean(fallback, teams)}')
    caps_table = top.table("caps")
    tier_caps = {Tier.read(tier): _caps(below) for tier, below in _by_tier(caps_table.table("tier"))}
    policy = Policy(
        title,
        tables,
        teams,
        rules,
        fallback,
        calendar=_calendar(top.table("hours")),
        caps=_caps(caps_table, "tier"),
        tier_caps=tier_caps,
        owners=_owners(top.table("owners")),
        fairness=_fairness(top.table("fairness")),
        sla={Tier.read(tier): _sla(below) for tier, below in _by_tier(top.table("sla"))},
        explore=top.number("explore", 0.0, 1.0) or 0.0,
        reps={rep: _rep(table) for rep, table in top.tables("reps")},
    )
    top.done()
    check_names(policy, findings, known_reps)
    check_overflow(policy, findings)
    check_reach(policy, findings)
    if findings.problems:
        raise PolicyError(name, findings.problems)
    return replace(policy, warnings=tuple(sorted(findings.warnings, key=lambda problem: problem.line)))


def _by_tier(table: Table) -> list[tuple[str, Table]]:
    found = []
    for tier in table.values:
        below = table.table(tier)
        if tier.lower() in TIERS:
            found.append((tier, below))
        else:
            table.wrong(tier, f'"{tier}" is not a tier; known: {", ".join(TIERS)}')
    return found


def _caps(table: Table, *beside: str) -> Caps:
    caps = Caps(table.whole("open"), table.whole("hour"), table.whole("day"), table.whole("week"), table.flag("rolling"))
    for key in beside:
        table.raw(key)
    table.done()
    return caps


def _calendar(table: Table) -> Calendar:
    zone = table.text("zone") or "UTC"
    table.read("zone", zone_of)
    country, region = _holidays(table)
    days = {key: value for key, value in table.values.items() if key not in table.asked}
    table.asked.update(days)
    week = None
    if days:
        try:
            week = parse_week(days)
        except (ValueError, AttributeError) as error:
            table.wrong(next(iter(days)), str(error))
    return Calendar(zone, week, country, region)


def _holidays(table: Table) -> tuple[str | None, str | None]:
    country, region = table.text("holiday_country"), table.text("holiday_region")
    if country:
        country = country.upper()
        mistake = check_holiday_place(country, region)
        if mistake:
            table.wrong("holiday_region" if "region" in mistake and "no region" in mistake else "holiday_country", mistake)
    elif region:
        table.wrong("holiday_region", "holiday_region needs a holiday_country beside it")
    return country, region


def _owners(table: Table) -> Owners:
    order = table.words("order", OwnerKind)
    wait = table.flag("wait_when_away")
    table.done()
    kinds = Owners().order if order is None else tuple(OwnerKind(kind) for kind in order)
    return Owners(kinds, True if wait is None else wait)


def _fairness(table: Table) -> Fairness:
    default = Fairness()
    catch_up = table.number("catch_up", 1.0, 1.25)
    leads = table.number("catch_up_leads")
    rejects = table.whole("reject_credits")
    table.done()
    return Fairness(
        default.catch_up if catch_up is None else catch_up,
        default.catch_up_leads if leads is None else leads,
        default.reject_credits if rejects is None else rejects,
    )


def _sla(table: Table) -> Sla:
    terms = Sla(
        accept_minutes=table.number("accept_minutes"),
        contact_minutes=table.number("contact_minutes"),
        remind_minutes=table.number("remind_minutes"),
        alert_minutes=table.number("alert_minutes"),
        reroute=table.flag("reroute") or False,
    )
    table.done()
    return terms


def _numbers(table: Table, known: Collection[str] | None = None) -> dict[str, float]:
    numbers = {}
    for key in table.values:
        if known is not None and key not in known:
            continue
        numbers[key] = table.number(key) or 0.0
    table.asked.update(known or ())
    table.done()
    return numbers


def _team(name: str, table: Table) -> Team:
    reps = table.texts("reps")
    team = Team(
        name,
        reps=None if reps is None else frozenset(reps),
        method=table.choice("method", Method) or Method.ROTATION,
        skills=table.words("skills", SKILLS) or (),
        nobody_free=table.choice("nobody_free", NobodyFree) or NobodyFree.HOLD,
        overflow=table.text("overflow"),
        default_rep=table.text("default_rep"),
        relax_skills_after=table.number("relax_skills_after_minutes"),
        caps=_caps(table.table("caps")),
        weights=_numbers(table.table("weights")),
        factors=_numbers(table.table("factors"), FACTORS),
    )
    table.done()
    if reps == ():
        table.wrong("reps", f'team {name} has no reps; write ["*"] for everybody, or leave reps out to take the CRM\'s teams')
    if team.reps and team.reps <= team.weights.keys() and not any(team.weights[rep] for rep in team.reps):
        table.wrong("weights", f"every weight in team {name} is 0, so nobody would ever get a lead; raise one of them")
    if team.factors and not any(team.factors.values()):
        table.wrong("factors", f"every factor of team {name} is 0; raise one of them")
    for behaviour, key, value in (
        (NobodyFree.OVERFLOW, "overflow", team.overflow),
        (NobodyFree.DEFAULT, "default_rep", team.default_rep),
    ):
        if team.nobody_free is behaviour and not value:
            table.wrong("nobody_free", f'nobody_free = "{behaviour}" needs {key} in team {name}')
    return team


def _rule(table: Table, place: int, teams: Mapping[str, Team]) -> Rule:
    name = table.text("name") or f"rule {place}"
    team = table.text("team")
    if team is None:
        table.wrong("team", f'{name} names no team; add for example team = "{next(iter(teams))}"')
    elif team not in teams:
        table.wrong("team", f'there is no team "{team}"{did_you_mean(team, teams)}')
    gates = table.table("gates")
    off = {gate for gate in SWITCHABLE if gates.flag(gate) is False}
    gates.done()
    rule = Rule(
        name,
        team if team is not None and team in teams else next(iter(teams)),
        when=_match(table.table("when")),
        method=table.choice("method", Method),
        skills=table.words("skills", SKILLS),
        gates_off=frozenset(off),
    )
    table.done()
    return rule


def _match(table: Table) -> Match:
    words = {name: frozenset(word.lower() for word in found) for name in WORD_CONDITIONS if (found := table.texts(name))}
    for tier in words.get("tier", ()):
        if tier not in TIERS:
            table.wrong("tier", f'"{tier}" is not a tier; known: {", ".join(TIERS)}')
    ranges = {name: _range(table.table(name)) for name in RANGE_CONDITIONS if table.raw(name) is not None}
    table.asked.update(RANGE_CONDITIONS)
    tags = frozenset(tag.lower() for tag in table.texts("tags") or ())
    if "language" in words:
        words["language"] = frozenset(map(language_code, words["language"]))
    match = Match(words, ranges, tags, _postcodes(table))
    table.done()
    return match


def _range(table: Table) -> tuple[float, float]:
    low, high = table.number("min"), table.number("max")
    table.done()
    if low is None and high is None:
        table.wrong("min", f"{shown(table.path)} needs min or max or both, such as {{ min = 50, max = 500 }}")
    bounds = (float("-inf") if low is None else low, float("inf") if high is None else high)
    if bounds[0] > bounds[1]:
        table.wrong("min", f"{shown(table.path)}: min {bounds[0]:g} is above max {bounds[1]:g}")
    return bounds


def _postcodes(table: Table) -> tuple[tuple[str, str], ...]:
    ranges = []
    for text in table.texts("postcodes") or ():
        low, _, high = (part.strip().upper().replace(" ", "") for part in text.partition("-"))
        high = high or low
        if len(low) != len(high) or low > high:
            table.wrong("postcodes", f'"{text}" is not a range of postcodes; write for example "10000-19999", "80-89" or "SW1"')
        else:
            ranges.append((low, high))
    return tuple(ranges)


def _rep(table: Table) -> dict[str, Any]:
    """The fields of a `Rep` that the file sets."""
    country, region = _holidays(table)
    territory = table.table("territory")
    place = Territory(
        frozenset(code.upper() for code in territory.texts("countries") or ()),
        frozenset(code.upper() for code in territory.texts("regions") or ()),
        _postcodes(territory),
    )
    territory.done()
    zone = table.text("timezone")
    table.read("timezone", zone_of)
    caps = _caps(table.table("caps"))
    said: dict[str, Any] = {
        "active": table.flag("active"),
        "weight": table.number("weight"),
        "timezone": zone,
        "hours": table.read("hours", parse_week),
        "holiday_country": country,
        "holiday_region": region,
        "caps": caps if caps != Caps() else None,
        "territory": place if place != Territory() else None,
    }
    for key in ("teams", "languages", "products", "industries"):
        words = table.texts(key)
        said[key] = None if words is None else frozenset(word.lower() for word in words)
    table.done()
    return {key: value for key, value in said.items() if value is not None}


DEFAULT_POLICY: Final = read_policy(
    {"name": "Everybody in turn", "teams": {"sales": {"reps": [EVERYBODY], "nobody_free": "hold"}}}, "the default policy"
)
