"""People whose name is written otherwise: found by keyed tokens of name and company, so that nothing stands in the clear."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable

from connector.storage.db import Database, marks
from connector.vault import Vault

KIND = "near"
#: Of a block with more leads than this the newest are looked at: a key that thousands share tells nobody apart.
A_BLOCK = 50
#: Who shares fewer blocks shares them by chance. Asking for two costs half a hundredth of those who are found, and spares most of
#: those who are opened in vain.
SHARED = 2
#: So many candidates are opened and compared.
CANDIDATES = 40
#: The newest of each of many blocks, in one statement.
OF_MANY_SQLITE = """SELECT asked.value, near_name.lead_id FROM json_each(?) AS asked CROSS JOIN near_name
    WHERE near_name.id IN (SELECT id FROM near_name WHERE token = asked.value ORDER BY id DESC LIMIT ?)"""
OF_MANY_POSTGRES = """SELECT asked.token, found.lead_id FROM json_array_elements_text(?::json) AS asked(token)
    CROSS JOIN LATERAL (SELECT lead_id FROM near_name WHERE near_name.token = asked.token ORDER BY id DESC LIMIT ?) AS found"""


def likeliest(shared: Counter[int]) -> list[int]:
    """Of leads by the number of blocks that they share, those worth opening, the likeliest first."""
    return [lead_id for lead_id, blocks in shared.most_common(CANDIDATES) if blocks >= SHARED]


class Namesakes:
    """Writes and asks the tokens. Callers hold the transaction."""

    def __init__(self, db: Database, vault: Vault) -> None:
        self._db, self._vault = db, vault

    def tokens(self, keys: Iterable[str]) -> list[str]:
        """The keyed tokens of a person's blocks, in a fixed order."""
        return sorted(self._vault.index(KIND, key) for key in keys)

    def write(self, lead_id: int, tokens: list[str]) -> None:
        """Let these tokens, and no others, lead to a lead."""
        known = {token for (token,) in self._db.run("SELECT token FROM near_name WHERE lead_id = ?", lead_id).fetchall()}
        if gone := sorted(known - set(tokens)):
            self._db.run(f"DELETE FROM near_name WHERE lead_id = ? AND token IN ({marks(gone)})", lead_id, *gone)  # noqa: S608
        if new := [token for token in tokens if token not in known]:
            places = ", ".join(["(?, ?)"] * len(new))
            values = [value for token in new for value in (token, lead_id)]
            self._db.run(f"INSERT INTO near_name (token, lead_id) VALUES {places}", *values)  # noqa: S608 - marks only

    def candidates(self, tokens: Iterable[str], besides: int) -> list[int]:
        """Leads that share blocks, those that share most first."""
        shared: Counter[int] = Counter()
        with self._db.connected():
            for token in tokens:
                block = "SELECT lead_id FROM near_name WHERE token = ? ORDER BY id DESC LIMIT ?"
                shared.update(lead_id for (lead_id,) in self._db.run(block, token, A_BLOCK).fetchall())
        shared.pop(besides, None)
        return likeliest(shared)

    def blocks(self, tokens: Iterable[str]) -> defaultdict[str, list[int]]:
        """The leads behind each of many tokens, in one statement; tokens that lead to nobody are left out."""
        statement = OF_MANY_SQLITE if self._db.is_sqlite else OF_MANY_POSTGRES
        blocks: defaultdict[str, list[int]] = defaultdict(list)
        for token, lead_id in self._db.run(statement, json.dumps(list(set(tokens))), A_BLOCK).fetchall():
            blocks[token].append(lead_id)
        return blocks
