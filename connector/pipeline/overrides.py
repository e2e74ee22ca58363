"""Allocation errors: picks of the engine that people set aside, by week and cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from connector.bootstrap import House
from connector.storage.lessons import SetAside

#: A cause where nobody was asked for one: the owner was changed in the CRM; by the API or the command line without a word.
IN_CRM, UNSAID = "changed_in_crm", "not_said"


@dataclass(frozen=True, slots=True)
class Week:
    """One calendar week in UTC, from its Monday. `rate` is overrides by picks, None where the engine picked nobody."""

    monday: date
    picks: int
    overrides: int
    causes: Mapping[str, int]

    @property
    def rate(self) -> float | None:
        return self.overrides / self.picks if self.picks else None


def by_week(house: House, weeks: int) -> list[Week]:
    """The last so many weeks, the running one included, oldest first. An override counts in the week in which it was made."""
    today = house.clock.now().astimezone(UTC).date()
    first = today - timedelta(days=today.weekday() + 7 * (weeks - 1))
    since = datetime.combine(first, datetime.min.time(), UTC)
    picks = Counter(monday_of(at) for at in house.lessons.picks(since))
    causes: dict[date, Counter[str]] = {}
    for one in house.lessons.set_aside(since):
        causes.setdefault(monday_of(one.at), Counter())[cause_of(one)] += 1
    mondays = [first + timedelta(days=7 * number) for number in range(weeks)]
    found = [(monday, causes.get(monday, Counter[str]())) for monday in mondays]
    return [Week(monday, picks[monday], said.total(), dict(said.most_common())) for monday, said in found]


def cause_of(one: SetAside) -> str:
    """The cause that was given, or where the owner was changed when nobody was asked for one."""
    return one.said or (IN_CRM if one.actor == "crm" else UNSAID)


def monday_of(at: datetime) -> date:
    """The Monday of a moment's week, in UTC."""
    day = at.astimezone(UTC).date()
    return day - timedelta(days=day.weekday())
