"""What App Home and the leaderboard tell: one person's queue and share, the team's fairness and speed, what has failed."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from connector.pipeline.overrides import Errors, lately
from leads.enums import Tier

if TYPE_CHECKING:
    from connector.bootstrap import House
    from connector.storage.reps import StoredRep
    from connector.storage.standings import Ending, Offer

WEEK: Final = timedelta(days=7)
#: What became of leads takes longer to show than how they were taken on.
ENDINGS: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Share:
    """What of the leads of a team went to one rep in a week. `fair` is their part by weight, 0–1."""

    rep_id: str
    name: str
    taken: int
    pool: int
    fair: float

    @property
    def part(self) -> float:
        """0–1; 0 while nothing was given out."""
        return self.taken / self.pool if self.pool else 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """One rep on the leaderboard. `speed_s` is the median time to accept; `expected` the wins that the scores of the leads that
    ended let expect."""

    rep_id: str
    name: str
    offered: int
    accepted: int
    speed_s: float | None
    won: int
    ended: int
    expected: float

    @property
    def acceptance(self) -> float | None:
        return self.accepted / self.offered if self.offered else None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How right the scores of the leads that ended were. `brier` is the mean squared error of the probability (0 is perfect);
    `base` the same of always saying the share that was won. `tiers` are (won, ended) of each."""

    ended: int
    brier: float | None
    base: float | None
    tiers: Mapping[Tier, tuple[int, int]]


def shares(house: House, now: datetime) -> list[Share]:
    """Every active rep's share of the week within their team, the largest distance from fair first."""
    reps = [rep for rep in house.reps.all() if rep.active]
    taken = Counter(offer.rep_id for offer in house.standings.offers(now - WEEK))
    teams: dict[str, list[StoredRep]] = {}
    for rep in reps:
        teams.setdefault(rep.team, []).append(rep)
    found = []
    for members in teams.values():
        pool = sum(taken[rep.id] for rep in members)
        weight = sum(_weight(rep) for rep in members)
        found += [Share(rep.id, rep.name, taken[rep.id], pool, _weight(rep) / weight if weight else 0.0) for rep in members]
    return sorted(found, key=lambda share: (-abs(share.part - share.fair), share.name))


def _weight(rep: StoredRep) -> float:
    return float(rep.settings.get("weight", 1.0))


def leaderboard(house: House, now: datetime) -> list[Standing]:
    """Reps who were offered leads this week or whose leads ended lately, the quickest first; not those who wish to be left out."""
    offers: dict[str, list[Offer]] = {}
    for offer in house.standings.offers(now - WEEK):
        offers.setdefault(offer.rep_id, []).append(offer)
    endings: dict[str, list[Ending]] = {}
    for ending in house.standings.endings(now - ENDINGS):
        endings.setdefault(ending.rep_id, []).append(ending)
    listed = [
        _standing(rep, offers.get(rep.id, []), endings.get(rep.id, []))
        for rep in house.reps.all()
        if rep.active and "leaderboard" not in (rep.settings.get("mutes") or ()) and (rep.id in offers or rep.id in endings)
    ]
    return sorted(listed, key=lambda one: (one.speed_s is None, one.speed_s or 0.0, one.name))


def _standing(rep: StoredRep, offers: Sequence[Offer], endings: Sequence[Ending]) -> Standing:
    waits = [(offer.accepted_at - offer.opened_at).total_seconds() for offer in offers if offer.accepted_at]
    return Standing(
        rep.id,
        rep.name,
        len(offers),
        len(waits),
        statistics.median(waits) if waits else None,
        sum(ending.won for ending in endings),
        len(endings),
        sum(ending.probability or 0.0 for ending in endings),
    )


def accuracy(house: House, now: datetime) -> Accuracy:
    """How right the scores were, over the leads that ended lately."""
    scored = [ending for ending in house.standings.endings(now - ENDINGS) if ending.probability is not None]
    tiers: dict[Tier, tuple[int, int]] = {}
    for ending in scored:
        won, ended = tiers.get(ending.tier, (0, 0))
        tiers[ending.tier] = won + ending.won, ended + 1
    if not scored:
        return Accuracy(0, None, None, tiers)
    share = sum(ending.won for ending in scored) / len(scored)
    brier = statistics.fmean(((ending.probability or 0.0) - ending.won) ** 2 for ending in scored)
    return Accuracy(len(scored), brier, share * (1 - share), tiers)


@dataclass(frozen=True, slots=True)
class Failures:
    """What an admin looks after. `on_its_way` is destination → how many rows; `letters` the newest given up."""

    letters: Sequence[tuple[str, str, datetime]]
    letters_open: int
    on_its_way: Mapping[str, int]
    model: str
    metrics: Mapping[str, Any]
    policy: str
    errors: Errors


def failures(house: House) -> Failures:
    """What has failed, which model and policy are in force, and how often people set a pick aside."""
    champion = house.model_versions.champion()
    letters = sorted(house.deadletters.all(), key=lambda letter: letter.id, reverse=True)[:5]
    return Failures(
        [(letter.queue, letter.error, letter.created_at) for letter in letters],
        house.deadletters.count(),
        house.effects.on_its_way(),
        champion.version if champion else "rules",
        champion.metrics if champion else {},
        f"{house.policy.name} ({house.policy.version})",
        lately(house),
    )
