"""What the API tells of allocation as a whole: picks that people set aside, and past leads through another policy."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from pydantic import Field

from connector.errors import Fatal
from connector.pipeline import simulation
from connector.pipeline.overrides import by_week, lately
from leads.enums import Role
from webhooks.api.gate import Call, Operation
from webhooks.api.policies import parsed
from webhooks.api.records import Given, Taken
from webhooks.problems import Problem


class ErrorsQuery(Taken):
    """How many calendar weeks back, the running one included."""

    weeks: int = Field(default=12, ge=1, le=520)


class WeekOut(Given):
    """One week from its Monday (UTC). `rate` is overrides by picks of the engine, null where it picked nobody."""

    week: date
    picks: int
    overrides: int
    rate: float | None
    causes: dict[str, int]


class LatelyOut(Given):
    """The same over the last seven days until now: the figure that Slack and the metrics tell."""

    picks: int
    overrides: int
    rate: float | None
    causes: dict[str, int]


class ErrorsOut(Given):
    weeks: list[WeekOut]
    last_7_days: LatelyOut


class Trial(Taken):
    """A policy as the text of its file, and how many days of past decisions to run through it."""

    policy: str = Field(min_length=1, max_length=200_000)
    since_days: int = Field(default=30, ge=1, le=366)


class TrialOut(Given):
    """Who would have got what. Each pair is as it was (`was`) and by the tried policy (`now`); waits are in minutes."""

    policy: str
    policy_version: str
    since: str
    leads: int
    moved: int
    waiting: dict[str, int]
    unfairness: dict[str, float]
    expected_conversions: dict[str, float]
    expected_value: dict[str, float]
    waits_minutes: dict[str, dict[str, float]]
    reps: list[dict[str, Any]]
    moves: list[dict[str, Any]]


def list_errors(call: Call) -> ErrorsOut:
    """Picks of the engine that people set aside, by week and cause."""
    weeks, now = by_week(call.house, call.read_query(ErrorsQuery).weeks), lately(call.house)
    return ErrorsOut(
        weeks=[
            WeekOut(week=one.monday, picks=one.picks, overrides=one.overrides, rate=one.rate, causes=dict(one.causes))
            for one in weeks
        ],
        last_7_days=LatelyOut(picks=now.picks, overrides=now.overrides, rate=now.rate, causes=dict(now.causes)),
    )


def try_policy(call: Call) -> TrialOut:
    """Run past leads through another policy. Nothing is changed."""
    wanted = call.read(Trial)
    policy = parsed(wanted.policy)
    since = call.house.clock.now() - timedelta(days=wanted.since_days)
    try:
        found = simulation.run(call.house, policy, since, lambda done, text: None)
    except Fatal as error:
        raise Problem(409, "not-done", "This was not done.", str(error)) from None
    return TrialOut.model_validate(simulation.as_json(call.house, found, policy, since))


SIMULATION_OPERATIONS = (
    Operation(
        "GET",
        "/allocation/errors",
        Role.REP,
        "Picks of the engine that people set aside",
        list_errors,
        ErrorsOut,
        query=ErrorsQuery,
    ),
    Operation(
        "POST", "/allocation/simulate", Role.MANAGER, "Try a policy on past leads", try_policy, TrialOut, takes=Trial, large=True
    ),
)
