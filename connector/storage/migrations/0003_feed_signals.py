# mypy: ignore-errors
"""Dated values of market and third-party feeds."""

from peewee import CharField, FloatField, Model

from connector.storage.columns import MomentField


def up(migrator, db):
    class FeedSignal(Model):
        feed = CharField(max_length=64)
        name = CharField(max_length=64)
        place = CharField(max_length=160)
        at = MomentField()
        value = FloatField()

        class Meta:
            database = db
            table_name = "feed_signal"
            indexes = ((("feed", "name", "place", "at"), True), (("place", "at"), False))

    db.create_tables([FeedSignal])
