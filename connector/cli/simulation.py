"""Looking at allocation before and after: replay a decision, simulate a policy, evaluate what was done."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connector.cli.answers import AsJson, fail, opened_house, progress, show_facts, show_json, show_rows, wrong

if TYPE_CHECKING:
    from allocation.policy import Policy

UNITS = {"h": "hours", "d": "days", "w": "weeks"}
Since = Annotated[str, typer.Option("--since", metavar="30d", help="How far back: hours (h), days (d) or weeks (w).")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (replay, simulate, evaluate):
        app.command()(command)


def replay(
    decision: Annotated[int, typer.Argument(metavar="DECISION", help="As shown by `why`.")],
    as_json: AsJson = False,
) -> None:
    """Make a past decision again.

    From its stored record alone: owner and every rep's verdict are compared. Exit code 1 when anything comes out otherwise.

    Example: leadswitch replay 17
    """
    from connector.commands.replays import replay_decision

    with opened_house() as house:
        found = replay_decision(house, decision)
    if found is None:
        fail(f"There is no decision {decision}.")
    show_facts(asdict(found), as_json)
    if not found.same:
        fail(f"Decision {decision} comes out otherwise today.")


def simulate(
    policy: Annotated[Path, typer.Option("--policy", metavar="FILE", help="The policy to try.")],
    since: Since = "30d",
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a page with charts as well.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run past leads through another policy.

    Who would have got what, the load, the fairness, expected conversions and waits, before it goes live. Nothing is changed.

    Example: leadswitch simulate --policy new.toml --since 30d --html new.html
    """
    from connector.pipeline import simulation
    from connector.pipeline.simulation_page import figures, page

    tried, back = read_policy(policy), span(since)
    with opened_house() as house, progress("Simulating") as report:
        begin = house.clock.now() - back
        for line in simulation.oddities(house, tried):
            print(f"{policy}: {line} (a warning)", file=sys.stderr)
        found = simulation.as_json(house, simulation.run(house, tried, begin, report), tried, begin)
    if html is not None:
        try:
            html.write_text(page(found), encoding="utf-8")
        except OSError as error:
            wrong(f"{html} cannot be written: {error.strerror}.")
    if as_json:
        show_json(found)
        return
    print(f"{found['moved']} of {found['leads']} leads would have gone elsewhere under {tried.name} ({found['policy_version']}).")
    rows = [
        {"rep": rep["name"]} | {f"{name} {when}": rep[key][when] for key, name in _COLUMNS.items() for when in ("was", "now")}
        for rep in found["reps"]
    ]
    show_rows(rows, False, "Nobody got a lead.")
    for name, was, now in figures(found):
        print(f"{name}: {was} was, {now} now")
    if html is not None:
        print(f"Charts: {html}")


_COLUMNS = {"leads": "leads", "tier_a": "tier A", "expected_conversions": "conversions"}


def evaluate(
    policy: Annotated[Path | None, typer.Option("--policy", metavar="FILE", help="State the lift of this policy.")] = None,
    since: Since = "90d",
    learn: Annotated[bool, typer.Option("--learn", help="Learn which rep does well with which leads.")] = False,
    as_json: AsJson = False,
) -> None:
    """How well leads are allocated.

    Without options: picks of the engine that people set aside, by week and cause. With --policy: how many more leads another policy
    would win, with a 95% confidence interval, from the leads that were given out at random. With --learn: whether a learned fit of
    reps and leads foretells outcomes better than the weights; if it does it becomes a factor.

    Example: leadswitch evaluate --policy new.toml
    """
    back = span(since)
    if policy is not None:
        _evaluate_policy(read_policy(policy), back, as_json)
    elif learn:
        _learn(back, as_json)
    else:
        _overrides(back, as_json)


def _evaluate_policy(policy: Policy, back: timedelta, as_json: bool) -> None:
    from connector.pipeline.simulation_lift import lift_of

    with opened_house() as house:
        found = lift_of(house, policy, house.clock.now() - back)
    if as_json:
        show_json({"policy": policy.name, "policy_version": policy.version, **asdict(found)})
        return
    print(f"{found.leads} ended leads had a logged chance; in {found.matched} the rep was the one {policy.name} picks.")
    print(f"Won as it was: {found.happened:.1%} of leads.")
    for name, one in (("doubly robust", found.doubly_robust), ("inverse propensity", found.inverse_propensity)):
        print(f"Lift, {name}: {one.lift:+.1%} of leads, 95% between {one.low:+.1%} and {one.high:+.1%}.")


def _learn(back: timedelta, as_json: bool) -> None:
    from connector.pipeline.simulation_lift import learn_fit

    with opened_house() as house:
        found = learn_fit(house, house.clock.now() - back)
    if as_json:
        show_json({**asdict(found), "used": found.better})
        return
    print(f"Learned from {found.learned_from} ended leads, tried on the {found.held_out} newest.")
    print(f"Log loss on those: {found.loss_weights:.4f} by the weights, {found.loss_fit:.4f} by the learned fit.")
    print(f"Gain, 95% between {found.gain_low:+.4f} and {found.gain_high:+.4f}.")
    print("The learned fit is used from now on." if found.better else "The weights stand: the learned fit is not surely better.")


def _overrides(back: timedelta, as_json: bool) -> None:
    from connector.pipeline.overrides import by_week

    with opened_house() as house:
        weeks = by_week(house, max(1, -(-back.days // 7)))
    rows = [
        {
            "week": week.monday.isoformat(),
            "picks": week.picks,
            "overrides": week.overrides,
            "rate": None if week.rate is None else round(week.rate, 4),
            "causes": dict(week.causes) if as_json else ", ".join(f"{cause} {count}" for cause, count in week.causes.items()),
        }
        for week in weeks
    ]
    show_rows(rows, as_json, "")


def span(text: str) -> timedelta:
    """`30d`, `12h` or `4w` as a length of time; anything else ends the command with one line."""
    unit = UNITS.get(text[-1:])
    if unit is None or not text[:-1].isascii() or not text[:-1].isdigit() or not 0 < int(text[:-1]) <= 3650:
        wrong(f'--since: "{text}" is not a length of time; write for example 12h, 30d or 4w.')
    return timedelta(**{unit: int(text[:-1])})


def read_policy(path: Path) -> Policy:
    """The policy in a file; a mistake in it ends the command with its lines."""
    from allocation.policy import parse_policy

    try:
        return parse_policy(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        wrong(f"{path} cannot be read: {error.strerror}.")
    except UnicodeDecodeError:
        wrong(f"{path} is not UTF-8 text.")
    except ValueError as error:  # its message names file, line and mistake
        wrong(str(error))
