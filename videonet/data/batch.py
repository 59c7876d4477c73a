"""Samples put together: each is copied into its row as it arrives, in whatever order.

Layout: views uint8 (B, V, 3, T, S, S), or the frames or planes of each video, to be finished on the device.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from .dataset import Failure, Sample, Timing
from .planes import Later


@dataclass(frozen=True)
class Batch:
    """views: uint8 (B, V, 3, T, S, S) of the B readable videos, or the frames or planes of each and what is left to do
    to them; labels, indices: int64 (B,); seconds: float64 (B, V_t, 2).
    """

    views: torch.Tensor | tuple[tuple[torch.Tensor, Later], ...]
    labels: torch.Tensor
    indices: torch.Tensor
    seconds: np.ndarray
    failures: tuple[Failure, ...]
    asked: tuple[int, ...] = ()
    """Indices of all videos that were to be in it, readable or not."""
    timing: Timing = field(default_factory=Timing)
    """Summed over the samples."""
    label_sets: tuple[tuple[int, ...], ...] = ()
    """All classes of each of the B videos, of a list of several labels a video; `labels` then has the first of each."""
    wait_seconds: float = 0.0
    """How long the loader's user waited for this batch."""

    def __len__(self) -> int:
        return len(self.labels)

    def targets(self, classes: int) -> torch.Tensor:
        """float32 (B, `classes`): 1 for every class of a video, 0 elsewhere."""
        targets = torch.zeros(len(self), classes)
        for row, labels in zip(targets, self.label_sets or self.labels[:, None].tolist(), strict=True):
            row[list(labels)] = 1.0
        return targets

    def on(self, device: torch.device) -> torch.Tensor:
        """The finished views, uint8 (B, V, 3, T, S, S), on `device`."""
        if isinstance(self.views, torch.Tensor):
            return self.views.to(device, non_blocking=True)
        return torch.stack([finish(planes.to(device, non_blocking=True)) for planes, finish in self.views])


class BatchBuilder:
    """Rows for `size` samples; several threads may `put`, each row once."""

    def __init__(self, size: int, pin_memory: bool = False, asked: Sequence[int] = ()) -> None:
        self._pin_memory, self._asked = pin_memory, tuple(asked)
        self._samples: list[Sample | None] = [None] * size
        self._views: torch.Tensor | None = None
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Rows, put or not."""
        return len(self._samples)

    def put(self, row: int, sample: Sample) -> None:
        """Take the sample; its views are copied. Raises ValueError where they are not of the shape of the others."""
        if sample.views is not None and sample.finish is None:
            self._rows(sample.views)[row].copy_(sample.views)
            sample = replace(sample, views=None)
        elif sample.views is not None:
            planes = torch.empty(sample.views.shape, dtype=torch.uint8, pin_memory=self._pin_memory)
            sample = replace(sample, views=planes.copy_(sample.views))
        self._samples[row] = sample

    def _rows(self, like: torch.Tensor) -> torch.Tensor:
        with self._lock:
            if self._views is None:
                shape = (len(self._samples), *like.shape)
                self._views = torch.empty(shape, dtype=torch.uint8, pin_memory=self._pin_memory)
        if self._views.shape[1:] != like.shape:
            raise ValueError(
                f"one video gives views of {tuple(like.shape)}, another {tuple(self._views.shape[1:])}; all of a batch "
                f"must give the same number of views of the same size"
            )
        return self._views

    def batch(self) -> Batch:
        """The batch, once every row was put. Samples without views leave only their failures behind."""
        samples = [sample for sample in self._samples if sample is not None]
        assert len(samples) == len(self._samples)
        read = [row for row, sample in enumerate(samples) if len(sample.seconds)]
        good = [samples[row] for row in read]
        views: torch.Tensor | tuple[tuple[torch.Tensor, Later], ...]
        views = tuple((one.views, one.finish) for one in good if one.views is not None and one.finish is not None)
        if not views:
            views = torch.empty(0, dtype=torch.uint8) if self._views is None else self._views
            if 0 < len(read) < len(samples):
                views = views[torch.tensor(read)]
                views = views.pin_memory() if self._pin_memory else views
        return Batch(
            views=views,
            labels=torch.tensor([sample.label for sample in good], dtype=torch.int64),
            indices=torch.tensor([sample.index for sample in good], dtype=torch.int64),
            seconds=np.stack([sample.seconds for sample in good]) if good else np.zeros((0, 0, 2)),
            failures=tuple(failure for sample in samples for failure in sample.failures),
            asked=self._asked,
            timing=sum((sample.timing for sample in good), Timing()),
            label_sets=tuple(sample.labels for sample in good) if any(sample.labels for sample in good) else (),
        )
