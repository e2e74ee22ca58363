"""A past decision made again from its stored record alone, and held against what was decided then."""

from __future__ import annotations

from dataclasses import dataclass

from allocation.replay import replay
from connector.bootstrap import House
from connector.errors import Fatal
from connector.pipeline.allocate import read_verdicts


@dataclass(frozen=True, slots=True)
class Replayed:
    """Whom the decision chose then and chooses now; `differing` are the reps whose verdict comes out otherwise."""

    decision: int
    same: bool
    then: str | None
    now: str | None
    outcome: str
    verdicts: int
    differing: tuple[str, ...]
    policy_version: str
    because: str


def replay_decision(house: House, decision_id: int) -> Replayed | None:
    """None when there is no such decision. Raises `Fatal` when its record cannot be read any more, or was changed."""
    stored = house.decisions.get(decision_id)
    if stored is None:
        return None
    try:
        made = replay(stored.record)
    except ValueError as error:
        raise Fatal(f"Decision {decision_id} cannot be made again: {error}.") from error
    then = {verdict.rep_id: verdict for verdict in read_verdicts(stored.record)}
    now = {verdict.rep_id: verdict for verdict in made.verdicts}
    differing = tuple(sorted(rep for rep in then.keys() | now.keys() if then.get(rep) != now.get(rep)))
    return Replayed(
        decision=decision_id,
        same=(made.outcome, made.rep_id) == (stored.outcome, stored.rep_id) and not differing,
        then=stored.rep_id,
        now=made.rep_id,
        outcome=made.outcome.value,
        verdicts=len(now),
        differing=differing,
        policy_version=made.policy_version,
        because=made.because,
    )
