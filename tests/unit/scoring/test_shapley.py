"""Reasons by table are the ones that CatBoost works out row by row."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leads.records import LabelledHistory
from scoring.bundle import Bundle
from scoring.columns import add_extra, only_extra
from scoring.features import build
from scoring.shapley import LeafTables


def test_the_tables_hold_catboosts_own_shap_values(bundle: Bundle, past: list[LabelledHistory]) -> None:
    histories = [example.history for example in past]
    histories += [replace(history, facts={}, engagements=(), extra={}) for history in histories[:20]]
    rows = [add_extra(build(history), history, only_extra(bundle.columns)) for history in histories]
    scorer = bundle.scorer
    own = np.asarray(scorer._model.get_feature_importance(scorer._pool(rows), type="ShapValues"))
    assert np.abs(scorer.contributions(rows) - own[:, :-1]).max() < 1e-9
    assert scorer.base == pytest.approx(own[0, -1], abs=1e-9)
    assert np.abs(scorer.base + scorer.contributions(rows).sum(axis=1) - scorer.raw(rows)).max() < 1e-9


def test_every_tree_of_the_model_is_used_as_exported(bundle: Bundle, tmp_path: Path) -> None:
    bundle.scorer._model.save_model(str(tmp_path / "model.json"), format="json")
    told = json.loads((tmp_path / "model.json").read_text())
    assert {split["split_type"] for tree in told["oblivious_trees"] for split in tree["splits"]} == {
        "FloatFeature",
        "OneHotFeature",
    }


TREE: dict[str, Any] = {  # split 1 is the root; both splits and a third on two columns, one of them twice
    "splits": [
        {"split_type": "FloatFeature", "float_feature_index": 0},
        {"split_type": "OneHotFeature", "cat_feature_index": 0},
        {"split_type": "FloatFeature", "float_feature_index": 0},
    ],
    "leaf_values": [1.0, -2.0, 0.5, 3.0, 0.0, 4.0, -1.0, 2.5],
    "leaf_weights": [5.0, 1.0, 2.0, 7.0, 0.0, 0.0, 4.0, 1.0],
}


def _expected(leaf: int, known: set[int]) -> float:
    """The tree's value by walking from the root: known columns follow the leaf, others are averaged by weight."""
    owners = [0, 1, 0]

    def walk(split: int, chosen: int) -> tuple[float, float]:
        if split < 0:
            return TREE["leaf_values"][chosen], TREE["leaf_weights"][chosen]
        both = [walk(split - 1, chosen | side << split) for side in (0, 1)]
        total = both[0][1] + both[1][1]
        if owners[split] in known:
            return both[leaf >> split & 1][0], total
        return (both[0][0] * both[0][1] + both[1][0] * both[1][1]) / total if total else 0.0, total

    return walk(2, 0)[0]


@pytest.mark.parametrize("leaf", range(8))
def test_one_tree_by_the_definition_of_shapley(leaf: int) -> None:
    tables = LeafTables([TREE], bias=0.25, numbers=[0], levels=[1])
    owed = [0.0, 0.0]
    for order in permutations((0, 1)):
        before: set[int] = set()
        for player in order:
            owed[player] += (_expected(leaf, before | {player}) - _expected(leaf, before)) / 2
            before.add(player)
    found = tables.look_up(np.array([[leaf]], dtype=np.uint32))[0]
    assert found == pytest.approx(owed)
    assert tables.base == pytest.approx(0.25 + _expected(leaf, set()))
    assert tables.base + found.sum() == pytest.approx(0.25 + TREE["leaf_values"][leaf])


def test_a_tree_without_splits_owes_nothing() -> None:
    tables = LeafTables([{"splits": [], "leaf_values": [0.5], "leaf_weights": [9.0]}], bias=1.0, numbers=[0], levels=[])
    assert tables.base == 1.5
    assert tables.look_up(np.zeros((3, 1), dtype=np.uint32)).tolist() == [[0.0]] * 3


def test_a_kind_of_split_that_has_no_table_is_refused() -> None:
    odd = {**TREE, "splits": [{"split_type": "OnlineCtr"}] * 3}
    with pytest.raises(ValueError, match="OnlineCtr"):
        LeafTables([odd], bias=0.0, numbers=[0], levels=[1])
