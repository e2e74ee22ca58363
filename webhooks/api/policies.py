"""What the API does with policies: check one, put it in force, tell the history and the lift; and make a past decision again."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta

from pydantic import Field

from allocation.policy import Policy, PolicyError, parse_policy
from connector.commands.policies import Checked, check_policy, publish_policy
from connector.commands.replays import replay_decision
from connector.errors import Fatal
from leads.enums import Role
from webhooks.api.gate import Call, Operation, missing
from webhooks.api.records import Given, Reason, Taken
from webhooks.problems import FieldError, Problem


class PolicyText(Taken):
    """A policy as the text of its file."""

    policy: str = Field(min_length=1, max_length=200_000)


class NewPolicy(PolicyText):
    """A policy to put in force, and why it changes."""

    reason: Reason


class Measured(PolicyText):
    """A policy whose lift is asked for, and how many days of ended leads it is told from."""

    since_days: int = Field(default=90, ge=1, le=366)


class RemarkOut(Given):
    """`line` is null for what is about the reps and not the file."""

    line: int | None
    message: str


class CheckedOut(Given):
    """`version` is null where `problems` keep the policy from being used; `in_force` whether it holds already."""

    ok: bool
    version: str | None
    name: str | None
    in_force: bool
    problems: list[RemarkOut]
    warnings: list[RemarkOut]


class PublishedOut(Given):
    version: str
    name: str
    warnings: list[RemarkOut]


class PublishingOut(Given):
    version: str
    name: str
    at: datetime
    by: str
    why: str
    in_force: bool


class HistoryOut(Given):
    policies: list[PublishingOut]


class EstimateOut(Given):
    """A lift in the share of leads won, with its 95% confidence interval and standard error."""

    lift: float
    low: float
    high: float
    error: float


class PolicyLiftOut(Given):
    """`leads` had a logged chance and have ended; in `matched` of them the rep was the one this policy picks."""

    policy: str
    policy_version: str
    leads: int
    matched: int
    happened: float
    inverse_propensity: EstimateOut
    doubly_robust: EstimateOut


class ReplayOut(Given):
    """Whom the decision chose then and chooses now; `differing` are the reps whose verdict comes out otherwise."""

    decision: int
    same: bool
    then: str | None
    now: str | None
    outcome: str
    verdicts: int
    differing: list[str]
    policy_version: str
    because: str


def parsed(text: str) -> Policy:
    """The policy of a request. Raises `Problem` 422 with every line that is wrong."""
    try:
        return parse_policy(text, "policy")
    except PolicyError as error:
        raise refused(error) from None


def refused(error: PolicyError) -> Problem:
    """The 422 for a policy with mistakes."""
    errors = [FieldError("policy", line) for line in str(error).splitlines()]
    return Problem(422, "invalid", "The policy is not right.", errors=errors)


def check(call: Call) -> CheckedOut:
    """Name every mistake in a policy with its line, and what is odd about it and the reps there are. Nothing is changed."""
    try:
        checked = check_policy(call.read(PolicyText).policy, "policy", call.house)
    except PolicyError as error:
        problems = [RemarkOut(line=one.line, message=one.message) for one in error.problems]
        return CheckedOut(ok=False, version=None, name=None, in_force=False, problems=problems, warnings=[])
    policy = checked.policy
    in_force = call.house.policy.version == policy.version
    return CheckedOut(
        ok=True, version=policy.version, name=policy.name, in_force=in_force, problems=[], warnings=_warnings(checked)
    )


def publish(call: Call) -> PublishedOut:
    """Put a policy in force for every process, within seconds. Who and why are recorded; it holds until another is published."""
    wanted = call.read(NewPolicy)
    try:
        checked = publish_policy(call.house, wanted.policy, "policy", call.actor(), wanted.reason)
    except PolicyError as error:
        raise refused(error) from None
    return PublishedOut(version=checked.policy.version, name=checked.policy.name, warnings=_warnings(checked))


def _warnings(checked: Checked) -> list[RemarkOut]:
    return [RemarkOut(line=line, message=message) for line, message in checked.warnings]


def list_policies(call: Call) -> HistoryOut:
    """Every policy that was published, the newest first: who, when and why. Empty while the configured file holds."""
    return HistoryOut(
        policies=[
            PublishingOut(version=one.version, name=one.name, at=one.at, by=one.actor, why=one.reason, in_force=place == 0)
            for place, one in enumerate(call.house.policies.history())
        ]
    )


def measure_policy(call: Call) -> PolicyLiftOut:
    """How many more leads another policy would win, from the leads that were given out at random. Nothing is changed."""
    from connector.pipeline.simulation_lift import lift_of  # with its numerics, which this process loads only when asked

    wanted = call.read(Measured)
    policy = parsed(wanted.policy)
    try:
        found = lift_of(call.house, policy, call.house.clock.now() - timedelta(days=wanted.since_days))
    except Fatal as error:
        raise Problem(409, "not-done", "This was not done.", str(error)) from None
    return PolicyLiftOut.model_validate({"policy": policy.name, "policy_version": policy.version, **asdict(found)})


def replay(call: Call) -> ReplayOut:
    """Make a past decision again from its stored record alone, and compare owner and every rep's verdict."""
    try:
        found = replay_decision(call.house, call.path_id())
    except Fatal as error:
        raise Problem(409, "not-done", "This was not done.", str(error)) from None
    if found is None:
        raise missing("decision")
    return ReplayOut.model_validate(asdict(found))


POLICY_OPERATIONS = (
    Operation(
        "POST", "/allocation/policies/check", Role.MANAGER, "Check a policy", check, CheckedOut, takes=PolicyText, large=True
    ),
    Operation(
        "POST",
        "/allocation/policies",
        Role.ADMIN,
        "Put a policy in force",
        publish,
        PublishedOut,
        takes=NewPolicy,
        status=201,
        large=True,
    ),
    Operation("GET", "/allocation/policies", Role.MANAGER, "List the published policies", list_policies, HistoryOut),
    Operation(
        "POST",
        "/allocation/evaluate",
        Role.MANAGER,
        "State the lift of a policy",
        measure_policy,
        PolicyLiftOut,
        takes=Measured,
        large=True,
    ),
    Operation("POST", "/decisions/{id}/replay", Role.REP, "Make a past decision again", replay, ReplayOut),
)
