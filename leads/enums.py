"""Closed word lists. Every enum has UNKNOWN, so that a word we have not met is kept and not guessed at."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Word(StrEnum):
    """A StrEnum that reads unmet words as UNKNOWN instead of raising."""

    @classmethod
    def read(cls, text: object) -> Self:
        """The member whose value is `text` (case and surrounding space ignored), else UNKNOWN."""
        try:
            return cls(str(text).strip().lower())
        except ValueError:
            return cls("unknown")


class ChangeKind(Word):
    """What happened to a lead record in the system it came from."""

    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"
    MERGED = "merged"
    RESTORED = "restored"
    ERASED = "erased"  # a privacy deletion: stronger than DELETED
    UNKNOWN = "unknown"


class ChangeOrigin(Word):
    """Who made the change, as far as the vendor tells."""

    PERSON = "person"
    OURSELVES = "ourselves"  # the echo of our own write-back
    MACHINE = "machine"  # an import, a workflow, another integration
    UNKNOWN = "unknown"


class EngagementKind(Word):
    """One dated act of, or towards, a lead."""

    EMAIL_SENT = "email_sent"
    EMAIL_DELIVERED = "email_delivered"
    EMAIL_DEFERRED = "email_deferred"
    EMAIL_BOUNCED = "email_bounced"
    EMAIL_DROPPED = "email_dropped"
    EMAIL_OPENED = "email_opened"
    EMAIL_CLICKED = "email_clicked"
    EMAIL_REPLIED = "email_replied"
    UNSUBSCRIBED = "unsubscribed"
    RESUBSCRIBED = "resubscribed"
    SPAM_REPORTED = "spam_reported"
    FORM_SUBMITTED = "form_submitted"
    PAGE_VIEWED = "page_viewed"
    CONTENT_DOWNLOADED = "content_downloaded"
    VIDEO_WATCHED = "video_watched"
    MEETING_BOOKED = "meeting_booked"
    MEETING_ATTENDED = "meeting_attended"
    MEETING_MISSED = "meeting_missed"
    PROPOSAL_VIEWED = "proposal_viewed"
    PROPOSAL_SIGNED = "proposal_signed"
    MESSAGE_RECEIVED = "message_received"
    CALL_ANSWERED = "call_answered"
    CALL_MISSED = "call_missed"
    PRODUCT_USED = "product_used"
    CONTACTED = "contacted"  # by one of ours: a call, an e-mail or a meeting that the CRM has logged
    LISTING_VIEWED = "listing_viewed"  # an offer in a catalogue: a house, a car, a loan
    SEARCHED = "searched"  # in our catalogue; `criteria` in the properties says how many filters were set
    UNKNOWN = "unknown"


class LifecycleStage(Word):
    """How far a person has come. `ORDER` in this module says which is further."""

    SUBSCRIBER = "subscriber"
    LEAD = "lead"
    MQL = "mql"
    SALES_QUALIFIED = "sales_qualified"
    OPPORTUNITY = "opportunity"
    CUSTOMER = "customer"
    EVANGELIST = "evangelist"
    UNKNOWN = "unknown"


STAGE_ORDER: tuple[LifecycleStage, ...] = (
    LifecycleStage.UNKNOWN,
    LifecycleStage.SUBSCRIBER,
    LifecycleStage.LEAD,
    LifecycleStage.MQL,
    LifecycleStage.SALES_QUALIFIED,
    LifecycleStage.OPPORTUNITY,
    LifecycleStage.CUSTOMER,
    LifecycleStage.EVANGELIST,
)


#: What we write of a lead's status, in the order in which one follows another.
STATUS_ORDER: tuple[str, ...] = ("open", "attempted_to_contact", "connected", "unqualified")


def may_follow(wanted: str, present: str | None) -> bool:
    """Whether a lead status may be written over another: never backwards, and not over a word of the tenant's own, which stands for
    a person's choice. A lead that was given up may be taken up again."""
    if not present:
        return True
    if wanted not in STATUS_ORDER or present not in STATUS_ORDER:
        return False
    if wanted == "open" or present == "unqualified":
        return (wanted, present) == ("open", "unqualified")
    return STATUS_ORDER.index(wanted) > STATUS_ORDER.index(present)


class Outcome(Word):
    """How the lead ended, for training and for the business figures."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"
    UNKNOWN = "unknown"


class Tier(Word):
    """The tenant's own cut of the score: A is worked first."""

    A = "a"
    B = "b"
    C = "c"
    D = "d"
    UNKNOWN = "unknown"


class Gate(Word):
    """The gates of allocation, in the order in which they are asked."""

    ACTIVE = "active"
    AVAILABILITY = "availability"
    CAPACITY = "capacity"
    SKILL = "skill"
    TERRITORY = "territory"
    EXCLUDED = "excluded"  # had the lead before and lost or passed it
    UNKNOWN = "unknown"


class VerdictKind(Word):
    """What one decision said about one rep."""

    CHOSEN = "chosen"
    RANKED = "ranked"  # eligible, not first
    GATED = "gated"  # a gate was closed
    UNKNOWN = "unknown"


class DecisionOutcome(Word):
    """How a decision ended."""

    ASSIGNED = "assigned"  # the engine picked
    KEPT = "kept"  # an owner who was there already stays
    OVERRIDDEN = "overridden"  # a person picked
    HELD = "held"  # nobody eligible: on the waiting list
    UNKNOWN = "unknown"


class EffectKind(Word):
    """What an outbox row asks for."""

    CRM_LEAD = "crm_lead"  # owner, score fields, tier, stage: a convergent write
    CRM_TASK = "crm_task"  # one task, once
    CRM_NOTE = "crm_note"  # one note, once
    CRM_DEAL = "crm_deal"  # one deal, once
    SLACK_CARD = "slack_card"  # one card a lead and destination, posted or edited
    SLACK_DIGEST = "slack_digest"
    SLACK_THREAD = "slack_thread"  # what happened to a lead, told in the thread of its card
    SLA_ALERT = "sla_alert"  # a deadline is near or has passed, or a playbook calls: one message to one person or channel
    SLACK_REMINDER = "slack_reminder"  # a lead that was put off comes back
    SLACK_ROUNDUP = "slack_roundup"  # the message that hot leads share in a channel when they are many
    SLACK_REDRAW = "slack_redraw"  # a message that names several leads, edited to what holds
    SLACK_HOME = "slack_home"  # one person's App Home, as it should stand
    SLACK_BOARD = "slack_board"  # the weekly leaderboard
    EMAIL = "email"  # one e-mail by SMTP
    WEBHOOK = "webhook"  # one outgoing webhook
    ENROL = "enrol"  # one person into a sequence of an e-mail tool
    UNKNOWN = "unknown"


class Role(Word):
    """What a token or a Slack user may do; each holds all of the ones before it."""

    INGEST = "ingest"  # may post leads and ask for scores
    REP = "rep"
    MANAGER = "manager"
    ADMIN = "admin"
    UNKNOWN = "unknown"
