"""The model card: what was learned from, how well it does, what was left out, in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from scoring.choice import Trial
from scoring.columns import EXTRA
from scoring.extras import Dropped
from scoring.tiers import A_PRECISION

if TYPE_CHECKING:
    from scoring.bundle import Bundle

TOP: Final = 12
FIGURES: Final = (
    ("auc", "AUC", "how often a converting lead ranks above another"),
    ("log_loss", "log loss", "lower is better"),
    ("brier", "Brier score", "lower is better"),
    ("ece", "calibration error", "mean gap between promised and observed conversion"),
    ("accuracy", "accuracy at 50%", "share of right calls"),
    ("precision_top20pct", "precision of the top fifth", "converted among the best-scored fifth"),
    ("lift_top20pct", "lift of the top fifth", "its conversion over that of the rest"),
    ("tier_a_precision", "precision of tier A", "converted among tier A"),
    ("tier_a_fpr", "false share of tier A", "non-converting leads that were put in A"),
)


def write_card(
    bundle: Bundle, dropped: Sequence[Dropped], trials: Sequence[Trial], span: tuple[datetime, datetime, datetime]
) -> str:
    """Markdown. `span` is the creation of the oldest lead, of the first lead of the holdout and of the newest."""
    figures, rules = bundle.metrics, bundle.metrics["rules"]
    oldest, held, newest = (moment.date().isoformat() for moment in span)
    lines = [
        f"# Model {bundle.version}",
        "",
        f"Learned from {bundle.labels} won or lost leads created {oldest} to {newest}.",
        f"Figures are for the {figures['rows']} newest leads (from {held}), which the measured model never saw. The served "
        "model is the same recipe on all of them.",
        "",
        "It scores leads: its Brier score beats the day-one rules."
        if bundle.beats_rules
        else "**It does not score leads:** its Brier score is not better than that of the day-one rules, which stay in charge.",
        "",
        "| figure | model | day-one rules | |",
        "|---|---|---|---|",
        *(f"| {name} | {_show(figures[key])} | {_show(rules[key])} | {meaning} |" for key, name, meaning in FIGURES),
        "",
        "## Tiers",
        "",
        _tier_line(bundle),
        "",
        "| tier | leads | won | converted | 95% interval |",
        "|---|---|---|---|---|",
        *(
            f"| {tier.upper()} | {row['leads']} | {row['won']} | {row['rate']:.1%} | {row['low']:.1%} to {row['high']:.1%} |"
            for tier, row in figures["tiers"].items()
        ),
        "",
        *_value_lines(figures.get("tier_values", {})),
        f"Calibration: {bundle.calibration.method}.",
        "",
        "## What was tried",
        "",
        f"Served: {figures.get('model', 'boosted trees')}. Something is added to the trees only when it is measurably better "
        "on newer leads that no candidate has seen.",
        "",
        *(
            f"- {trial.name}: {trial.gain:+.4f} log loss a lead (±{1.96 * trial.error:.4f}), {'kept' if trial.kept else 'not kept'}"
            for trial in trials
        ),
        "",
        *_family_lines(figures.get("families", ())),
        "## What weighs most",
        "",
        *(
            f"- {column.name.removeprefix(EXTRA)}: {column.weight:.1%}"
            for column in sorted(bundle.columns, key=lambda column: -column.weight)[:TOP]
        ),
        "",
        "## Left out",
        "",
        *([f"- {item.column}: {item.why}" for item in dropped] or ["Nothing."]),
        "",
        "The model never reads owner, lifecycle stage, lead status and deal amount: they say who works a lead or how it ended.",
        "",
    ]
    return "\n".join(lines)


def _value_lines(values: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What a lead of each tier is worth, where sizes of deals are known."""
    if not values:
        return []
    lines = ["What a lead is worth, of those whose deal size is known, in your currency:", ""]
    lines += ["| tier | leads | expected value a lead | brought a lead |", "|---|---|---|---|"]
    lines += [
        f"| {tier.upper()} | {row['leads']} | {row['expected']:,.0f} | {row['brought']:,.0f} |" for tier, row in values.items()
    ]
    return [*lines, ""]


def _family_lines(families: Sequence[Mapping[str, Any]]) -> list[str]:
    """The comparison table, where it was asked for."""
    if not families:
        return []
    names = [name for name in families[0] if name != "family"]
    lines = ["## Model families", "", "On the same newest leads, with 95% intervals; before calibration.", ""]
    lines += [f"| family | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for line in families:
        cells = [f"{value:.3f} ({low:.3f} to {high:.3f})" for value, low, high in (line[name] for name in names)]
        lines.append(f"| {line['family']} | {' | '.join(cells)} |")
    return [*lines, ""]


def _tier_line(bundle: Bundle) -> str:
    cuts = bundle.cuts
    a = f"A from {cuts.a:.1%}, B from {cuts.b:.1%}, C from {cuts.c:.1%}."
    if cuts.reachable:
        return f"{a} A is the smaller of the top fifth and the part that converts at {A_PRECISION:.0%}."
    return (
        f"{a} **A precision of {A_PRECISION:.0%} is not reachable** with these leads: A is at most the top fifth and converts less."
    )


def _show(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
