"""What training hands on to the features (see `features.learned`): past conversion by industry, region and month, and a word model.

For leads that a model is trained on they are worked out of fold: what a lead's own outcome adds to a table must not come back to it
as a feature. All looks at one lead are in one fold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer

from leads.records import FieldValue
from scoring.columns import FloatArray
from scoring.features.learned import Keys, Learned, WordModel, terms

FOLDS: Final = 5
#: Fewer writers than this, or of either outcome, teach nothing.
MIN_WRITERS: Final = 30
MIN_EACH: Final = 8
#: A term that fewer leads used may name one of them, and says little of the next.
MIN_LEADS: Final = 5
MOST_TERMS: Final = 2_000
#: Inverse strength of the ridge: weak evidence stays near nought.
STRENGTH: Final = 1.0


def learn(keys: Sequence[Keys], labels: FloatArray, weights: FloatArray, leads: Sequence[int]) -> Learned:
    """The tables and the word model of these looks; empty ones without a look.

    `labels` are 0 and 1, `weights` sum to 1 a lead, `leads` number the lead of each look; all of shape (looks,).
    """
    base = float((labels * weights).sum() / weights.sum()) if len(labels) else 0.0
    rates: dict[str, dict[str, tuple[float, float]]] = {"industry": {}, "region": {}, "month": {}}
    for key, label, weight in zip(keys, labels.tolist(), weights.tolist(), strict=True):
        for table, level in (("industry", key.industry), ("region", key.region), ("month", key.month)):
            if level is not None:
                won, seen = rates[table].get(level, (0.0, 0.0))
                rates[table][level] = won + weight * label, seen + weight
    return Learned(base, rates, _learn_words(keys, labels, leads))


def learn_out_of_fold(
    keys: Sequence[Keys], labels: FloatArray, weights: FloatArray, leads: Sequence[int]
) -> list[dict[str, FieldValue]]:
    """The learned features of each look, from the looks at other leads alone."""
    values: list[dict[str, FieldValue]] = [{}] * len(keys)
    numbers = np.asarray(leads)
    for inside, outside in _folds(numbers):
        learned = learn([keys[place] for place in outside], labels[outside], weights[outside], numbers[outside].tolist())
        for place in inside:
            values[place] = learned.values(keys[place])
    return values


def _folds(leads: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(places inside, places outside) of each fold; leads take turns, so that every fold is of all times."""
    for fold in range(FOLDS):
        inside = leads % FOLDS == fold
        if inside.any() and not inside.all():
            yield np.flatnonzero(inside), np.flatnonzero(~inside)
        elif inside.any():  # one lead alone learns nothing from others
            raise ValueError("out of fold needs leads in at least two folds")


def _learn_words(keys: Sequence[Keys], labels: FloatArray, leads: Sequence[int]) -> WordModel | None:
    """A ridge-regularised logistic regression on the words and pairs of words that leads used; None when too few wrote."""
    written = {lead: (key.text, label) for key, label, lead in zip(keys, labels.tolist(), leads, strict=True) if key.text}
    texts, ends = [text for text, _ in written.values()], [label for _, label in written.values()]
    if len(texts) < MIN_WRITERS or min(sum(ends), len(ends) - sum(ends)) < MIN_EACH:
        return None
    used: Counter[str] = Counter(term for text in texts for term in set(terms(text)))
    known = sorted(term for term, _ in used.most_common(MOST_TERMS) if used[term] >= MIN_LEADS)
    if not known:
        return None
    model = make_words(known).fit(texts, ends)
    fitted: LogisticRegression = model[-1]
    return WordModel(float(fitted.intercept_[0]), dict(zip(known, fitted.coef_[0].tolist(), strict=True)))


def make_words(vocabulary: Sequence[str]) -> Pipeline:
    """The pipeline that `WordModel.chance` does without scikit-learn: which terms are present, scaled to length one."""
    counter = CountVectorizer(analyzer=terms, vocabulary=list(vocabulary), binary=True)
    return Pipeline([("terms", counter), ("scale", Normalizer()), ("weigh", LogisticRegression(C=STRENGTH, max_iter=500))])


def number_leads(starts: Sequence[int], looks: int) -> list[int]:
    """The number of the lead of each look, where `starts` are the places of each lead's first look."""
    counts = np.diff([*starts, looks])
    return np.repeat(np.arange(len(starts)), counts).tolist()
