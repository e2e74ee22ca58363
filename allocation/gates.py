"""The gates, in order: active, availability, capacity, skill, territory, excluded. The first that is closed is the verdict."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Final, NamedTuple

from allocation.hours import ALWAYS, Calendar, zone_of
from allocation.policy import Plan, Policy
from allocation.rep import Caps, LeadFacts, Rep, Taken
from allocation.terms import in_postcodes
from leads.enums import Gate, Tier

FOREVER: Final = datetime.max.replace(tzinfo=UTC) - timedelta(days=366)
NO_CAPS: Final = Caps()
ATTRIBUTE: Final = {"language": "languages", "product": "products", "industry": "industries"}


class Closed(NamedTuple):
    """The gate that was closed for a rep. `away` and `leave` say what kind of absence it was, for the rotation."""

    gate: Gate
    detail: str
    away: bool = False
    leave: bool = False


class Local(NamedTuple):
    """A moment on somebody's clock."""

    day: date
    minute: int
    moment: datetime


@dataclass(slots=True)
class Clocks:
    """One moment on every clock it was asked for, each worked out once: 200 reps share a handful of zones and working weeks."""

    at: datetime
    default_zone: str = "UTC"
    off_hours: dict[tuple[object, ...], Closed | None] = field(default_factory=dict)
    _seen: dict[str, Local] = field(default_factory=dict)
    _windows: dict[str, tuple[datetime, datetime, datetime]] = field(default_factory=dict)

    def local(self, zone: str) -> Local:
        """The moment in `zone`; in the default zone when there is no such zone (`check_roster` reports that)."""
        found = self._seen.get(zone)
        if found is None:
            try:
                moment = self.at.astimezone(zone_of(zone))
            except ValueError:
                moment = self.at.astimezone(zone_of(self.default_zone))
            found = self._seen[zone] = Local(moment.date(), moment.hour * 60 + moment.minute, moment)
        return found

    def windows(self, zone: str, rolling: bool) -> tuple[datetime, datetime, datetime]:
        """When the running week, day and hour of a zone began, in UTC; `rolling` for the last 7 days, 24 hours and 60 minutes."""
        if rolling:
            return self.at - timedelta(days=7), self.at - timedelta(days=1), self.at - timedelta(hours=1)
        found = self._windows.get(zone)
        if found is None:
            moment = self.local(zone).moment
            midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
            into_hour = timedelta(minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond)
            monday = midnight - timedelta(days=midnight.weekday())
            found = (monday.astimezone(UTC), midnight.astimezone(UTC), self.at.astimezone(UTC) - into_hour)
            self._windows[zone] = found
        return found


def first_closed(
    rep: Rep,
    lead: LeadFacts,
    plan: Plan,
    policy: Policy,
    clocks: Clocks,
    exclude: Collection[str] = (),
    off: Collection[Gate] = (),
) -> Closed | None:
    """The first closed gate for one rep of the team, or None when the rep can have the lead. `off` are gates not asked."""
    if not rep.active:
        return Closed(Gate.ACTIVE, "not active", away=True)
    weight = plan.team.weights.get(rep.id, rep.weight)
    if weight <= 0:
        return Closed(Gate.ACTIVE, f"has weight 0 in team {plan.team.name}", away=True)
    closed = None
    if Gate.AVAILABILITY not in off:
        closed = _absence(rep, clocks.at) or _off_hours(rep, plan.calendar, clocks)
    if closed is None and Gate.CAPACITY not in off:
        closed = _full(rep, lead, plan, policy, clocks)
    if closed is None and Gate.SKILL not in off:
        closed = _unskilled(rep, lead, plan)
    if closed is None and Gate.TERRITORY not in off:
        closed = _elsewhere(rep, lead)
    if closed is None and rep.id in exclude:
        closed = Closed(Gate.EXCLUDED, "had this lead before")
    return closed


def _absence(rep: Rep, at: datetime) -> Closed | None:
    if rep.paused_until is not None and at < rep.paused_until:
        until = "" if rep.paused_until >= FOREVER else f" until {_stamp(rep.paused_until)}"
        return Closed(Gate.AVAILABILITY, f"paused{until}", away=True)
    if rep.silent_since is not None:
        return Closed(Gate.AVAILABILITY, f"silent since a deadline passed on {_stamp(rep.silent_since)}", away=True)
    for start, end in rep.pto:
        if start <= at < end:
            return Closed(Gate.AVAILABILITY, f"on leave until {_stamp(end)}", away=True, leave=True)
    return None


def _off_hours(rep: Rep, default: Calendar, clocks: Clocks) -> Closed | None:
    key = (id(default), rep.timezone, rep.hours, rep.holiday_country, rep.holiday_region)
    if key not in clocks.off_hours:
        clocks.off_hours[key] = _off_hours_of(rep.calendar(default), clocks)
    return clocks.off_hours[key]


def _off_hours_of(calendar: Calendar, clocks: Clocks) -> Closed | None:
    local = clocks.local(calendar.zone)
    if calendar.is_holiday(local.day):
        return Closed(Gate.AVAILABILITY, f"public holiday in {calendar.country}")
    for begin, end in (calendar.week or ALWAYS)[local.day.weekday()]:
        if begin <= local.minute < end:
            return None
    return Closed(Gate.AVAILABILITY, f"outside working hours ({local.moment:%a %H:%M} in {calendar.zone})")


def _full(rep: Rep, lead: LeadFacts, plan: Plan, policy: Policy, clocks: Clocks) -> Closed | None:
    """The first cap that is reached: the rep's over the team's over the policy's, then those of the lead's tier."""
    zone = rep.timezone or plan.calendar.zone
    caps = plan.caps if rep.caps == NO_CAPS else rep.caps.over(plan.caps)
    for limit, taken, span in _limits(caps, rep.open_leads, rep.recent, clocks, zone):
        if taken >= limit:
            return Closed(Gate.CAPACITY, _reached(limit, taken, span, caps))
    tier_caps = policy.tier_caps.get(lead.tier)
    if tier_caps is not None:
        for limit, taken, span in _tier_limits(rep, lead.tier, tier_caps, clocks, zone):
            if taken >= limit:
                return Closed(Gate.CAPACITY, _reached(limit, taken, span, tier_caps, f" of tier {lead.tier.value.upper()}"))
    return None


def _reached(limit: int, taken: int, span: str, caps: Caps, kind: str = "") -> str:
    if span == "open":
        return f"{taken} open leads{kind}, the cap is {limit}"
    when = f"in the last {span}" if caps.rolling else "today" if span == "day" else f"this {span}"
    return f"{taken} new leads{kind} {when}, the cap is {limit}"


def presence(rep: Rep, plan: Plan, clocks: Clocks) -> Closed | None:
    """Why the rep cannot be given anything now, whatever the lead and the load: not active, paused, on leave, off hours."""
    if not rep.active or plan.team.weights.get(rep.id, rep.weight) <= 0:
        return Closed(Gate.ACTIVE, "not active", away=True)
    return _absence(rep, clocks.at) or _off_hours(rep, plan.calendar, clocks)


def room(rep: Rep, plan: Plan, clocks: Clocks) -> int | None:
    """How many more leads the rep may take now by the caps that hold for all tiers; None when there is no cap."""
    limits = _limits(rep.caps.over(plan.caps), rep.open_leads, rep.recent, clocks, rep.timezone or plan.calendar.zone)
    return min((max(0, limit - taken) for limit, taken, _ in limits), default=None)


def tier_room(rep: Rep, tier: Tier, plan: Plan, policy: Policy, clocks: Clocks) -> int | None:
    """How many more leads of a tier the rep may take now by the caps of that tier; None when there is no cap."""
    limits = _tier_limits(rep, tier, policy.tier_caps.get(tier, NO_CAPS), clocks, rep.timezone or plan.calendar.zone)
    return min((max(0, limit - taken) for limit, taken, _ in limits), default=None)


def _tier_limits(rep: Rep, tier: Tier, caps: Caps, clocks: Clocks, zone: str) -> Iterator[tuple[int, int, str]]:
    recent = [taken for taken in rep.recent if taken.tier is tier]
    return _limits(caps, rep.open_by_tier.get(tier, 0), recent, clocks, zone)


def _limits(caps: Caps, open_leads: int, recent: Sequence[Taken], clocks: Clocks, zone: str) -> Iterator[tuple[int, int, str]]:
    """Each cap that is set, with how many leads it counts and over which span: open leads, then week, day, hour. The newest of
    `recent` is last."""
    if caps.open is not None:
        yield caps.open, open_leads, "open"
    if caps.week is None and caps.day is None and caps.hour is None:
        return
    week, day, hour = clocks.windows(zone, bool(caps.rolling))
    for limit, start, span in ((caps.week, week, "week"), (caps.day, day, "day"), (caps.hour, hour, "hour")):
        if limit is not None:
            yield limit, len(recent) - bisect_left(recent, start, key=_AT), span


_AT: Final = attrgetter("at")


def _unskilled(rep: Rep, lead: LeadFacts, plan: Plan) -> Closed | None:
    for skill in plan.skills:
        wanted = getattr(lead, skill)
        if wanted is not None and wanted not in getattr(rep, ATTRIBUTE[skill]):
            return Closed(Gate.SKILL, f"lacks {skill} {wanted}")
    return None


def _elsewhere(rep: Rep, lead: LeadFacts) -> Closed | None:
    """A place that is not known closes no gate: it would keep the lead from everybody who has a territory."""
    place = rep.territory
    if place.countries and lead.country is not None and lead.country not in place.countries:
        return Closed(Gate.TERRITORY, f"does not cover {lead.country}")
    if place.regions and lead.region is not None and lead.region not in place.regions:
        return Closed(Gate.TERRITORY, f"does not cover {lead.region}")
    if place.postcodes and lead.postcode is not None and not in_postcodes(lead.postcode, place.postcodes):
        return Closed(Gate.TERRITORY, f"does not cover postcode {lead.postcode}")
    if place.employees is not None and lead.employees is not None:
        low, high = place.employees
        if lead.employees < (low or 0) or (high is not None and lead.employees > high):
            return Closed(Gate.TERRITORY, f"does not cover companies of {lead.employees}")
    return None


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
