"""Multi-view test. One item is one video with all its views; every video counts once, also over many ranks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from videonet.data.batch import Batch
from videonet.data.dataset import Failure
from videonet.data.lists import VideoItem, multi_hot
from videonet.data.loader import Loader
from videonet.data.preprocessing import Preprocessing

from . import metrics
from .analysis import Average, average_views, confusion
from .dist import Ranks
from .forward import run_batch
from .log import track
from .loss import Activation
from .parts import Finished, Parts, Row


@dataclass(frozen=True)
class Evaluation:
    """indices, labels: int64 (n,) of the n readable videos, sorted; view_logits: float32 (n, V, K)."""

    indices: np.ndarray
    labels: np.ndarray
    view_logits: np.ndarray
    failures: tuple[Failure, ...]
    activation: Activation = "softmax"
    average: Average = "probabilities"
    own_views: np.ndarray | None = None
    """int64: the views that make the test's own figure; None: all (the others are there for the views curve)."""

    @cached_property
    def probabilities(self) -> np.ndarray:
        """float32 (n, K): softmax or sigmoid of each view, and the views averaged."""
        every = self.own_views is None or not len(self.labels)
        views = self.view_logits if every else self.view_logits[:, self.own_views]
        return average_views(views, self.average, self.activation)


def evaluate(
    model: torch.nn.Module,
    loader: Loader,
    preprocessing: Preprocessing,
    ranks: Ranks,
    precision: str = "fp32",
    max_views: int = 32,
    what: str = "test",
    activation: Activation = "softmax",
    average: Average = "probabilities",
    parts: Parts | None = None,
) -> Evaluation:
    """Run every video of the loader. `model` is the bare module (not its DDP wrapper): ranks may differ in length.

    activation: of the loss that the model was trained with, see `videonet.engine.loss`.
    parts: where finished batches are kept, and what an earlier run left: the loader's sampler leaves that out.
    """
    model.eval()

    def logits(batch: Batch) -> torch.Tensor:
        return run_batch(model, batch, preprocessing, ranks.device, precision, max_views)

    return replace(collect(logits, loader, ranks, what, parts), activation=activation, average=average)


def collect(
    logits: Callable[[Batch], torch.Tensor], loader: Loader, ranks: Ranks, what: str, parts: Parts | None = None
) -> Evaluation:
    """`logits` of every batch, (B, V, ...) on the CPU, put together over the ranks."""
    finished = Finished()
    if parts is not None and ranks.first:
        finished.add([], parts.found.rows, parts.found.failures)
    try:
        for batch in track(loader, len(loader), what, "batches", shown=ranks.first):
            rows: list[Row] = []
            if len(batch):
                rows = list(zip(batch.indices.tolist(), batch.labels.tolist(), logits(batch).numpy(), strict=True))
            finished.add(batch.asked, rows, batch.failures)
            if parts is not None:
                parts.add(batch.asked, rows, batch.failures)
    finally:
        if parts is not None:
            parts.flush()
    rows = sorted(ranks.gather(finished.rows), key=lambda row: row[0])
    return Evaluation(
        indices=np.array([row[0] for row in rows], dtype=np.int64),
        labels=np.array([row[1] for row in rows], dtype=np.int64),
        view_logits=np.stack([row[2] for row in rows]) if rows else np.zeros((0, 0, 0), np.float32),
        failures=tuple(sorted(ranks.gather(finished.failures), key=lambda failure: failure.id)),
    )


def summarise(evaluation: Evaluation, class_names: Sequence[str]) -> dict[str, Any]:
    """The figures of a test; accuracies are shares in [0, 1], None when no video could be read."""
    decoded, failed = len(evaluation.labels), len(evaluation.failures)
    listed = decoded + failed
    top1 = metrics.top_k(evaluation.probabilities, evaluation.labels, 1)
    top5 = metrics.top_k(evaluation.probabilities, evaluation.labels, min(5, len(class_names)))
    return {
        "top1": top1,
        "top5": top5,
        "n_listed": listed,
        "n_decoded": decoded,
        "n_failed": failed,
        "top1_failed_as_wrong": None if top1 is None else top1 * decoded / listed,
        "top5_failed_as_wrong": None if top5 is None else top5 * decoded / listed,
        "per_class": metrics.per_class(evaluation.probabilities, evaluation.labels, class_names),
        "failures": [{"id": f.id, "path": f.path, "reason": f.reason} for f in evaluation.failures],
    }


def save_views(
    file: Any, evaluation: Evaluation, items: Sequence[VideoItem], extra: Mapping[str, np.ndarray] | None = None
) -> None:
    """`views.npz`: ids, paths, labels, view_logits (n, V, K), probabilities (n, K), confusion (K, K), own_views, and
    the arrays of `extra`; no pickled objects, the same bytes for the same values.

    Of a list of several labels a video: targets, bool (n, K), in place of labels and confusion.
    """
    tested = [items[i] for i in evaluation.indices]
    views = evaluation.view_logits.shape[1]
    own = np.arange(views, dtype=np.int64) if evaluation.own_views is None else evaluation.own_views
    arrays: dict[str, Any] = {
        "ids": np.array([item.id for item in tested], dtype=np.str_),
        "paths": np.array([item.path for item in tested], dtype=np.str_),
        "view_logits": evaluation.view_logits,
        "probabilities": evaluation.probabilities,
        "own_views": own,
        **(extra or {}),
    }
    if any(item.labels for item in items):
        arrays["targets"] = multi_hot(tested, evaluation.view_logits.shape[2])
    else:
        arrays["labels"] = evaluation.labels
        arrays["confusion"] = confusion(evaluation.probabilities, evaluation.labels)
    np.savez_compressed(file, **arrays)
