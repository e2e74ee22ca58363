"""The tables. Only this package knows them; what leaves it are records of `leads` and of the repositories beside this file.

Partial indexes (one open assignment a lead, one pending effect a subject, the stage sweeps) stand in the first migration.
"""

from __future__ import annotations

from peewee import AutoField, BooleanField, CharField, DatabaseProxy, FloatField, IntegerField, Model, TextField

from connector.storage.columns import JsonField, MomentField, SealedField

PROXY = DatabaseProxy()


class Table(Model):
    id = AutoField()

    class Meta:
        database = PROXY
        legacy_table_names = False


class Inbox(Table):
    """One accepted delivery, sealed whole. Written by `intake`, worked off by the pipeline."""

    connection = CharField(max_length=64)
    delivery_key = CharField(max_length=64)
    received_at = MomentField()
    signed = BooleanField()
    envelope = SealedField()
    trace_id = CharField(max_length=32)
    state = CharField(max_length=12, default="pending")  # pending, done, unknown, dead
    attempts = IntegerField(default=0)
    due_at = MomentField()
    error = TextField(null=True)

    class Meta:
        indexes = ((("connection", "delivery_key"), True), (("state", "due_at"), False))


class InboundEvent(Table):
    """One event of a delivery: unique, so that the same event in two batches has one effect."""

    connection = CharField(max_length=64)
    event_key = CharField(max_length=120)
    inbox_id = IntegerField()
    lead_id = IntegerField(null=True)
    state = CharField(max_length=12)  # applied, echo, unknown, refused, ignored
    note = TextField(null=True)
    occurred_at = MomentField()

    class Meta:
        indexes = ((("connection", "event_key"), True), (("inbox_id",), False), (("lead_id",), False))


class Lead(Table):
    """A lead as it stands now. `version` counts changes that can move the score; the two others say how far the stages came."""

    connection = CharField(max_length=64)
    external_id = CharField(max_length=128, null=True)
    created_at = MomentField()
    data_key = SealedField(null=True)  # shredded on erasure
    sealed = SealedField(null=True)  # the personal fields and the tenant's own columns
    facts = JsonField(default=dict)  # the open fields
    field_times = JsonField(default=dict)  # field → ms of the change it came from
    outcome = CharField(max_length=8, default="open")
    outcome_at = MomentField(null=True)
    version = IntegerField(default=1)
    scored_version = IntegerField(default=0)
    allocated_version = IntegerField(default=0)
    touched_at = MomentField()
    score_id = IntegerField(null=True)
    owner_id = IntegerField(null=True)
    pinned = BooleanField(default=False)
    routable = BooleanField(default=False)
    merged_into = IntegerField(null=True)
    erased = BooleanField(default=False)
    last_engaged_at = MomentField(null=True)
    announced_score = IntegerField(null=True)  # what was last written back and shown
    announced_tier = CharField(max_length=8, null=True)

    class Meta:
        indexes = ((("connection", "external_id"), True),)


class Identity(Table):
    """A keyed token of something that names one person: e-mail, phone, or an id in a connection."""

    kind = CharField(max_length=80)
    token = CharField(max_length=32)
    lead_id = IntegerField(index=True)

    class Meta:
        indexes = ((("kind", "token"), True),)


class Merge(Table):
    """Two leads that were found to be one person: what went over, so that it can be given back. `moved` is ids by table."""

    keep_id = IntegerField(index=True)
    gone_id = IntegerField(index=True)
    how = CharField(max_length=8)  # exact, near, crm
    probability = FloatField(null=True)
    because = JsonField()  # in words that name nobody
    moved = JsonField()
    before = JsonField()
    at = MomentField()
    undone_at = MomentField(null=True)
    undone_by = CharField(max_length=80, null=True)


class NearName(Table):
    """A keyed token of name and company, by which a person is found whose name is written otherwise."""

    token = CharField(max_length=32, index=True)
    lead_id = IntegerField(index=True)


class Account(Table):
    """A company as its CRM knows it; leads that came without one are matched to it."""

    connection = CharField(max_length=64)
    external_id = CharField(max_length=128)
    sealed = SealedField()  # name and domains, under the ring
    country = CharField(max_length=2, null=True)
    owner = CharField(max_length=64, null=True)  # the CRM's id of the rep
    customer = BooleanField(default=False)
    touched_at = MomentField(null=True)
    seen_at = MomentField()  # the reading it was last in

    class Meta:
        indexes = ((("connection", "external_id"), True),)


class Enrichment(Table):
    """A lead that waits, or waited, to be enriched."""

    lead_id = IntegerField(unique=True)
    state = CharField(max_length=8)  # pending, done, unknown, failed
    asked_at = MomentField()
    hold_until = MomentField()  # so long its first score waits
    due_at = MomentField()
    tries = IntegerField(default=0)
    done_at = MomentField(null=True)
    error = TextField(null=True)


class Enriched(Table):
    """What an outside service said of an address, for a while."""

    token = CharField(max_length=32, unique=True)
    sealed = SealedField()  # under the ring
    at = MomentField(index=True)


class AccountName(Table):
    """A keyed token of a company's domain or name."""

    token = CharField(max_length=32, index=True)
    account_id = IntegerField(index=True)


class LeadChange(Table):
    """Every applied change of a lead's fields, sealed under the person's key: what facts stood when, for training and replay."""

    lead_id = IntegerField()
    occurred_at = MomentField()
    kind = CharField(max_length=12)
    origin = CharField(max_length=12)
    sealed = SealedField(null=True)

    class Meta:
        indexes = ((("lead_id", "occurred_at"), False),)


class Engagement(Table):
    """One dated act of a lead. Unique by its event key, so that the set of acts is the same in whatever order they came."""

    lead_id = IntegerField()
    connection = CharField(max_length=64)
    event_key = CharField(max_length=120)
    kind = CharField(max_length=24)
    occurred_at = MomentField()
    machine = BooleanField(default=False)
    properties = JsonField(default=dict)
    sealed = SealedField(null=True)  # what the person wrote

    class Meta:
        indexes = ((("lead_id", "occurred_at"), False), (("connection", "event_key"), True))


class FeedSignal(Table):
    """One dated value of a feed about a place: "area:80331", "industry:software", "domain:<token>", "everywhere:"."""

    feed = CharField(max_length=64)
    name = CharField(max_length=64)
    place = CharField(max_length=160)
    at = MomentField()
    value = FloatField()

    class Meta:
        indexes = ((("feed", "name", "place", "at"), True), (("place", "at"), False))


class Score(Table):
    """One scoring. `version` is the lead's version it was made from."""

    lead_id = IntegerField()
    version = IntegerField()
    as_of = MomentField()
    probability = FloatField()
    score = IntegerField()
    tier = CharField(max_length=8)
    confidence = FloatField()
    model_version = CharField(max_length=64)
    source = CharField(max_length=8)
    base = FloatField()
    raw_score = FloatField()
    reasons = JsonField()
    contributions = JsonField()
    features = JsonField()
    note = TextField(null=True)
    rationale = SealedField(null=True)
    sealed = SealedField(null=True)

    class Meta:
        indexes = ((("lead_id", "id"), False), (("as_of",), False))


class PastLook(Table):
    """A lead that ended, as it stood at one moment before: what new leads are compared with. Goes when the person is erased."""

    lead_id = IntegerField(index=True)
    as_of = MomentField()
    outcome = CharField(max_length=8)
    ended_at = MomentField()
    features = JsonField()
    acts_after = JsonField()  # [kind, ms] of what it did from then on

    class Meta:
        indexes = ((("ended_at",), False),)


class Rep(Table):
    """A salesperson. What the CRM says and what people set are kept apart: `settings` holds the latter and wins."""

    connection = CharField(max_length=64)
    external_id = CharField(max_length=128)
    sealed = SealedField()  # name and e-mail
    email_token = CharField(max_length=32, null=True, index=True)
    crm_active = BooleanField(default=True)
    settings = JsonField(default=dict)
    slack_user_id = CharField(max_length=32, null=True, index=True)
    slack_dm = CharField(max_length=32, null=True)
    last_assigned_at = MomentField(null=True)
    crm_teams = JsonField(null=True)
    gone_at = MomentField(null=True)  # when the CRM deleted or switched off a user that it had told us of

    class Meta:
        indexes = ((("connection", "external_id"), True),)


class Rotation(Table):
    """The rotation state of one line of leads (team and tier). Locked while a decision reads and moves it."""

    line = CharField(max_length=160, unique=True)
    state = JsonField(default=dict)


class Decision(Table):
    """One allocation, with a record from which it can be replayed."""

    lead_id = IntegerField(index=True)
    score_id = IntegerField(null=True)
    outcome = CharField(max_length=12)
    rep_id = IntegerField(null=True)
    method = CharField(max_length=40)
    policy_version = CharField(max_length=64)
    because = TextField()
    record = JsonField()
    actor = CharField(max_length=80)
    reason = TextField(null=True)  # a word of ours; what a person wrote is in `sealed`
    sealed = SealedField(null=True)  # the person's own words for it, under the lead's key
    at = MomentField(index=True)


class Assignment(Table):
    """Who holds a lead from when to when. At most one is open a lead: the database says so."""

    lead_id = IntegerField()
    rep_id = IntegerField()
    decision_id = IntegerField()
    opened_at = MomentField()
    accepted_at = MomentField(null=True)
    closed_at = MomentField(null=True)
    closed_as = CharField(max_length=16, null=True)  # reassigned, passed, missed, cleared, undone, won, lost, gone
    tier = CharField(max_length=8, null=True)  # of the lead when it was given, for the caps by tier
    contacted_at = MomentField(null=True)  # the first human touch by whoever holds it

    class Meta:
        indexes = ((("rep_id", "opened_at"), False),)


class Waiting(Table):
    """A lead that nobody could take, or that waits to be claimed. Drained by heat (nought is hot), then oldest first."""

    lead_id = IntegerField(unique=True)
    team = CharField(max_length=120)
    heat = IntegerField()
    pool = BooleanField(default=False)  # waits to be claimed
    since = MomentField()
    try_at = MomentField()
    tries = IntegerField(default=0)


class Timer(Table):
    """One clock of an assignment: what is to happen when, unless somebody acts before."""

    lead_id = IntegerField(index=True)
    assignment_id = IntegerField()
    stage = CharField(max_length=8)  # remind, alert, accept, contact
    due_at = MomentField()
    state = CharField(max_length=8, default="pending")  # pending, fired, void
    done_at = MomentField(null=True)
    result = CharField(max_length=24, null=True)
    moved_from = MomentField(null=True)  # when it was due before a snooze

    class Meta:
        indexes = ((("assignment_id", "stage"), True),)


class FirstContact(Table):
    """The first human touch of a lead: its speed-to-lead."""

    lead_id = IntegerField(unique=True)
    rep_id = IntegerField(null=True)
    at = MomentField()
    how = CharField(max_length=24)
    seconds = FloatField()
    business_minutes = FloatField(null=True)


class PublishedPolicy(Table):
    """A policy that somebody put in force; the newest one holds."""

    version = CharField(max_length=64)
    name = CharField(max_length=200)
    text = TextField()
    actor = CharField(max_length=80)
    reason = TextField()
    at = MomentField()


class Effect(Table):
    """The outbox. One row pending a kind and subject, so that repeated wishes become one."""

    kind = CharField(max_length=16)
    destination = CharField(max_length=80)  # the queue it leaves by: "slack" or a connection
    subject = CharField(max_length=160)
    lead_id = IntegerField(null=True)
    payload = JsonField(default=dict)
    state = CharField(max_length=8, default="pending")
    attempts = IntegerField(default=0)
    in_doubt = BooleanField(default=False)
    due_at = MomentField()
    lease_until = MomentField(null=True)
    created_at = MomentField()
    done_at = MomentField(null=True)
    receipt = TextField(null=True)
    error = TextField(null=True)
    trace_id = CharField(max_length=32, null=True)
    waiting_since = MomentField(null=True)  # since when the receiver has asked for nothing but patience

    class Meta:
        indexes = ((("lead_id",), False),)


class Card(Table):
    """Where the one message about a lead stands in a destination."""

    lead_id = IntegerField()
    destination = CharField(max_length=80)
    channel = CharField(max_length=32)
    ts = CharField(max_length=32)
    digest = CharField(max_length=64)

    class Meta:
        indexes = ((("lead_id", "destination"), True),)


class Written(Table):
    """The last value we wrote to a CRM field, as a keyed token: an equal notice soon after is our own echo."""

    connection = CharField(max_length=64)
    external_id = CharField(max_length=128)
    field = CharField(max_length=64)
    token = CharField(max_length=32)
    at = MomentField()

    class Meta:
        indexes = ((("connection", "external_id", "field"), True),)


class DeadLetter(Table):
    """Work that was given up, until a person replays or drops it."""

    origin = CharField(max_length=8)  # inbox, effect, lead
    reference = IntegerField()
    queue = CharField(max_length=80)
    error = TextField()
    created_at = MomentField()
    state = CharField(max_length=8, default="open")  # open, replayed, dropped

    class Meta:
        indexes = ((("state", "id"), False),)


class Audit(Table):
    """Append-only. Rows are chained by hash in segments by one sealer, so that writers never queue for one row."""

    at = MomentField()
    actor = CharField(max_length=80)
    action = CharField(max_length=40)
    subject = CharField(max_length=80)
    lead_id = IntegerField(null=True, index=True)
    reason = TextField(null=True)
    detail = SealedField(null=True)  # under the person's key where there is one
    seq = IntegerField(null=True, unique=True)  # the place in the chain; ids may commit out of order
    hash = CharField(max_length=64, null=True)


class Token(Table):
    """An API token, kept as its digest."""

    name = CharField(max_length=80)
    role = CharField(max_length=12)
    digest = CharField(max_length=64, unique=True)
    created_at = MomentField()
    revoked_at = MomentField(null=True)


class Consent(Table):
    """What a person allowed or refused, by purpose and channel; the person is a keyed token."""

    person = CharField(max_length=32)
    purpose = CharField(max_length=24)
    channel = CharField(max_length=24)
    granted = BooleanField()
    source = CharField(max_length=64)
    at = MomentField()
    expires_at = MomentField(null=True)

    class Meta:
        indexes = ((("person", "purpose", "channel"), True),)


class Tombstone(Table):
    """The keyed token of an erased person: keeps a later event from creating them again."""

    token = CharField(max_length=32, unique=True)
    at = MomentField()


class ModelVersion(Table):
    """A trained model. One is the champion."""

    version = CharField(max_length=64, unique=True)
    state = CharField(max_length=12)  # champion, retired
    metrics = JsonField()
    created_at = MomentField()


class Cell(Table):
    """Small durable state by name: cursors, refreshed tokens (sealed), leases."""

    name = CharField(max_length=120, unique=True)
    value = JsonField(null=True)
    sealed = SealedField(null=True)
    until = MomentField(null=True)


class Feedback(Table):
    """What a person said of a score or a decision, as a label: a wrong score, a pass, an override, an outcome."""

    lead_id = IntegerField(index=True)
    score_id = IntegerField(null=True)  # the score it speaks of
    decision_id = IntegerField(null=True)  # the decision it speaks of
    kind = CharField(max_length=16)
    value = CharField(max_length=40)
    label = CharField(max_length=8, null=True)  # won or lost, where it says how the lead should have been scored
    sealed = SealedField(null=True)  # the person's words, under the lead's key
    actor = CharField(max_length=80)
    at = MomentField()
    withdrawn_at = MomentField(null=True)

    class Meta:
        indexes = ((("kind", "at"), False),)


class Act(Table):
    """One thing that somebody did, with the state before and after: what `undo` takes back. Ids and settings only."""

    actor = CharField(max_length=80)
    verb = CharField(max_length=24)
    lead_id = IntegerField(null=True)
    rep_id = IntegerField(null=True)
    before = JsonField(default=dict)
    after = JsonField(default=dict)
    bulk_id = IntegerField(null=True)
    at = MomentField()
    undone_at = MomentField(null=True)


class Snooze(Table):
    """A lead that its rep put off. At most one is open a lead: the database says so."""

    lead_id = IntegerField()
    rep_id = IntegerField()
    until = MomentField()
    actor = CharField(max_length=80)
    at = MomentField()
    ended_at = MomentField(null=True)
    ended_as = CharField(max_length=12, null=True)  # over, acted, undone


class Bulk(Table):
    """Many leads to one rep, until somebody confirms or approves it."""

    actor = CharField(max_length=80)
    rep_id = IntegerField()
    from_rep_id = IntegerField(null=True)
    lead_ids = JsonField()
    sealed = SealedField(null=True)  # the reason, in the words of whoever asked
    state = CharField(max_length=12)  # asked, waiting (for approval), moving, done, declined
    at = MomentField()
    decided_by = CharField(max_length=80, null=True)
    decided_at = MomentField(null=True)


class Thread(Table):
    """How far a card's thread has told what happened to its lead."""

    lead_id = IntegerField()
    destination = CharField(max_length=80)
    engagement_id = IntegerField(default=0)
    audit_id = IntegerField(default=0)

    class Meta:
        indexes = ((("lead_id", "destination"), True),)


class HomeViewer(Table):
    """A Slack user who has opened App Home. `mark` tells what the last view was made from, `shown` is its hash."""

    slack_user = CharField(max_length=32, unique=True)
    rep_id = IntegerField(null=True)
    role = CharField(max_length=12)
    opened_at = MomentField()
    mark = CharField(max_length=64)
    shown = CharField(max_length=64)


class PublishedPlaybooks(Table):
    """A file of playbooks that somebody put in force; the newest one holds."""

    version = CharField(max_length=64)
    text = TextField()
    actor = CharField(max_length=80)
    reason = TextField()
    at = MomentField()


class PlaybookLook(Table):
    """How a lead stood when playbooks last looked at it: what differs the next time is news. `due_at` asks for a look."""

    lead_id = IntegerField(unique=True)
    due_at = MomentField(null=True)
    looked_at = MomentField(null=True)
    score = IntegerField(null=True)
    tier = CharField(max_length=8, null=True)
    stage = CharField(max_length=24, null=True)
    engagement_id = IntegerField(default=0)


class PlaybookRun(Table):
    """One run of a playbook for a lead. Unique by its number and by its cause: the database says that nothing starts it twice."""

    playbook = CharField(max_length=64)
    lead_id = IntegerField()
    number = IntegerField()
    cause = CharField(max_length=40)  # "act:17", "tier:42", "score:42", "stage:…" or "quiet:…"
    plan = JsonField()  # the playbook's table as it was when the run began
    position = IntegerField(default=0)  # of the next step
    state = CharField(max_length=8, default="running")  # running, done, stopped
    due_at = MomentField(null=True)
    started_at = MomentField()
    seen_id = IntegerField(default=0)  # the newest engagement when it began: later ones may stop it
    ended_at = MomentField(null=True)
    ended_as = CharField(max_length=40, null=True)

    class Meta:
        indexes = ((("lead_id", "playbook", "number"), True), (("lead_id", "playbook", "cause"), True))


class PlaybookStep(Table):
    """One step that a run took, and what came of it."""

    run_id = IntegerField()
    position = IntegerField()
    at = MomentField()
    step = CharField(max_length=16)
    result = CharField(max_length=120)

    class Meta:
        indexes = ((("run_id", "position"), True),)


TABLES: tuple[type[Table], ...] = (
    HomeViewer,
    Inbox,
    InboundEvent,
    Lead,
    Identity,
    Merge,
    NearName,
    Account,
    AccountName,
    Enrichment,
    Enriched,
    LeadChange,
    Engagement,
    FeedSignal,
    Score,
    PastLook,
    Rep,
    Rotation,
    Decision,
    Assignment,
    Waiting,
    Timer,
    FirstContact,
    PublishedPolicy,
    Effect,
    Card,
    Written,
    DeadLetter,
    Audit,
    Token,
    Consent,
    Tombstone,
    ModelVersion,
    Cell,
    Feedback,
    Act,
    Snooze,
    Bulk,
    Thread,
    PublishedPlaybooks,
    PlaybookLook,
    PlaybookRun,
    PlaybookStep,
)
