"""Training on files as people have them: few labels, no order, and all that can be wrong with a file. Nothing is half-written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest

from connector import testing
from connector.bootstrap import House
from connector.errors import Configuration
from connector.pipeline.training_csv import run_csv
from scoring.past import NotEnough

HEAD = "usage,plan,Converted"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = testing.house(tmp_path / "home")
    yield opened
    opened.close()


def lines(count: int, more: Callable[[int], str] = lambda number: "", head: str = HEAD) -> str:
    """A file in no order: heavy users convert more often."""
    random = Random(5)
    text = [head]
    for number in range(count):
        usage = random.random()
        won = int(random.random() < 0.15 + 0.6 * (usage > 0.6))
        text.append(f"{usage:.4f},{random.choice('abc')},{won}{more(number)}")
    return "\n".join(text) + "\n"


def save(folder: Path, text: str | bytes) -> Path:
    file = folder / "leads.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


@pytest.mark.parametrize("count", [50, 200, 1_000])
def test_few_labels_without_an_order_are_a_start(house: House, tmp_path: Path, count: int) -> None:
    done = run_csv(house, save(tmp_path, lines(count)), "Converted")
    champion = house.models.champion()
    assert champion is not None
    assert champion.labels == count
    # The takeover rule: the model scores once its Brier score on leads it did not see is better than that of the rules.
    assert champion.beats_rules == (champion.metrics["brier"] < champion.metrics["rules"]["brier"])
    assert 0 < champion.metrics["rows"] < count
    assert done.map_file.is_file()


def three_ways(number: int) -> str:
    day = date(2024, 1, 1) + timedelta(days=number)
    return "," + (f"{day:%Y-%m-%d}", f"{day:%d/%m/%Y}", f"{day:%d %b %Y}")[number % 3]


BAD: list[tuple[str, str | bytes, str]] = [
    ("one class", f"{HEAD}\n" + "0.5,a,0\n" * 80, "holds '0' alone"),
    ("twelve rows", lines(12), "at least 50 leads that were won or lost; there are 12"),
    ("nothing but empty cells", "a,b,Converted\n" + "".join(f",,{number % 2}\n" for number in range(200)), "differ in nothing"),
    ("dates in three ways", lines(90, three_ways, f"{HEAD},created"), "created holds dates written in several ways"),
    ("a heading twice", lines(90, head="usage,usage,Converted"), "the heading 'usage' stands twice"),
    ("another encoding", lines(90, lambda number: ",Z\u00fcrich", f"{HEAD},city").encode("latin-1"), "is not UTF-8"),
    ("a label that is a share", lines(90).replace(",1\n", ",0.7\n"), "'0.7' is neither won nor lost"),
    ("cells missing", f"{HEAD}\n0.5,a,1\n0.5,a\n", "line 3: 2 cells under 3 headings"),
    ("nothing", "", "is empty"),
]


@pytest.mark.parametrize(("what", "text", "said"), BAD, ids=[what for what, _, _ in BAD])
def test_bad_files_get_one_clear_line_and_nothing_is_written(
    house: House, tmp_path: Path, what: str, text: str | bytes, said: str
) -> None:
    run_csv(house, save(tmp_path, lines(60)), "Converted")
    serving = house.models.champion()
    (tmp_path / "leads.map.toml").unlink()
    with pytest.raises((Configuration, NotEnough)) as raised:
        run_csv(house, save(tmp_path, text), "Converted")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "leads.csv"]
    assert len(house.model_versions.all()) == 1
    assert serving is not None
    assert house.models.champion() is serving


def test_empty_columns_and_ten_thousand_levels_are_left_out_and_named(house: House, tmp_path: Path) -> None:
    random = Random(3)
    text = lines(400, lambda number: f",,town{random.randint(0, 9_999)}", f"{HEAD},nothing,town")
    done = run_csv(house, save(tmp_path, text), "Converted")
    why = {item.column: item.why for item in done.left_out}
    assert why["nothing"] == "empty"
    assert "different values" in why["town"]
    assert house.models.champion() is not None


def test_families_are_compared_and_told(house: House, tmp_path: Path) -> None:
    file = save(tmp_path, lines(300))
    plain = run_csv(house, file, "Converted")
    assert "families" not in plain.record.metrics
    told = run_csv(house, file, "Converted", families=True)
    assert told.record.version == plain.record.version  # the same model, with more known of it
    families = told.record.metrics["families"]
    assert {"catboost", "hist_gradient_boosting", "mlp", "logistic", "decision_tree", "random_forest"} <= {
        one["family"] for one in families
    }
    for line in families:
        for name in ("accuracy", "precision", "recall", "f1", "auc", "log_loss", "brier", "ece"):
            value, low, high = line[name]
            assert low <= high
            assert value >= 0
