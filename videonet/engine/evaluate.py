"""Multi-view test. One item is one video with all its views; every video counts once, also over many ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from videonet.data.dataset import Failure
from videonet.data.lists import VideoItem, multi_hot
from videonet.data.loader import Loader
from videonet.data.preprocessing import Preprocessing

from . import metrics
from .dist import Ranks
from .forward import run_views
from .log import track
from .loss import Activation


@dataclass(frozen=True)
class Evaluation:
    """indices, labels: int64 (n,) of the n readable videos, sorted; view_logits: float32 (n, V, K)."""

    indices: np.ndarray
    labels: np.ndarray
    view_logits: np.ndarray
    failures: tuple[Failure, ...]
    activation: Activation = "softmax"

    @property
    def probabilities(self) -> np.ndarray:
        """(n, K): softmax or sigmoid of each view, then the mean over the views."""
        logits = torch.from_numpy(self.view_logits).double()
        shares = logits.sigmoid() if self.activation == "sigmoid" else logits.softmax(dim=2)
        return shares.mean(dim=1).float().numpy()


def evaluate(
    model: torch.nn.Module,
    loader: Loader,
    preprocessing: Preprocessing,
    ranks: Ranks,
    precision: str = "fp32",
    max_views: int = 32,
    what: str = "test",
    activation: Activation = "softmax",
) -> Evaluation:
    """Run every video of the loader. `model` is the bare module (not its DDP wrapper): ranks may differ in length.

    activation: of the loss that the model was trained with, see `videonet.engine.loss`.
    """
    model.eval()
    rows: list[tuple[int, int, np.ndarray]] = []
    failures: list[Failure] = []
    for batch in track(loader, len(loader), what, "batches", shown=ranks.first):
        failures += batch.failures
        if len(batch):
            logits = run_views(model, batch.on(ranks.device), preprocessing, ranks.device, precision, max_views).numpy()
            rows += zip(batch.indices.tolist(), batch.labels.tolist(), logits, strict=True)
    rows = sorted(ranks.gather(rows), key=lambda row: row[0])
    return Evaluation(
        indices=np.array([row[0] for row in rows], dtype=np.int64),
        labels=np.array([row[1] for row in rows], dtype=np.int64),
        view_logits=np.stack([row[2] for row in rows]) if rows else np.zeros((0, 0, 0), np.float32),
        failures=tuple(sorted(ranks.gather(failures), key=lambda failure: failure.id)),
        activation=activation,
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


def save_views(file: Any, evaluation: Evaluation, items: Sequence[VideoItem]) -> None:
    """`views.npz`: ids, labels, view_logits (n, V, K), probabilities (n, K); no pickled objects.

    Of a list of several labels a video: targets, bool (n, K), in place of labels.
    """
    tested = [items[i] for i in evaluation.indices]
    several = any(item.labels for item in items)
    truth: dict[str, Any] = {"labels": evaluation.labels}
    if several:
        truth = {"targets": multi_hot(tested, evaluation.view_logits.shape[2])}
    np.savez_compressed(
        file,
        ids=np.array([item.id for item in tested], dtype=np.str_),
        **truth,
        view_logits=evaluation.view_logits,
        probabilities=evaluation.probabilities,
    )
