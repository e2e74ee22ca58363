"""Missing data: medians of leads like it where a model needs a number, and a confidence that falls with what is missing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from leads.records import LabelledHistory
from scoring.bundle import Bundle
from scoring.columns import Column
from scoring.scorer import score
from scoring.segments import MIN_KNOWN, SegmentMedians

COLUMNS = (Column("pages", "numeric"), Column("revenue", "numeric"), Column("company_maturity", "categorical"))


def rows(level: str | None, pages: float | None, times: int) -> list[dict[str, str | float | None]]:
    return [{"pages": pages, "revenue": None, "company_maturity": level} for _ in range(times)]


def test_a_missing_number_is_the_median_of_its_segment_else_of_all() -> None:
    seen = [*rows("small", 2.0, MIN_KNOWN), *rows("large", 8.0, MIN_KNOWN + 10), *rows("micro", 100.0, MIN_KNOWN - 1)]
    medians = SegmentMedians.learn([*seen, *rows("small", None, 50)], COLUMNS)
    filled = [medians.fill(rows(level, None, 1)[0])["pages"] for level in ("small", "large", "micro", None, "never seen")]
    assert filled == [2.0, 8.0, 8.0, 8.0, 8.0]


def test_what_is_known_stays_and_a_column_never_known_is_nought() -> None:
    medians = SegmentMedians.learn(rows("small", 2.0, 3), COLUMNS)
    filled = medians.fill({"pages": 7.0, "revenue": None, "company_maturity": "small", "country": None})
    assert filled == {"pages": 7.0, "revenue": 0.0, "company_maturity": "small", "country": None}


def test_a_segment_of_the_missing_has_a_median_of_its_own() -> None:
    medians = SegmentMedians.learn([*rows(None, 5.0, MIN_KNOWN), *rows("large", 9.0, MIN_KNOWN * 3)], COLUMNS)
    assert medians.fill(rows(None, None, 1)[0])["pages"] == 5.0


@settings(deadline=None, max_examples=60)
@given(place=st.integers(0, 99), order=st.randoms(use_true_random=False))
def test_confidence_never_rises_when_more_is_missing(
    bundle: Bundle, past: list[LabelledHistory], place: int, order: object
) -> None:
    """By the model and by the rules, fact by fact until nothing is known of the lead."""
    history = past[place].history
    names = list(history.facts)
    order.shuffle(names)  # type: ignore[attr-defined]
    steps = [history]
    for name in names:
        steps.append(replace(steps[-1], facts={**steps[-1].facts, name: None}))
    steps.append(replace(steps[-1], extra={}, engagements=()))
    for model in (bundle, None):
        confidences = [answer.confidence for answer in score(steps, model, reasons=False)]
        assert confidences == sorted(confidences, reverse=True)
        assert confidences[-1] < confidences[0]
