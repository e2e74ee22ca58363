"""The record of a decision, and the decision again from that record alone. No names and nothing about the person in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Final

from allocation.decide import BATCH, KEPT, PERSON, decide, keep, override, place
from allocation.fairness import Rotation
from allocation.policy import Policy, read_policy
from allocation.rep import Caps, LeadFacts, Rep, Taken, Territory
from leads.enums import Tier
from leads.results import Decision

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
FORM: Final = 1  # the form of the record; a reader of another form must say so


def record(
    lead: LeadFacts,
    roster: Sequence[Rep],
    policy: Policy,
    rotation: Rotation,
    at: datetime,
    decision: Decision,
    exclude: frozenset[str] = frozenset(),
    draw: float | None = None,
) -> dict[str, Any]:
    """Everything the decision was made from, as plain JSON values. `rotation` is the ledger from *before* the decision.

    For `keep` and `override` pass what was passed to them; the ledger must already have the `previous` rep's lead back.
    """
    spans = _spans(policy, at)
    return {
        "form": FORM,
        "lead": _plain(lead),
        "roster": [_recorded(rep, _near_a_cap(rep, spans)) for rep in roster],
        "policy": dict(policy.tables),
        "policy_version": policy.version,
        "rotation": rotation.to_json(),
        "at": at.isoformat(),
        "exclude": sorted(exclude),
        "draw": draw,
        "answer": {
            "outcome": decision.outcome.value,
            "rep": decision.rep_id,
            "method": decision.method,
            "because": decision.because,
            "team": decision.team,
        },
    }


@dataclass(frozen=True, slots=True)
class Inputs:
    """A record, read: what the decision was made from, and what it said."""

    lead: LeadFacts
    roster: tuple[Rep, ...]
    policy_version: str
    policy_tables: Mapping[str, Any]
    rotation: Rotation
    at: datetime
    exclude: frozenset[str]
    draw: float | None
    rep: str | None
    method: str
    because: str

    def undrawn(self) -> Inputs:
        """The same with nothing left to chance."""
        return replace(self, draw=None)

    def again(self, policy: Policy, rotation: Rotation, roster: Sequence[Rep], at: datetime) -> tuple[Decision, Rotation]:
        """The decision by another policy, ledger, roster or moment. What people decided, and what was placed with a whole
        campaign, stays as it was."""
        if self.rep is not None and self.method == PERSON:
            return override(self.lead, self.rep, roster, policy, rotation, at, self.because)
        if self.rep is not None and self.method == KEPT:
            return keep(self.lead, self.rep, roster, policy, rotation, at, self.because, charge=True)
        if self.rep is not None and self.method == BATCH:
            return place(self.lead, self.rep, roster, policy, rotation, at, self.because)
        return decide(self.lead, roster, policy, rotation, at, self.exclude, self.draw)


def read_record(record: Mapping[str, Any]) -> Inputs:
    """Read what `record` wrote. Raises ValueError when it is of another form."""
    if record.get("form") != FORM:
        raise ValueError(f"this decision record has form {record.get('form')!r}; only form {FORM} can be replayed")
    answer = record["answer"]
    return Inputs(
        lead=_lead(record["lead"]),
        roster=tuple(_rep(values) for values in record["roster"]),
        policy_version=record["policy_version"],
        policy_tables=record["policy"],
        rotation=Rotation.from_json(record["rotation"]),
        at=_moment(record["at"]),
        exclude=frozenset(record["exclude"]),
        draw=record["draw"],
        rep=answer["rep"],
        method=answer["method"],
        because=answer["because"],
    )


def replay(record: Mapping[str, Any]) -> Decision:
    """Decide again from a record. Raises ValueError when the record is of another form or was changed."""
    inputs = read_record(record)
    policy = read_policy(inputs.policy_tables, "the recorded policy")
    if policy.version != inputs.policy_version:
        raise ValueError(f"the recorded policy has content {policy.version} but says {inputs.policy_version}: it was changed")
    return inputs.again(policy, inputs.rotation, inputs.roster, inputs.at)[0]


#: The spans that caps count: each is at least as long as the calendar hour, day (25 hours once a year) or week it stands for.
SPANS: Final = {"week": timedelta(days=7, hours=1), "day": timedelta(hours=25), "hour": timedelta(hours=1)}


def _spans(policy: Policy, at: datetime) -> list[tuple[str, int | None, datetime]]:
    """Each span with the lowest cap that anything in the policy sets for it, and since when it counts at the longest."""
    caps = [policy.caps, *policy.tier_caps.values(), *(team.caps for team in policy.teams.values())]
    caps += [said["caps"] for said in (*policy.reps.values(), *(rule.terms for rule in policy.rules)) if "caps" in said]
    spans = []
    for span, length in SPANS.items():
        limits = [limit for cap in caps if (limit := getattr(cap, span)) is not None]
        spans.append((span, min(limits, default=None), at - length))
    return spans


def _near_a_cap(rep: Rep, spans: Sequence[tuple[str, int | None, datetime]]) -> bool:
    """Whether the rep's recent leads could have closed a gate. If not, none need be kept: a week of every rep's leads would make up
    most of each record."""
    count = len(rep.recent)
    for span, limit, since in spans:
        own = getattr(rep.caps, span)
        if own is not None and (limit is None or own < limit):
            limit = own
        if limit is not None and count >= limit and (limit <= 0 or rep.recent[-limit].at >= since):  # the newest stand last
            return True
    return False


def _recorded(rep: Rep, with_recent: bool) -> dict[str, Any]:
    """A rep as recorded: without the name, and mostly without the leads of the last days."""
    known, values = _RECORDED.get(rep.id, (None, {}))
    if known is not rep:
        values = _plain(rep, leave_out=("name", "recent"))
        _RECORDED[rep.id] = (rep, values)
    return {**values, "recent": _value(rep.recent)} if with_recent else dict(values)


#: By rep id, what was written of which rep: from one decision to the next few reps change.
_RECORDED: dict[str, tuple[Rep, dict[str, Any]]] = {}


def _plain(item: LeadFacts | Rep, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields that differ from their default, as JSON values."""
    names, read, defaults = SHAPES[type(item)]
    return {
        name: value if type(value) in AS_THEY_ARE else _value(value)
        for name, value, default in zip(names, read(item), defaults, strict=True)
        if value is not default and value != default and name not in leave_out
    }


def _shape(kind: type[LeadFacts | Rep]) -> tuple[Sequence[str], Callable[[Any], Sequence[Any]], Sequence[Any]]:
    names = [entry.name for entry in fields(kind)]
    defaults = [entry.default_factory() if entry.default_factory is not MISSING else entry.default for entry in fields(kind)]
    return names, attrgetter(*names), defaults


AS_THEY_ARE: Final = frozenset((str, int, float, bool))
#: Of every field its name, how all are read at once, and its default, by the kind of record.
SHAPES: Final = {kind: _shape(kind) for kind in (LeadFacts, Rep)}


def _value(value: Any) -> Any:
    if type(value) in AS_THEY_ARE:
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Caps):
        return [value.open, value.hour, value.day, value.week, value.rolling]
    if isinstance(value, Taken):
        return [(value.at - EPOCH) // MICROSECOND, value.tier.value]
    if isinstance(value, Territory):
        places = [sorted(value.countries), sorted(value.regions), [list(pair) for pair in value.postcodes]]
        return places if value.employees is None else [*places, list(value.employees)]
    if isinstance(value, Mapping):
        return {str(key): _value(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    return value


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _lead(values: Mapping[str, Any]) -> LeadFacts:
    read = dict(values)
    read["tier"] = Tier.read(read.get("tier", "unknown"))
    read["tags"] = frozenset(read.get("tags", ()))
    return LeadFacts(**read)


def _rep(values: Mapping[str, Any]) -> Rep:
    read = dict(values)
    for key in ("teams", "languages", "products", "industries", "by_person"):
        read[key] = frozenset(read.get(key, ()))
    for key in ("open_by_tier", "tier_skill"):
        read[key] = {Tier.read(tier): number for tier, number in read.get(key, {}).items()}
    for key in ("paused_until", "silent_since", "last_assigned_at"):
        read[key] = _moment(read[key]) if read.get(key) else None
    read["pto"] = tuple((_moment(start), _moment(end)) for start, end in read.get("pto", ()))
    read["recent"] = tuple(Taken(EPOCH + at * MICROSECOND, Tier.read(tier)) for at, tier in read.get("recent", ()))
    if "caps" in read:
        read["caps"] = Caps(*read["caps"])
    if "hours" in read:
        read["hours"] = tuple(tuple((begin, end) for begin, end in spans) for spans in read["hours"])
    if "territory" in read:
        countries, regions, postcodes, *size = read["territory"]
        ranges = tuple((low, high) for low, high in postcodes)
        read["territory"] = Territory(frozenset(countries), frozenset(regions), ranges, (size[0][0], size[0][1]) if size else None)
    return Rep(**read)
