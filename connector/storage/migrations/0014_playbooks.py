# mypy: ignore-errors
"""Playbooks: what was published, how each lead stood when it was last looked at, and the runs with their steps."""

from peewee import *

from connector.storage.columns import JsonField, MomentField

INDEXES = (
    "CREATE INDEX playbook_look_due ON playbook_look (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX playbook_run_due ON playbook_run (due_at) WHERE state = 'running'",
    "CREATE INDEX playbook_run_newest ON playbook_run (playbook, id)",
)


def up(migrator, db):
    class PublishedPlaybooks(Model):
        version = CharField(max_length=64)
        text = TextField()
        actor = CharField(max_length=80)
        reason = TextField()
        at = MomentField()

        class Meta:
            database = db
            table_name = "published_playbooks"

    class PlaybookLook(Model):
        lead_id = IntegerField(unique=True)
        due_at = MomentField(null=True)
        looked_at = MomentField(null=True)
        score = IntegerField(null=True)
        tier = CharField(max_length=8, null=True)
        stage = CharField(max_length=24, null=True)
        engagement_id = IntegerField(default=0)

        class Meta:
            database = db
            table_name = "playbook_look"

    class PlaybookRun(Model):
        playbook = CharField(max_length=64)
        lead_id = IntegerField()
        number = IntegerField()
        cause = CharField(max_length=40)
        plan = JsonField()
        position = IntegerField(default=0)
        state = CharField(max_length=8, default="running")
        due_at = MomentField(null=True)
        started_at = MomentField()
        seen_id = IntegerField(default=0)
        ended_at = MomentField(null=True)
        ended_as = CharField(max_length=40, null=True)

        class Meta:
            database = db
            table_name = "playbook_run"
            indexes = ((("lead_id", "playbook", "number"), True), (("lead_id", "playbook", "cause"), True))

    class PlaybookStep(Model):
        run_id = IntegerField()
        position = IntegerField()
        at = MomentField()
        step = CharField(max_length=16)
        result = CharField(max_length=120)

        class Meta:
            database = db
            table_name = "playbook_step"
            indexes = ((("run_id", "position"), True),)

    db.create_tables([PublishedPlaybooks, PlaybookLook, PlaybookRun, PlaybookStep])
    for statement in INDEXES:
        db.execute_sql(statement)
