"""The policy file: what it says, and how each mistake in it is told."""

from __future__ import annotations

from datetime import date

import pytest

from allocation.countries import check_country, countries, country_code
from allocation.hours import check_holiday_place, holiday_countries, holiday_region
from allocation.policy import DEFAULT_POLICY, PolicyError, check_roster, parse_policy, read_policy
from allocation.rep import Caps, LeadFacts, Rep
from allocation.terms import Method, NobodyFree
from leads.enums import Gate, Tier

WHOLE = """
name = "Europe"
fallback = "world"
explore = 0.05

[owners]
order = ["account", "existing"]
wait_when_away = false

[hours]
zone = "Europe/Berlin"
mon-fri = "09:00-17:30"
holiday_country = "de"
holiday_region = "BY"

[caps]
open = 40
day = 8
rolling = true
[caps.tier.a]
open = 5

[fairness]
catch_up = 1.2
reject_credits = 2

[sla.a]
accept_minutes = 15
contact_minutes = 60
reroute = true

[teams.dach]
reps = ["1", "2"]
method = "least_loaded"
skills = ["language"]
nobody_free = "overflow"
overflow = "world"
relax_skills_after_minutes = 30
weights = { 1 = 2, 2 = 1 }

[teams.world]
reps = ["*"]

[[rules]]
name = "Big and German"   # first that holds wins
when = { country = ["DE", "AT"], employees = { min = 200 }, postcodes = ["10-19"] }
team = "dach"
method = "weighted"
gates = { capacity = false }

[[rules]]
when = { country = "DE" }
team = "dach"

[reps.2]
weight = 0.5
languages = ["German", "en"]
hours = { mon-thu = "08:00-16:00" }
territory = { countries = ["de"], postcodes = ["80-89"] }
"""


def test_everything_in_it_is_read() -> None:
    policy = parse_policy(WHOLE)
    assert policy.name == "Europe"
    assert policy.calendar.zone == "Europe/Berlin"
    assert policy.calendar.country == "DE"
    assert policy.caps == Caps(open=40, day=8, rolling=True)
    assert policy.tier_caps == {Tier.A: Caps(open=5)}
    assert policy.sla[Tier.A].reroute
    assert policy.fairness.reject_credits == 2
    team = policy.teams["dach"]
    assert (team.method, team.nobody_free, team.overflow) == (Method.LEAST_LOADED, NobodyFree.OVERFLOW, "world")
    assert team.weights == {"1": 2.0, "2": 1.0}
    assert not policy.warnings
    rep = policy.settled(Rep("2", weight=3.0, by_person=frozenset({"weight"})))
    assert rep.weight == 3.0  # what a person set wins over the file
    assert rep.languages == {"de", "en"}
    assert rep.territory.postcodes == (("80", "89"),)


def test_caps_that_a_person_set_win_one_by_one() -> None:
    policy = parse_policy("[teams.a]\nreps = ['*']\n[reps.1]\ncaps = { open = 9, day = 4 }")
    assert policy.settled(Rep("1", caps=Caps(open=20))).caps == Caps(open=20, day=4)
    assert policy.settled(Rep("1")).caps == Caps(open=9, day=4)


def test_the_first_rule_that_holds_decides() -> None:
    policy = parse_policy(WHOLE)
    big = policy.plan(LeadFacts(1, country="DE", employees=500, postcode="10115"))
    assert big.rule is not None
    assert (big.rule.name, big.method, big.gates_off) == ("Big and German", Method.WEIGHTED, {Gate.CAPACITY})
    small = policy.plan(LeadFacts(1, country="DE", employees=5))
    assert small.rule is not None
    assert (small.rule.name, small.method, small.skills) == ("rule 2", Method.LEAST_LOADED, ("language",))
    assert policy.plan(LeadFacts(1, country="DE", waiting_minutes=31)).skills == ()
    assert policy.plan(LeadFacts(1, country="FR")).team.name == "world"
    assert policy.plan(LeadFacts(1)).team.name == "world"  # what is not known matches no condition


def line_of(text: str, words: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if words in line)


@pytest.mark.parametrize(
    ("old", "new", "where", "message"),
    [
        ('method = "weighted"', 'metod = "weighted"', "metod", 'did you mean "method"?'),
        ('method = "weighted"', 'method = "wieghted"', "wieghted", 'did you mean "weighted"?'),
        ('team = "dach"\nmethod', 'team = "dahc"\nmethod', "dahc", 'there is no team "dahc"; did you mean "dach"?'),
        ('overflow = "world"', 'overflow = "wrold"', "wrold", 'did you mean "world"?'),
        ('fallback = "world"', 'fallback = "word"', "word", 'did you mean "world"?'),
        ("accept_minutes = 15", "acept_minutes = 15", "acept", 'did you mean "accept_minutes"?'),
        ("open = 5", "open = -5", "-5", "open must be a number from 0 up"),
        ("day = 8", "day = 8.5", "8.5", "whole number"),
        ('zone = "Europe/Berlin"', 'zone = "Europe/Berln"', "Berln", "not a time zone"),
        ('holiday_country = "de"', 'holiday_country = "germany"', "germany", "no holiday calendar"),
        ('holiday_region = "BY"', 'holiday_region = "Bayern"', "Bayern", "no region"),
        ('mon-fri = "09:00', 'mon-fry = "09:00', "mon-fry", "not a day"),
        ("weights = { 1 = 2, 2 = 1 }", "weights = { 1 = 0, 2 = 0 }", "weights", "every weight in team dach is 0"),
        ('reps = ["*"]', "reps = []", "reps = []", "has no reps"),
        ("capacity = false", "capcity = false", "gates", 'did you mean "capacity"?'),
        ("min = 200", "min = 200, max = 20", "max = 20", "above max"),
        ('"80-89"', '"80-9"', "80-9", "not a range of postcodes"),
        ("[sla.a]", "[sla.hot]", "[sla.hot]", "not a tier"),
        ("explore = 0.05", "explore = 5", "explore = 5", "from 0 to 1"),
        ('skills = ["language"]', 'skills = ["langauge"]', "langauge", 'did you mean "language"?'),
        ("catch_up = 1.2", "catch_up = 2", "catch_up = 2", "from 1 to 1.25"),
        ("[owners]", "[owner]", "[owner]", 'did you mean "owners"?'),
    ],
)
def test_each_mistake_names_its_line_and_what_was_meant(old: str, new: str, where: str, message: str) -> None:
    text = WHOLE.replace(old, new, 1)
    assert text != WHOLE
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, "p.toml")
    lines = str(caught.value).splitlines()
    assert any(line.startswith(f"p.toml:{line_of(text, where)}: ") and message in line for line in lines), lines


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = WHOLE.replace("open = 40", 'open = "many"').replace('team = "dach"', 'team = "nowhere"')
    with pytest.raises(PolicyError) as caught:
        parse_policy(text)
    found = [problem.line for problem in caught.value.problems]
    assert len(found) == 3
    assert found == sorted(found)


def test_text_that_is_not_toml_names_its_line() -> None:
    with pytest.raises(PolicyError, match=r"p\.toml:2: this is not TOML"):
        parse_policy('name = "x"\nteams = = 3\n', "p.toml")


def test_a_circle_of_overflows_is_told_once() -> None:
    text = """
[teams.a]
reps = ["*"]
nobody_free = "overflow"
overflow = "b"
[teams.b]
reps = ["*"]
nobody_free = "overflow"
overflow = "a"
"""
    with pytest.raises(PolicyError) as caught:
        parse_policy(text)
    (problem,) = caught.value.problems
    assert problem.line == 5
    assert "a → b → a" in problem.message


def test_an_overflow_to_itself_is_a_circle_too() -> None:
    with pytest.raises(PolicyError, match="a → a"):
        parse_policy('[teams.a]\nreps = ["*"]\nnobody_free = "overflow"\noverflow = "a"\n')


def test_behaviour_that_lacks_its_target_is_told() -> None:
    with pytest.raises(PolicyError, match="needs default_rep"):
        parse_policy('[teams.a]\nreps = ["*"]\nnobody_free = "default"\n')


def test_a_rep_that_does_not_exist_is_told_when_reps_are_known() -> None:
    with pytest.raises(PolicyError, match='there is no rep "2"'):
        parse_policy(WHOLE, known_reps={"1", "3"})
    assert parse_policy(WHOLE, known_reps={"1", "2"})


def test_a_rule_that_can_never_apply_is_a_warning() -> None:
    text = """
[teams.a]
reps = ["*"]
[[rules]]
name = "all of Germany"
when = { country = ["DE", "AT"] }
team = "a"
[[rules]]
name = "large in Germany"
when = { country = "DE", employees = { min = 100 } }
team = "a"
[[rules]]
when = { country = ["DE", "FR"] }
team = "a"
"""
    (warning,) = parse_policy(text).warnings
    assert warning.line == 8
    assert '"large in Germany" never applies: "all of Germany"' in warning.message


def test_the_version_follows_the_content_only() -> None:
    policy = parse_policy(WHOLE)
    commented = WHOLE.replace(
        "[fairness]\ncatch_up = 1.2\nreject_credits = 2", "# a comment\n[fairness]\nreject_credits = 2\ncatch_up = 1.2"
    )
    assert commented != WHOLE
    assert parse_policy(commented).version == policy.version
    assert parse_policy(WHOLE.replace("open = 40", "open = 41")).version != policy.version
    assert read_policy(policy.tables).version == policy.version


def test_no_team_is_an_error() -> None:
    with pytest.raises(PolicyError, match="there is no team"):
        parse_policy("name = 'empty'")


def test_the_default_policy_gives_everybody_a_turn() -> None:
    plan = DEFAULT_POLICY.plan(LeadFacts(1))
    assert plan.method is Method.ROTATION
    assert DEFAULT_POLICY.members(plan.team, [Rep("1"), Rep("2")]) == [Rep("1"), Rep("2")]


def test_the_roster_is_checked_against_the_policy() -> None:
    policy = parse_policy(WHOLE)
    reps = [Rep("1", timezone="Mars/Olympus"), Rep("2", holiday_country="ZZ")]
    lines = check_roster(policy, reps)
    assert any("rep 1" in line and "Mars/Olympus" in line for line in lines)
    assert any("rep 2" in line and '"ZZ"' in line for line in lines)
    assert check_roster(policy, [Rep("1"), Rep("2")]) == []
    assert any('no rep "1"' in line for line in check_roster(policy, [Rep("2")]))
    assert any("weight 0" in line for line in check_roster(DEFAULT_POLICY, [Rep("1", weight=0)]))


def test_teams_can_come_from_the_crm() -> None:
    policy = parse_policy("[teams.EMEA]\n[teams.rest]\nreps = ['*']")
    members = policy.members(policy.teams["EMEA"], [Rep("1", teams=frozenset({"emea"})), Rep("2")])
    assert [rep.id for rep in members] == ["1"]


SEGMENTS = """
[hours]
mon-fri = "09:00-17:00"
[sla.a]
accept_minutes = 30
[teams.dach]
reps = ["1", "2"]
weights = { 1 = 2 }
caps = { open = 20, day = 5 }
manager = "3"
[teams.dach.hours]
zone = "Europe/Vienna"
mon-thu = "08:00-16:00"
[teams.dach.sla.a]
accept_minutes = 15
reroute = true
mark_away = true
[teams.dach.owners]
order = ["account"]
wait_when_away = false
[teams.world]
reps = ["*"]
[[rules]]
name = "enterprise"
team = "dach"
nobody_free = "overflow"
overflow = "world"
weights = { 2 = 3 }
caps = { open = 10 }
gates = { territory = false }
[rules.when]
employees = { min = 500 }
[rules.sla.b]
contact_minutes = 60
[[rules]]
team = "dach"
[rules.when]
country = "DE"
"""


def test_a_rule_has_terms_of_its_own_over_its_teams() -> None:
    policy = parse_policy(SEGMENTS)
    big, small = policy.plan(LeadFacts(1, employees=900)), policy.plan(LeadFacts(2, country="DE"))
    assert (big.caps.open, big.caps.day, small.caps.open) == (10, 5, 20)
    assert big.team.weights == {"1": 2.0, "2": 3.0}
    assert (big.team.nobody_free, small.team.nobody_free) == (NobodyFree.OVERFLOW, NobodyFree.HOLD)
    assert (big.gates_off, small.gates_off) == (frozenset({Gate.TERRITORY}), frozenset())
    assert big.owners.order == ("account",)
    assert big.calendar.zone == "Europe/Vienna"
    assert policy.plan(LeadFacts(3, country="FR")).team.name == "dach", "no rule: the first team"
    terms = policy.sla_of(big.team, Tier.A)
    assert terms is not None
    assert (terms.accept_minutes, terms.mark_away) == (15, True)
    assert policy.sla_of(big.team, Tier.B) is not None
    assert policy.sla_of(small.team, Tier.B) is None
    world = policy.sla_of(policy.teams["world"], Tier.A)
    assert world is not None
    assert world.accept_minutes == 30


def test_rules_that_overlap_are_told_and_exceptions_are_not() -> None:
    teams = '[teams.a]\nreps = ["*"]\n[teams.b]\nreps = ["*"]\n'
    rule = '[[rules]]\nname = "{0}"\nteam = "{1}"\nwhen = {{ country = {2}, employees = {{ min = {3}, max = {4} }} }}\n'
    crossing = parse_policy(teams + rule.format("one", "a", '["DE"]', 1, 100) + rule.format("two", "b", '["DE", "FR"]', 50, 200))
    assert [(found.line, found.message) for found in crossing.warnings] == [
        (9, 'rules "one" and "two" overlap: a lead that meets both goes by "one", which stands first')
    ]
    exception = parse_policy(teams + rule.format("one", "a", '["DE"]', 50, 100) + rule.format("two", "b", '["DE"]', 1, 200))
    assert not exception.warnings
    apart = parse_policy(teams + rule.format("one", "a", '["DE"]', 1, 49) + rule.format("two", "b", '["DE"]', 50, 200))
    assert not apart.warnings


@pytest.mark.parametrize(
    ("terms", "told"),
    [
        ('overflow = "wrld"', 'there is no team "wrld"; did you mean "world"?'),
        ('default_rep = "9"', 'there is no rep "9"'),
        ('manager = "9"', 'there is no rep "9"'),
        ('nobody_free = "default"', 'nobody_free = "default" needs default_rep in big'),
        ("sla = { a = { reroute = true } }", "has no deadline; add accept_minutes"),
        ("weights = { 7 = 1 }", 'there is no rep "7"'),
        ('nobody_free = "hodl"', 'did you mean "hold"?'),
    ],
)
def test_the_terms_of_a_rule_are_checked_with_their_line(terms: str, told: str) -> None:
    text = f'[teams.dach]\nreps = ["1"]\n[teams.world]\nreps = ["*"]\n[[rules]]\nname = "big"\nteam = "dach"\n{terms}\n'
    with pytest.raises(PolicyError) as raised:
        parse_policy(text, known_reps={"1", "2"})
    assert told in str(raised.value)
    assert raised.value.problems[0].line == 8


def test_loads_that_do_not_fit_the_policy_are_told() -> None:
    policy = parse_policy('[caps]\nopen = 5\n[teams.x]\nreps = ["*"]')
    lines = check_roster(policy, [Rep("1", open_leads=9), Rep("2", open_leads=5), Rep("3", active=False, open_leads=2)])
    assert lines == [
        "rep 1 holds 9 open leads, more than the cap of 5: no new ones until enough are closed",
        "rep 3 is not active and holds 2 open leads; reassign them, or set the rep active",
    ]


def test_a_team_says_of_its_hours_only_what_differs() -> None:
    policy = parse_policy(
        '[hours]\nzone = "Europe/Berlin"\nmon-fri = "09:00-17:00"\nholiday_country = "DE"\nholiday_region = "BY"\n'
        '[teams.a]\nreps = ["*"]\n[teams.a.hours]\nzone = "Europe/Vienna"\n'
        '[teams.b]\nreps = ["*"]\n[teams.b.hours]\nmon = "10:00-11:00"\nholiday_country = "AT"\n'
    )
    one, two = policy.team_plan("a").calendar, policy.team_plan("b").calendar
    assert (one.zone, one.week, one.country, one.region) == ("Europe/Vienna", policy.calendar.week, "DE", "BY")
    assert (two.zone, two.country, two.region) == ("Europe/Berlin", "AT", None)
    assert two.week is not None
    assert two.week[0] == ((600, 660),)


@pytest.mark.parametrize(
    "line",
    [
        "[teams.x]\nweights = { 1 = 1e308 }",
        "[teams.x]\nweights = { 1 = inf }",
        "[teams.x]\nweights = { 1 = nan }",
        "[teams.x]\nweights = { 1 = 1e-320 }",
        f"[teams.x]\nweights = {{ 1 = 1{'0' * 400} }}",
        f"[teams.x]\nweights = {{ 1 = 1{'0' * 5000} }}",
        "[teams.x]\nfactors = { fit = 1e300 }",
        "[teams.x]\nrelax_skills_after_minutes = 1e300",
        "[reps.1]\nweight = 1e308",
        "[sla.a]\naccept_minutes = 1e10",
        "[sla.a]\ncontact_minutes = 525601",
        f"[caps]\nopen = 1{'0' * 400}",
        "[caps]\nopen = inf",
        "[fairness]\ncatch_up_leads = 1e300",
    ],
)
def test_numbers_that_would_stop_every_decision_are_refused_with_their_line(line: str) -> None:
    text = line if "[teams" in line else f"{line}\n[teams.x]\n"
    with pytest.raises(PolicyError) as told:
        parse_policy(text)
    assert len(str(told.value)) < 200
    assert len(told.value.problems) == 1


def test_marking_away_needs_a_deadline_to_accept() -> None:
    with pytest.raises(PolicyError, match=r"policy.toml:2: sla.a marks away who does not accept in time; add accept_minutes"):
        parse_policy("[sla.a]\nmark_away = true\ncontact_minutes = 60\n[teams.x]\n")


@pytest.mark.parametrize("key", ["remind_minutes", "alert_minutes"])
def test_steps_that_come_no_sooner_than_the_deadline_are_odd(key: str) -> None:
    policy = parse_policy(f"[sla.a]\naccept_minutes = 15\n{key} = 15\n[teams.x]\n")
    message = f"{key} is not before accept_minutes, so the lead is then overdue already"
    assert [(one.line, one.message) for one in policy.warnings] == [(3, message)]
    assert parse_policy(f"[sla.a]\naccept_minutes = 15\n{key} = 14\n[teams.x]\n").warnings == ()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Germany", "DE"),
        ("Germny", "DE"),
        ("DEU", "DE"),
        ("UK", "GB"),
        ("usa", "US"),
        ("Austria", "AT"),
        ("qqqqqq", ', such as "DE"'),
    ],
)
@pytest.mark.parametrize(
    "place", ['[[rules]]\nteam = "x"\nwhen = { country = ["at", "%s"] }', '[reps.1]\nterritory = { countries = ["%s"] }']
)
def test_countries_are_written_as_codes(written: str, meant: str, place: str) -> None:
    with pytest.raises(PolicyError) as told:
        parse_policy(f"[teams.x]\n{place % written}\n")
    (problem,) = told.value.problems
    assert problem.message.startswith(f'"{written}" is not an ISO 3166 country code of two letters')
    assert meant in problem.message


def test_every_code_of_a_country_is_known() -> None:
    assert len(countries()) > 240
    assert all(check_country(code.lower()) is None and country_code(name) == code for code, name in countries().items())


@pytest.mark.parametrize("region", ["BY", "by", "By"])
def test_regions_of_holidays_are_read_regardless_of_case(region: str) -> None:
    policy = parse_policy(f'[hours]\nholiday_country = "de"\nholiday_region = "{region}"\n[teams.x]\n')
    assert policy.calendar.is_holiday(date(2026, 1, 6)), "Epiphany is one in Bavaria only"


def test_a_region_in_lower_case_letters_of_its_own_is_found() -> None:
    """Some calendars name regions in words."""
    regions = {region for known in holiday_countries().values() for region in known if region != region.upper()}
    assert regions
    for country, known in holiday_countries().items():
        for region in known:
            if region != region.upper():
                assert holiday_region(country, region.upper()) == region
                assert check_holiday_place(country, region.upper()) is None
