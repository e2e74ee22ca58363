"""The roster as allocation sees it: the CRM's users, what people set, and the load of this moment.

What a person set (Slack, API, command line) wins over the policy file, and the file over the CRM; see docs/allocation.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from allocation.countries import check_country
from allocation.hours import check_holiday_place, parse_week, zone_of
from allocation.rep import Caps, Rep, Territory
from allocation.terms import LEAST_WEIGHT, MOST_WEIGHT, postcode_range
from connector.bootstrap import House
from connector.pipeline.wishes import check_wish
from connector.storage.decisions import Load
from connector.storage.reps import StoredRep
from leads.enums import Tier

RECENT = timedelta(days=7)
#: More than anybody works on, and than any company has.
MOST_LEADS = 1_000_000
MOST_EMPLOYEES = 100_000_000
#: What a person may set for a rep, and the type it must have.
SETTABLE: Mapping[str, type | tuple[type, ...]] = {
    "active": bool,
    "weight": (int, float),
    "capacity": int,
    "per_hour": int,
    "per_day": int,
    "per_week": int,
    "timezone": str,
    "team": str,
    "paused_until": str,
    "hours": dict,
    "holidays": str,
    "languages": list,
    "products": list,
    "industries": list,
    "countries": list,
    "regions": list,
    "postcodes": list,
    "employees": list,
    "pto": list,
    "calendar": list,
    "quiet_hours": str,
    "digest_at": str,
    "mutes": list,
}


def check_setting(name: str, value: Any) -> None:
    """Raise ValueError with one line when this may not be set, or not so: one bad setting would stop every decision."""
    wanted = SETTABLE.get(name)
    if wanted is None:
        raise ValueError(f"cannot be set; there are {', '.join(SETTABLE)}")
    if value is None:
        return
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise ValueError("has the wrong type")
    if isinstance(value, int | float):
        _check_number(name, value)
    given: Any = value
    if name == "timezone":
        zone_of(given)
    elif name == "hours":
        _check_texts([*given, *given.values()])
        parse_week(given)
    elif name == "paused_until":
        moment_of(given)
    elif name == "holidays":
        country, _, region = given.partition("-")
        if wrong := check_holiday_place(country.upper(), region or None):
            raise ValueError(wrong)
    elif name in ("pto", "calendar"):
        for interval in given:
            if not isinstance(interval, list) or len(interval) != 2:
                raise ValueError("wants pairs of a beginning and an end")
            _check_texts(interval)
            if moment_of(interval[0]) >= moment_of(interval[1]):
                raise ValueError("an absence must end after it begins")
    elif name == "postcodes":
        _check_texts(given)
        for text in given:
            postcode_range(text)
    elif name == "employees":
        _check_size(given)
    elif isinstance(given, list):
        _check_texts(given)
        for code in given if name == "countries" else ():
            if wrong := check_country(code):
                raise ValueError(wrong)
    check_wish(name, given)


def _check_number(name: str, value: float) -> None:
    if not value >= 0:
        raise ValueError("must be a number of 0 or more")
    if name == "weight" and value != 0 and not LEAST_WEIGHT <= value <= MOST_WEIGHT:
        raise ValueError(f"must be 0 or from {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}")
    if value > MOST_LEADS:
        raise ValueError(f"must be at most {MOST_LEADS:,}")


def _check_size(given: Any) -> None:
    if len(given) != 2 or not all(end is None or (type(end) is int and 0 <= end <= MOST_EMPLOYEES) for end in given):
        raise ValueError("wants the least and the most, such as [50, 200]; null leaves an end open")
    if None not in given and given[0] > given[1]:
        raise ValueError("the least is above the most")


def _check_texts(values: Iterable[Any]) -> None:
    if not all(isinstance(value, str) for value in values):
        raise ValueError("wants texts")


def build_roster(house: House, at: datetime) -> list[Rep]:
    """Every rep with the load they carry now."""
    load, skills = house.decisions.load(at - RECENT), house.tier_skills.all()
    return [as_rep(stored, load, skills.get(stored.id, UNSKILLED)) for stored in house.reps.all()]


#: What a person sets → the fields of a `Rep` that the policy file then leaves alone. Caps are laid over each other one by one.
FIELDS_OF: Mapping[str, tuple[str, ...]] = {
    "active": ("active",),
    "weight": ("weight",),
    "timezone": ("timezone",),
    "team": ("teams",),
    "hours": ("hours",),
    "holidays": ("holiday_country", "holiday_region"),
    "languages": ("languages",),
    "products": ("products",),
    "industries": ("industries",),
    "countries": ("territory",),
    "regions": ("territory",),
    "postcodes": ("territory",),
    "employees": ("territory",),
}


def as_rep(stored: StoredRep, load: Load, tier_skill: Mapping[Tier, float]) -> Rep:
    """One stored rep as a record of allocation, with the load they carry. The same record as before when nothing has changed: then
    nothing that is made of it need be made again."""
    open_leads, by_tier = load.open.get(stored.id, 0), load.by_tier.get(stored.id, NONE_OPEN)
    recent = tuple(load.recent.get(stored.id, ()))
    known, rep = _KNOWN.get(stored.id, (None, None))
    if rep is None or known is not stored:
        rep = _standing(stored)
    elif (rep.open_leads, rep.open_by_tier, rep.recent, rep.tier_skill) == (open_leads, by_tier, recent, tier_skill):
        return rep
    rep = rep.loaded(open_leads, by_tier, recent, tier_skill)
    _KNOWN[stored.id] = (stored, rep)
    return rep


NONE_OPEN: Mapping[Tier, int] = {}
UNSKILLED: Mapping[Tier, float] = {}
#: By rep id, what was made of which stored rep: it holds as long as the storage answers with the same record and load.
_KNOWN: dict[str, tuple[StoredRep, Rep]] = {}


def _standing(stored: StoredRep) -> Rep:
    chosen = stored.settings
    country, _, region = str(chosen.get("holidays", "")).partition("-")
    teams = [str(chosen["team"])] if chosen.get("team") else stored.crm_teams
    return Rep(
        id=stored.id,
        name=stored.name,
        active=stored.active,
        weight=_weight(chosen.get("weight", 1.0)),
        teams=frozenset(team.lower() for team in teams),
        timezone=chosen.get("timezone"),
        hours=parse_week(chosen["hours"]) if chosen.get("hours") else None,
        holiday_country=country.upper() or None,
        holiday_region=region or None,
        pto=tuple((moment_of(start), moment_of(end)) for key in ("pto", "calendar") for start, end in chosen.get(key, ())),
        paused_until=moment_of(chosen["paused_until"]) if chosen.get("paused_until") else None,
        silent_since=moment_of(chosen["silent_since"]) if chosen.get("silent_since") else None,
        caps=Caps(chosen.get("capacity"), chosen.get("per_hour"), chosen.get("per_day"), chosen.get("per_week")),
        last_assigned_at=stored.last_assigned_at,
        languages=_words(chosen, "languages"),
        products=_words(chosen, "products"),
        industries=_words(chosen, "industries"),
        territory=_territory(chosen),
        by_person=frozenset(field for name in chosen for field in FIELDS_OF.get(name, ())),
    )


def _weight(set_: float) -> float:
    """A weight within its bounds, whenever it was set: before there were bounds, too."""
    return min(max(float(set_), LEAST_WEIGHT), MOST_WEIGHT) if set_ > 0 else 0.0


def _territory(chosen: Mapping[str, Any]) -> Territory:
    size = chosen.get("employees")
    return Territory(
        frozenset(word.upper() for word in _words(chosen, "countries")),
        frozenset(word.upper() for word in _words(chosen, "regions")),
        tuple(postcode_range(text) for text in chosen.get("postcodes") or ()),
        (size[0], size[1]) if size else None,
    )


def _words(chosen: Mapping[str, Any], key: str) -> frozenset[str]:
    return frozenset(str(word).lower() for word in chosen.get(key) or ())


def moment_of(text: str) -> datetime:
    """A moment in UTC. One at the edge of the calendar, which some zones write for "for ever", is the last that UTC can say."""
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if moment.year == 1 else datetime.max.replace(tzinfo=UTC)
