"""Consent and tombstones by keyed person token."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from connector.clock import Clock, to_ms
from connector.storage.db import Database, marks
from connector.storage.models import Consent, Tombstone
from connector.vault import Vault


class Privacy:
    """What people allowed or refused, and who was erased."""

    def __init__(self, db: Database, vault: Vault, clock: Clock) -> None:
        self._db, self._vault, self._clock = db, vault, clock

    def person(self, email: str) -> str:
        """The keyed token of a person."""
        return self._vault.index("email", email)

    def record(self, email: str, purpose: str, channel: str, granted: bool, source: str, at: datetime) -> None:
        """Keep the newest word of a person about one purpose and channel."""
        person = self.person(email)
        with self._db.transaction():
            row = Consent.get_or_none((Consent.person == person) & (Consent.purpose == purpose) & (Consent.channel == channel))
            if row is not None and row.at > at:
                return
            Consent.insert(person=person, purpose=purpose, channel=channel, granted=granted, source=source, at=at).on_conflict(
                conflict_target=[Consent.person, Consent.purpose, Consent.channel],
                update={Consent.granted: granted, Consent.source: source, Consent.at: at},
            ).execute()

    def refused(self, emails: Iterable[str], purpose: str) -> set[str]:
        """Which of these people refused this purpose on any channel, and that word still stands."""
        people = {self.person(email): email for email in emails}
        now = self._clock.now()
        with self._db.connected():
            asked = f"SELECT person, expires_at FROM consent WHERE purpose = ? AND NOT granted AND person IN ({marks(people)})"  # noqa: S608
            rows = self._db.run(asked, purpose, *people).fetchall() if people else ()
            return {people[person] for person, expires in rows if expires is None or expires > to_ms(now)}

    def bury(self, tokens: list[str]) -> None:
        """Keep the tokens of an erased person."""
        with self._db.transaction():
            for token in tokens:
                Tombstone.insert(token=token, at=self._clock.now()).on_conflict_ignore().execute()

    def buried(self, tokens: Iterable[str]) -> set[str]:
        """Which of these tokens belong to an erased person."""
        wanted = list(tokens)
        with self._db.connected():
            asked = f"SELECT token FROM tombstone WHERE token IN ({marks(wanted)})"  # noqa: S608 - marks only
            return {token for (token,) in self._db.run(asked, *wanted)} if wanted else set()
