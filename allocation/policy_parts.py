"""Reading the parts of a policy file: teams, rules, hours, caps, SLA, reps. `allocation.policy` puts them together."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

from allocation.countries import check_country
from allocation.hours import Calendar, check_holiday_place, parse_week, zone_of
from allocation.languages import language_code
from allocation.policy_tables import Table, did_you_mean, shown
from allocation.rep import Caps, Territory
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
    postcode_range,
)
from leads.enums import Gate, Tier

TIERS: Final = tuple(str(tier) for tier in Tier)


def read_by_tier(table: Table) -> list[tuple[str, Table]]:
    """The tables below one by tier, unknown tiers being told."""
    found = []
    for tier in table.values:
        below = table.table(tier)
        if tier.lower() in TIERS:
            found.append((tier, below))
        else:
            table.wrong(tier, f'"{tier}" is not a tier; known: {", ".join(TIERS)}')
    return found


def read_caps(table: Table, *beside: str) -> Caps:
    """Caps; `beside` are keys that somebody else reads."""
    caps = Caps(table.whole("open"), table.whole("hour"), table.whole("day"), table.whole("week"), table.flag("rolling"))
    for key in beside:
        table.raw(key)
    table.done()
    return caps


def read_calendar(table: Table, default_zone: str = "UTC") -> Calendar:
    """Working hours with their zone and holidays."""
    zone = table.text("zone") or default_zone
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


def _countries(table: Table, key: str) -> frozenset[str]:
    """Codes of countries in upper case."""
    codes = table.texts(key) or ()
    for code in codes:
        if wrong := check_country(code):
            table.wrong(key, wrong)
    return frozenset(code.upper() for code in codes)


def read_owners(table: Table) -> Owners:
    """Owner precedence."""
    order = table.words("order", OwnerKind)
    wait = table.flag("wait_when_away")
    table.done()
    kinds = Owners().order if order is None else tuple(OwnerKind(kind) for kind in order)
    return Owners(kinds, True if wait is None else wait)


def read_fairness(table: Table) -> Fairness:
    """The limits on making up for lost leads."""
    default = Fairness()
    catch_up = table.number("catch_up", 1.0, 1.25)
    leads = table.number("catch_up_leads", 0.0, 1_000.0)
    rejects = table.whole("reject_credits")
    table.done()
    return Fairness(
        default.catch_up if catch_up is None else catch_up,
        default.catch_up_leads if leads is None else leads,
        default.reject_credits if rejects is None else rejects,
    )


def read_sla(table: Table) -> Sla:
    """The terms of one tier."""
    terms = Sla(
        accept_minutes=table.minutes("accept_minutes"),
        contact_minutes=table.minutes("contact_minutes"),
        remind_minutes=table.minutes("remind_minutes"),
        alert_minutes=table.minutes("alert_minutes"),
        reroute=table.flag("reroute") or False,
        mark_away=table.flag("mark_away") or False,
    )
    table.done()
    if terms.reroute and terms.accept_minutes is None and terms.contact_minutes is None:
        table.wrong("reroute", f"{shown(table.path)} has no deadline; add accept_minutes")
    if terms.mark_away and terms.accept_minutes is None:
        table.wrong("mark_away", f"{shown(table.path)} marks away who does not accept in time; add accept_minutes")
    for key, minutes in (("remind_minutes", terms.remind_minutes), ("alert_minutes", terms.alert_minutes)):
        if terms.accept_minutes is not None and minutes is not None and minutes >= terms.accept_minutes:
            message = f"{key} is not before accept_minutes, so the lead is then overdue already"
            table.findings.odd((*table.path, key), message)
    return terms


def read_slas(table: Table) -> dict[Tier, Sla]:
    """The terms of each tier that is named."""
    return {Tier.read(tier): read_sla(below) for tier, below in read_by_tier(table)}


def _gates_off(table: Table) -> frozenset[Gate]:
    off = frozenset(gate for gate in SWITCHABLE if table.flag(gate) is False)
    table.done()
    return off


def _numbers(table: Table, known: Collection[str] | None = None) -> dict[str, float]:
    numbers = {}
    for key in table.values:
        if known is not None and key not in known:
            continue
        found = table.weight(key)
        numbers[key] = 1.0 if found is None else found  # a wrong one is told of once
    table.asked.update(known or ())
    table.done()
    return numbers


def read_terms(table: Table) -> dict[str, Any]:
    """The terms of a `Team` that the table names: a team's own, or those a rule has in their place."""
    said: dict[str, Any] = {
        "method": table.choice("method", Method),
        "skills": table.words("skills", SKILLS),
        "nobody_free": table.choice("nobody_free", NobodyFree),
        "overflow": table.text("overflow"),
        "default_rep": table.text("default_rep"),
        "relax_skills_after": table.minutes("relax_skills_after_minutes"),
        "manager": table.text("manager"),
        "caps": read_caps(table.table("caps")) if table.raw("caps") is not None else None,
        "weights": _numbers(table.table("weights")) if table.raw("weights") is not None else None,
        "factors": _numbers(table.table("factors"), FACTORS) if table.raw("factors") is not None else None,
        "gates_off": _gates_off(table.table("gates")) if table.raw("gates") is not None else None,
        "sla": read_slas(table.table("sla")) if table.raw("sla") is not None else None,
        "owners": read_owners(table.table("owners")) if table.raw("owners") is not None else None,
        "calendar": read_calendar(table.table("hours"), "") if table.raw("hours") is not None else None,
    }
    if said["factors"] and not any(said["factors"].values()):
        table.wrong("factors", f"every factor of {shown(table.path)} is 0; raise one of them")
    return {name: value for name, value in said.items() if value is not None}


def read_team(name: str, table: Table) -> Team:
    """One `[teams.NAME]`."""
    reps = table.texts("reps")
    team = Team(name, reps=None if reps is None else frozenset(reps), **read_terms(table))
    table.done()
    if reps == ():
        table.wrong("reps", f'team {name} has no reps; write ["*"] for everybody, or leave reps out to take the CRM\'s teams')
    if team.reps and team.reps <= team.weights.keys() and not any(team.weights[rep] for rep in team.reps):
        table.wrong("weights", f"every weight in team {name} is 0, so nobody would ever get a lead; raise one of them")
    _check_nobody_free(team, table, f"team {name}")
    return team


def _check_nobody_free(team: Team, table: Table, where: str) -> None:
    for behaviour, key, value in (
        (NobodyFree.OVERFLOW, "overflow", team.overflow),
        (NobodyFree.DEFAULT, "default_rep", team.default_rep),
    ):
        if team.nobody_free is behaviour and not value:
            table.wrong("nobody_free", f'nobody_free = "{behaviour}" needs {key} in {where}')


def read_rule(table: Table, place: int, teams: Mapping[str, Team]) -> Rule:
    """One `[[rules]]`: its conditions, its team, and whatever it has in place of the team's terms."""
    name = table.text("name") or f"rule {place}"
    team = table.text("team")
    if team is None:
        table.wrong("team", f'{name} names no team; add for example team = "{next(iter(teams))}"')
    elif team not in teams:
        table.wrong("team", f'there is no team "{team}"{did_you_mean(team, teams)}')
    terms = read_terms(table)
    rule = Rule(
        name,
        team if team is not None and team in teams else next(iter(teams)),
        when=_match(table.table("when")),
        method=terms.get("method"),
        skills=terms.get("skills"),
        gates_off=terms.get("gates_off", frozenset()),
        terms=terms,
    )
    table.done()
    if "nobody_free" in terms:
        _check_nobody_free(applied(teams[rule.team], rule), table, name)
    return rule


def applied(team: Team, rule: Rule) -> Team:
    """The team as a rule has it: the rule's terms before the team's; tables of numbers and of tiers are laid over each other."""
    terms = dict(rule.terms)
    for name in ("weights", "factors", "sla"):
        if name in terms:
            terms[name] = {**getattr(team, name), **terms[name]}
    if "caps" in terms:
        terms["caps"] = terms["caps"].over(team.caps)
    if "gates_off" in terms:
        terms["gates_off"] = terms["gates_off"] | team.gates_off
    return replace(team, **terms)


def _match(table: Table) -> Match:
    words = {name: frozenset(word.lower() for word in found) for name in WORD_CONDITIONS if (found := table.texts(name))}
    for tier in words.get("tier", ()):
        if tier not in TIERS:
            table.wrong("tier", f'"{tier}" is not a tier; known: {", ".join(TIERS)}')
    _countries(table, "country")
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
        try:
            ranges.append(postcode_range(text))
        except ValueError as error:
            table.wrong("postcodes", str(error))
    return tuple(ranges)


def _size(table: Table) -> tuple[int | None, int | None] | None:
    if table.raw("employees") is None:
        return None
    low, high = _range(table.table("employees"))
    return (None if low == float("-inf") else int(low), None if high == float("inf") else int(high))


def read_rep(table: Table) -> dict[str, Any]:
    """The fields of a `Rep` that the file sets."""
    country, region = _holidays(table)
    territory = table.table("territory")
    place = Territory(
        _countries(territory, "countries"),
        frozenset(code.upper() for code in territory.texts("regions") or ()),
        _postcodes(territory),
        _size(territory),
    )
    territory.done()
    zone = table.text("timezone")
    table.read("timezone", zone_of)
    caps = read_caps(table.table("caps"))
    said: dict[str, Any] = {
        "active": table.flag("active"),
        "weight": table.weight("weight"),
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
