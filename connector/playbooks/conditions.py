"""The `if` of a playbook and of a branch: what must hold of a lead as it stands at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from leads.enums import EngagementKind, LifecycleStage, Tier
from leads.records import Engagement, FieldValue
from leads.results import Score


@dataclass(frozen=True, slots=True)
class View:
    """A lead at one moment. `team` is the one that the policy's rules lead it to; `acts` are those of people and of machines."""

    at: datetime
    created_at: datetime
    facts: Mapping[str, FieldValue]
    acts: Sequence[Engagement] = ()
    score: Score | None = None
    owned: bool = False
    team: str = ""

    @property
    def tier(self) -> Tier:
        return self.score.tier if self.score else Tier.UNKNOWN

    @property
    def stage(self) -> str:
        return str(self.facts.get("lifecycle_stage") or "")

    @property
    def last_act_at(self) -> datetime | None:
        """When the person last did something."""
        return max((act.occurred_at for act in self.acts if not act.machine), default=None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a fact or a feature must be: one of some words (case does not count), a number within bounds, or known at all."""

    words: frozenset[str] = frozenset()
    low: float | None = None
    high: float | None = None
    known: bool | None = None

    def holds(self, value: FieldValue) -> bool:
        """A value that is missing meets only the wish that it be so."""
        missing = value is None or value == ""
        if self.known is not None:
            return self.known is not missing
        if missing:
            return False
        if self.words:
            return str(value).strip().lower() in self.words
        try:
            number = float(value)  # type: ignore[arg-type]
        except ValueError:
            return False
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)


@dataclass(frozen=True, slots=True)
class Acted:
    """That the person did one of these, at all or within a time; or that they did not."""

    kinds: frozenset[EngagementKind]
    within: timedelta | None = None
    did: bool = True

    def holds(self, view: View) -> bool:
        since = view.at - self.within if self.within else None
        done = any(
            act.kind in self.kinds
            and not act.machine
            and (since is None or act.occurred_at >= since)
            and act.occurred_at <= view.at
            for act in view.acts
        )
        return done is self.did


@dataclass(frozen=True, slots=True)
class Conditions:
    """All of them must hold; those that are not set always do."""

    tiers: frozenset[Tier] = frozenset()
    stages: frozenset[LifecycleStage] = frozenset()
    teams: frozenset[str] = frozenset()
    owned: bool | None = None
    score: Wanted | None = None
    facts: Mapping[str, Wanted] = field(default_factory=dict)
    features: Mapping[str, Wanted] = field(default_factory=dict)
    acted: tuple[Acted, ...] = ()

    def holds(self, view: View) -> bool:
        """Whether the lead meets them at the moment of the view."""
        features = view.score.features if view.score else {}
        return (
            (not self.tiers or view.tier in self.tiers)
            and (not self.stages or LifecycleStage.read(view.stage) in self.stages)
            and (not self.teams or view.team.lower() in self.teams)
            and (self.owned is None or view.owned is self.owned)
            and (self.score is None or self.score.holds(view.score.score if view.score else None))
            and all(wanted.holds(view.facts.get(name)) for name, wanted in self.facts.items())
            and all(wanted.holds(features.get(name)) for name, wanted in self.features.items())
            and all(one.holds(view) for one in self.acted)
        )
