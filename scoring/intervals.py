"""How sure a share is."""

from __future__ import annotations

import math


def wilson(won: int, rows: int, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of a share, by default at 95%; (0, 1) without rows."""
    if rows == 0:
        return 0.0, 1.0
    share = won / rows
    centre = share + z * z / (2 * rows)
    half = z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    scale = 1 + z * z / rows
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)
