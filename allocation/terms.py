"""What a policy is made of. `allocation.policy` reads these from the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from allocation.hours import Calendar
from allocation.rep import Caps, LeadFacts
from leads.enums import Gate, Tier


class Method(StrEnum):
    """How one of the eligible reps is picked."""

    ROTATION = "rotation"  # smooth weighted round robin
    LEAST_LOADED = "least_loaded"
    LONGEST_IDLE = "longest_idle"
    WEIGHTED = "weighted"  # several factors with weights
    BEST_VALUE = "best_value"  # highest fit of rep and lead
    CLAIM_POOL = "claim_pool"  # nobody is picked: the first to claim has it


class NobodyFree(StrEnum):
    """What happens when no rep is eligible."""

    HOLD = "hold"
    OVERFLOW = "overflow"
    DEFAULT = "default"
    ROUTE_ANYWAY = "route_anyway"


class OwnerKind(StrEnum):
    """Owners that come before any rotation, in the order the policy gives."""

    EXISTING = "existing"
    ACCOUNT = "account"


#: Gates that a rule may switch off. ACTIVE and EXCLUDED always hold.
SWITCHABLE: Final = (Gate.AVAILABILITY, Gate.CAPACITY, Gate.SKILL, Gate.TERRITORY)
SKILLS: Final = ("language", "product", "industry")
FACTORS: Final = ("tier", "expertise", "capacity", "fairness", "geography", "fit")
WORD_CONDITIONS: Final = ("tier", "country", "region", "industry", "language", "product", "source", "team")
RANGE_CONDITIONS: Final = ("employees", "score", "probability", "value")


#: What a weight may be beside 0. Beyond these, sums of weights overflow or lose the small ones.
LEAST_WEIGHT: Final = 0.001
MOST_WEIGHT: Final = 1_000.0
#: A year: a moment further ahead is of no use, and soon beyond the calendar.
MOST_MINUTES: Final = 525_600.0
#: No number in a policy is larger.
MOST: Final = 1e15


@dataclass(frozen=True, slots=True)
class Match:
    """When a rule applies: every named condition holds. A fact that is not known never matches a condition on it."""

    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # inclusive
    tags: frozenset[str] = frozenset()  # any of them
    postcodes: tuple[tuple[str, str], ...] = ()

    def holds(self, lead: LeadFacts) -> bool:
        """Whether the lead meets every condition."""
        for name, allowed in self.words.items():
            value = getattr(lead, name)
            if value is None or str(value).lower() not in allowed:
                return False
        for name, (low, high) in self.ranges.items():
            number = getattr(lead, name)
            if number is None or not low <= number <= high:
                return False
        if self.tags and not self.tags & lead.tags:
            return False
        return not self.postcodes or in_postcodes(lead.postcode, self.postcodes)

    def covers(self, other: Match) -> bool:
        """Whether every lead that meets `other` meets this one too (said only when it is certain)."""
        return (
            all(name in other.words and other.words[name] <= allowed for name, allowed in self.words.items())
            and all(
                name in other.ranges and low <= other.ranges[name][0] and other.ranges[name][1] <= high
                for name, (low, high) in self.ranges.items()
            )
            and (not self.tags or (bool(other.tags) and other.tags <= self.tags))
            and (not self.postcodes or (bool(other.postcodes) and set(other.postcodes) <= set(self.postcodes)))
        )

    def meets(self, other: Match) -> bool:
        """Whether both ask about the same thing and some lead can meet both, as far as words, ranges and postcodes tell."""
        shared = self.words.keys() & other.words.keys() | self.ranges.keys() & other.ranges.keys()
        if not shared and not (self.postcodes and other.postcodes):
            return False
        if any(name in other.words and not allowed & other.words[name] for name, allowed in self.words.items()):
            return False
        for name, (low, high) in self.ranges.items():
            if name in other.ranges and (other.ranges[name][0] > high or other.ranges[name][1] < low):
                return False
        if not (self.postcodes and other.postcodes):
            return True
        return any(_touch(one, two) for one in self.postcodes for two in other.postcodes)


def postcode_range(text: str) -> tuple[str, str]:
    """The first and last of "10000-19999", "80-89" or "SW1". Raises ValueError when it is no range."""
    low, _, high = (part.strip().upper().replace(" ", "") for part in text.partition("-"))
    high = high or low
    if not low or len(low) != len(high) or low > high:
        raise ValueError(f'"{text}" is not a range of postcodes; write for example "10000-19999", "80-89" or "SW1"')
    return low, high


def in_postcodes(postcode: str | None, ranges: tuple[tuple[str, str], ...]) -> bool:
    """Whether a postcode lies in one of the inclusive ranges, compared by as many characters as the bounds have."""
    return postcode is not None and any(low <= postcode[: len(low)] <= high for low, high in ranges)


def _touch(one: tuple[str, str], two: tuple[str, str]) -> bool:
    """Whether two ranges of postcodes share one, compared by as many characters as both have."""
    length = min(len(one[0]), len(two[0]))
    return one[0][:length] <= two[1][:length] and two[0][:length] <= one[1][:length]


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the ordered rules; the first whose conditions hold decides. None leaves it to the team, and so do all terms of a
    `Team` that `terms` does not name."""

    name: str
    team: str
    when: Match = Match()
    method: Method | None = None
    skills: tuple[str, ...] | None = None
    gates_off: frozenset[Gate] = frozenset()
    terms: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Owners:
    """Owner precedence. `wait_when_away` keeps an owner who is away; else the lead is routed on."""

    order: tuple[OwnerKind, ...] = (OwnerKind.EXISTING, OwnerKind.ACCOUNT)
    wait_when_away: bool = True


@dataclass(frozen=True, slots=True)
class Sla:
    """Business minutes to accept a lead and to the first contact, and the steps on the way, for one tier.

    `reroute` gives a lead whose deadline passed to somebody else; `mark_away` takes a rep who never accepted out of the rotation
    until they act again.
    """

    accept_minutes: float | None = None
    contact_minutes: float | None = None
    remind_minutes: float | None = None
    alert_minutes: float | None = None
    reroute: bool = False
    mark_away: bool = False


@dataclass(frozen=True, slots=True)
class Team:
    """Who is in it and how it shares leads. `reps` None means those the CRM puts in it; "*" in it means everybody.

    `relax_skills_after` is in minutes on the waiting list; None never relaxes. `calendar` and `owners` None means the policy's, as
    does a tier that `sla` does not name, and whatever `calendar` leaves open (an empty zone, no week, no country). `manager` is the
    rep who hears of missed deadlines.
    """

    name: str
    reps: frozenset[str] | None = None
    method: Method = Method.ROTATION
    skills: tuple[str, ...] = ()
    nobody_free: NobodyFree = NobodyFree.HOLD
    overflow: str | None = None
    default_rep: str | None = None
    relax_skills_after: float | None = None
    caps: Caps = field(default_factory=Caps)
    weights: Mapping[str, float] = field(default_factory=dict)  # rep id → weight in this team
    factors: Mapping[str, float] = field(default_factory=dict)
    gates_off: frozenset[Gate] = frozenset()
    sla: Mapping[Tier, Sla] = field(default_factory=dict)
    owners: Owners | None = None
    calendar: Calendar | None = None
    manager: str | None = None


@dataclass(frozen=True, slots=True)
class Fairness:
    """Limits on making up for lost leads: the boost of a returner's share, how many leads may be owed, and how many rejects
    a rep gets back in seven days."""

    catch_up: float = 1.25
    catch_up_leads: float = 5.0
    reject_credits: int = 3
