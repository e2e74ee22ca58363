"""How the lead answers us: e-mail, meetings, calls."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from statistics import median
from typing import Final, Literal

from leads.enums import EngagementKind as Kind
from leads.records import FieldValue
from scoring.features.counting import counter, live_counter
from scoring.features.feature import Feature, Group, Words
from scoring.features.timelines import Timelines, Values, ratio
from scoring.features.words import bad_count, counted, flag, share, span
from scoring.live import LIVE

#: An e-mail counts as delivered when the server said so, and as sent when no delivery notice is known.
SENT: Final = (Kind.EMAIL_DELIVERED, Kind.EMAIL_SENT)
OUR_MOVES: Final = (Kind.EMAIL_SENT, Kind.EMAIL_DELIVERED, Kind.CALL_MISSED)
ANSWERS: Final = (Kind.EMAIL_REPLIED, Kind.MESSAGE_RECEIVED, Kind.CALL_ANSWERED, Kind.MEETING_BOOKED)


def emails_received(lines: Timelines) -> list[int]:
    """E-mails that reached each lead: the larger of delivered and sent, because sources tell one, the other or both."""
    return lines.once("received", lambda: list(map(max, *(lines.count(kind) for kind in SENT))))  # type: ignore[no-any-return]


def _rate(kind: Kind) -> Callable[[Timelines], Values]:
    """Acts of this kind for each e-mail received, at most 1; missing while no e-mail was received."""

    def rate(lines: Timelines) -> Values:
        each = zip(lines.count(kind), emails_received(lines), strict=True)
        return [min(1.0, acts / received) if received else None for acts, received in each]

    return rate


def unsubscribed(lines: Timelines) -> Values:
    """1 when the last word on subscription was no."""
    each = zip(lines.last(Kind.UNSUBSCRIBED, Kind.SPAM_REPORTED), lines.last(Kind.RESUBSCRIBED), strict=True)
    return [int(left > back) for left, back in each]


def _kept(met: Kind, missed: Kind) -> Callable[[Timelines], Values]:
    """The share of those met among those met and missed."""
    return lambda lines: ratio(lines.count(met), lines.count(met, missed))


def response_latency_hours(lines: Timelines) -> Values:
    """Median hours from our last move before each answer to that answer."""
    answers, moves = lines.moments(*ANSWERS), lines.moments(*OUR_MOVES)
    found: list[FieldValue] = [None] * lines.size
    for owner, times in answers.items():
        ours = moves.get(owner, ())
        waits = [(answer - ours[place - 1]) / 3600.0 for answer in times if (place := bisect_left(ours, answer))]
        if waits:
            found[owner] = median(waits)
    return found


def unanswered_emails(lines: Timelines) -> Values:
    """E-mails received since the last open, click, reply or other act of the lead."""
    last = lines.last_act()
    found = [[0] * lines.size for _ in SENT]
    for column, kind in zip(found, SENT, strict=True):
        for owner, _ in lines.of(kind).after(last):
            column[owner] += 1
    return list(map(max, *found))


def contact_attempts(lines: Timelines) -> Values:
    return list(map(int.__add__, emails_received(lines), lines.count(Kind.CALL_ANSWERED, Kind.CALL_MISSED)))


def hours_since_reply(lines: Timelines) -> Values:
    return lines.hours_since(lines.last(Kind.EMAIL_REPLIED, Kind.MESSAGE_RECEIVED))


def _latency_words(value: FieldValue, up: bool) -> str | None:
    return None if value is None else f"answers within {span(float(value))}" if up else f"takes {span(float(value))} to answer"


def _attendance_words(value: FieldValue, up: bool) -> str | None:
    if value is None:
        return None
    return "keeps meetings" if up and float(value) > 0.5 else None if up else "misses meetings"


def _reply_age_words(value: FieldValue, up: bool) -> str | None:
    return None if value is None else f"last wrote {span(float(value))} ago"


_NEVER = "never missing: no event is 0"
_MAILED = "missing while no e-mail was received"
_ANSWERS_US = Group.ENGAGEMENT


def _feature(
    name: str,
    compute: Callable[[Timelines], Values],
    meaning: str,
    source: str,
    missing: str,
    words: Words,
    better: Literal[-1, 0, 1],
    topic: str = "",
) -> Feature:
    return Feature(name, _ANSWERS_US, "numeric", meaning, source, missing, compute, words, better, topic or name)


def _count(
    name: str, kinds: tuple[Kind, ...], days: float | None, meaning: str, words: Words, topic: str = "", better: Literal[-1, 1] = 1
) -> Feature:
    source = f"engagements: {', '.join(kinds)}"
    return _feature(name, counter(name, kinds, days), meaning, source, _NEVER, words, better, topic)


FEATURES: Final = (
    _count(
        "opens_7d",
        (Kind.EMAIL_OPENED,),
        7,
        "E-mails opened by a person in 7 days",
        counted("opened", "email", "emails", "this week"),
        "opens",
    ),
    _count(
        "opens_30d",
        (Kind.EMAIL_OPENED,),
        30,
        "E-mails opened by a person in 30 days",
        counted("opened", "email", "emails", "in 30 days"),
        "opens",
    ),
    _count(
        "clicks_7d",
        (Kind.EMAIL_CLICKED,),
        7,
        "Links clicked in e-mails in 7 days",
        counted("clicked", "email link", "email links", "this week"),
        "clicks",
    ),
    _count(
        "clicks_30d",
        (Kind.EMAIL_CLICKED,),
        30,
        "Links clicked in e-mails in 30 days",
        counted("clicked", "email link", "email links", "in 30 days"),
        "clicks",
    ),
    _count(
        "replies_30d",
        (Kind.EMAIL_REPLIED, Kind.MESSAGE_RECEIVED),
        30,
        "Replies and messages in 30 days",
        counted("wrote to us", "time", "times", "in 30 days"),
        "replies",
    ),
    _feature(
        "open_rate",
        _rate(Kind.EMAIL_OPENED),
        "Opens for each e-mail received, at most 1",
        "engagements: email_opened, email_delivered, email_sent",
        _MAILED,
        share("opens {} of our emails"),
        1,
        "opens",
    ),
    _feature(
        "click_rate",
        _rate(Kind.EMAIL_CLICKED),
        "Clicks for each e-mail received, at most 1",
        "engagements: email_clicked, email_delivered, email_sent",
        _MAILED,
        share("clicks in {} of our emails"),
        1,
        "clicks",
    ),
    _feature(
        "reply_rate",
        _rate(Kind.EMAIL_REPLIED),
        "Replies for each e-mail received, at most 1",
        "engagements: email_replied, email_delivered, email_sent",
        _MAILED,
        share("replies to {} of our emails"),
        1,
        "replies",
    ),
    _feature(
        "emails_received_30d",
        live_counter(LIVE["emails_received_30d"]),
        "E-mails that reached the lead in 30 days",
        "engagements: email_delivered, email_sent",
        _NEVER,
        counted("received", "email from us", "emails from us", "in 30 days"),
        0,
        "emails received",
    ),
    _feature(
        "unanswered_emails",
        unanswered_emails,
        "E-mails received since the lead's last act",
        "engagements: email_delivered, email_sent, every act",
        _NEVER,
        bad_count("ignored our last", "email", "emails", ""),
        -1,
    ),
    _count(
        "bounces_30d",
        (Kind.EMAIL_BOUNCED, Kind.EMAIL_DROPPED),
        30,
        "E-mails that bounced in 30 days",
        bad_count("bounced", "email", "emails", "in 30 days"),
        better=-1,
    ),
    _feature(
        "unsubscribed",
        unsubscribed,
        "1 when the lead's last word on subscription was no",
        "engagements: unsubscribed, spam_reported, resubscribed",
        _NEVER,
        flag("unsubscribed from our emails"),
        -1,
    ),
    _count(
        "meetings_booked_30d",
        (Kind.MEETING_BOOKED,),
        30,
        "Meetings booked in 30 days",
        counted("booked", "meeting", "meetings", "in 30 days"),
        "meetings",
    ),
    _count(
        "meetings_attended",
        (Kind.MEETING_ATTENDED,),
        None,
        "Meetings attended so far",
        counted("attended", "meeting", "meetings", ""),
        "meetings",
    ),
    _feature(
        "meeting_attendance",
        _kept(Kind.MEETING_ATTENDED, Kind.MEETING_MISSED),
        "Share of meetings attended",
        "engagements: meeting_attended, meeting_missed",
        "missing before the first meeting",
        _attendance_words,
        1,
        "meetings",
    ),
    _count(
        "calls_answered_30d",
        (Kind.CALL_ANSWERED,),
        30,
        "Calls answered in 30 days",
        counted("answered", "call", "calls", "in 30 days"),
        "calls",
    ),
    _feature(
        "call_answer_rate",
        _kept(Kind.CALL_ANSWERED, Kind.CALL_MISSED),
        "Share of calls answered",
        "engagements: call_answered, call_missed",
        "missing before the first call",
        share("answers {} of our calls"),
        1,
        "calls",
    ),
    _feature(
        "response_latency_hours",
        response_latency_hours,
        "Median hours from our move to the lead's answer",
        "engagements: e-mails, calls, replies, messages, meetings booked",
        "missing before the first answer",
        _latency_words,
        -1,
    ),
    _feature(
        "hours_since_reply",
        hours_since_reply,
        "Hours since the lead last wrote",
        "engagements: email_replied, message_received",
        "missing before the first message",
        _reply_age_words,
        -1,
        "replies",
    ),
    _feature(
        "contact_attempts",
        contact_attempts,
        "E-mails and calls of ours so far",
        "engagements: e-mails, calls",
        _NEVER,
        counted("was contacted", "time", "times", ""),
        0,
    ),
)
