"""What scoring and allocation answer, and what the outbox carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from leads.enums import DecisionOutcome, Gate, Tier, VerdictKind
from leads.records import FieldValue


@dataclass(frozen=True, slots=True)
class Reason:
    """One signed contribution to the raw score, with words a rep would use.

    `contribution` is in the model's raw unit (log-odds); over all features they sum, with `Score.base`, to `Score.raw`.
    """

    feature: str
    contribution: float
    value: FieldValue
    text: str


@dataclass(frozen=True, slots=True)
class Score:
    """One scoring of one lead.

    `probability` is calibrated and within 0–1; `score` is its whole percentage; `base` and `raw` are log-odds before
    calibration; `reasons` are the shown ones, strongest first; `contributions` are all of them by feature name.
    `source` is "model" or "rules"; `note` says what a person should know (for example that no model exists yet).
    """

    as_of: datetime
    probability: float
    score: int
    tier: Tier
    confidence: float
    model_version: str
    source: str
    base: float
    raw: float
    reasons: tuple[Reason, ...]
    contributions: Mapping[str, float]
    features: Mapping[str, FieldValue]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Rationale:
    """The LLM's prose about a score: an adjustment of 0.8–1.2, what it says and which given facts each claim rests on."""

    text: str
    adjustment: float
    intents: tuple[str, ...] = ()
    model: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one decision said about one rep: chosen, ranked n-th, or the gate that was closed and why."""

    rep_id: str
    kind: VerdictKind
    rank: int | None = None
    gate: Gate | None = None
    detail: str = ""
    factors: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """One allocation with everything needed to replay it. `team` is whose terms hold: another one after an overflow."""

    outcome: DecisionOutcome
    rep_id: str | None
    method: str
    policy_version: str
    because: str
    verdicts: Sequence[Verdict]
    at: datetime
    team: str | None = None


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of `doctor` or of `connections test`: what was looked at, whether it holds, how to mend it."""

    name: str
    ok: bool
    detail: str
    mend: str = ""
