"""Opens and clicks that came too soon after the mail, or too many at once, for a person: told apart in whatever order they come."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from connector.bootstrap import House
from connector.machines import REACH, untimely
from connector.storage.engagements import Engagements, make_act
from leads.enums import EngagementKind
from leads.records import EngagementEvent

#: A delivery may be heard of after the click it was followed by too soon.
TIMED: Final = frozenset({EngagementKind.EMAIL_DELIVERED, EngagementKind.EMAIL_OPENED, EngagementKind.EMAIL_CLICKED})


def judge(house: House, lead_id: int, event: EngagementEvent) -> EngagementEvent:
    """The event, marked when its timing is a machine's. Earlier acts that it shows up as a machine's are marked in the store."""
    act = make_act(event.kind, event.occurred_at, dict(event.properties))
    if event.kind not in TIMED or act.message is None:
        return event
    engagements = Engagements(house.db)
    near = engagements.near(lead_id, event.occurred_at, REACH)
    found = untimely([*near.values(), act])
    if earlier := [act_id for place, act_id in enumerate(near) if place in found]:
        engagements.mark(lead_id, earlier)
    return replace(event, machine=True) if len(near) in found else event
