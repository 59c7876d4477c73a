"""Batches of videos: which (epoch, index) keys make a batch, on which rank, and the workers that read them.

Samplers are stateless: the keys of step s of epoch e follow from (seed, e, s), so that a run can start anywhere, with
any number of workers or ranks, and see the same global batches.

The loader hands one video at a time to each worker and puts the samples into their rows as they come, so that one slow
video holds up its own batch alone. Its memory is bounded: `prefetch_batches` batches ahead of the one in use (or two
samples a worker, where that is more), and two samples in each worker.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self, get_args

import numpy as np

from .balance import balanced_epoch, turns
from .batch import Batch
from .crew import Crew, Queue
from .dataset import Key, VideoDataset
from .quarantine import Quarantine
from .workers import Kind

_AGAIN = 1 << 32  # more than there are epochs


class Sampler(Protocol):
    """The keys of each batch, of one epoch or one test."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[list[Key]]: ...


class TrainSampler:
    """Shuffled batches of one epoch; `batch_size` is global, each rank takes its stride of every global batch.

    A last short batch is left out (its videos come up in other epochs), unless it is the only one.
    With the labels of the videos, `balance` above 0 draws rare classes more often, as `balanced_epoch` says. A video
    that comes up again in an epoch has another first number in its key, and so another clip.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world: int = 1,
        labels: Sequence[int] | None = None,
        balance: float = 0.0,
    ) -> None:
        if batch_size % world:
            raise ValueError(f"train.batch_size {batch_size} does not divide by {world} ranks; choose a multiple")
        if length < world:
            raise ValueError(f"{length} training videos cannot feed {world} ranks; use at most {length} ranks")
        self._length, self._batch, self._seed, self._rank, self._world = length, batch_size, seed, rank, world
        self._labels, self._balance = labels, balance
        self._epoch, self._start = 0, 0

    def __len__(self) -> int:
        """Steps an epoch."""
        return max(1, self._length // self._batch)

    def start_at(self, epoch: int, step: int) -> None:
        """The next iteration yields the batches of `epoch` from `step` on."""
        self._epoch, self._start = epoch, step

    def __iter__(self) -> Iterator[list[Key]]:
        epoch, first = self._epoch, self._start
        rng = np.random.default_rng((self._seed, epoch))
        if self._labels is None or not self._balance:
            order, first_numbers = rng.permutation(self._length), np.full(self._length, epoch)
        else:
            order = balanced_epoch(self._labels, self._balance, rng)
            first_numbers = epoch + _AGAIN * turns(order)
        for step in range(first, len(self)):
            mine = slice(step * self._batch + self._rank, (step + 1) * self._batch, self._world)
            yield list(zip(first_numbers[mine].tolist(), order[mine].tolist(), strict=True))


class TestSampler:
    """Every video once over all ranks, in order, no padding; videos of `done` are left out.

    A batch is the same videos on any number of ranks, since sums of floats depend on what is computed together: batch b
    holds the videos [b * batch_size, (b + 1) * batch_size), and a batch is left out as a whole.
    """

    __test__ = False  # not a pytest class

    def __init__(
        self, length: int, batch_size: int, rank: int = 0, world: int = 1, done: Collection[int] = frozenset()
    ) -> None:
        batches = [range(start, min(start + batch_size, length)) for start in range(0, length, batch_size)]
        self._mine = [batch for batch in batches if not all(index in done for index in batch)][rank::world]

    def __len__(self) -> int:
        return len(self._mine)

    def __iter__(self) -> Iterator[list[Key]]:
        for batch in self._mine:
            yield [(0, index) for index in batch]


def make_loader(
    dataset: VideoDataset,
    sampler: Sampler,
    workers: int,
    *,
    pin_memory: bool = False,
    kind: Kind = "forkserver",
    prefetch_batches: int = 2,
    timeout_seconds: float = 300.0,
    quarantine: Quarantine | None = None,
) -> Loader:
    """A loader of the sampler's batches.

    workers: processes or threads (`kind`) that read videos; 0: read in the calling thread.
    timeout_seconds: a worker that is at one video for longer is replaced; the video counts as unreadable.
    quarantine: every unreadable video is written down there.
    Raises ValueError for numbers or a kind that make no sense.
    """
    if kind not in get_args(Kind):
        raise ValueError(f"worker kind {kind!r} is not known; choose one of {', '.join(get_args(Kind))}")
    if workers < 0 or prefetch_batches < 1 or timeout_seconds <= 0:
        raise ValueError(
            f"workers={workers} must be at least 0, prefetch_batches={prefetch_batches} at least 1 and "
            f"timeout_seconds={timeout_seconds} above 0"
        )
    return Loader(dataset, sampler, workers, pin_memory, kind, prefetch_batches, timeout_seconds, quarantine)


class Loader:
    """Iterable of `Batch`, in the sampler's order; workers stay alive between iterations.

    A new iteration ends the one before. `close`, the end of a `with` block, garbage collection and the end of the
    program stop the workers at once.
    """

    def __init__(
        self,
        dataset: VideoDataset,
        sampler: Sampler,
        workers: int,
        pin_memory: bool,
        kind: Kind,
        prefetch_batches: int,
        timeout_seconds: float,
        quarantine: Quarantine | None,
    ) -> None:
        self._sampler, self._pin_memory, self._prefetch = sampler, pin_memory, prefetch_batches
        self._crew = Crew(dataset, workers, kind, timeout_seconds, quarantine)
        self._finalizer = weakref.finalize(self, self._crew.close)

    def __len__(self) -> int:
        """Batches of one whole iteration."""
        return len(self._sampler)

    def __iter__(self) -> Iterator[Batch]:
        """Raises LoaderError, or what a bug raised while a video of the batch was read."""
        queue = Queue(self._sampler, self._prefetch, 2 * self._crew.size, self._pin_memory)
        self._crew.begin(queue)
        return self._batches(queue)

    def _batches(self, queue: Queue) -> Iterator[Batch]:
        try:
            while True:
                start = time.perf_counter()
                batch = self._crew.next_batch(queue)
                if batch is None:
                    return
                yield replace(batch, wait_seconds=time.perf_counter() - start)
        finally:
            self._crew.end(queue)

    def rss_bytes(self) -> list[int]:
        """Resident memory of each worker process that runs, shared pages included; empty where that is not known."""
        return [size for worker in self._crew.workers if (size := worker.rss_bytes) is not None]

    def close(self) -> None:
        """Stop the workers; the loader can not be used again."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
