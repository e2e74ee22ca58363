# mypy: ignore-errors
"""The waiting list, the clocks of the SLA, first contacts and published policies; what the CRM says of a rep's teams and leaving."""

from peewee import *

from connector.storage.columns import JsonField, MomentField

INDEXES = (
    "CREATE INDEX timer_pending ON timer (due_at) WHERE state = 'pending'",
    "CREATE INDEX waiting_order ON waiting (heat, since)",
)


def up(migrator, db):
    class Waiting(Model):
        lead_id = IntegerField(unique=True)
        team = CharField(max_length=120)
        heat = IntegerField()
        pool = BooleanField(default=False)
        since = MomentField()
        try_at = MomentField()
        tries = IntegerField(default=0)

        class Meta:
            database = db
            table_name = "waiting"

    class Timer(Model):
        lead_id = IntegerField(index=True)
        assignment_id = IntegerField()
        stage = CharField(max_length=8)
        due_at = MomentField()
        state = CharField(max_length=8, default="pending")
        done_at = MomentField(null=True)
        result = CharField(max_length=24, null=True)

        class Meta:
            database = db
            table_name = "timer"
            indexes = ((("assignment_id", "stage"), True),)

    class FirstContact(Model):
        lead_id = IntegerField(unique=True)
        rep_id = IntegerField(null=True)
        at = MomentField()
        how = CharField(max_length=24)
        seconds = FloatField()
        business_minutes = FloatField(null=True)

        class Meta:
            database = db
            table_name = "first_contact"

    class PublishedPolicy(Model):
        version = CharField(max_length=64)
        name = CharField(max_length=200)
        text = TextField()
        actor = CharField(max_length=80)
        reason = TextField()
        at = MomentField()

        class Meta:
            database = db
            table_name = "published_policy"

    db.create_tables([Waiting, Timer, FirstContact, PublishedPolicy])
    for statement in INDEXES:
        db.execute_sql(statement)
    migrator.migrate(
        migrator.add_column("assignment", "tier", CharField(max_length=8, null=True)),
        migrator.add_column("assignment", "contacted_at", MomentField(null=True)),
        migrator.add_column("rep", "crm_teams", JsonField(null=True)),
        migrator.add_column("rep", "gone_at", MomentField(null=True)),
    )
