"""Training: split by time, honest figures, same in same out, one clear line when there is too little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from leads.enums import Outcome
from leads.records import LabelledHistory, LeadHistory
from scoring.bundle import Bundle
from scoring.landmarks import look_moments
from scoring.training import NotEnough, train
from tests.unit.scoring.examples import make_past


def test_it_learns_what_is_there(bundle: Bundle) -> None:
    metrics = bundle.metrics
    assert metrics["rows"] == 120
    assert metrics["auc"] > 0.75  # the invented truth itself reaches about .80
    assert metrics["brier"] < metrics["rules"]["brier"]
    assert bundle.beats_rules
    assert bundle.labels == 600
    assert sum(row["leads"] for row in metrics["tiers"].values()) == 120
    weights = {column.name: column.weight for column in bundle.columns}
    assert sum(weights.values()) == pytest.approx(1)
    assert weights["extra.Plan"] > weights["extra.Age"]


def test_tiers_tell_what_a_lead_is_worth_where_deals_are_known(past: list[LabelledHistory], bundle: Bundle) -> None:
    assert bundle.metrics["tier_values"] == {}
    assert "What a lead is worth" not in bundle.card

    def with_deal(example: LabelledHistory) -> LabelledHistory:
        history = example.history
        sizes = {0: 1_000.0, 1: "unknown", 2: -5.0}
        return replace(example, history=replace(history, facts={**history.facts, "deal_amount": sizes.get(history.lead_id % 4)}))

    worth = train([with_deal(example) for example in past], seed=11)
    values, tiers = worth.metrics["tier_values"], worth.metrics["tiers"]
    assert worth.version == bundle.version  # the size of a deal is no feature
    assert [tier for tier in "abcd" if tier in values] == list(values)
    for tier, row in values.items():
        assert 0 < row["leads"] < tiers[tier]["leads"]
        assert 0 <= row["brought"] <= 1_000
        assert 0 < row["expected"] < 1_000
    expected = [row["expected"] for row in values.values()]
    assert expected == sorted(expected, reverse=True)
    for tier, row in values.items():
        assert f"| {tier.upper()} | {row['leads']} | {row['expected']:,.0f} | {row['brought']:,.0f} |" in worth.card


def test_same_examples_in_any_order_give_the_same_version(past: list[LabelledHistory], bundle: Bundle) -> None:
    again = train(list(reversed(past)), seed=11)
    assert again.version == bundle.version
    assert again.metrics == bundle.metrics
    assert again.card == bundle.card


def test_open_leads_teach_nothing(past: list[LabelledHistory], bundle: Bundle) -> None:
    unsettled = [replace(example, outcome=Outcome.OPEN) for example in make_past(50, seed=99)]
    assert train([*unsettled, *past], seed=11).version == bundle.version


def test_the_newest_leads_are_the_holdout(past: list[LabelledHistory], bundle: Bundle) -> None:
    """Turning round the outcomes of the newest fifth ruins the figures, which a split by chance would not do."""
    ordered = sorted(past, key=lambda example: example.history.created_at)
    other = {Outcome.WON: Outcome.LOST, Outcome.LOST: Outcome.WON}
    turned = [replace(example, outcome=other[example.outcome]) for example in ordered[-120:]]
    metrics = train([*ordered[:-120], *turned], seed=11).metrics
    assert metrics["auc"] == pytest.approx(1 - bundle.metrics["auc"], abs=1e-9)


def test_progress_is_told_from_start_to_end(past: list[LabelledHistory]) -> None:
    told: list[tuple[float, str]] = []
    train(past[:300], seed=1, progress=lambda share, what: told.append((share, what)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[0] == 0.0
    assert shares[-1] == 1.0
    assert len(told) > 10
    assert all(what for _, what in told)


@pytest.mark.parametrize(
    ("examples", "line"),
    [
        (lambda: [], "at least 50 leads"),
        (lambda: make_past(12), "there are 12"),
        (lambda: [replace(example, outcome=Outcome.LOST) for example in make_past(80)], "10 won leads; there are 0"),
        (
            lambda: [
                replace(example, outcome=Outcome.WON if place < 60 else Outcome.LOST)
                for place, example in enumerate(make_past(100))
            ],
            "middle leads were lost",
        ),
    ],
    ids=["none", "few", "one class", "one class of late"],
)
def test_too_little_history_is_refused_in_one_line(examples: Callable[[], list[LabelledHistory]], line: str) -> None:
    with pytest.raises(NotEnough, match=line) as caught:
        train(examples(), seed=1)
    assert "\n" not in str(caught.value)


def test_the_card_tells_what_was_left_out() -> None:
    past = make_past(300)
    leaking = [
        replace(
            example,
            history=replace(
                example.history,
                extra={
                    **example.history.extra,
                    "Closed reason": "signed" if example.outcome is Outcome.WON else "gone",
                    "Constant": "x",
                    "Record id": f"00Q{place:07d}",
                },
            ),
        )
        for place, example in enumerate(past)
    ]
    bundle = train(leaking, seed=2)
    assert {column.name for column in bundle.columns if column.name.startswith("extra.")} == {"extra.Plan", "extra.Age"}
    assert "Closed reason: likely filled in after the outcome" in bundle.card
    assert "Constant: constant" in bundle.card
    assert "Record id: an id" in bundle.card
    assert bundle.version in bundle.card


def test_a_calendar_is_no_feature_of_a_short_history(bundle: Bundle) -> None:
    names = {column.name for column in bundle.columns}
    assert "season_month" not in names
    assert "clicks_30d" in names


def test_one_lead_at_several_ages_stays_on_one_side_and_counts_once(past: list[LabelledHistory], bundle: Bundle) -> None:
    """Three looks at each lead, equal but for a day, teach what one does: figures are of leads and not of rows."""
    looks = [
        replace(example, history=replace(example.history, as_of=example.history.as_of + timedelta(days=days)))
        for example in past
        for days in (0, 1, 2)
    ]
    again = train(looks, seed=11)
    assert again.labels == bundle.labels
    assert again.metrics["rows"] == bundle.metrics["rows"]
    assert again.metrics["auc"] == pytest.approx(bundle.metrics["auc"], abs=0.05)
    with pytest.raises(NotEnough, match="there are 40"):
        train([look for look in looks if look.history.lead_id < 40], seed=11)


def test_a_lead_is_looked_at_only_while_it_was_open() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert look_moments(start, start + timedelta(days=5)) == (start, start + timedelta(days=1), start + timedelta(days=3))
    assert look_moments(start, start + timedelta(days=3)) == (start, start + timedelta(days=1))
    assert look_moments(start, start) == (start,)
    assert len(look_moments(start, start + timedelta(days=365))) == 7


def test_leads_that_do_not_differ_teach_nothing() -> None:
    start = datetime(2025, 1, 6, 9, tzinfo=UTC)
    alike = [
        LabelledHistory(
            LeadHistory(week, start + timedelta(weeks=week), start + timedelta(weeks=week), {}),
            Outcome.WON if week % 2 else Outcome.LOST,
        )
        for week in range(52)
    ]
    with pytest.raises(NotEnough, match="Nothing differs"):
        train(alike, seed=1)
