"""How good are features? A linear probe and nearest neighbours, on labels of videos that the features do not know.

A video is the mean of its rows. All that is chosen is chosen on the training videos: the scale of each number, and the
strength of the probe's regularisation, by cross-validation.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from videonet.data.lists import VideoItem
from videonet.engine.files import OutputError

from .reading import FeatureSet

STRENGTHS = tuple(10.0**power for power in range(-4, 3))
"""C of the logistic regression: the inverse of its regularisation."""
_FOLDS = 5
_RESAMPLES = 10_000


@dataclass(frozen=True)
class Split:
    """The videos of a list that have features."""

    x: np.ndarray
    """float64 (n, D), a row a video."""
    y: np.ndarray
    """int64 (n,)."""
    places: tuple[int, ...]
    """Where the videos stand in the index."""
    missing: tuple[str, ...]
    """Ids of the other ones."""


def gather(features: FeatureSet, feature: str, items: Sequence[VideoItem]) -> Split:
    """The videos of a list, found by path, or by id where no path is known (the videos were moved).

    Raises OutputError where not one has features.
    """
    index = features.index["videos"]
    by_path = {os.path.abspath(row["path"]): place for place, row in enumerate(index)}
    by_id = {row["id"]: place for place, row in enumerate(index)}
    found = {item.id: by_path.get(os.path.abspath(item.path)) for item in items}
    if all(place is None for place in found.values()):
        found = {item.id: by_id.get(item.id) for item in items}
    here = [(item.label, place) for item in items if (place := found[item.id]) is not None]
    if not here:
        raise OutputError(f"not one of {len(items)} listed videos, such as {items[0].id}, has features here")
    x = [np.asarray(features.read(place, feature), np.float64).mean(axis=0).reshape(-1) for _, place in here]
    return Split(
        np.stack(x),
        np.array([label for label, _ in here], np.int64),
        tuple(place for _, place in here),
        tuple(id for id, place in found.items() if place is None),
    )


def probe(train: Split, test: Split, neighbours: int = 5, seed: int = 0) -> dict[str, Any]:
    """Top-1 of both ways, shares in [0, 1], each with a 95 % bootstrap interval over the test videos.

    Raises OutputError where the training videos are of fewer than two classes, or are in the test as well.
    """
    if shared := set(train.places) & set(test.places):
        raise OutputError(f"{len(shared)} videos are in both lists")
    if len(np.unique(train.y)) < 2:
        raise OutputError("the training videos that have features are all of one class")
    linear, strength = _linear(train, test, seed)
    return {
        "n_train": len(train.y),
        "n_test": len(test.y),
        "n_train_missing": len(train.missing),
        "n_test_missing": len(test.missing),
        "dim": train.x.shape[1],
        "chance": float(np.bincount(test.y).max() / len(test.y)),
        "linear": {**_score(linear == test.y, seed), "C": strength},
        "knn": {**_score(_nearest(train, test, neighbours) == test.y, seed), "k": min(neighbours, len(train.y))},
    }


def _linear(train: Split, test: Split, seed: int) -> tuple[np.ndarray, float]:
    """Predicted labels, and the C that was chosen."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    folds = min(_FOLDS, int(np.unique(train.y, return_counts=True)[1].min()))
    if folds < 2:  # a class of one video leaves nothing to choose by
        return pipeline.fit(train.x, train.y).predict(test.x), 1.0
    splits = StratifiedKFold(folds, shuffle=True, random_state=seed)
    search = GridSearchCV(pipeline, {"logisticregression__C": list(STRENGTHS)}, cv=splits)
    search.fit(train.x, train.y)
    return search.predict(test.x), float(search.best_params_["logisticregression__C"])


def _nearest(train: Split, test: Split, neighbours: int) -> np.ndarray:
    """Labels by a vote of the nearest training videos in cosine distance, the nearer weighing more."""
    from sklearn.neighbors import KNeighborsClassifier

    count = min(neighbours, len(train.y))
    vote = KNeighborsClassifier(count, weights="distance", metric="cosine")
    return vote.fit(train.x, train.y).predict(test.x)


def _score(right: np.ndarray, seed: int) -> dict[str, Any]:
    """Share of right answers, and the middle 95 % of that share over resampled test videos."""
    count = len(right)
    shares = np.random.default_rng(seed).binomial(count, right.mean(), _RESAMPLES) / count  # drawn with replacement
    return {"top1": float(right.mean()), "interval": [float(edge) for edge in np.quantile(shares, (0.025, 0.975))]}
