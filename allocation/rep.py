"""Who can get a lead, and what is known of the lead: the two inputs of a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Final, NamedTuple, Self

from allocation.countries import country_code
from allocation.hours import Calendar, Week
from allocation.languages import language_code
from leads.enums import Tier
from leads.records import Lead
from leads.results import Score


@dataclass(frozen=True, slots=True)
class Caps:
    """How much one rep takes: open leads at once, and new ones per hour, day and week. None is no limit.

    `rolling` counts the last 60 minutes, 24 hours and 7 days; else the hour, day and ISO week on the rep's own clock.
    """

    open: int | None = None
    hour: int | None = None
    day: int | None = None
    week: int | None = None
    rolling: bool | None = None

    def over(self, other: Caps) -> Caps:
        """These caps, and `other`'s where these say nothing: the more specific one wins."""
        return Caps(
            other.open if self.open is None else self.open,
            other.hour if self.hour is None else self.hour,
            other.day if self.day is None else self.day,
            other.week if self.week is None else self.week,
            other.rolling if self.rolling is None else self.rolling,
        )


class Taken(NamedTuple):
    """One lead a rep got in the last seven days, for the caps."""

    at: datetime
    tier: Tier = Tier.UNKNOWN


@dataclass(frozen=True, slots=True)
class Territory:
    """Where a rep works; empty means everywhere. Postcodes are inclusive ranges of equally long beginnings: ("10", "19");
    `employees` the size of the companies, from and to, None being open."""

    countries: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    postcodes: tuple[tuple[str, str], ...] = ()
    employees: tuple[int | None, int | None] | None = None


@dataclass(frozen=True, slots=True)
class Rep:
    """A salesperson as allocation sees them. Moments are aware; words in sets are lower case.

    `hours` and `timezone` None means the policy's. `pto` are [start, end) intervals; `paused_until` is the self toggle
    (`datetime.max` in UTC for "until I am back"). `silent_since` is when a rep who let a deadline pass was taken out of the
    rotation, until they act again. `open_leads` counts leads not yet closed, `open_by_tier` the same by tier; `recent` are
    the leads of the last days, the newest last.
    `by_person` names the fields that a person set in Slack or by the API: those win over the policy file, which wins over
    what the CRM says. `tier_skill` is how well the rep does with a tier, 0-1, 0.5 where nothing is known. Languages are kept
    as codes.
    """

    id: str
    name: str = ""
    active: bool = True
    weight: float = 1.0
    teams: frozenset[str] = frozenset()
    timezone: str | None = None
    hours: Week | None = None
    holiday_country: str | None = None
    holiday_region: str | None = None
    pto: tuple[tuple[datetime, datetime], ...] = ()
    paused_until: datetime | None = None
    silent_since: datetime | None = None
    caps: Caps = Caps()
    open_leads: int = 0
    open_by_tier: Mapping[Tier, int] = field(default_factory=dict)
    recent: tuple[Taken, ...] = ()
    last_assigned_at: datetime | None = None
    languages: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    industries: frozenset[str] = frozenset()
    territory: Territory = Territory()
    tier_skill: Mapping[Tier, float] = field(default_factory=dict)
    by_person: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "languages", frozenset(map(language_code, self.languages)))

    def loaded(
        self, open_leads: int, open_by_tier: Mapping[Tier, int], recent: tuple[Taken, ...], tier_skill: Mapping[Tier, float]
    ) -> Rep:
        """The same rep with the load and the skill of this moment.

        Every decision makes all reps anew by it. What stands is not checked again, which takes an eighth of the time of `replace`.
        """
        rep = object.__new__(type(self))
        for name, value in zip(STANDING, _standing(self), strict=True):
            object.__setattr__(rep, name, value)
        for name, value in zip(OF_THE_MOMENT, (open_leads, open_by_tier, recent, tier_skill), strict=True):
            object.__setattr__(rep, name, value)
        return rep

    def calendar(self, default: Calendar) -> Calendar:
        """The rep's own working time, with the policy's where the rep has none."""
        return Calendar(
            self.timezone or default.zone,
            self.hours if self.hours is not None else default.week,
            self.holiday_country or default.country,
            self.holiday_region if self.holiday_country else default.region,
        )


#: The fields of a rep that change with each assignment, and the others.
OF_THE_MOMENT: Final = ("open_leads", "open_by_tier", "recent", "tier_skill")
STANDING: Final = tuple(entry.name for entry in fields(Rep) if entry.name not in OF_THE_MOMENT)
_standing = attrgetter(*STANDING)


@dataclass(frozen=True, slots=True)
class LeadFacts:
    """What allocation needs of a lead; nothing in it names the person. Words are lower case, the country a code, the region upper.

    `team` is a hint from the source. `existing_owner` holds this lead already, `account_owner` the company, which was found
    `account_by` (empty: the CRM said so). `waiting_minutes` is how long it has been on the waiting list. `value` is what a win is
    worth (1 when unknown); `fits` are win probabilities by rep id from a learned model, when there is one.
    """

    lead_id: int
    tier: Tier = Tier.UNKNOWN
    score: int = 0
    probability: float = 0.0
    country: str | None = None
    region: str | None = None
    postcode: str | None = None
    industry: str | None = None
    employees: int | None = None
    language: str | None = None
    product: str | None = None
    source: str | None = None
    team: str | None = None
    existing_owner: str | None = None
    account_owner: str | None = None
    account_by: str = ""
    tags: frozenset[str] = frozenset()
    waiting_minutes: float = 0.0
    value: float = 1.0
    fits: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.language is not None:
            object.__setattr__(self, "language", language_code(self.language))

    @classmethod
    def of(cls, lead: Lead, score: Score | None, *, account_owner: str | None = None, waiting_minutes: float = 0.0) -> Self:
        """The facts of a stored lead and its newest score."""
        fields = lead.fields

        def word(key: str) -> str | None:
            return str(fields.get(key) or "").strip().lower() or None

        country, region, postcode = word("country"), word("region"), word("postcode")
        tags = str(lead.extra.get("tags") or "").split(",")
        return cls(
            lead_id=lead.id,
            tier=score.tier if score else Tier.UNKNOWN,
            score=score.score if score else 0,
            probability=score.probability if score else 0.0,
            country=country_code(country) if country else None,
            region=region.upper() if region else None,
            postcode=postcode.upper().replace(" ", "") if postcode else None,
            industry=word("industry"),
            employees=_number(fields.get("employees")),
            language=word("language"),
            product=word("product"),
            source=word("source"),
            team=str(lead.extra.get("team") or "").strip().lower() or None,
            existing_owner=lead.owner_id,
            account_owner=account_owner,
            tags=frozenset(tag.strip().lower() for tag in tags if tag.strip()),
            waiting_minutes=waiting_minutes,
            value=float(_number(fields.get("deal_amount")) or 1),
        )


def _number(value: object) -> int | None:
    """A whole number out of what a CRM sends ("120", 120.0), else None."""
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        return None
