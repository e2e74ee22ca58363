# mypy: ignore-errors
"""Merges that can be undone, and the keyed name tokens by which a misspelt person is found."""

from peewee import CharField, FloatField, IntegerField, Model

from connector.storage.columns import JsonField, MomentField


def up(migrator, db):
    class Merge(Model):
        keep_id = IntegerField(index=True)
        gone_id = IntegerField(index=True)
        how = CharField(max_length=8)
        probability = FloatField(null=True)
        because = JsonField()
        moved = JsonField()
        before = JsonField()
        at = MomentField()
        undone_at = MomentField(null=True)
        undone_by = CharField(max_length=80, null=True)

        class Meta:
            database = db
            table_name = "merge"

    class NearName(Model):
        token = CharField(max_length=32, index=True)
        lead_id = IntegerField(index=True)

        class Meta:
            database = db
            table_name = "near_name"

    db.create_tables([Merge, NearName])
