"""The moments at which a past lead is looked at for training.

Live leads are scored from the moment they come in, so a model must have seen leads of every age. The ages are fixed beforehand: one
that depended on when the lead ended would tell how it ended (landmarking, van Houwelingen 2007).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

LOOK_AGES: Final = tuple(timedelta(days=days) for days in (0, 1, 3, 7, 14, 30, 60))


def look_moments(created: datetime, ended: datetime) -> tuple[datetime, ...]:
    """The moments, oldest first, at which the lead was still open; at least the one of its creation."""
    return (created, *(created + age for age in LOOK_AGES[1:] if created + age < ended))
