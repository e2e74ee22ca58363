"""The roster as allocation sees it: the CRM's users, what people set, and the load of this moment."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from allocation.hours import check_holiday_place, parse_week, zone_of
from allocation.rep import Caps, Rep, Taken, Territory
from connector.bootstrap import House
from connector.storage.reps import StoredRep

RECENT = timedelta(days=7)
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
    "pto": list,
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
    if isinstance(value, int | float) and not (math.isfinite(value) and value >= 0):
        raise ValueError("must be a number of 0 or more")
    given: Any = value
    if name == "timezone":
        zone_of(given)
    elif name == "hours":
        _check_texts([*given, *given.values()])
        parse_week(given)
    elif name == "paused_until":
        _moment(given)
    elif name == "holidays":
        country, _, region = given.partition("-")
        if wrong := check_holiday_place(country.upper(), region.upper() or None):
            raise ValueError(wrong)
    elif name == "pto":
        for interval in given:
            if not isinstance(interval, list) or len(interval) != 2:
                raise ValueError("wants pairs of a beginning and an end")
            _check_texts(interval)
            if _moment(interval[0]) >= _moment(interval[1]):
                raise ValueError("an absence must end after it begins")
    elif isinstance(given, list):
        _check_texts(given)


def _check_texts(values: Iterable[Any]) -> None:
    if not all(isinstance(value, str) for value in values):
        raise ValueError("wants texts")


def build_roster(house: House, at: datetime) -> list[Rep]:
    """Every rep with the load they carry now."""
    loads = house.decisions.open_counts()
    recent = house.decisions.moments_since(at - RECENT)
    return [
        as_rep(stored, loads.get(stored.id, 0), tuple(Taken(moment) for moment in recent.get(stored.id, ())))
        for stored in house.reps.all()
    ]


def as_rep(stored: StoredRep, open_leads: int, recent: tuple[Taken, ...]) -> Rep:
    """One stored rep as a record of allocation."""
    chosen = stored.settings
    country, _, region = str(chosen.get("holidays", "")).partition("-")
    return Rep(
        id=stored.id,
        name=stored.name,
        active=stored.active,
        weight=float(chosen.get("weight", 1.0)),
        teams=frozenset({str(chosen["team"]).lower()}) if chosen.get("team") else frozenset(),
        timezone=chosen.get("timezone"),
        hours=parse_week(chosen["hours"]) if chosen.get("hours") else None,
        holiday_country=country.upper() or None,
        holiday_region=region.upper() or None,
        pto=tuple((_moment(start), _moment(end)) for start, end in chosen.get("pto", ())),
        paused_until=_moment(chosen["paused_until"]) if chosen.get("paused_until") else None,
        caps=Caps(chosen.get("capacity"), chosen.get("per_hour"), chosen.get("per_day"), chosen.get("per_week")),
        open_leads=open_leads,
        recent=recent,
        last_assigned_at=stored.last_assigned_at,
        languages=_words(chosen, "languages"),
        products=_words(chosen, "products"),
        industries=_words(chosen, "industries"),
        territory=Territory(
            frozenset(word.upper() for word in _words(chosen, "countries")),
            frozenset(word.upper() for word in _words(chosen, "regions")),
        ),
        by_person=frozenset(name for name in chosen if name in Rep.__dataclass_fields__),
    )


def _words(chosen: Mapping[str, Any], key: str) -> frozenset[str]:
    return frozenset(str(word).lower() for word in chosen.get(key) or ())


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
