"""Trained models and which of them is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from connector.cli.answers import AsJson, fail, me, opened_house, show_facts, show_rows

if TYPE_CHECKING:
    from connector.bootstrap import House
    from connector.storage.model_versions import ModelRecord

app = typer.Typer(help="Trained models.", no_args_is_help=True)
#: Figures in the list; `models show` has them all.
SHOWN = ("rows", "auc", "brier", "accuracy", "precision_top20pct")


@app.command("list")
def list_models(as_json: AsJson = False) -> None:
    """Every trained model, the newest first.

    Example: leadswitch models list
    """
    with opened_house() as house:
        rows = [
            {"version": one.version, "state": one.state, "created_at": one.created_at}
            | {name: figures(one.metrics).get(name) for name in SHOWN}
            for one in house.model_versions.all()
        ]
    show_rows(rows, as_json, "No model yet: leads are scored by rules. Train one: leadswitch train")


@app.command()
def show(
    version: Annotated[str | None, typer.Argument(help="By default the one in use.")] = None,
    as_json: AsJson = False,
) -> None:
    """What a model was trained on and how well it does.

    Example: leadswitch models show --json
    """
    with opened_house() as house:
        record = _record(house, version)
    facts = {"version": record.version, "state": record.state, "created_at": record.created_at}
    shown = {"metrics": dict(record.metrics)} if as_json else {**figures(record.metrics), **_worths(record.metrics)}
    show_facts({**facts, **shown}, as_json)


@app.command()
def compare(
    version: Annotated[str | None, typer.Argument(help="By default the one in use.")] = None,
    as_json: AsJson = False,
) -> None:
    """The model families side by side, as they did on the newest leads when this model was trained.

    Best log loss first. Each figure comes with its 95% interval; the model is trained with the comparison by `train --compare`.

    Example: leadswitch models compare --json
    """
    with opened_house() as house:
        record = _record(house, version)
    families = record.metrics.get("families")
    if not families:
        fail(f"Model {record.version} was trained without the comparison. Train with it: leadswitch train --compare")
    if as_json:
        show_rows([{"version": record.version, **line} for line in families], as_json, "")
        return
    figures_of = [name for name in families[0] if name != "family"]
    rows = [{"family": line["family"], **{name: _with_interval(line[name]) for name in figures_of}} for line in families]
    show_rows(rows, as_json, "")


def _worths(metrics: Mapping[str, Any]) -> dict[str, str]:
    """What a lead of each tier was expected to bring, where sizes of deals are known."""
    return {
        f"expected value tier {tier}": f"{row['expected']:,.0f} a lead; {row['brought']:,.0f} came in ({row['leads']} leads)"
        for tier, row in metrics.get("tier_values", {}).items()
    }


def _with_interval(figure: Sequence[float]) -> str:
    """A figure with its interval: ".871 (.852 to .889)"."""
    value, low, high = (f"{number:.3f}".removeprefix("0") for number in figure)
    return f"{value} ({low} to {high})"


def _record(house: House, version: str | None) -> ModelRecord:
    """The model of this version, or the one in use; ends the command when there is none."""
    known = {one.version: one for one in house.model_versions.all()}
    record = known.get(version) if version else house.model_versions.champion()
    if record is None:
        fail(f"There is no model {version}." if version else "No model is in use: leads are scored by rules.")
    return record


@app.command()
def rollback(
    version: Annotated[str | None, typer.Argument(help="By default the one before the one in use.")] = None,
) -> None:
    """Go back to an earlier model.

    Takes effect within seconds, without a restart.

    Example: leadswitch models rollback
    """
    with opened_house() as house:
        known = [one.version for one in house.model_versions.all()]
        champion = house.model_versions.champion()
        if version is None:
            older = known[known.index(champion.version) + 1 :] if champion else known
            if not older:
                fail("There is no earlier model.")
            version = older[0]
        with house.db.transaction():
            house.model_versions.promote(version)
            before = champion.version if champion else None
            house.audit.add(me().label, "model.rollback", f"model:{version}", detail={"before": before, "after": version})
    print(f"Model {version} is in use.")


def figures(metrics: Mapping[str, Any]) -> dict[str, float]:
    """The plain numbers among the metrics, for people; JSON has them all."""
    plain = {name: value for name, value in metrics.items() if isinstance(value, int | float) and not isinstance(value, bool)}
    return {name: round(value, 4) for name, value in plain.items()}
