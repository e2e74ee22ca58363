"""What the lead wrote, and what it says of buying."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from leads.enums import EngagementKind as Kind
from leads.records import FieldValue
from scoring.features.feature import Feature, Group, Words
from scoring.features.texts import BUDGET, BUYING, LINK, OBJECTION, URGENCY, mentions
from scoring.features.timeline import Timeline
from scoring.features.words import bad_count, flag, silent

#: A message of so many words was written with care.
LONG_MESSAGE: Final = 20
#: What shows that an objection has been overcome.
COMES_BACK: Final = frozenset(
    {Kind.EMAIL_CLICKED, Kind.MEETING_BOOKED, Kind.MEETING_ATTENDED, Kind.FORM_SUBMITTED, Kind.PROPOSAL_VIEWED}
)


def message_length(line: Timeline) -> FieldValue:
    return len(line.text.split()) if line.text else None


def message_questions(line: Timeline) -> FieldValue:
    return line.text.count("?") if line.text else None


def _raised(line: Timeline) -> list[float]:
    """When each dated message with an objection was written."""
    return [act.occurred_at.timestamp() for act in line.acts if act.text and OBJECTION.search(act.text.lower())]


def objections_raised(line: Timeline) -> FieldValue:
    """Messages with an objection, the form's undated one among them."""
    if not line.text:
        return None
    return len(_raised(line)) + int(OBJECTION.search((line.word("message") or "").lower()) is not None)


def objections_resolved(line: Timeline) -> FieldValue:
    """Dated objections after which the lead came back by an act of COMES_BACK, before it raised another."""
    raised = _raised(line)
    if not raised:
        return None
    back = [act.occurred_at.timestamp() for act in line.acts if act.kind in COMES_BACK]
    ends = [*raised[1:], float("inf")]
    return sum(any(start < moment < end for moment in back) for start, end in zip(raised, ends, strict=True))


def _length_words(value: FieldValue, up: bool) -> str | None:
    return f"wrote a message of {int(float(value or 0))} words" if up and float(value or 0) >= LONG_MESSAGE else None


_WROTE = "facts.message and texts of messages, replies and forms"
_SILENT = "missing when the lead wrote nothing"


def _number(
    name: str,
    compute: Callable[[Timeline], FieldValue],
    meaning: str,
    words: Words,
    better: Literal[-1, 0, 1] = 1,
    missing: str = _SILENT,
    topic: str = "",
) -> Feature:
    return Feature(name, Group.BEHAVIOURAL, "numeric", meaning, _WROTE, missing, compute, words, better, topic or name)


FEATURES: Final = (
    _number("message_length", message_length, "Words the lead wrote, newest 2,000 characters", _length_words, 0),
    _number("message_questions", message_questions, "Question marks in what the lead wrote", silent, 0),
    _number(
        "budget_mention",
        lambda line: mentions(BUDGET, line.text),
        "1 when price or budget is mentioned",
        flag("mentioned price or budget"),
    ),
    _number(
        "objection_mention",
        lambda line: mentions(OBJECTION, line.text),
        "1 when an objection is raised",
        flag("raised an objection"),
        -1,
        topic="objections",
    ),
    _number(
        "objections_raised",
        objections_raised,
        "Objections raised: messages of the lead that hold one",
        bad_count("raised", "objection", "objections", ""),
        -1,
        topic="objections",
    ),
    _number(
        "objections_resolved",
        objections_resolved,
        "Objections resolved: the lead came back after them",
        lambda value, up: (
            "came back after an objection" if up and value else None if up or value else "did not come back after it objected"
        ),
        missing="missing when no dated message holds an objection",
        topic="objections resolved",
    ),
    _number(
        "urgency_mention",
        lambda line: mentions(URGENCY, line.text),
        "1 when the lead is in a hurry",
        flag("is in a hurry, by the message"),
    ),
    _number(
        "buying_mention",
        lambda line: mentions(BUYING, line.text),
        "1 when a demo, trial, purchase or call is asked for",
        flag("asked for a demo, a trial or a call"),
    ),
    _number(
        "message_links",
        lambda line: len(LINK.findall(line.text)) if line.text else None,
        "Web addresses in what the lead wrote",
        bad_count("pasted", "link", "links", "into the message"),
        -1,
    ),
)
