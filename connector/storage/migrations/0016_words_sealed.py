# mypy: ignore-errors
"""Reasons that people write are sealed: a decision keeps the word for it and seals the rest under the lead's key, a bulk seals its
reason, and what stood in the clear goes. Feedback has kept the same words sealed from the start.

And an outbox row remembers since when its receiver has asked it to wait.
"""

from connector.storage.columns import MomentField, SealedField

#: Of reasons that people chose, the words; what follows them was typed.
WORDS = (
    "wrong_territory",
    "no_capacity",
    "not_a_fit",
    "already_customer",
    "conflict",
    "wrong_skill",
    "absent",
    "relationship",
    "customer_wish",
    "other",
    "undo",
)


def up(migrator, db):
    migrator.migrate(
        migrator.add_column("decision", "sealed", SealedField(null=True)),
        migrator.add_column("bulk", "sealed", SealedField(null=True)),
        migrator.drop_column("bulk", "reason"),
        migrator.add_column("effect", "waiting_since", MomentField(null=True)),
    )
    typed = "UPDATE decision SET reason = {to} WHERE actor NOT IN ('engine', 'crm') AND "
    for word in WORDS:
        db.execute_sql(typed.format(to=f"'{word}'") + f"substr(reason, 1, {len(word) + 2}) = '{word}: '")
    known = ", ".join(f"'{word}'" for word in WORDS)
    db.execute_sql(typed.format(to="NULL") + f"reason NOT IN ({known})")
