"""What was filled into a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bots.slack import names


@dataclass(frozen=True, slots=True)
class Fields:
    """The state of a submitted form: block → action → element. Our blocks hold one element each."""

    values: Mapping[str, Any]

    def _element(self, block: str, action: str = "") -> Mapping[str, Any]:
        found = (self.values.get(block) or {}).get(action or block)
        return found if isinstance(found, Mapping) else {}

    def chosen(self, block: str) -> str:
        """The value chosen in a select or among radio buttons."""
        return str((self._element(block).get("selected_option") or {}).get("value") or "")

    def ticked(self, block: str) -> bool:
        """Whether the one box of a block is ticked."""
        return bool(self._element(block).get("selected_options"))

    def written(self, block: str = names.NOTE) -> str:
        """What was typed, on one line."""
        return " ".join(str(self._element(block).get("value") or "").split())[:300]

    def date(self, block: str) -> str:
        """The date picked, as 2026-12-24."""
        return str(self._element(block).get("selected_date") or "")
