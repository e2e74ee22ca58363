"""How far the values of feeds reach: from which place to a lead, and for how long."""

from __future__ import annotations

from typing import Final

#: From the nearest to the lead to the farthest: where two scopes tell the same series, the nearer one counts.
SCOPES: Final = ("domain", "area", "region", "country", "industry", "everywhere")
#: A value older than this says nothing of today.
STALE_DAYS: Final = 400
