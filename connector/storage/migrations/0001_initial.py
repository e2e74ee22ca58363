# mypy: ignore-errors
"""The first schema."""

from peewee import *

from connector.storage.columns import JsonField, MomentField, SealedField

#: Indexes that peewee models cannot say: name, table, columns, condition, unique.
PARTIAL_INDEXES = (
    ("lead_unscored", "lead", "touched_at", "routable AND scored_version < version", False),
    ("lead_unallocated", "lead", "touched_at", "routable AND allocated_version < scored_version", False),
    ("assignment_one_open", "assignment", "lead_id", "closed_at IS NULL", True),
    ("assignment_open_of_rep", "assignment", "rep_id", "closed_at IS NULL", False),
    ("effect_one_pending", "effect", "kind, subject", "state = 'pending'", True),
    ("effect_open", "effect", "destination, due_at", "state IN ('pending', 'sending')", False),
    ("audit_unsealed", "audit", "id", "hash IS NULL", False),
)

#: The audit is append-only: a row may be given its hash once, and never be changed or removed after.
AUDIT_GUARD_SQLITE = (
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit WHEN OLD.hash IS NOT NULL"
    " BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END",
)
AUDIT_GUARD_POSTGRES = (
    "CREATE FUNCTION audit_refuse() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$ LANGUAGE plpgsql",
    "CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit FOR EACH ROW WHEN (OLD.hash IS NOT NULL) EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
    "CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()",
)


def up(migrator, db):
    class Assignment(Model):
        lead_id = IntegerField()
        rep_id = IntegerField()
        decision_id = IntegerField()
        opened_at = MomentField()
        accepted_at = MomentField(null=True)
        closed_at = MomentField(null=True)
        closed_as = CharField(null=True, max_length=16)

        class Meta:
            database = db
            table_name = "assignment"
            indexes = ((("rep_id", "opened_at"), False),)

    db.create_tables([Assignment])

    class Audit(Model):
        at = MomentField()
        actor = CharField(max_length=80)
        action = CharField(max_length=40)
        subject = CharField(max_length=80)
        lead_id = IntegerField(index=True, null=True)
        reason = TextField(null=True)
        detail = SealedField(null=True)
        seq = IntegerField(unique=True, null=True)
        hash = CharField(null=True, max_length=64)

        class Meta:
            database = db
            table_name = "audit"

    db.create_tables([Audit])

    class Card(Model):
        lead_id = IntegerField()
        destination = CharField(max_length=80)
        channel = CharField(max_length=32)
        ts = CharField(max_length=32)
        digest = CharField(max_length=64)

        class Meta:
            database = db
            table_name = "card"
            indexes = ((("lead_id", "destination"), True),)

    db.create_tables([Card])

    class Cell(Model):
        name = CharField(unique=True, max_length=120)
        value = JsonField(null=True)
        sealed = SealedField(null=True)
        until = MomentField(null=True)

        class Meta:
            database = db
            table_name = "cell"

    db.create_tables([Cell])

    class Consent(Model):
        person = CharField(max_length=32)
        purpose = CharField(max_length=24)
        channel = CharField(max_length=24)
        granted = BooleanField()
        source = CharField(max_length=64)
        at = MomentField()
        expires_at = MomentField(null=True)

        class Meta:
            database = db
            table_name = "consent"
            indexes = ((("person", "purpose", "channel"), True),)

    db.create_tables([Consent])

    class DeadLetter(Model):
        origin = CharField(max_length=8)
        reference = IntegerField()
        queue = CharField(max_length=80)
        error = TextField()
        created_at = MomentField()
        state = CharField(max_length=8, default="open")

        class Meta:
            database = db
            table_name = "dead_letter"
            indexes = ((("state", "id"), False),)

    db.create_tables([DeadLetter])

    class Decision(Model):
        lead_id = IntegerField(index=True)
        score_id = IntegerField(null=True)
        outcome = CharField(max_length=12)
        rep_id = IntegerField(null=True)
        method = CharField(max_length=40)
        policy_version = CharField(max_length=64)
        because = TextField()
        record = JsonField()
        actor = CharField(max_length=80)
        reason = TextField(null=True)
        at = MomentField(index=True)

        class Meta:
            database = db
            table_name = "decision"

    db.create_tables([Decision])

    class Effect(Model):
        kind = CharField(max_length=16)
        destination = CharField(max_length=80)
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

        class Meta:
            database = db
            table_name = "effect"
            indexes = ((("lead_id",), False),)

    db.create_tables([Effect])

    class Engagement(Model):
        lead_id = IntegerField()
        connection = CharField(max_length=64)
        event_key = CharField(max_length=120)
        kind = CharField(max_length=24)
        occurred_at = MomentField()
        machine = BooleanField(default=False)
        properties = JsonField(default=dict)
        sealed = SealedField(null=True)

        class Meta:
            database = db
            table_name = "engagement"
            indexes = ((("lead_id", "occurred_at"), False), (("connection", "event_key"), True))

    db.create_tables([Engagement])

    class Identity(Model):
        kind = CharField(max_length=80)
        token = CharField(max_length=32)
        lead_id = IntegerField(index=True)

        class Meta:
            database = db
            table_name = "identity"
            indexes = ((("kind", "token"), True),)

    db.create_tables([Identity])

    class InboundEvent(Model):
        connection = CharField(max_length=64)
        event_key = CharField(max_length=120)
        inbox_id = IntegerField()
        lead_id = IntegerField(null=True)
        state = CharField(max_length=12)
        note = TextField(null=True)
        occurred_at = MomentField()

        class Meta:
            database = db
            table_name = "inbound_event"
            indexes = ((("connection", "event_key"), True), (("inbox_id",), False), (("lead_id",), False))

    db.create_tables([InboundEvent])

    class Inbox(Model):
        connection = CharField(max_length=64)
        delivery_key = CharField(max_length=64)
        received_at = MomentField()
        signed = BooleanField()
        envelope = SealedField()
        trace_id = CharField(max_length=32)
        state = CharField(max_length=12, default="pending")
        attempts = IntegerField(default=0)
        due_at = MomentField()
        error = TextField(null=True)

        class Meta:
            database = db
            table_name = "inbox"
            indexes = ((("connection", "delivery_key"), True), (("state", "due_at"), False))

    db.create_tables([Inbox])

    class Lead(Model):
        connection = CharField(max_length=64)
        external_id = CharField(null=True, max_length=128)
        created_at = MomentField()
        data_key = SealedField(null=True)
        sealed = SealedField(null=True)
        facts = JsonField(default=dict)
        field_times = JsonField(default=dict)
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
        announced_score = IntegerField(null=True)
        announced_tier = CharField(null=True, max_length=8)

        class Meta:
            database = db
            table_name = "lead"
            indexes = ((("connection", "external_id"), True),)

    db.create_tables([Lead])

    class LeadChange(Model):
        lead_id = IntegerField()
        occurred_at = MomentField()
        kind = CharField(max_length=12)
        origin = CharField(max_length=12)
        sealed = SealedField(null=True)

        class Meta:
            database = db
            table_name = "lead_change"
            indexes = ((("lead_id", "occurred_at"), False),)

    db.create_tables([LeadChange])

    class ModelVersion(Model):
        version = CharField(unique=True, max_length=64)
        state = CharField(max_length=12)
        metrics = JsonField()
        created_at = MomentField()

        class Meta:
            database = db
            table_name = "model_version"

    db.create_tables([ModelVersion])

    class Rep(Model):
        connection = CharField(max_length=64)
        external_id = CharField(max_length=128)
        sealed = SealedField()
        email_token = CharField(index=True, null=True, max_length=32)
        crm_active = BooleanField(default=True)
        settings = JsonField(default=dict)
        slack_user_id = CharField(index=True, null=True, max_length=32)
        slack_dm = CharField(null=True, max_length=32)
        last_assigned_at = MomentField(null=True)

        class Meta:
            database = db
            table_name = "rep"
            indexes = ((("connection", "external_id"), True),)

    db.create_tables([Rep])

    class Rotation(Model):
        line = CharField(unique=True, max_length=160)
        state = JsonField(default=dict)

        class Meta:
            database = db
            table_name = "rotation"

    db.create_tables([Rotation])

    class Score(Model):
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

        class Meta:
            database = db
            table_name = "score"
            indexes = ((("lead_id", "id"), False),)

    db.create_tables([Score])

    class Token(Model):
        name = CharField(max_length=80)
        role = CharField(max_length=12)
        digest = CharField(unique=True, max_length=64)
        created_at = MomentField()
        revoked_at = MomentField(null=True)

        class Meta:
            database = db
            table_name = "token"

    db.create_tables([Token])

    class Tombstone(Model):
        token = CharField(unique=True, max_length=32)
        at = MomentField()

        class Meta:
            database = db
            table_name = "tombstone"

    db.create_tables([Tombstone])

    class Written(Model):
        connection = CharField(max_length=64)
        external_id = CharField(max_length=128)
        field = CharField(max_length=64)
        token = CharField(max_length=32)
        at = MomentField()

        class Meta:
            database = db
            table_name = "written"
            indexes = ((("connection", "external_id", "field"), True),)

    db.create_tables([Written])

    for name, table, columns, condition, unique in PARTIAL_INDEXES:
        kind = "UNIQUE INDEX" if unique else "INDEX"
        db.execute_sql(f"CREATE {kind} {name} ON {table} ({columns}) WHERE {condition}")
    for statement in AUDIT_GUARD_SQLITE if isinstance(db, SqliteDatabase) else AUDIT_GUARD_POSTGRES:
        db.execute_sql(statement)
