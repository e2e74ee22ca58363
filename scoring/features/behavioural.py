"""What the lead did: pages, content, forms, product, and the flags of an expert."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from leads.enums import EngagementKind as Kind
from leads.records import Engagement, FieldValue
from scoring.domains import read_kind
from scoring.features.counting import counter
from scoring.features.feature import Feature, Group, Words
from scoring.features.texts import BUDGET, BUYING
from scoring.features.timelines import Timelines, Values
from scoring.features.titles import read_decision_power, read_function, read_seniority
from scoring.features.words import counted, flag
from scoring.timeline import DAY_S

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
#: Half an hour without a page view ends a visit, as web analytics tools (and our own script) count it.
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


@lru_cache(maxsize=4096)
def _sells(page: str) -> bool:
    return BUYING_PAGE.search(page) is not None


def _pages(lines: Timelines) -> list[tuple[int, str]]:
    """(lead, page) of each view of 30 days."""
    views = lines.of(Kind.PAGE_VIEWED)
    return lines.once("pages", lambda: [(owner, page_of(act)) for owner, act in views.after(lines.since(30))])  # type: ignore[no-any-return]


def buying_pages_30d(lines: Timelines) -> list[int]:
    found = [0] * lines.size
    for owner, page in _pages(lines):
        found[owner] += _sells(page)
    return found


def distinct_pages_30d(lines: Timelines) -> Values:
    found = [0] * lines.size
    for owner, _ in {(owner, page.partition("?")[0]) for owner, page in _pages(lines)}:
        found[owner] += 1
    return found


def visits_30d(lines: Timelines) -> Values:
    """Each session that the source names is a visit; where it names none, half an hour without a view ends one."""
    found, newest = [0] * lines.size, list(lines.since(30))
    named: set[tuple[int, FieldValue]] = set()
    views = lines.of(Kind.PAGE_VIEWED)
    for owner, at, act in zip(views.owner, views.at, views.acts, strict=True):
        if at > newest[owner]:
            session = act.properties.get("session")
            if session is None:
                found[owner] += not found[owner] or at - newest[owner] > VISIT_GAP_S
            elif (owner, session) not in named:
                named.add((owner, session))
                found[owner] += 1
            newest[owner] = at
    return found


def content_weight_30d(lines: Timelines) -> Values:
    found = [0] * lines.size
    for kind, weight in CONTENT_WEIGHT.items():
        for owner, _ in lines.of(kind).after(lines.since(30)):
            found[owner] += weight
    return found


def proposal_engagement(lines: Timelines) -> Values:
    views = lines.of(Kind.PROPOSAL_VIEWED)
    found = [0] * lines.size
    for owner, _ in {(owner, at // DAY_S) for owner, at in zip(views.owner, views.at, strict=True)}:
        found[owner] += 1
    return found


def interest_decayed(lines: Timelines) -> Values:
    """Every act counts 1 when fresh and half as much each week later."""
    each = zip(lines.now, lines.times, strict=True)
    return [
        round(math.fsum([0.5 ** ((now - at) / DAY_S / HALF_LIFE_DAYS) for at in times]), 6) if times else 0.0 for now, times in each
    ]


def engagement_velocity(lines: Timelines) -> Values:
    """Acts of the last 7 days against the weekly mean of the 28 days before them: (now + 1) / (before / 4 + 1)."""
    each = zip(lines.recently(7), lines.recently(35), strict=True)
    return [(week + 1) / ((five_weeks - week) / 4 + 1) for week, five_weeks in each]


def interaction_frequency(lines: Timelines) -> Values:
    """Acts for each week since the first, a first week counting whole."""
    each = zip(lines.now, lines.times, strict=True)
    return [len(times) / max(1.0, (now - times[0]) / (7 * DAY_S)) if times else None for now, times in each]


def active_days_30d(lines: Timelines) -> Values:
    each = zip(lines.times, lines.recent(30), strict=True)
    return [len({at // DAY_S for at in times[first:]}) if times else 0 for times, first in each]


def activity_kinds_30d(lines: Timelines) -> Values:
    each = zip(lines.acts, lines.recent(30), strict=True)
    return [len({act.kind for act in acts[first:]}) if acts else 0 for acts, first in each]


HAND_RAISES: Final = (Kind.FORM_SUBMITTED, Kind.MEETING_BOOKED, Kind.EMAIL_REPLIED, Kind.MESSAGE_RECEIVED, Kind.CALL_ANSWERED)


def hand_raised_7d(lines: Timelines) -> Values:
    return [int(count > 0) for count in lines.count(*HAND_RAISES, days=7)]


def ready_to_buy(lines: Timelines) -> Values:
    """A sales expert's rule: somebody who decides looked at prices or asked for them."""
    each = zip(lines.words("title"), lines.texts, buying_pages_30d(lines), strict=True)
    return [
        None if title is None else int(read_decision_power(title) >= DECIDER and _asks(text, pages)) for title, text, pages in each
    ]


def _asks(text: str, pages: int) -> bool:
    return bool(pages or BUYING.search(text) or BUDGET.search(text))


def gone_quiet(lines: Timelines) -> Values:
    """A sales expert's rule: once keen (five acts or more), and not seen for two weeks."""
    each = zip(lines.times, lines.recently(QUIET_DAYS), strict=True)
    return [int(len(times) >= KEEN_ACTS and not lately) for times, lately in each]


def poor_fit(lines: Timelines) -> Values:
    """A sales expert's rule: a throw-away address, a student, or an intern."""
    each = zip(lines.words("title"), lines.domains, strict=True)
    return [None if title is None and domain is None else int(_is_no_buyer(title, domain)) for title, domain in each]


def _is_no_buyer(title: str | None, domain: str | None) -> bool:
    throw_away = domain is not None and read_kind(domain) == "disposable"
    return throw_away or (title is not None and (read_seniority(title) == 0 or read_function(title) == "study"))


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
    compute: Callable[[Timelines], Values],
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
        "Visits in 30 days: page views of one session, or less than half an hour apart where the source names no session",
        "engagements: page_viewed, its session",
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
