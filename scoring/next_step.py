"""What to do next and when: from what the lead did, and from what came next in look-alikes that were won."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from leads.enums import EngagementKind as Kind
from leads.enums import Outcome
from scoring.features.words import span
from scoring.similar import LookAlike
from scoring.timeline import Timeline

#: The step that each kind of answer shows to have worked.
WORKED: Final = {
    Kind.CALL_ANSWERED: "call",
    Kind.EMAIL_REPLIED: "email",
    Kind.MESSAGE_RECEIVED: "email",
    Kind.EMAIL_CLICKED: "content",
    Kind.CONTENT_DOWNLOADED: "content",
    Kind.VIDEO_WATCHED: "content",
    Kind.MEETING_BOOKED: "meeting",
    Kind.MEETING_ATTENDED: "meeting",
    Kind.PROPOSAL_VIEWED: "proposal",
    Kind.PRODUCT_USED: "trial",
}
WORDS: Final = {
    "answer": "Answer the lead",
    "prepare": "Prepare the meeting",
    "call": "Call",
    "email": "Write a personal e-mail",
    "content": "Send one fitting piece of content",
    "meeting": "Offer a meeting",
    "proposal": "Send a proposal",
    "trial": "Offer a trial",
    "wait": "Leave the lead in peace",
    "ask": "Find a way to reach the lead",
}
BY_MAIL: Final = frozenset({"email", "content", "meeting", "proposal", "trial"})
#: So many won look-alikes must have gone a way before it is recommended.
FEWEST: Final = 3
#: An answer that came within so many days of the look counts as what came next.
NEXT_DAYS: Final = 30.0
#: A message older than this is no longer waiting for an answer.
WAITING_DAYS: Final = 14.0
HOT_DAYS: Final = 7.0
OWN_ACT: Final = 3.0
#: Later slots lose so much for each day: an hour as good as another is better today.
IMPATIENCE: Final = 0.1
FEWEST_ACTS: Final = 3
OFFICE_HOUR: Final = 10
AHEAD_HOURS: Final = 7 * 24


@dataclass(frozen=True, slots=True)
class NextStep:
    """What to do: a stable word and a sentence. `support` is how many won look-alikes it rests on, 0 when on the lead alone."""

    action: str
    text: str
    support: int = 0


@dataclass(frozen=True, slots=True)
class BestTime:
    """An hour in which to do it, and what that rests on."""

    start: datetime
    end: datetime
    text: str


def recommend(line: Timeline, alike: Sequence[LookAlike]) -> NextStep:
    """The next step. What the lead asks for comes first, then what worked with look-alikes, then the nearest channel."""
    allowed = _allowed(line)
    if not allowed:
        closed = bool(line.count(Kind.UNSUBSCRIBED, Kind.SPAM_REPORTED)) or line.word("email_consent") == "no"
        if closed:
            return NextStep("wait", f"{WORDS['wait']}: it does not want e-mail and left no phone number.")
        return NextStep("ask", f"{WORDS['ask']}: neither e-mail address nor phone number is known.")
    return _asked_for(line, allowed) or _worked(alike, allowed) or _nearest_channel(line, allowed)


def _allowed(line: Timeline) -> frozenset[str]:
    """The ways that are open: no e-mail to who refused it, whose address bounces or is not known; no call without a number."""
    left, back = line.times(Kind.UNSUBSCRIBED, Kind.SPAM_REPORTED), line.times(Kind.RESUBSCRIBED)
    refused = bool(left) and (not back or back[-1] < left[-1])
    reached, bounced = line.times(Kind.EMAIL_DELIVERED), line.times(Kind.EMAIL_BOUNCED)
    bounces = bool(bounced) and (not reached or reached[-1] < bounced[-1])
    mail = line.email_domain is not None and not refused and not bounces and (line.word("email_consent") or "").lower() != "no"
    return (BY_MAIL if mail else frozenset()) | (frozenset({"call"}) if line.word("phone") is not None else frozenset())


def _asked_for(line: Timeline, allowed: frozenset[str]) -> NextStep | None:
    """What the lead itself calls for."""
    wrote = line.times(Kind.EMAIL_REPLIED, Kind.MESSAGE_RECEIVED, Kind.FORM_SUBMITTED)
    ours = line.times(Kind.EMAIL_SENT, Kind.CALL_ANSWERED, Kind.CALL_MISSED, Kind.MEETING_ATTENDED)
    hours = line.hours_since(wrote)
    if hours is not None and hours <= WAITING_DAYS * 24 and (not ours or ours[-1] < wrote[-1]):
        return NextStep("answer", f"{WORDS['answer']}: it wrote {span(hours)} ago and waits.")
    booked, held = line.times(Kind.MEETING_BOOKED), line.times(Kind.MEETING_ATTENDED, Kind.MEETING_MISSED)
    if booked and (not held or held[-1] < booked[-1]):
        hours = (line.now - booked[-1]) / 3600.0
        if hours <= WAITING_DAYS * 24:
            return NextStep("prepare", f"{WORDS['prepare']}: it was booked {span(hours)} ago.")
    if line.count(Kind.PROPOSAL_VIEWED, days=HOT_DAYS):
        hours = line.hours_since(line.times(Kind.PROPOSAL_VIEWED)) or 0.0
        way = "call" if "call" in allowed else "email"
        return NextStep(way, f"{WORDS[way]}: it opened the proposal {span(hours)} ago.")
    return None


def _worked(alike: Sequence[LookAlike], allowed: frozenset[str]) -> NextStep | None:
    """The way that most won look-alikes went next and fewer of the lost ones did."""
    won = [_went(one) for one in alike if one.look.outcome is Outcome.WON]
    lost = [_went(one) for one in alike if one.look.outcome is Outcome.LOST]

    def worth(way: str) -> float:
        # One added each side, so that one lucky lead proves nothing.
        with_it = (sum(way in went for went in won) + 1) / (len(won) + 2)
        without = (sum(way in went for went in lost) + 1) / (len(lost) + 2)
        return with_it - 0.5 * without

    ways = [way for way in sorted(allowed) if sum(way in went for went in won) >= FEWEST]
    if not ways:
        return None
    way = max(ways, key=worth)
    support = sum(way in went for went in won)
    return NextStep(way, f"{WORDS[way]}: it worked with {support} of the {len(won)} won leads that stood like this one.", support)


def _went(one: LookAlike) -> set[str]:
    """The ways that worked with a look-alike from then on."""
    until = one.look.as_of + timedelta(days=NEXT_DAYS)
    return {WORKED[kind] for kind, moment in one.look.acts_after if kind in WORKED and moment <= until}


def _nearest_channel(line: Timeline, allowed: frozenset[str]) -> NextStep:
    """By the phone when the lead is warm and left its number, else by e-mail."""
    warm = bool(line.recent(HOT_DAYS))
    if "call" in allowed and (warm or "email" not in allowed):
        return NextStep("call", f"{WORDS['call']}: it " + ("was active this week and " if warm else "") + "left a phone number.")
    return NextStep("email", f"{WORDS['email']}: " + ("it was active this week." if warm else "it has been quiet for a week."))


def best_time(line: Timeline, alike: Sequence[LookAlike], action: str) -> BestTime | None:
    """The best hour of the next seven days, in UTC; None when the lead is to be left in peace.

    Hours and days of the week in which the lead acted count three times those of its look-alikes. Answering does not wait.
    """
    now = line.as_of.astimezone(UTC)
    if action == "wait":
        return None
    if action == "answer":
        return BestTime(now, now + timedelta(hours=1), "now: the lead waits for an answer")
    own = [act.occurred_at.astimezone(UTC) for act in line.acts]
    others = [moment.astimezone(UTC) for one in alike for kind, moment in one.look.acts_after if kind in WORKED]
    start = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    slots = [start + timedelta(hours=ahead) for ahead in range(AHEAD_HOURS)]
    if len(own) + len(others) < FEWEST_ACTS:
        slot = next(slot for slot in slots if slot.weekday() < 5 and slot.hour == OFFICE_HOUR)
        return BestTime(slot, slot + timedelta(hours=1), "an ordinary office hour: too little is known of this lead's habits")
    hours, days = [0.05] * 24, [0.05] * 7
    for moments, weight in ((own, OWN_ACT), (others, 1.0)):
        for moment in moments:
            days[moment.weekday()] += weight
            for off, part in ((-1, 0.5), (0, 1.0), (1, 0.5)):
                hours[(moment.hour + off) % 24] += weight * part
    slot = max(slots, key=lambda slot: hours[slot.hour] * days[slot.weekday()] * (1 - IMPATIENCE * ((slot - start).days)))
    return BestTime(slot, slot + timedelta(hours=1), _habit(len(own), len(others), slot))


def _habit(own: int, others: int, slot: datetime) -> str:
    when = f"{slot:%A}s around {slot.hour}:00 UTC"
    if own >= FEWEST_ACTS:
        return f"this lead is most active on {when}"
    return f"leads like this one answer most on {when}" if others else f"this lead was active on {when}"
