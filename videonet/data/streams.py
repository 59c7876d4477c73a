"""Videos as streams of samples, several at a time: memory is bounded whatever their length.

Each worker reads one video from its first sample to its last; the samples of one video come in order, those of several
interleave. A worker that dies or hangs costs the video that it was reading.
"""

from __future__ import annotations

import copy
import multiprocessing
import queue
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
import torch

from videonet.decode.reader import VideoError

from .dataset import Failure, Job, Sample
from .lists import VideoItem
from .processes import ProcessWorker
from .workers import CallingThread, Closed, Kind, ThreadWorker, Worker

_WAITING = 1  # samples a worker that are read and not yet taken


class Streams:
    """Iterables of samples with memory of their own; a video that cannot be read ends with one without views.

    workers: processes or threads (`kind`) that read videos; 0: read in the calling thread.
    timeout_seconds: a worker that is at one sample for longer is replaced; the video counts as unreadable.
    """

    def __init__(
        self,
        items: Sequence[VideoItem],
        job: Job,
        workers: int,
        kind: Kind = "forkserver",
        timeout_seconds: float = 300.0,
        pin_memory: bool = False,
    ) -> None:
        self._items, self._job, self._workers = items, job, workers
        self._kind, self._timeout, self._pin_memory = kind, timeout_seconds, pin_memory

    def __call__(self, indices: Iterable[int]) -> Iterator[Sample]:
        """All samples of these items. Workers live as long as the iteration."""
        if not self._workers:
            here = CallingThread(copy.copy(self._job))
            for index in indices:
                yield from self._samples(here, index)
            return
        reading = _Reading(iter(indices))
        out: queue.Queue[Sample | Exception | None] = queue.Queue(max(2, _WAITING * self._workers))
        crew = self._hire()
        for worker in crew:
            threading.Thread(
                target=self._drive, args=(worker, reading, out), daemon=True, name="videonet-stream"
            ).start()
        running = len(crew)
        try:
            while running:
                taken = out.get()
                if isinstance(taken, Exception):
                    raise taken
                if taken is None:
                    running -= 1
                else:
                    yield taken
        finally:
            reading.end()
            for worker in crew:
                worker.close()
            while running:  # who waits for room can go on, and ends
                running -= out.get() is None

    def _hire(self) -> list[Worker]:
        if self._kind == "thread":
            return [ThreadWorker(copy.copy(self._job), self._timeout) for _ in range(self._workers)]
        context = multiprocessing.get_context(self._kind)
        if self._kind == "forkserver":  # it imports torch once, for all workers
            context.set_forkserver_preload([__name__])
        return [ProcessWorker(self._job, context, self._timeout) for _ in range(self._workers)]

    def _drive(self, worker: Worker, reading: _Reading, out: queue.Queue[Sample | Exception | None]) -> None:
        """Keep a worker busy; the life of a thread, whose last word is None."""
        try:
            with suppress(Closed):  # nobody wants more
                while (index := reading.next()) is not None:
                    for sample in self._samples(worker, index):
                        out.put(sample)
        except Exception as error:  # noqa: BLE001 - raised again where samples are taken
            out.put(error)
        finally:
            worker.close()
            out.put(None)

    def _samples(self, worker: Worker, index: int) -> Iterator[Sample]:
        item, number, more = self._items[index], 0, True
        while more:
            try:
                sample = worker.read(item, (number, index))
            except VideoError as error:
                failure = Failure(item.id, item.path, error.reason)
                yield Sample(index, item.label, None, np.zeros((0, 2)), (failure,))
                return
            assert sample.views is not None
            own = torch.empty(sample.views.shape, dtype=torch.uint8, pin_memory=self._pin_memory)
            number, more = number + 1, sample.more
            yield replace(sample, views=own.copy_(sample.views))


class _Reading:
    """The indices still to be read; several threads take from them."""

    def __init__(self, indices: Iterator[int]) -> None:
        self._indices, self._lock, self._ended = indices, threading.Lock(), False

    def next(self) -> int | None:
        with self._lock:
            return None if self._ended else next(self._indices, None)

    def end(self) -> None:
        with self._lock:
            self._ended = True
