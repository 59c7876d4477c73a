"""Accuracies from class probabilities, through torchmetrics (imported late: it costs two seconds)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch


def top_k(probabilities: np.ndarray, labels: np.ndarray, k: int) -> float | None:
    """Share of videos whose class is among the k most probable; probabilities (n, K); None for n = 0."""
    if not len(labels):
        return None
    from torchmetrics.functional.classification import multiclass_accuracy

    scores, targets = torch.from_numpy(probabilities), torch.from_numpy(labels)
    # summed as counts: torchmetrics returns float32
    hits = multiclass_accuracy(scores, targets, scores.shape[1], top_k=k, average="micro").double() * len(labels)
    return round(float(hits)) / len(labels)


def per_class(probabilities: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> list[dict[str, Any]]:
    """One row a class in label order: name, n videos, top1 (None where n = 0)."""
    predicted = probabilities.argmax(axis=1) if len(labels) else labels
    rows = []
    for label, name in enumerate(class_names):
        mine = labels == label
        hit = float((predicted[mine] == label).mean()) if mine.any() else None
        rows.append({"name": name, "n": int(mine.sum()), "top1": hit})
    return rows
