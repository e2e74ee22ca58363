# mypy: ignore-errors
"""What people said of a score or a decision, what they did last, what they put off, and what they ask others to approve."""

from peewee import CharField, IntegerField, Model, TextField

from connector.storage.columns import JsonField, MomentField, SealedField

INDEXES = (
    "CREATE INDEX act_open ON act (actor, id) WHERE undone_at IS NULL",
    "CREATE UNIQUE INDEX snooze_one_open ON snooze (lead_id) WHERE ended_at IS NULL",
)


def up(migrator, db):
    class Feedback(Model):
        lead_id = IntegerField(index=True)
        score_id = IntegerField(null=True)
        decision_id = IntegerField(null=True)
        kind = CharField(max_length=16)
        value = CharField(max_length=40)
        label = CharField(max_length=8, null=True)
        sealed = SealedField(null=True)
        actor = CharField(max_length=80)
        at = MomentField()
        withdrawn_at = MomentField(null=True)

        class Meta:
            database = db
            table_name = "feedback"
            indexes = ((("kind", "at"), False),)

    class Act(Model):
        actor = CharField(max_length=80)
        verb = CharField(max_length=24)
        lead_id = IntegerField(null=True)
        rep_id = IntegerField(null=True)
        before = JsonField(default=dict)
        after = JsonField(default=dict)
        bulk_id = IntegerField(null=True)
        at = MomentField()
        undone_at = MomentField(null=True)

        class Meta:
            database = db
            table_name = "act"

    class Snooze(Model):
        lead_id = IntegerField()
        rep_id = IntegerField()
        until = MomentField()
        actor = CharField(max_length=80)
        at = MomentField()
        ended_at = MomentField(null=True)
        ended_as = CharField(max_length=12, null=True)

        class Meta:
            database = db
            table_name = "snooze"

    class Bulk(Model):
        actor = CharField(max_length=80)
        rep_id = IntegerField()
        lead_ids = JsonField()
        reason = TextField()
        state = CharField(max_length=12)
        at = MomentField()
        decided_by = CharField(max_length=80, null=True)
        decided_at = MomentField(null=True)

        class Meta:
            database = db
            table_name = "bulk"

    class Thread(Model):
        lead_id = IntegerField()
        destination = CharField(max_length=80)
        engagement_id = IntegerField(default=0)
        audit_id = IntegerField(default=0)

        class Meta:
            database = db
            table_name = "thread"
            indexes = ((("lead_id", "destination"), True),)

    db.create_tables([Feedback, Act, Snooze, Bulk, Thread])
    for statement in INDEXES:
        db.execute_sql(statement)
