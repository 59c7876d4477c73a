"""The crew of a loader: its workers, the threads that drive them, and the queue of batches that they fill."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from videonet.decode.reader import Undecodable

from .batch import Batch, BatchBuilder
from .dataset import Key, Sample, VideoDataset
from .lists import VideoItem
from .processes import ProcessWorker
from .quarantine import Quarantine
from .workers import OUTBOXES, CallingThread, Closed, Kind, ThreadWorker, Worker, WorkerLost

_SECONDS_TO_END = 5.0


@dataclass
class _Begun:
    """A batch that was begun and not yet taken."""

    builder: BatchBuilder
    missing: int
    error: Exception | None = None


class Queue:
    """One iteration's batches in order, and the slots of theirs that nobody reads yet.

    Batches are begun while there are fewer than `batches` of them, or fewer than `samples` samples in them.
    """

    def __init__(self, keys: Iterable[list[Key]], batches: int, samples: int, pin_memory: bool) -> None:
        self._keys = iter(keys)
        self._batches, self._samples, self._pin_memory = batches, samples, pin_memory
        self.begun: deque[_Begun] = deque()
        self.slots: deque[tuple[_Begun, int, Key]] = deque()
        self.fill()

    def fill(self) -> None:
        """Begin as many batches as may be."""
        while len(self.begun) < self._batches or sum(len(one.builder) for one in self.begun) < self._samples:
            keys = next(self._keys, None)
            if keys is None:
                return
            one = _Begun(BatchBuilder(len(keys), self._pin_memory, [index for _, index in keys]), len(keys))
            self.begun.append(one)
            self.slots.extend((one, row, key) for row, key in enumerate(keys))


class Crew:
    """Works on one queue at a time. It does not know its loader, which may be forgotten while its threads run."""

    def __init__(
        self, dataset: VideoDataset, size: int, kind: Kind, timeout_seconds: float, quarantine: Quarantine | None
    ) -> None:
        self.size = size
        self.workers: list[Worker] = []
        self._dataset, self._kind, self._timeout, self._quarantine = dataset, kind, timeout_seconds, quarantine
        self._lost: dict[str, str] = {}  # videos that cost a worker, not to be tried again: path -> reason
        self._threads: list[threading.Thread] = []
        self._queue: Queue | None = None
        self._closed = False
        self._pid = os.getpid()
        lock = threading.RLock()  # reentrant, since garbage collection may close a crew anywhere
        self._slots_there = threading.Condition(lock)
        self._batch_done = threading.Condition(lock)
        if size and kind == "forkserver":  # let the server import torch by now: its workers then start at once
            from multiprocessing import forkserver  # not there on every system

            multiprocessing.get_context(kind).set_forkserver_preload([__name__])
            forkserver.ensure_running()

    def begin(self, queue: Queue) -> None:
        """Work on this queue from now on. Raises ValueError once the crew is closed."""
        with self._slots_there:
            if self._closed:
                raise ValueError("this loader is closed; make another one")
            self._queue = queue
            if not self.workers:
                self.workers = self._hire()
                self._threads = self._drivers()
                for thread in self._threads:
                    thread.start()
            self._slots_there.notify_all()
            self._batch_done.notify_all()  # whoever waits for a former queue

    def _hire(self) -> list[Worker]:
        job, kind = self._dataset.reader, self._kind
        if not self.size:
            return [CallingThread(job)]
        if kind == "thread":
            return [ThreadWorker(job, self._timeout) for _ in range(self.size)]
        return [ProcessWorker(job, multiprocessing.get_context(kind), self._timeout) for _ in range(self.size)]

    def _drivers(self) -> list[threading.Thread]:
        turns = [(worker, threading.Lock()) for worker in self.workers[: self.size]]
        return [
            threading.Thread(
                target=self._drive, args=(worker, outbox, turn), daemon=True, name="videonet-loader-driver"
            )
            for worker, turn in turns
            for outbox in range(OUTBOXES)
        ]

    def end(self, queue: Queue) -> None:
        """Begin no more samples of this queue."""
        with self._slots_there:
            if self._queue is queue:
                self._queue = None

    def next_batch(self, queue: Queue) -> Batch | None:
        """The first batch of the queue once it is done; None at the end. Raises what went wrong in it."""
        with self._slots_there:
            one = queue.begun[0] if queue.begun else None
            while one is not None and one.missing:
                if self._closed or self._queue is not queue:
                    raise ValueError("this iteration is over: its loader was closed, or a later iteration begun")
                if not self.size:
                    begun, row, key = queue.slots.popleft()
                    self._put(begun, row, self._sample(key, self.workers[0]))
                else:
                    self._batch_done.wait()
            if one is None:
                return None
            queue.begun.popleft()
            queue.fill()
            self._slots_there.notify_all()
        if one.error is not None:
            raise one.error
        return one.builder.batch()

    def _drive(self, worker: Worker, outbox: int, turn: threading.Lock) -> None:
        """Keep a worker busy; the life of a thread. While it copies a sample, another one has its turn."""
        try:
            while True:
                with turn:
                    slot = self._next_slot()
                    if slot is None:
                        return
                    begun, row, key = slot
                    result = self._sample(key, worker, outbox)
                self._put(begun, row, result)
        except Closed:
            return
        finally:
            worker.close()

    def _next_slot(self) -> tuple[_Begun, int, Key] | None:
        with self._slots_there:
            while not self._closed:
                if self._queue is not None and self._queue.slots:
                    return self._queue.slots.popleft()
                self._slots_there.wait()
        return None

    def _sample(self, key: Key, worker: Worker, outbox: int = 0) -> Sample | Exception:
        def read(item: VideoItem, key: Key) -> Sample:
            if item.path in self._lost:
                raise Undecodable(item.path, self._lost[item.path])
            try:
                return worker.read(item, key, outbox)
            except WorkerLost as lost:
                self._lost[item.path] = lost.reason
                raise

        try:
            return self._dataset.sample(key, read)
        except Closed:
            raise
        except Exception as error:  # noqa: BLE001 - raised again where the batch is taken
            return error

    def _put(self, begun: _Begun, row: int, result: Sample | Exception) -> None:
        if isinstance(result, Sample):
            try:
                begun.builder.put(row, result)
                if self._quarantine is not None:
                    for failure in result.failures:
                        self._quarantine.add(failure)
            except Exception as error:  # noqa: BLE001 - raised again where the batch is taken
                result = error
        with self._batch_done:
            begun.missing -= 1
            if isinstance(result, Exception):
                begun.error = begun.error or result
            if not begun.missing:
                self._batch_done.notify_all()

    def close(self) -> None:
        """Stop the workers, whatever they do."""
        if os.getpid() != self._pid:
            return  # in a process forked from the one whose workers these are
        with self._slots_there:
            self._closed = True
            self._slots_there.notify_all()
            self._batch_done.notify_all()
        for worker in self.workers:
            worker.close()
        if threading.current_thread() not in self._threads:
            end = time.monotonic() + _SECONDS_TO_END
            for thread in self._threads:
                thread.join(max(0.0, end - time.monotonic()))
