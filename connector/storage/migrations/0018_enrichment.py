# mypy: ignore-errors
"""Which leads wait to be enriched, and what was found of whom."""

from peewee import CharField, IntegerField, Model, TextField

from connector.storage.columns import MomentField, SealedField


def up(migrator, db):
    class Enrichment(Model):
        lead_id = IntegerField(unique=True)
        state = CharField(max_length=8)
        asked_at = MomentField()
        hold_until = MomentField()
        due_at = MomentField()
        tries = IntegerField(default=0)
        done_at = MomentField(null=True)
        error = TextField(null=True)

        class Meta:
            database = db
            table_name = "enrichment"

    class Enriched(Model):
        token = CharField(max_length=32, unique=True)
        sealed = SealedField()
        at = MomentField(index=True)

        class Meta:
            database = db
            table_name = "enriched"

    db.create_tables([Enrichment, Enriched])
    db.execute_sql("CREATE INDEX enrichment_due ON enrichment (due_at) WHERE state = 'pending'")
