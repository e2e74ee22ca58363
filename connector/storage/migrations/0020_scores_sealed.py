# mypy: ignore-errors
"""What a score says of the tenant's own columns is sealed under the lead's key, and what stood in the clear goes: the values of such
columns and the words about them. Old scores are found by their moment, so that they can be cleared away.
"""

import json

from peewee import SqliteDatabase

from connector.storage.columns import SealedField

EXTRA = "extra."
BATCH = 1_000


def up(migrator, db):
    migrator.migrate(migrator.add_column("score", "sealed", SealedField(null=True)))
    db.execute_sql("CREATE INDEX score_as_of ON score (as_of)")
    after = 0
    mark = "?" if isinstance(db, SqliteDatabase) else "%s"
    read = f"SELECT id, features, reasons FROM score WHERE id > {mark} ORDER BY id LIMIT {BATCH}"  # noqa: S608 - a mark and a number
    while rows := db.execute_sql(read, (after,)).fetchall():
        for score_id, features, reasons in rows:
            if EXTRA in features or EXTRA in reasons:
                bare = {name: value for name, value in json.loads(features).items() if not name.startswith(EXTRA)}
                cut = [
                    [name, points, None, name[len(EXTRA) :]] if name.startswith(EXTRA) else [name, points, value, text]
                    for name, points, value, text in json.loads(reasons)
                ]
                change = f"UPDATE score SET features = {mark}, reasons = {mark} WHERE id = {mark}"  # noqa: S608
                db.execute_sql(change, (json.dumps(bare), json.dumps(cut), score_id))
        after = rows[-1][0]
