"""What the lead did: pages, content, forms, product, and the flags of an expert."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Final

from leads.enums import EngagementKind as Kind
from leads.records import Engagement, FieldValue
from scoring.features.domains import read_kind
from scoring.features.feature import Feature, Group, Words
from scoring.features.live import counter
from scoring.features.texts import BUDGET, BUYING, mentions
from scoring.features.timeline import Timeline
from scoring.features.titles import read_decision_power, read_function, read_seniority
from scoring.features.words import counted, flag

#: What each act says about intent, against one page view. Our own starting weights; the model learns what they are worth.
CONTENT_WEIGHT: Final = {
    Kind.PAGE_VIEWED: 1,
    Kind.VIDEO_WATCHED: 3,
    Kind.CONTENT_DOWNLOADED: 4,
    Kind.PROPOSAL_VIEWED: 8,
    Kind.FORM_SUBMITTED: 5,
    Kind.PRODUCT_USED: 4,
}
BUYING_PAGE: Final = re.compile(r"pric|plans|demo|trial|checkout|quote|contact|buy|enterprise", re.IGNORECASE)

#: From this chance on a title counts as one who decides.
DECIDER: Final = 0.6
#: So many acts make a keen lead, and so many days of silence a quiet one.
KEEN_ACTS: Final = 5
QUIET_DAYS: Final = 14
#: Half an hour without a page view ends a visit, as web analytics tools count it.
VISIT_GAP_S: Final = 1_800.0
#: Interest halves in a week.
HALF_LIFE_DAYS: Final = 7.0


def page_of(act: Engagement) -> str:
    """The page an act was on, as far as the source tells."""
    for key in ("path", "url", "page"):
        value = act.properties.get(key)
        if value:
            return str(value)
    return ""


def _pages(line: Timeline, days: float) -> list[Engagement]:
    return [act for act in line.recent(days) if act.kind is Kind.PAGE_VIEWED]


def buying_pages_30d(line: Timeline) -> FieldValue:
    return sum(BUYING_PAGE.search(page_of(act)) is not None for act in _pages(line, 30))


def distinct_pages_30d(line: Timeline) -> FieldValue:
    return len({page_of(act).partition("?")[0] for act in _pages(line, 30)})


def visits_30d(line: Timeline) -> FieldValue:
    times = [act.occurred_at.timestamp() for act in _pages(line, 30)]
    return int(bool(times)) + sum(later - earlier > VISIT_GAP_S for earlier, later in pairwise(times))


def content_weight_30d(line: Timeline) -> FieldValue:
    return sum(CONTENT_WEIGHT.get(act.kind, 0) for act in line.recent(30))


def proposal_engagement(line: Timeline) -> FieldValue:
    return len({act.occurred_at.date() for act in line.acts if act.kind is Kind.PROPOSAL_VIEWED})


def interest_decayed(line: Timeline) -> FieldValue:
    """Every act counts 1 when fresh and half as much each week later."""
    return round(math.fsum(0.5 ** ((line.now - moment) / 86_400.0 / HALF_LIFE_DAYS) for moment in line.act_times), 6)


def engagement_velocity(line: Timeline) -> FieldValue:
    """Acts of the last 7 days against the weekly mean of the 28 days before them: (now + 1) / (before / 4 + 1)."""
    week = len(line.recent(7))
    before = len(line.recent(35)) - week
    return (week + 1) / (before / 4 + 1)


def interaction_frequency(line: Timeline) -> FieldValue:
    """Acts for each week since the first, a first week counting whole."""
    if not line.acts:
        return None
    weeks = max(1.0, (line.now - line.act_times[0]) / (7 * 86_400.0))
    return len(line.acts) / weeks


def active_days_30d(line: Timeline) -> FieldValue:
    return len({act.occurred_at.date() for act in line.recent(30)})


def activity_kinds_30d(line: Timeline) -> FieldValue:
    return len({act.kind for act in line.recent(30)})


HAND_RAISES: Final = (Kind.FORM_SUBMITTED, Kind.MEETING_BOOKED, Kind.EMAIL_REPLIED, Kind.MESSAGE_RECEIVED, Kind.CALL_ANSWERED)


def hand_raised_7d(line: Timeline) -> FieldValue:
    return int(line.count(*HAND_RAISES, days=7) > 0)


def ready_to_buy(line: Timeline) -> FieldValue:
    """A sales expert's rule: somebody who decides looked at prices or asked for them."""
    title = line.word("title")
    if title is None:
        return None
    asked = mentions(BUYING, line.text) or mentions(BUDGET, line.text) or buying_pages_30d(line)
    return int(read_decision_power(title) >= DECIDER and bool(asked))


def gone_quiet(line: Timeline) -> FieldValue:
    """A sales expert's rule: once keen (five acts or more), and not seen for two weeks."""
    return int(len(line.acts) >= KEEN_ACTS and not line.recent(QUIET_DAYS))


def poor_fit(line: Timeline) -> FieldValue:
    """A sales expert's rule: a throw-away address, a student, or an intern."""
    title = line.word("title")
    if title is None and line.email_domain is None:
        return None
    throw_away = line.email_domain is not None and read_kind(line.email_domain) == "disposable"
    return int(throw_away or (title is not None and (read_seniority(title) == 0 or read_function(title) == "study")))


def _ways_words(value: FieldValue, up: bool) -> str | None:
    ways = int(float(value or 0))
    if up:
        return f"engages in {ways} different ways" if ways > 1 else None
    return "has not engaged in 30 days" if ways == 0 else "engaged in only one way in 30 days" if ways == 1 else None


def _days_words(value: FieldValue, up: bool) -> str | None:
    days = int(float(value or 0))
    if up:
        return f"was active on {days} different days this month" if days > 1 else None
    return "was not active this month" if days == 0 else "was active on only one day this month" if days == 1 else None


def _velocity_words(value: FieldValue, up: bool) -> str | None:
    ratio = float(value or 0)
    if up:
        return "is getting more active this week" if ratio > 1.2 else None
    return "has gone quieter this week" if ratio < 0.9 else None


def _per_week_words(value: FieldValue, up: bool) -> str | None:
    times = round(float(value or 0))
    return f"acts about {times} times a week" if up and times > 1 else None


_DOES = Group.BEHAVIOURAL


def _count(name: str, kinds: tuple[Kind, ...], days: float, meaning: str, words: Words, topic: str = "") -> Feature:
    return Feature(
        name=name,
        group=_DOES,
        type="numeric",
        meaning=meaning,
        source=f"engagements: {', '.join(kinds)}",
        missing="never missing: no event is 0",
        compute=counter(name, kinds, days),
        words=words,
        better=1,
        topic=topic or name,
    )


def _number(
    name: str,
    compute: Callable[[Timeline], FieldValue],
    meaning: str,
    source: str,
    missing: str,
    words: Words,
    better: int = 1,
    topic: str = "",
) -> Feature:
    side: Final = {1: 1, -1: -1}.get(better, 0)
    return Feature(name, _DOES, "numeric", meaning, source, missing, compute, words, side, topic or name)  # type: ignore[arg-type]


_NEVER = "never missing: no event is 0"

FEATURES: Final = (
    _count(
        "page_views_7d",
        (Kind.PAGE_VIEWED,),
        7,
        "Pages viewed in 7 days",
        counted("viewed", "page", "pages", "this week"),
        "pages",
    ),
    _count(
        "page_views_30d",
        (Kind.PAGE_VIEWED,),
        30,
        "Pages viewed in 30 days",
        counted("viewed", "page", "pages", "in 30 days"),
        "pages",
    ),
    _number(
        "buying_pages_30d",
        buying_pages_30d,
        "Views of pages about price, plans, demo, trial or contact in 30 days",
        "engagements: page_viewed, its path",
        _NEVER,
        counted("looked at", "pricing or demo page", "pricing or demo pages", "in 30 days"),
    ),
    _number(
        "distinct_pages_30d",
        distinct_pages_30d,
        "Different pages viewed in 30 days",
        "engagements: page_viewed, its path",
        _NEVER,
        counted("read", "different page", "different pages", "in 30 days"),
        topic="pages",
    ),
    _number(
        "visits_30d",
        visits_30d,
        "Visits (page views less than half an hour apart) in 30 days",
        "engagements: page_viewed",
        _NEVER,
        counted("made", "visit to the site", "visits to the site", "in 30 days"),
        topic="visits",
    ),
    _count(
        "downloads_30d",
        (Kind.CONTENT_DOWNLOADED,),
        30,
        "Pieces of content downloaded in 30 days",
        counted("downloaded", "piece of content", "pieces of content", "in 30 days"),
    ),
    _count(
        "videos_30d", (Kind.VIDEO_WATCHED,), 30, "Videos watched in 30 days", counted("watched", "video", "videos", "in 30 days")
    ),
    _count("forms_30d", (Kind.FORM_SUBMITTED,), 30, "Forms sent in 30 days", counted("sent", "form", "forms", "in 30 days")),
    _count(
        "product_uses_30d",
        (Kind.PRODUCT_USED,),
        30,
        "Times the product or trial was used in 30 days",
        counted("used the product", "time", "times", "in 30 days"),
    ),
    _count(
        "proposal_views_30d",
        (Kind.PROPOSAL_VIEWED,),
        30,
        "Views of a proposal in 30 days",
        counted("opened the proposal", "time", "times", "in 30 days"),
    ),
    _number(
        "proposal_engagement",
        proposal_engagement,
        "Proposal engagement: different days on which a proposal was opened",
        "engagements: proposal_viewed",
        _NEVER,
        counted("went back to the proposal on", "day", "days", ""),
        topic="proposal_views_30d",
    ),
    _number(
        "content_weight_30d",
        content_weight_30d,
        "Weighted content consumption of 30 days: each piece by what it says about intent",
        "engagements: pages, videos, downloads, proposals, forms, product",
        _NEVER,
        lambda value, up: "used a lot of our content this month" if up else "used little of our content this month",
        topic="activity",
    ),
    _number(
        "interest_decayed",
        interest_decayed,
        "All acts, each halved for every week of its age",
        "engagements: every act of a person",
        _NEVER,
        lambda value, up: "was active lately" if up else "was hardly active lately",
        topic="recency",
    ),
    _number(
        "engagement_velocity",
        engagement_velocity,
        "Acts of this week against the mean week of the four before",
        "engagements: every act of a person",
        "never missing: 1 when nothing changes",
        _velocity_words,
        topic="recency",
    ),
    _number(
        "interaction_frequency",
        interaction_frequency,
        "Acts for each week since the first act",
        "engagements: every act of a person",
        "missing without an act",
        _per_week_words,
        topic="activity",
    ),
    _number(
        "active_days_30d",
        active_days_30d,
        "Different days with an act in 30 days",
        "engagements: every act of a person",
        _NEVER,
        _days_words,
        topic="activity",
    ),
    _number(
        "activity_kinds_30d",
        activity_kinds_30d,
        "Different kinds of act in 30 days",
        "engagements: every act of a person",
        _NEVER,
        _ways_words,
        topic="activity",
    ),
    _number(
        "hand_raised_7d",
        hand_raised_7d,
        "Expert flag: 1 when the lead sent a form, wrote, booked a meeting or took a call in 7 days",
        "engagements: form_submitted, meeting_booked, email_replied, message_received, call_answered",
        _NEVER,
        flag("got in touch this week"),
    ),
    _number(
        "ready_to_buy",
        ready_to_buy,
        "Expert flag: 1 when somebody who decides looked at prices or asked for them",
        "facts.title, page_viewed, what the lead wrote",
        "missing without a title",
        flag("decides, and has looked at or asked about buying"),
    ),
    _number(
        "gone_quiet",
        gone_quiet,
        "Expert flag: 1 when a lead that was keen has not been seen for two weeks",
        "engagements: every act of a person",
        _NEVER,
        flag("was keen and has gone quiet"),
        -1,
    ),
    _number(
        "poor_fit",
        poor_fit,
        "Expert flag: 1 for a throw-away address, a student or an intern",
        "facts.title, facts.email",
        "missing without a title and an address",
        flag("is unlikely to be a buyer"),
        -1,
    ),
)
