"""What is in this video? The test's own path, on files named by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from videonet.data.lists import VideoItem

from .evaluate import Evaluation


@dataclass(frozen=True)
class Prediction:
    """The most probable classes of one video, or the reason why it could not be read."""

    path: str
    top: tuple[tuple[str, float], ...]
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """For --json."""
        top = [{"class": name, "probability": probability} for name, probability in self.top]
        return {"path": self.path, "top": top, "error": self.error}


def predictions(
    evaluation: Evaluation, items: Sequence[VideoItem], class_names: Sequence[str], k: int
) -> list[Prediction]:
    """One a video in the order of `items`; at most `k` classes each, most probable first."""
    found: dict[str, Prediction] = {
        failure.path: Prediction(failure.path, (), failure.reason) for failure in evaluation.failures
    }
    for index, probabilities in zip(evaluation.indices.tolist(), evaluation.probabilities, strict=True):
        found[items[index].path] = Prediction(items[index].path, top_classes(probabilities, class_names, k))
    return [found[item.path] for item in items]


def top_classes(probabilities: np.ndarray, class_names: Sequence[str], k: int) -> tuple[tuple[str, float], ...]:
    """At most `k` (name, probability) of (K,), the most probable first."""
    order = np.argsort(-probabilities, kind="stable")[:k]
    return tuple((class_names[i], float(probabilities[i])) for i in order)
