"""What the lead wrote, and what it says of buying."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, Literal

from leads.enums import EngagementKind as Kind
from leads.records import FieldValue
from scoring.features.feature import Feature, Group, Words
from scoring.features.texts import BUDGET, BUYING, LINK, OBJECTION, URGENCY
from scoring.features.timelines import Timelines, Values
from scoring.features.words import bad_count, flag, silent

#: A message of so many words was written with care.
LONG_MESSAGE: Final = 20
#: What shows that an objection has been overcome.
COMES_BACK: Final = frozenset(
    {Kind.EMAIL_CLICKED, Kind.MEETING_BOOKED, Kind.MEETING_ATTENDED, Kind.FORM_SUBMITTED, Kind.PROPOSAL_VIEWED}
)


def _raised(lines: Timelines) -> list[list[float]]:
    """When each dated message of each lead with an objection was written."""
    each = zip(lines.acts, lines.times, strict=True)
    return [
        [at for act, at in zip(acts, times, strict=True) if act.text and OBJECTION.search(act.text.lower())] if acts else []
        for acts, times in each
    ]


def objections_raised(lines: Timelines) -> Values:
    """Messages with an objection, the form's undated one among them."""
    undated = [bool(message and OBJECTION.search(message)) for message in lines.lowered("message")]
    each = zip(lines.texts, lines.once("objections", lambda: _raised(lines)), undated, strict=True)
    return [len(dated) + form if text else None for text, dated, form in each]


def objections_resolved(lines: Timelines) -> Values:
    """Dated objections after which the lead came back by an act of COMES_BACK, before it raised another."""
    back = lines.moments(*COMES_BACK)
    return [
        _answered(dated, back.get(owner, ())) if dated else None
        for owner, dated in enumerate(lines.once("objections", lambda: _raised(lines)))
    ]


def _answered(raised: Sequence[float], back: Sequence[float]) -> int:
    ends = [*raised[1:], float("inf")]
    return sum(any(start < moment < end for moment in back) for start, end in zip(raised, ends, strict=True))


def _mentions(pattern: re.Pattern[str]) -> Callable[[Timelines], Values]:
    """1 or 0 for whether the lead's text holds the pattern; None where nothing was written."""
    return lambda lines: lines.of_texts(lambda text: int(pattern.search(text) is not None))


def _length_words(value: FieldValue, up: bool) -> str | None:
    return f"wrote a message of {int(float(value or 0))} words" if up and float(value or 0) >= LONG_MESSAGE else None


_WROTE = "facts.message and texts of messages, replies and forms"
_SILENT = "missing when the lead wrote nothing"


def _number(
    name: str,
    compute: Callable[[Timelines], Values],
    meaning: str,
    words: Words,
    better: Literal[-1, 0, 1] = 1,
    missing: str = _SILENT,
    topic: str = "",
) -> Feature:
    return Feature(name, Group.BEHAVIOURAL, "numeric", meaning, _WROTE, missing, compute, words, better, topic or name)


FEATURES: Final = (
    _number(
        "message_length",
        lambda lines: lines.of_texts(lambda text: len(text.split())),
        "Words the lead wrote, newest 2,000 characters",
        _length_words,
        0,
    ),
    _number(
        "message_questions",
        lambda lines: lines.of_texts(lambda text: text.count("?")),
        "Question marks in what the lead wrote",
        silent,
        0,
    ),
    _number(
        "budget_mention",
        _mentions(BUDGET),
        "1 when price or budget is mentioned",
        flag("mentioned price or budget"),
    ),
    _number(
        "objection_mention",
        _mentions(OBJECTION),
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
        _mentions(URGENCY),
        "1 when the lead is in a hurry",
        flag("is in a hurry, by the message"),
    ),
    _number(
        "buying_mention",
        _mentions(BUYING),
        "1 when a demo, trial, purchase or call is asked for",
        flag("asked for a demo, a trial or a call"),
    ),
    _number(
        "message_links",
        lambda lines: lines.of_texts(lambda text: len(LINK.findall(text))),
        "Web addresses in what the lead wrote",
        bad_count("pasted", "link", "links", "into the message"),
        -1,
    ),
)
