# mypy: ignore-errors
"""What is asked for each lead is found by an index, however many leads there are."""

INDEXES = (
    "CREATE INDEX assignment_of_lead ON assignment (lead_id)",
    "CREATE INDEX effect_of_subject ON effect (kind, subject)",
    "CREATE INDEX effect_dead ON effect (destination) WHERE state = 'dead'",
    "CREATE INDEX lead_merged ON lead (merged_into) WHERE merged_into IS NOT NULL",
)


def up(migrator, db):
    for statement in INDEXES:
        db.execute_sql(statement)
