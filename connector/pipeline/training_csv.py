"""Train a model on a CRM's export as it is, and write down what was made of its columns for a person to check."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from connector.bootstrap import House
from connector.pipeline.exports import AS_IT_STANDS, Export, Roles, infer_roles, read_export, to_examples
from connector.pipeline.import_map import read_mapping
from connector.pipeline.training import keep_model
from connector.storage.model_versions import ModelRecord
from scoring.columns import EXTRA
from scoring.extras import Dropped, find_leaking, infer_extras
from scoring.past import MIN_LABELS, read_past
from scoring.training import train


@dataclass(frozen=True, slots=True)
class CsvTraining:
    """The model, the map that was written, the columns left out with the reason, and what was inferred."""

    record: ModelRecord
    map_file: Path
    left_out: tuple[Dropped, ...]
    notes: tuple[str, ...]
    folder: Path


def run_csv(
    house: House,
    file: Path,
    target: str,
    *,
    won: str | None = None,
    order: str | None = None,
    keep: Sequence[str] = (),
    mapping: Path | None = None,
    families: bool = False,
    tries: int = 0,
    progress: Callable[[float, str], None] | None = None,
    seed: int = 7,
) -> CsvTraining:
    """Train on the file, save and promote. `keep` names columns to use whatever the guard says; with `mapping` (a map file that a
    person looked over) its `extra` columns are the ones used, all of them. `families` adds the comparison of model families to
    the card, `tries` tries so many recipes of the trees first (see `scoring.tuning`).

    Raises `Configuration` for what is wrong with the file, `scoring.past.NotEnough` when it holds too little; nothing is written
    then.
    """
    tell = progress or (lambda done, what: None)
    tell(0.0, f"reading {file.name}")
    export = read_export(file)
    roles = infer_roles(export, target, won=won, order=order)
    kept = frozenset(keep)
    if mapping is not None:
        chosen = [name for name in read_mapping(mapping).extra if name in roles.columns]
        roles, kept = _only(roles, chosen), frozenset({"*"})
    examples = to_examples(export, roles, house.clock.now())
    past = read_past(examples, MIN_LABELS, tell, canonical=False)
    ordered = roles.order is not None
    leaks = find_leaking(past.histories, past.labels, kept, ordered)
    extra, dropped = infer_extras(past.histories, frozenset(leak.column for leak in leaks))
    tell(0.1, "training")
    bundle = train(
        examples, seed=seed, min_labels=MIN_LABELS, keep=kept, canonical=False, ordered=ordered, families=families, tries=tries,
        progress=lambda done, what: tell(0.1 + 0.9 * done, what),
    )  # fmt: skip
    record = keep_model(house, bundle)
    left_out = tuple(sorted((*leaks, *dropped), key=lambda item: item.column))
    map_file = file.with_name(f"{file.name.removesuffix('.gz').removesuffix('.csv')}.map.toml")
    used = [column.name.removeprefix(EXTRA) for column in extra]
    _write(map_file, _map_text(export, roles, used, left_out))
    return CsvTraining(record, map_file, left_out, roles.notes, house.models.path(bundle.version))


def _only(roles: Roles, columns: Sequence[str]) -> Roles:
    return replace(roles, columns=tuple(columns))


def _word(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _words(texts: frozenset[str]) -> str:
    return ", ".join(_word(text) for text in sorted(texts))


def _map_text(export: Export, roles: Roles, used: Sequence[str], left_out: Sequence[Dropped]) -> str:
    """A map file as `leadswitch import` and `train --map` read it. TOML and JSON write such texts alike."""
    unique = next((name for name, cells in export.cells.items() if None not in cells and len(set(cells)) == export.rows), None)
    lines = [
        f"# What was made of {export.name}. Look it over, then train with it (train --csv … --map this file) or import.",
        "# Columns that are left out stand below with the reason; move one to `extra` to use it.",
        'connection = "import"',
        f"external_id = {_word(unique)}" if unique else "# external_id: no column is filled and different for every lead",
    ]
    if roles.order and roles.order != AS_IT_STANDS:
        lines.append(f"{'created_at' if roles.dated else 'order'} = {_word(roles.order)}")
    lines += ['missing = ["", "Select"]', "extra = [", *(f"    {_word(name)}," for name in used), "]", ""]
    lines += [f"# left out: {item.column}: {item.why}".replace("\n", " ") for item in left_out]
    lines += [f"# left out: {name}: an id or a counter" for name in roles.ids if name != roles.order]
    lines += [f"# left out: {name}: a date" for name in roles.dates if name != roles.order]
    lines += [
        "",
        "[outcome]",
        f"column = {_word(roles.target)}",
        f"won = [{_words(roles.won)}]",
        f"lost = [{_words(roles.lost)}]",
        "",
    ]
    return "\n".join(lines)


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as made:
        made.write(text)
    Path(made.name).replace(path)
