"""A saved model comes back whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from leads.records import LabelledHistory
from scoring.boosted import BoostedScorer
from scoring.bundle import Bundle
from scoring.scorer import score


def test_a_loaded_model_scores_as_before(bundle: Bundle, past: list[LabelledHistory], tmp_path: Path) -> None:
    bundle.save(tmp_path / "models" / "one")
    loaded = Bundle.load(tmp_path / "models" / "one")
    histories = [example.history for example in past[:50]]
    assert score(histories, loaded) == score(histories, bundle)
    assert loaded.columns == bundle.columns
    assert loaded.card == bundle.card
    assert json.loads(json.dumps(bundle.metrics)) == loaded.metrics


def test_saving_twice_leaves_one_folder(bundle: Bundle, tmp_path: Path) -> None:
    for _ in range(2):
        bundle.save(tmp_path / "one")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert Bundle.load(tmp_path / "one").version == bundle.version


def test_a_failed_save_leaves_the_old_model(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle.save(tmp_path / "one")

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="No space"):
        bundle.save(tmp_path / "one")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert Bundle.load(tmp_path / "one").version == bundle.version


def test_a_save_that_fails_halfway_puts_the_old_model_back(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle.save(tmp_path / "one")
    rename, calls = Path.rename, iter(range(9))

    def fail_second(self: Path, target: Path) -> Path:
        if next(calls) == 1:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_second)
    with pytest.raises(OSError, match="No space"):
        bundle.save(tmp_path / "one")
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert Bundle.load(tmp_path / "one").version == bundle.version


def _lose_a_column(path: Path) -> None:
    """A body that is whole by its checksum and still not one of ours."""
    seal = json.loads(path.read_text())
    body = json.dumps({key: value for key, value in json.loads(seal["body"]).items() if key != "cuts"})
    path.write_text(json.dumps({**seal, "body": body, "body_sha256": hashlib.sha256(body.encode()).hexdigest()}))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _age(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))


@pytest.mark.parametrize(
    ("name", "harm", "line"),
    [
        ("model.cbm", _cut, "damaged or cut short"),
        ("bundle.json", _cut, "cannot be read"),
        ("bundle.json", _age, "format 99"),
        ("bundle.json", lambda path: path.write_text("[]"), "format None"),
        ("bundle.json", lambda path: path.write_bytes(b"\xff\xfe"), "cannot be read"),
        ("model.cbm", lambda path: path.unlink(), "a file is missing"),
        ("model.cbm", lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
        ("bundle.json", _lose_a_column, "it has no cuts"),
    ],
)
def test_a_harmed_model_is_refused_in_one_line(
    bundle: Bundle, tmp_path: Path, name: str, harm: Callable[[Path], object], line: str
) -> None:
    bundle.save(tmp_path / "one")
    harm(tmp_path / "one" / name)
    with pytest.raises(ValueError, match=line) as caught:
        Bundle.load(tmp_path / "one")
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_model_are_refused(bundle: Bundle) -> None:
    with pytest.raises(ValueError, match="not a CatBoost model"):
        BoostedScorer.from_bytes(b"nonsense", bundle.columns)
