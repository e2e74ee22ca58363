# mypy: ignore-errors
"""A bulk keeps whose leads it moves, and a clock that stands still during a snooze when it was due before."""

from peewee import IntegerField

from connector.storage.columns import MomentField


def up(migrator, db):
    migrator.migrate(
        migrator.add_column("bulk", "from_rep_id", IntegerField(null=True)),
        migrator.add_column("timer", "moved_from", MomentField(null=True)),
    )
