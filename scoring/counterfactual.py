"""What would lift a lead a tier: things a rep can bring about, tried on the lead's own history and scored again.

Nothing is guessed from contributions: each hint is the answer of the served model to the history with that act added.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

from leads.enums import EngagementKind as Kind
from leads.enums import Tier
from leads.records import Engagement, FieldValue, LeadHistory
from leads.results import Score
from scoring.timeline import Timeline

#: Scores histories without reasons, in their order.
Rescore = Callable[[Sequence[LeadHistory]], Sequence[Score]]

TIERS: Final = (Tier.D, Tier.C, Tier.B, Tier.A)
#: Stands for a number that is not known yet: no feature reads more of a phone number than that there is one.
SOME_PHONE: Final = "+10000000000"
#: Pairs are tried among so many of the strongest single steps.
PAIRED: Final = 3
#: The best single step is worth telling from so many points.
FEWEST_POINTS: Final = 2


@dataclass(frozen=True, slots=True)
class Lift:
    """A verified hint: with these steps the lead would score `score` and stand in `tier`; `lifts` tells whether that is higher."""

    steps: tuple[str, ...]
    text: str
    tier: Tier
    score: int
    lifts: bool


@dataclass(frozen=True, slots=True)
class _Step:
    """One thing a rep can bring about. `by_mail` steps are closed for who refused e-mail."""

    name: str
    words: str
    acts: tuple[tuple[Kind, Mapping[str, FieldValue]], ...] = ()
    by_mail: bool = False


#: Easiest first: of the steps that reach the next tier the first is told.
STEPS: Final = (
    _Step("phone", "a phone number"),
    _Step("click", "a click in one of our e-mails", ((Kind.EMAIL_OPENED, {}), (Kind.EMAIL_CLICKED, {})), by_mail=True),
    _Step("reply", "a reply to an e-mail", ((Kind.EMAIL_REPLIED, {}),), by_mail=True),
    _Step("call", "an answered call", ((Kind.CALL_ANSWERED, {}),)),
    _Step("pricing", "a look at the pricing page", ((Kind.PAGE_VIEWED, {"path": "/pricing"}),)),
    _Step("content", "a download", ((Kind.CONTENT_DOWNLOADED, {}),)),
    _Step("meeting", "a booked meeting", ((Kind.MEETING_BOOKED, {}),)),
    _Step("attended", "a held meeting", ((Kind.MEETING_BOOKED, {}), (Kind.MEETING_ATTENDED, {}))),
    _Step("trial", "a use of the trial", ((Kind.PRODUCT_USED, {}),)),
    _Step("proposal", "a look at a proposal", ((Kind.PROPOSAL_VIEWED, {}),)),
)


def find_lift(line: Timeline, history: LeadHistory, score: Score, rescore: Rescore) -> Lift | None:
    """The easiest step, else pair of steps, that lifts the lead a tier; else the strongest step, when it moves the score at all.

    None for tier A, and when nothing a rep can bring about moves the score by two points. `line` is the history's own.
    """
    if score.tier is Tier.A:
        return None
    steps = [step for step in STEPS if _open(step, line)]
    tried = list(zip(steps, rescore([_take(history, (step,)) for step in steps]), strict=True))
    for step, after in tried:
        if _rank(after.tier) > _rank(score.tier):
            return _told((step,), after, score)
    strongest = sorted(tried, key=lambda one: -one[1].raw)[:PAIRED]
    pairs = list(combinations([step for step, _ in strongest], 2))
    for pair, after in zip(pairs, rescore([_take(history, pair) for pair in pairs]), strict=True):
        if _rank(after.tier) > _rank(score.tier):
            return _told(pair, after, score)
    if strongest and strongest[0][1].score - score.score >= FEWEST_POINTS:
        return _told(strongest[0][:1], strongest[0][1], score)
    return None


def _open(step: _Step, line: Timeline) -> bool:
    """False for a step that was done already or that the lead has closed."""
    if step.name == "phone":
        return line.word("phone") is None
    if step.by_mail:
        left, back = line.times(Kind.UNSUBSCRIBED, Kind.SPAM_REPORTED), line.times(Kind.RESUBSCRIBED)
        refused = bool(left) and (not back or back[-1] < left[-1])
        return line.email_domain is not None and not refused and (line.word("email_consent") or "").lower() != "no"
    return True


def _take(history: LeadHistory, steps: Sequence[_Step]) -> LeadHistory:
    """The history as it would stand if these steps came true now."""
    acts = [Engagement(kind, history.as_of, properties=properties) for step in steps for kind, properties in step.acts]
    facts = {**history.facts, "phone": SOME_PHONE} if any(step.name == "phone" for step in steps) else history.facts
    return replace(history, facts=facts, engagements=(*history.engagements, *acts))


def _rank(tier: Tier) -> int:
    return TIERS.index(tier) if tier in TIERS else -1


def _told(steps: Sequence[_Step], after: Score, before: Score) -> Lift:
    words = " and ".join(step.words for step in steps)
    lifts = _rank(after.tier) > _rank(before.tier)
    if lifts:
        text = f"{words} would lift it to tier {after.tier.value.upper()} (score {after.score})"
    else:
        text = f"no step lifts it a tier; {words} would add most ({after.score - before.score} points)"
    return Lift(tuple(step.name for step in steps), text, after.tier, after.score, lifts)
