"""Allocation errors: picks of the engine that people set aside, by week and cause. One definition for the API, the metrics, the
command line and Slack.

A pick is an error, once, when a person gave the lead to another rep (a manager, the API, the CRM; for whatever cause), or when its
rep passed it on because it should not have been theirs (`PASS_FAULTS`). What was undone is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from connector.bootstrap import House
from connector.storage.lessons import SetAside

#: Why reps pass a lead on, where it says that the choice was wrong: not that the lead is bad.
PASS_FAULTS: Final = ("wrong_territory", "no_capacity", "conflict")
#: Over how long the rate is told where no span is asked for.
LATELY: Final = timedelta(days=7)
#: A cause where nobody was asked for one: the owner was changed in the CRM; by the API or the command line without a word.
IN_CRM, UNSAID = "changed_in_crm", "not_said"


@dataclass(frozen=True, slots=True)
class Errors:
    """Of so many picks of the engine, so many set aside, and for what. `rate` is None where the engine picked nobody."""

    picks: int
    overrides: int
    causes: Mapping[str, int]

    @property
    def rate(self) -> float | None:
        return self.overrides / self.picks if self.picks else None


@dataclass(frozen=True, slots=True)
class Week(Errors):
    """One calendar week in UTC, from its Monday."""

    monday: date


def lately(house: House) -> Errors:
    """The last seven days until now."""
    since = house.clock.now() - LATELY
    causes = Counter(map(cause_of, house.lessons.set_aside(since, PASS_FAULTS)))
    return Errors(len(house.lessons.picks(since)), causes.total(), dict(causes.most_common()))


def by_week(house: House, weeks: int) -> list[Week]:
    """The last so many weeks, the running one included, oldest first. An override counts in the week in which it was made."""
    today = house.clock.now().astimezone(UTC).date()
    first = today - timedelta(days=today.weekday() + 7 * (weeks - 1))
    since = datetime.combine(first, datetime.min.time(), UTC)
    picks = Counter(monday_of(at) for at in house.lessons.picks(since))
    causes: dict[date, Counter[str]] = {}
    for one in house.lessons.set_aside(since, PASS_FAULTS):
        causes.setdefault(monday_of(one.at), Counter())[cause_of(one)] += 1
    mondays = [first + timedelta(days=7 * number) for number in range(weeks)]
    found = [(monday, causes.get(monday, Counter[str]())) for monday in mondays]
    return [Week(picks[monday], said.total(), dict(said.most_common()), monday) for monday, said in found]


def cause_of(one: SetAside) -> str:
    """The cause that was given, or where the owner was changed when nobody was asked for one."""
    return one.said or (IN_CRM if one.actor == "crm" else UNSAID)


def monday_of(at: datetime) -> date:
    """The Monday of a moment's week, in UTC."""
    day = at.astimezone(UTC).date()
    return day - timedelta(days=day.weekday())
