# mypy: ignore-errors
"""Companies of the CRMs, and the keyed tokens of domain and name by which a lead finds its own."""

from peewee import BooleanField, CharField, IntegerField, Model

from connector.storage.columns import MomentField, SealedField


def up(migrator, db):
    class Account(Model):
        connection = CharField(max_length=64)
        external_id = CharField(max_length=128)
        sealed = SealedField()
        country = CharField(max_length=2, null=True)
        owner = CharField(max_length=64, null=True)
        customer = BooleanField(default=False)
        touched_at = MomentField(null=True)
        seen_at = MomentField()

        class Meta:
            database = db
            table_name = "account"
            indexes = ((("connection", "external_id"), True),)

    class AccountName(Model):
        token = CharField(max_length=32, index=True)
        account_id = IntegerField(index=True)

        class Meta:
            database = db
            table_name = "account_name"

    db.create_tables([Account, AccountName])
