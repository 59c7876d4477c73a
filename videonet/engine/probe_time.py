"""Does a network use time? The same frames in other orders, each video decoded once and run once an order.

A clip shuffled, reversed, or frozen to its middle frame shows the same scene (frozen: one picture of it). A network
that looks at appearance alone does not mind; what accuracy is lost is due to order, or to motion.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, get_args

import numpy as np
import torch

from videonet.data.batch import Batch
from videonet.data.clips import FrameOrder, frame_order
from videonet.data.loader import Loader
from videonet.data.preprocessing import Preprocessing

from . import bootstrap, metrics
from .analysis import Average
from .dist import Ranks
from .evaluate import Evaluation, collect
from .forward import finished_groups, run_views
from .loss import Activation

ORDERS: tuple[FrameOrder, ...] = get_args(FrameOrder)


def probe(
    model: torch.nn.Module,
    loader: Loader,
    places: Sequence[Fraction],
    seed: int,
    preprocessing: Preprocessing,
    ranks: Ranks,
    precision: str = "fp32",
    max_views: int = 32,
    activation: Activation = "softmax",
    average: Average = "probabilities",
) -> dict[str, Evaluation]:
    """order -> what a test with `test.frame_order` of that order would give.

    The loader gives clips in the normal order, at `places`, the crops of one clip side by side; `seed` is that of its
    dataset.
    """
    model.eval()

    def logits(batch: Batch) -> torch.Tensor:
        outputs, start = [], 0
        for group in finished_groups(batch, ranks.device, max_views):
            indices = batch.indices[start : start + len(group)].tolist()
            outputs.append(torch.stack([run(group, order, indices) for order in ORDERS], dim=1))
            start += len(group)
        return torch.cat(outputs)  # (B, orders, V, K)

    def run(group: torch.Tensor, order: FrameOrder, indices: list[int]) -> torch.Tensor:
        crops = group.shape[1] // len(places)
        ordered = torch.empty_like(group)
        for video, views, index in zip(ordered, group, indices, strict=True):
            rows = _rows(order, places, preprocessing.frames, seed, index).to(group.device)  # (V_t, T)
            for place, view in enumerate(views):
                video[place] = view[:, rows[place // crops]]
        return run_views(model, ordered, preprocessing, ranks.device, precision, max_views)

    together = collect(logits, loader, ranks, "probe-time")
    found: dict[str, Evaluation] = {}
    for place, order in enumerate(ORDERS):
        of_order = together.view_logits[:, place] if len(together.labels) else together.view_logits
        found[order] = replace(together, view_logits=of_order, activation=activation, average=average)
    return found


def _rows(order: FrameOrder, places: Sequence[Fraction], frames: int, seed: int, index: int) -> torch.Tensor:
    """(V_t, T), as `SampleReader` and `TestViews` draw them."""
    return torch.from_numpy(frame_order(order, places, frames, np.random.default_rng((seed, 0, index))))


def summarise_probe(found: dict[str, Evaluation], class_names: Sequence[str], draws: int, seed: int) -> dict[str, Any]:
    """For probe_time.json.

    chance: share of the most frequent class, which a blind guess gets. orders: order -> top1, top1_interval,
    lost (normal top1 less this one) with lost_interval, agreement (share of videos whose prediction stays), per_class
    rows {name, n, top1, taken_for: the class most often predicted, taken_for_n}. None where there is nothing to say.
    """
    normal = found["normal"]
    labels, videos = normal.labels, len(normal.labels)
    failures = [{"id": f.id, "path": f.path, "reason": f.reason} for f in normal.failures]
    counts = {"n_listed": videos + len(failures), "n_decoded": videos, "n_failed": len(failures)}
    if not videos:
        return {**counts, "failures": failures, "chance": None, "orders": {}}
    hits = np.stack([metrics.hits(found[order].probabilities, labels, 1) for order in ORDERS], axis=1).astype(float)
    means = (
        bootstrap.resampled_means(np.concatenate([hits, hits[:, :1] - hits], axis=1), draws, seed) if draws else None
    )
    usual = normal.probabilities.argmax(axis=1)
    orders = {}
    for place, order in enumerate(ORDERS):
        predicted = found[order].probabilities.argmax(axis=1)
        orders[order] = {
            "top1": float(hits[:, place].mean()),
            "top1_interval": None if means is None else bootstrap.interval(means[:, place]),
            "lost": float((hits[:, 0] - hits[:, place]).mean()),
            "lost_interval": None if means is None else bootstrap.interval(means[:, len(ORDERS) + place]),
            "agreement": float((predicted == usual).mean()),
            "per_class": [
                {**row, **_taken_for(predicted[labels == label], class_names)}
                for label, row in enumerate(metrics.per_class(found[order].probabilities, labels, class_names))
            ],
        }
    return {**counts, "failures": failures, "chance": float(np.bincount(labels).max() / videos), "orders": orders}


def _taken_for(predicted: np.ndarray, class_names: Sequence[str]) -> dict[str, Any]:
    if not len(predicted):
        return {"taken_for": None, "taken_for_n": 0}
    label, times = min(Counter(predicted.tolist()).items(), key=lambda pair: (-pair[1], pair[0]))
    return {"taken_for": class_names[label], "taken_for_n": times}
