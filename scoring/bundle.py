"""A trained model with all that serving needs, as one folder: `bundle.json`, `model.cbm`, `card.md`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from scoring.calibration import Calibration
from scoring.columns import Column
from scoring.ensemble import FittedScorer, read_scorer
from scoring.features.learned import Learned
from scoring.tiers import Cuts

#: Grows when the folder's layout or the meaning of a feature changes.
FORMAT: Final = 4


@dataclass(frozen=True, slots=True)
class Bundle:
    """A trained model, immutable.

    `version` names the content; `columns` is the feature spec with the tenant's `extra.` columns; `metrics` are the figures of the
    time-ordered holdout (see `evaluation.measure`) with those of the rules beside them; `card` is Markdown. `labels` is the number
    of labelled leads behind the served model, `beats_rules` whether it may score. `learned` is what the features know of the past.
    """

    version: str
    columns: tuple[Column, ...]
    scorer: FittedScorer
    calibration: Calibration
    cuts: Cuts
    labels: int
    beats_rules: bool
    metrics: Mapping[str, Any]
    card: str
    learned: Learned | None = None

    def save(self, folder: Path) -> None:
        """Write the folder whole or not at all; an older one of the same name is replaced. Raises OSError."""
        model = self.scorer.to_bytes()
        stored = {
            "version": self.version,
            "family": self.scorer.family,
            "columns": [asdict(column) for column in self.columns],
            "calibration": self.calibration.to_json(),
            "cuts": self.cuts.to_json(),
            "labels": self.labels,
            "beats_rules": self.beats_rules,
            "metrics": self.metrics,
            "learned": self.learned.to_json() if self.learned else None,
        }
        body = json.dumps(stored, sort_keys=True)
        seal = {"format": FORMAT, "body": body, "body_sha256": _digest(body.encode()), "model_sha256": _digest(model)}
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            _write(made / "model.cbm", model)
            _write(made / "card.md", self.card.encode())
            _write(made / "bundle.json", json.dumps(seal).encode())
            _swap(made, folder)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise

    @classmethod
    def load(cls, folder: Path, threads: int = 1) -> Self:
        """Read a folder written by `save`. Raises ValueError with one line when it is missing, cut short or of another format."""
        try:
            model = (folder / "model.cbm").read_bytes()
            card = (folder / "card.md").read_text(encoding="utf-8")
            seal = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ValueError(f"The model in {folder} cannot be read: {_reason(error)}.") from error
        found = seal.get("format") if isinstance(seal, dict) else None
        if found != FORMAT:
            raise ValueError(f"The model in {folder} has format {found}, this program reads format {FORMAT}: train again.")
        body = str(seal.get("body", ""))
        if _digest(body.encode()) != seal.get("body_sha256") or _digest(model) != seal.get("model_sha256"):
            raise ValueError(f"The model in {folder} is damaged or cut short: its checksum does not match.")
        try:
            return cls._from_stored(json.loads(body), model, card, threads)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"The model in {folder} cannot be read: {_reason(error)}.") from error

    @classmethod
    def _from_stored(cls, stored: Mapping[str, Any], model: bytes, card: str, threads: int) -> Self:
        columns = tuple(Column(**{**column, "levels": tuple(column["levels"])}) for column in stored["columns"])
        return cls(
            version=stored["version"],
            columns=columns,
            scorer=read_scorer(stored["family"], model, columns, threads),
            calibration=Calibration.from_json(stored["calibration"]),
            cuts=Cuts.from_json(stored["cuts"]),
            labels=stored["labels"],
            beats_rules=stored["beats_rules"],
            metrics=stored["metrics"],
            card=card,
            learned=Learned.from_json(stored["learned"]) if stored["learned"] else None,
        )


def name_version(scorer: FittedScorer, calibration: Calibration, cuts: Cuts, learned: Learned, newest: str) -> str:
    """A version that names the content: the day of the newest lead and a digest, such as `20260314-9f2c41d0`."""
    told = json.dumps([newest, calibration.to_json(), cuts.to_json(), learned.to_json()]).encode() + scorer.fingerprint()
    return f"{newest.replace('-', '')}-{_digest(told)[:8]}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _reason(error: Exception) -> str:
    """One line without a path or a stack."""
    if isinstance(error, FileNotFoundError):
        return "a file is missing"
    if isinstance(error, OSError):
        return str(error.strerror)
    if isinstance(error, KeyError):
        return f"it has no {error.args[0]}" if error.args else "a part of it is missing"
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _swap(made: Path, folder: Path) -> None:
    """Put the new folder in place; a folder cannot be renamed over a filled one, so an older one steps aside first."""
    made.chmod(0o755)
    if not folder.exists():
        made.rename(folder)
        return
    aside = made.with_name(made.name + ".old")
    folder.rename(aside)
    try:
        made.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    shutil.rmtree(aside)
