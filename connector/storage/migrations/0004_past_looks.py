# mypy: ignore-errors
"""Leads that ended, as they stood before: what new leads are compared with."""

from peewee import CharField, IntegerField, Model

from connector.storage.columns import JsonField, MomentField


def up(migrator, db):
    class PastLook(Model):
        lead_id = IntegerField(index=True)
        as_of = MomentField()
        outcome = CharField(max_length=8)
        ended_at = MomentField()
        features = JsonField()
        acts_after = JsonField()

        class Meta:
            database = db
            table_name = "past_look"
            indexes = ((("ended_at",), False),)

    db.create_tables([PastLook])
