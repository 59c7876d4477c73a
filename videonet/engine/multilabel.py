"""The figures of a test with several labels a video: mean average precision, and the one of each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from videonet.data.lists import VideoItem, multi_hot

from . import metrics
from .evaluate import Evaluation


def summarise_several(evaluation: Evaluation, class_names: Sequence[str], items: Sequence[VideoItem]) -> dict[str, Any]:
    """As `summarise`, with `map` in place of top-1 and top-5: shares in [0, 1], None where no video could be read.

    items: all that were listed. per_class: name, n videos, ap (None where n = 0), in label order.
    map_failed_as_wrong: videos that could not be read are never found, however far one looks: they add nothing to the
    average precision of their classes, over all that were listed.
    """
    classes, read = len(class_names), len(evaluation.indices)
    scores = evaluation.probabilities.reshape(read, classes)
    targets = multi_hot([items[index] for index in evaluation.indices], classes)
    each = [metrics.mean_average_precision(scores[:, [k]], targets[:, [k]]) for k in range(classes)]
    counts, listed = targets.sum(axis=0), multi_hot(items, classes).sum(axis=0)
    found = [ap for ap in each if ap is not None]
    failed = [(each[k] or 0.0) * (counts[k] / listed[k]) for k in range(classes) if listed[k]]
    return {
        "map": float(np.mean(found)) if found else None,
        "n_listed": read + len(evaluation.failures),
        "n_decoded": read,
        "n_failed": len(evaluation.failures),
        "map_failed_as_wrong": float(np.mean(failed)) if found else None,
        "per_class": [
            {"name": name, "n": int(n), "ap": ap} for name, n, ap in zip(class_names, counts, each, strict=True)
        ],
        "failures": [{"id": f.id, "path": f.path, "reason": f.reason} for f in evaluation.failures],
    }
