"""The past: contacts whose engagement and outcome are known, in the form in which HubSpot keeps them (property history)."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from connector.sandbox.world import words
from connector.sandbox.world.acts import Act, draw_acts, weigh
from connector.sandbox.world.by_the_way import draw_by_the_way
from connector.sandbox.world.people import Person, draw_person

DAY_MS = 86_400_000
#: Act → the HubSpot property whose history holds its dates.
DATED_IN = {
    "send": "hs_email_last_send_date",
    "open": "hs_email_last_open_date",
    "click": "hs_email_last_click_date",
    "reply": "hs_email_last_reply_date",
    "form": "recent_conversion_date",
    "visit": "hs_analytics_last_visit_timestamp",
    "meeting": "engagements_last_meeting_booked",
}


@dataclass(frozen=True)
class PastContact:
    """One old contact. `changes` are (moment in ms, property, value), oldest first; `outcome` is won, lost or open."""

    person: Person
    created_ms: int
    acts: tuple[Act, ...]
    outcome: str
    changes: tuple[tuple[int, str, str], ...] = field(repr=False)


def _dated(created_ms: int, acts: tuple[Act, ...], until_ms: int) -> list[tuple[int, str, str]]:
    """The property changes that the acts left behind, up to a moment."""
    changes: list[tuple[int, str, str]] = []
    for act in acts:
        at = created_ms + round(act.after * DAY_MS)
        if at > until_ms:
            continue
        if act.kind in DATED_IN:
            changes.append((at, DATED_IN[act.kind], str(at)))
        elif act.kind == "unsubscribe":
            changes.append((at, "hs_email_optout", "true"))
        elif act.kind == "bounce":
            changes.append((at, "hs_email_bounce", "1"))
    return changes


def _stages(rng: Random, created_ms: int, outcome: str, end_ms: int) -> list[tuple[int, str, str]]:
    """How the contact moved through lifecycle stages and lead status."""
    changes = [(created_ms, "lifecyclestage", "lead"), (created_ms, "hs_lead_status", "NEW")]
    touched = created_ms + round((end_ms - created_ms) * rng.uniform(0.05, 0.3))
    changes.append((touched, "hs_lead_status", "IN_PROGRESS"))
    span = end_ms - created_ms
    if outcome == "won":
        for share, stage in ((0.4, "marketingqualifiedlead"), (0.6, "salesqualifiedlead"), (0.8, "opportunity"), (1.0, "customer")):
            changes.append((created_ms + round(span * share), "lifecyclestage", stage))
    elif outcome == "lost":
        if rng.random() < 0.4:
            changes.append((created_ms + round(span * 0.5), "lifecyclestage", "marketingqualifiedlead"))
        changes.append((end_ms, "hs_lead_status", "UNQUALIFIED"))
    return changes


def draw_history(seed: int, count: int, now_ms: int, owner_ids: tuple[str, ...]) -> list[PastContact]:
    """`count` contacts made 15 to 540 days before `now_ms`; those of the last month are still open. Same seed, same past."""
    rng = Random(f"history-{seed}")
    past: list[PastContact] = []
    for number in range(count):
        age_days = 15 + 525 * rng.random()
        nasty = words.NASTY_NAMES[number // 150 % len(words.NASTY_NAMES)] if number % 150 == 7 else None
        person = draw_person(rng, number, nasty, with_email=rng.random() > 0.02)
        created = now_ms - round(age_days * DAY_MS)
        acts = draw_acts(rng, person)
        won = rng.random() < person.chance(weigh(acts))
        end = created + round(rng.uniform(9, 60) * DAY_MS)
        outcome = "open" if end > now_ms else ("won" if won else "lost")
        until = min(end, now_ms)
        if person.email is not None:
            mails = (Act(0.01, "send"), *(Act(rng.uniform(1, 20), "send") for _ in range(rng.randrange(3))))
            acts = tuple(sorted((*acts, *mails)))
        changes = _dated(created, acts, until) + _stages(rng, created, outcome, until)
        changes.append((created + round(rng.uniform(0.01, 1.0) * DAY_MS), "hubspot_owner_id", rng.choice(owner_ids)))
        changes += [(created, name, value) for name, value in person.properties.items()]
        changes += draw_by_the_way(Random(f"by-the-way-{seed}-{number}"), created, until, acts)
        past.append(PastContact(person, created, acts, outcome, tuple(sorted(changes))))
    return past
