# mypy: ignore-errors
"""Each outbox row keeps the id of the event that asked for it."""

from peewee import CharField


def up(migrator, db):
    migrator.migrate(migrator.add_column("effect", "trace_id", CharField(max_length=32, null=True)))
