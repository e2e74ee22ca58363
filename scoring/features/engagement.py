"""How the lead answers us: e-mail, meetings, calls."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from statistics import median
from typing import Final, Literal

from leads.enums import EngagementKind as Kind
from leads.records import FieldValue
from scoring.features.feature import Feature, Group, Words
from scoring.features.live import LIVE, counter
from scoring.features.timeline import Timeline
from scoring.features.words import bad_count, counted, flag, share, span

#: An e-mail counts as delivered when the server said so, and as sent when no delivery notice is known.
SENT: Final = (Kind.EMAIL_DELIVERED, Kind.EMAIL_SENT)
OUR_MOVES: Final = (Kind.EMAIL_SENT, Kind.EMAIL_DELIVERED, Kind.CALL_MISSED)
ANSWERS: Final = (Kind.EMAIL_REPLIED, Kind.MESSAGE_RECEIVED, Kind.CALL_ANSWERED, Kind.MEETING_BOOKED)


def emails_received(line: Timeline) -> int:
    """E-mails that reached the lead: the larger of delivered and sent, because sources tell one, the other or both."""
    return max(line.count(kind) for kind in SENT)


def _rate(kind: Kind) -> Callable[[Timeline], FieldValue]:
    """Acts of this kind for each e-mail received, at most 1; missing while no e-mail was received."""

    def rate(line: Timeline) -> FieldValue:
        received = emails_received(line)
        return min(1.0, line.count(kind) / received) if received else None

    return rate


def unsubscribed(line: Timeline) -> FieldValue:
    """1 when the last word on subscription was no."""
    left, back = line.times(Kind.UNSUBSCRIBED, Kind.SPAM_REPORTED), line.times(Kind.RESUBSCRIBED)
    return int(bool(left) and (not back or back[-1] < left[-1]))


def meeting_attendance(line: Timeline) -> FieldValue:
    attended, missed = line.count(Kind.MEETING_ATTENDED), line.count(Kind.MEETING_MISSED)
    return attended / (attended + missed) if attended + missed else None


def call_answer_rate(line: Timeline) -> FieldValue:
    answered, missed = line.count(Kind.CALL_ANSWERED), line.count(Kind.CALL_MISSED)
    return answered / (answered + missed) if answered + missed else None


def response_latency_hours(line: Timeline) -> FieldValue:
    """Median hours from our last move before each answer to that answer."""
    moves = line.times(*OUR_MOVES)
    waits = []
    for answer in line.times(*ANSWERS):
        place = bisect_left(moves, answer)
        if place:
            waits.append((answer - moves[place - 1]) / 3600.0)
    return median(waits) if waits else None


def unanswered_emails(line: Timeline) -> FieldValue:
    """E-mails received since the last open, click, reply or other act of the lead."""
    last = line.act_times[-1] if line.acts else float("-inf")
    return max(sum(moment > last for moment in line.times(kind)) for kind in SENT)


def contact_attempts(line: Timeline) -> FieldValue:
    return emails_received(line) + line.count(Kind.CALL_ANSWERED, Kind.CALL_MISSED)


def hours_since_reply(line: Timeline) -> FieldValue:
    return line.hours_since(line.times(Kind.EMAIL_REPLIED, Kind.MESSAGE_RECEIVED))


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
    compute: Callable[[Timeline], FieldValue],
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
        LIVE["emails_received_30d"],
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
        meeting_attendance,
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
        call_answer_rate,
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
