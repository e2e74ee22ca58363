# mypy: ignore-errors
"""What every decision counts comes from an index: the leads given lately, and those that are open."""

INDEXES = (
    "CREATE INDEX assignment_opened ON assignment (opened_at)",
    "CREATE INDEX assignment_open_load ON assignment (rep_id, tier) WHERE closed_at IS NULL",
)


def up(migrator, db):
    for statement in INDEXES:
        db.execute_sql(statement)
