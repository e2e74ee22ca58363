# mypy: ignore-errors
"""Who has Slack's App Home open, and the look-ups of cards by place."""

from peewee import CharField, IntegerField, Model

from connector.storage.columns import MomentField


def up(migrator, db):
    class HomeViewer(Model):
        slack_user = CharField(unique=True, max_length=32)
        rep_id = IntegerField(null=True)
        role = CharField(max_length=12)
        opened_at = MomentField()
        mark = CharField(max_length=64)
        shown = CharField(max_length=64)

        class Meta:
            database = db
            table_name = "home_viewer"

    db.create_tables([HomeViewer])
    db.execute_sql("CREATE INDEX card_place ON card (destination, ts)")
