"""Real leads of an online-education company, by time: what was known of each, oldest four fifths against the newest fifth."""

from __future__ import annotations

import csv
import gzip
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from leads.enums import Outcome
from leads.records import FieldValue, LabelledHistory, LeadHistory
from scoring.extras import find_leaking, infer_extras
from scoring.scorer import score
from scoring.training import train

pytestmark = pytest.mark.needs_shared

#: Never a feature: ids and the target.
IDS = {"Prospect ID", "Lead Number", "Converted"}
#: Filled in after or during the sale, or by another scorer.
LATE = {
    *("Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity"),
    *(f"Asymmetrique {what}" for what in ("Activity Index", "Profile Index", "Activity Score", "Profile Score")),
}
FIRST_NUMBER = 579_533


def read_leads(shared: Path, without: set[str]) -> list[LabelledHistory]:
    """The file's leads; the lead number rises with the moment of creation, five minutes a number."""
    with gzip.open(shared / "data" / "x_education_leads.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    past = []
    for row in rows:
        number = int(row["Lead Number"])
        created = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=5 * (number - FIRST_NUMBER))
        extra = {name: value for name, value in row.items() if name not in without}
        outcome = Outcome.WON if row["Converted"] == "1" else Outcome.LOST
        past.append(LabelledHistory(LeadHistory(number, created, created, {}, (), extra), outcome))
    return sorted(past, key=lambda example: example.history.created_at)


def test_honest_columns_rank_later_leads_well(shared_dir: Path) -> None:
    past = read_leads(shared_dir, IDS | LATE)
    bundle = train(past, seed=7)
    metrics = bundle.metrics
    assert metrics["rows"] == 1848
    assert 0.88 < metrics["auc"] < 0.92  # more than that on honest columns would be a leak
    assert metrics["log_loss"] < 0.41
    assert metrics["ece"] < 0.05
    assert metrics["tier_a_precision"] > 0.85
    assert metrics["tier_a_fpr"] < 0.05
    assert metrics["lift_top20pct"] > 3.5
    rates = [metrics["tiers"][tier]["rate"] for tier in "abcd"]
    assert rates == sorted(rates, reverse=True)
    newest = max(past, key=lambda example: example.history.created_at).history
    answer = score([newest], bundle)[0]
    assert answer.reasons
    assert answer.base + sum(answer.contributions.values()) == pytest.approx(answer.raw, abs=1e-6)


def test_columns_that_hold_the_outcome_are_named(shared_dir: Path) -> None:
    past = read_leads(shared_dir, {"Converted"})
    labels = np.array([float(example.outcome is Outcome.WON) for example in past])
    leaks = find_leaking([example.history for example in past], labels)
    why = {item.column: item.why for item in leaks}
    assert set(why) == LATE  # and no honest column
    assert why["Tags"].startswith("likely filled in after the outcome: 2072 leads with “Will revert after reading the email”")
    assert why["Lead Profile"].startswith("likely a judgement")
    assert why["Asymmetrique Profile Score"].startswith("likely written by another program")
    assert why["Last Notable Activity"].startswith("likely filled in as time goes by")
    _, dropped = infer_extras([example.history for example in past])
    roles = {item.column: item.why for item in dropped}
    assert roles["Prospect ID"].startswith("an id")
    assert roles["Lead Number"].startswith("an id")


def test_columns_are_named_without_a_word_to_go_by(shared_dir: Path) -> None:
    """Headings and levels are replaced by numbers and nonsense: the same columns are named."""
    past = read_leads(shared_dir, {"Converted"})
    labels = np.array([float(example.outcome is Outcome.WON) for example in past])
    heads = {name: f"h{place}" for place, name in enumerate(sorted(past[0].history.extra))}
    words: dict[tuple[str, object], str] = {}

    def disguise(name: str, value: FieldValue) -> FieldValue:
        plain = isinstance(value, str) and not value.replace(".", "").isdigit() and value != ""
        return words.setdefault((name, value), f"w{len(words) * 7919 % 100_003}") if plain else value

    histories = [
        replace(one.history, extra={heads[name]: disguise(name, value) for name, value in one.history.extra.items()})
        for one in past
    ]
    assert {leak.column for leak in find_leaking(histories, labels)} == {heads[name] for name in LATE}
