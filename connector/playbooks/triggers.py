"""What starts a playbook: how a lead stands now, held against how it stood when it was last looked at.

Looking at the difference and not at single events makes order and repeats harmless: the same facts, in whatever order and however
often they come, end in the same difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from connector.clock import to_ms
from connector.playbooks.conditions import View
from connector.playbooks.plan import On, Since, When
from connector.storage.playbooks import Mark, NewAct
from leads.enums import LifecycleStage, Tier

#: An act that is told later than this, as by a first backfill, starts and stops nothing.
FRESH: Final = timedelta(days=1)


def cause_of(when: When, view: View, mark: Mark, acts: Sequence[NewAct], in_force: datetime) -> str | None:
    """Why a run is to start now, in a word; None when none is.

    `acts` are new since the mark. `in_force` is when the playbook began to hold: a silence that was complete before is history.
    """
    if when.on is On.ACT:
        found = next((act for act in acts if act.kind in when.kinds and act.at > view.at - FRESH), None)
        return f"act:{found.id}" if found else None
    if when.on is On.SCORE:
        now = view.score.score if view.score else None
        rose = now is not None and now >= when.above and (mark.score is None or mark.score < when.above)
        return f"score:{_of(view)}" if rose else None
    if when.on is On.TIER:
        turned = view.tier in when.tiers and mark.tier not in when.tiers
        from_there = not when.from_tiers or mark.tier in when.from_tiers
        return f"tier:{_of(view)}" if turned and from_there and view.tier is not Tier.UNKNOWN else None
    if when.on is On.STAGE:
        stage, before = LifecycleStage.read(view.stage), LifecycleStage.read(mark.stage)
        return f"stage:{stage}:{to_ms(view.at)}" if stage in when.stages and before not in when.stages else None
    moment = quiet_at(when, view)
    return f"quiet:{to_ms(moment)}" if in_force < moment <= view.at else None


def quiet_at(when: When, view: View) -> datetime:
    """When the time of a `quiet` is complete, unless something happens before."""
    since = view.created_at if when.since is Since.CREATED else (view.last_act_at or view.created_at)
    return since + when.after


def _of(view: View) -> int:
    """The score that the view shows, by its moment."""
    return to_ms(view.score.as_of) if view.score else 0
