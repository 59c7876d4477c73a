"""What a test tells beyond its accuracy, from the stored logits of its views: pure arithmetic, nothing is run again.

Layout: view_logits float32 (n, V, K), labels int64 (n,); which view is which says a `ViewTable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from videonet.data.view_table import ViewTable

from . import bootstrap, calibration
from .loss import Activation
from .metrics import hits, per_class

Average = Literal["probabilities", "logits"]

_MOST_PAIRS = 20
_BYTES_AT_ONCE = 64 << 20


def average_views(
    view_logits: np.ndarray, how: Average = "probabilities", activation: Activation = "softmax"
) -> np.ndarray:
    """(n, V, K) -> float32 (n, K): the mean of the views' softmax (or sigmoid), or that of their mean logits."""
    from scipy.special import expit, softmax

    def shares(logits: np.ndarray) -> np.ndarray:
        found: np.ndarray = expit(logits) if activation == "sigmoid" else softmax(logits, axis=-1)
        return found

    videos, views, classes = view_logits.shape
    averaged = np.empty((videos, classes), dtype=np.float32)
    together = max(1, _BYTES_AT_ONCE // (8 * max(1, views * classes)))
    for start in range(0, videos, together):
        logits = view_logits[start : start + together].astype(np.float64)
        if how == "probabilities":
            averaged[start : start + together] = shares(logits).mean(axis=1)
        else:
            averaged[start : start + together] = shares(logits.mean(axis=1))
    return averaged


def analyse(
    view_logits: np.ndarray,
    labels: np.ndarray,
    table: ViewTable,
    own: tuple[int, int],
    class_names: Sequence[str],
    average: Average,
    draws: int,
    seed: int,
    activation: Activation = "softmax",
) -> dict[str, Any]:
    """Keys for results.json. `own`: the (clips, crops) of the test itself; `draws`, `seed`: of the bootstrap.

    nll, mean_class_top1, confused_pairs, calibration (see there), intervals (level, draws, seed, then [low, high] of
    top1, top5, nll), curve: rows {clips, crops, views, top1, top5, nll, top1_interval}, one for every test whose views
    are all there, each what that test alone would give. All empty or None for n = 0. Sigmoids are no distribution over
    the classes: no nll and no calibration then.
    """
    if not len(labels):
        return {"nll": None, "mean_class_top1": None, "confused_pairs": [], "calibration": None, "intervals": None,
                "curve": []}  # fmt: skip
    tests = table.tests()
    figures = ("top1", "top5", "nll") if activation == "softmax" else ("top1", "top5")
    averaged = (average_views(view_logits[:, table.views(*one)], average, activation) for one in tests)
    columns = np.stack([_figures(probabilities, labels)[:, : len(figures)] for probabilities in averaged], axis=1)
    means = bootstrap.resampled_means(columns.reshape(len(labels), -1), draws, seed) if draws else None
    bounds = None if means is None else means.reshape(draws, len(tests), len(figures))
    rows: list[dict[str, Any]] = []
    for place, (clips, crops) in enumerate(tests):
        row: dict[str, Any] = {"clips": clips, "crops": crops, "views": clips * crops, "nll": None}
        row |= dict(zip(figures, columns[:, place].mean(axis=0).tolist(), strict=True))
        row["top1_interval"] = None if bounds is None else bootstrap.interval(bounds[:, place, 0])
        rows.append(row)
    mine = tests.index(own)
    intervals: dict[str, Any] | None = None
    if bounds is not None:
        intervals = {"level": bootstrap.LEVEL, "draws": draws, "seed": seed}
        intervals |= {name: bootstrap.interval(bounds[:, mine, k]) for k, name in enumerate(figures)}
    probabilities = average_views(view_logits[:, table.views(*own)], average, activation)
    by_class = [row["top1"] for row in per_class(probabilities, labels, class_names) if row["n"]]
    return {
        "nll": rows[mine]["nll"],
        "mean_class_top1": float(np.mean(by_class)),
        "confused_pairs": confused_pairs(confusion(probabilities, labels), class_names),
        "calibration": calibration.calibration(probabilities, labels) if activation == "softmax" else None,
        "intervals": intervals,
        "curve": rows,
    }


def _figures(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """float64 (n, 3): whether top-1 and top-5 are right, and the negative log-likelihood."""
    most = min(5, probabilities.shape[1])
    return np.stack([
        hits(probabilities, labels, 1),
        hits(probabilities, labels, most),
        calibration.negative_log_likelihood(probabilities, labels),
    ], axis=1)  # fmt: skip


def confusion(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """int64 (K, K): row true class, column predicted class."""
    counts = np.zeros((probabilities.shape[1],) * 2, dtype=np.int64)
    if len(labels):
        np.add.at(counts, (labels, probabilities.argmax(axis=1)), 1)
    return counts


def confused_pairs(counts: np.ndarray, class_names: Sequence[str], most: int = _MOST_PAIRS) -> list[dict[str, Any]]:
    """The most frequent wrong cells: {true, predicted, n, of}, `of` the videos of the true class; at most `most`."""
    totals = counts.sum(axis=1)
    pairs = [(int(counts[i, j]), int(totals[i]), int(i), int(j)) for i, j in np.argwhere(counts) if i != j]
    pairs.sort(key=lambda pair: (-pair[0], -pair[0] / pair[1], *pair[2:]))
    return [{"true": class_names[i], "predicted": class_names[j], "n": n, "of": of} for n, of, i, j in pairs[:most]]
