"""Accuracies from class probabilities (n, K) and labels (n,)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def top_k(probabilities: np.ndarray, labels: np.ndarray, k: int) -> float | None:
    """Share of videos with fewer than k classes more probable than the true one; None for n = 0.

    A class as probable as the true one counts against it when it comes first, as in argmax.
    """
    return float(hits(probabilities, labels, k).mean()) if len(labels) else None


def hits(probabilities: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """bool (n,): is the true class among the k most probable, as `top_k` counts?"""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]  # (n, k)
    hit: np.ndarray = (order == labels[:, None]).any(axis=1)
    return hit


def mean_average_precision(scores: np.ndarray, targets: np.ndarray) -> float | None:
    """Mean over the classes of the average precision, as scikit-learn defines it (no interpolation).

    scores: (n, K), of any scale. targets: bool (n, K), any number of classes a video.
    Classes of no video are left out; None where that leaves none.
    """
    from sklearn.metrics import average_precision_score

    occurring = targets.any(axis=0)
    if not occurring.any():
        return None
    return float(average_precision_score(targets[:, occurring], scores[:, occurring], average="macro"))


def per_class(probabilities: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> list[dict[str, Any]]:
    """One row a class in label order: name, n videos, top1 (None where n = 0)."""
    predicted = probabilities.argmax(axis=1) if len(labels) else labels
    rows = []
    for label, name in enumerate(class_names):
        mine = labels == label
        hit = float((predicted[mine] == label).mean()) if mine.any() else None
        rows.append({"name": name, "n": int(mine.sum()), "top1": hit})
    return rows
