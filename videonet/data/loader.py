"""Batches of videos: which (epoch, index) keys make a batch, on which rank, and how samples are put together.

Samplers are stateless: the keys of step s of epoch e follow from (seed, e, s), so that a run can start anywhere, with
any number of workers or ranks, and see the same global batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from .dataset import Failure, Key, Sample, VideoDataset


@dataclass(frozen=True)
class Batch:
    """views: uint8 (B, V, 3, T, S, S) of the B readable videos; labels, indices: int64 (B,); seconds: (B, V_t, 2)."""

    views: torch.Tensor
    labels: torch.Tensor
    indices: torch.Tensor
    seconds: np.ndarray
    failures: tuple[Failure, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def pin_memory(self) -> Batch:
        """Called by DataLoader."""
        return Batch(self.views.pin_memory(), self.labels, self.indices, self.seconds, self.failures)


def collate(samples: list[Sample]) -> Batch:
    """Samples without views leave only their failures behind."""
    good = [(sample.views, sample) for sample in samples if sample.views is not None]
    return Batch(
        views=torch.stack([views for views, _ in good]) if good else torch.empty(0, dtype=torch.uint8),
        labels=torch.tensor([sample.label for _, sample in good], dtype=torch.int64),
        indices=torch.tensor([sample.index for _, sample in good], dtype=torch.int64),
        seconds=np.stack([sample.seconds for _, sample in good]) if good else np.zeros((0, 0, 2)),
        failures=tuple(failure for sample in samples for failure in sample.failures),
    )


class TrainSampler(Sampler[list[Key]]):
    """Shuffled batches of one epoch; `batch_size` is global, each rank takes its stride of every global batch.

    A last short batch is left out (its videos come up in other epochs), unless it is the only one.
    """

    def __init__(self, length: int, batch_size: int, seed: int, rank: int = 0, world: int = 1) -> None:
        if batch_size % world:
            raise ValueError(f"train.batch_size {batch_size} does not divide by {world} ranks; choose a multiple")
        if length < world:
            raise ValueError(f"{length} training videos cannot feed {world} ranks; use at most {length} ranks")
        self._length, self._batch, self._seed, self._rank, self._world = length, batch_size, seed, rank, world
        self._epoch, self._start = 0, 0

    def __len__(self) -> int:
        """Steps an epoch."""
        return max(1, self._length // self._batch)

    def start_at(self, epoch: int, step: int) -> None:
        """The next iteration yields the batches of `epoch` from `step` on."""
        self._epoch, self._start = epoch, step

    def __iter__(self) -> Iterator[list[Key]]:
        epoch, first = self._epoch, self._start
        order = np.random.default_rng((self._seed, epoch)).permutation(self._length)
        for step in range(first, len(self)):
            batch = order[step * self._batch : (step + 1) * self._batch]
            yield [(epoch, int(index)) for index in batch[self._rank :: self._world]]


class TestSampler(Sampler[list[Key]]):
    """Every video once over all ranks, in order, no padding."""

    __test__ = False  # not a pytest class

    def __init__(self, length: int, batch_size: int, rank: int = 0, world: int = 1) -> None:
        self._mine = range(rank, length, world)
        self._batch = batch_size

    def __len__(self) -> int:
        return -(-len(self._mine) // self._batch)

    def __iter__(self) -> Iterator[list[Key]]:
        for start in range(0, len(self._mine), self._batch):
            yield [(0, index) for index in self._mine[start : start + self._batch]]


def make_loader(
    dataset: VideoDataset, sampler: TrainSampler | TestSampler, workers: int, pin_memory: bool = False
) -> DataLoader[Batch]:
    """A DataLoader of `Batch`; workers stay alive between epochs and open every video themselves."""
    return DataLoader(
        dataset,  # type: ignore[arg-type]  # torch types the items of a data set, not the batches of its loader
        batch_sampler=sampler,
        num_workers=workers,
        collate_fn=collate,
        pin_memory=pin_memory,
        persistent_workers=workers > 0,
    )
