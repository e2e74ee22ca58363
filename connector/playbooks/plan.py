"""What a playbook is: when, if, the steps, and what stops it. Made by `connector.playbooks.reading` out of a checked file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from enum import StrEnum
from typing import Any, Final

from connector.playbooks.conditions import Conditions
from leads.enums import EngagementKind, LifecycleStage, Tier

#: Acts of ours, or of nobody we know. They start nothing, or a playbook that sends would start itself.
NOT_THEIRS: Final = frozenset(
    {
        EngagementKind.EMAIL_SENT,
        EngagementKind.EMAIL_DELIVERED,
        EngagementKind.EMAIL_DEFERRED,
        EngagementKind.EMAIL_DROPPED,
        EngagementKind.CONTACTED,
        EngagementKind.UNKNOWN,
    }
)
#: Words of `stop` → the acts behind them. Opting out, the lead's end and its erasure always stop a run.
STOPS: Final[Mapping[str, frozenset[EngagementKind]]] = {
    "reply": frozenset({EngagementKind.EMAIL_REPLIED, EngagementKind.MESSAGE_RECEIVED}),
    "meeting": frozenset({EngagementKind.MEETING_BOOKED}),
    "opt_out": frozenset({EngagementKind.UNSUBSCRIBED, EngagementKind.SPAM_REPORTED}),
}


class On(StrEnum):
    """What may start a playbook."""

    SCORE = "score"  # rises to `above` or over it
    TIER = "tier"  # becomes one of `to`
    ACT = "act"  # one of `kinds` is done
    STAGE = "stage"  # becomes one of `to`
    QUIET = "quiet"  # `after` has passed since the moment that `since` names


class Since(StrEnum):
    """From when the time of `quiet` counts."""

    LAST_ACT = "last_act"  # of the person; of a lead that never did anything, from when it was made
    CREATED = "created"


class Do(StrEnum):
    """The steps there are."""

    TASK = "task"
    NOTE = "note"
    DEAL = "deal"
    STAGE = "stage"
    ENROL = "enrol"
    ALERT = "alert"
    WAIT = "wait"
    BRANCH = "branch"
    WEBHOOK = "webhook"
    EMAIL = "email"


#: Steps that reach the person: they keep to the quiet hours and want that nobody opted out.
OUTREACH: Final = frozenset({Do.ENROL})


@dataclass(frozen=True, slots=True)
class When:
    """What starts a run. Only the fields of its kind are set."""

    on: On
    above: float = 0.0
    tiers: frozenset[Tier] = frozenset()
    from_tiers: frozenset[Tier] = frozenset()
    kinds: frozenset[EngagementKind] = frozenset()
    stages: frozenset[LifecycleStage] = frozenset()
    since: Since = Since.LAST_ACT
    after: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `told` holds its checked values; of a branch, `test` is the condition and `other` where it goes when that fails.

    The steps of a playbook stand in one list, branches laid out flat: behind those of `then` stands a jump past those of `else`.
    """

    do: Do | None  # None is a jump to `other`
    told: Mapping[str, Any] = field(default_factory=dict)
    test: Conditions = field(default_factory=Conditions)
    other: int = 0

    @property
    def reaches_out(self) -> bool:
        """Whether the step speaks to the person."""
        return self.do in OUTREACH or (self.do is Do.EMAIL and self.told["to"] == "lead")


@dataclass(frozen=True, slots=True)
class Playbook:
    """One playbook. `again` None runs once in a lead's life; `table` is what it was read from, as plain values."""

    name: str
    title: str
    when: When
    test: Conditions
    steps: tuple[Step, ...]
    table: Mapping[str, Any]
    enabled: bool = True
    again: timedelta | None = None
    stops: frozenset[EngagementKind] = frozenset()
    stop_stages: frozenset[LifecycleStage] = frozenset()
    quiet: tuple[time, time] | None = None
