"""One function over many files in worker processes: a file that kills its worker, or hangs, is a result, not the end.

Each worker holds one job at a time, so that a death has one culprit; a new worker then takes its place. Workers start
from a fork server, never by a fork of this process, whose threads may hold locks.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeVar

import torch

J = TypeVar("J")
R = TypeVar("R")

_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Death:
    """What became of a job whose worker died, hung or raised."""

    reason: str


class WorkerError(RuntimeError):
    """No worker can be started at all: a bug or a broken machine, not a file."""


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def map_jobs(
    function: Callable[[J], R], jobs: Sequence[J], workers: int, timeout_seconds: float
) -> Iterator[tuple[int, R | Death]]:
    """(index of the job, `function(job)` or the Death of it), as they get done.

    `function`, jobs and results are pickled. A job that takes longer than `timeout_seconds`, on the wall clock, has its
    worker killed. Raises WorkerError where a worker dies before its first job.
    """
    if workers < 1 or timeout_seconds <= 0:
        raise ValueError(f"workers={workers} must be at least 1 and timeout_seconds={timeout_seconds} above 0")
    crew = [_Worker(function, timeout_seconds) for _ in range(min(workers, len(jobs)))]
    waiting = deque(range(len(jobs)))
    try:
        while crew:
            for worker in _stirring(crew):
                answer = worker.answer()
                if worker.gone or not waiting:
                    crew.remove(worker)
                    worker.kill()
                    if waiting:
                        crew.append(_Worker(function, timeout_seconds))
                else:
                    index = waiting.popleft()
                    worker.begin(index, jobs[index])
                if answer is not None:
                    yield answer
    finally:
        for worker in crew:
            worker.kill()


class _Worker(Generic[J, R]):
    """A process at the other end of a pipe; it says None when ready for its first job, then a result for each."""

    def __init__(self, function: Callable[[J], R], timeout_seconds: float) -> None:
        self.pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_work, args=(theirs, function), daemon=True)
        # What workers import is imported once, by the server that they are forked from.
        _CONTEXT.set_forkserver_preload([getattr(function, "func", function).__module__])
        self._process.start()
        theirs.close()
        self._timeout_seconds = timeout_seconds
        self._index: int | None = None
        self.deadline = float("inf")
        self.gone = False

    def begin(self, index: int, job: J) -> None:
        self._index, self.deadline = index, time.monotonic() + self._timeout_seconds
        self.pipe.send(job)

    def answer(self) -> tuple[int, R | Death] | None:
        """(job, what became of it), or None from a new worker; to be asked once it stirs."""
        result: R | Death
        try:
            if self.pipe.poll():
                result = self.pipe.recv()
            else:
                result, self.gone = Death(f"took longer than {self._timeout_seconds:g} s"), True
        except (EOFError, ConnectionResetError):
            result, self.gone = Death(f"the process reading it {self._ending()}"), True
        if self._index is not None:
            return self._index, result
        if self.gone:
            raise WorkerError(f"a worker {self._ending()} before its first job; its own message is above")
        return None

    def _ending(self) -> str:
        self._process.join()
        code = self._process.exitcode or 0
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _stirring(crew: list[_Worker[J, R]]) -> list[_Worker[J, R]]:
    """Wait for workers that answered, died, or are past their deadline."""
    left = min(worker.deadline for worker in crew) - time.monotonic()
    heard = wait([worker.pipe for worker in crew], None if left == float("inf") else max(0.0, left))
    now = time.monotonic()
    return [worker for worker in crew if worker.pipe in heard or worker.deadline <= now]


def _work(pipe: Connection, function: Callable[[J], R]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    torch.set_num_threads(1)  # there is a worker for each core
    pipe.send(None)
    while True:
        try:
            job = pipe.recv()
        except (EOFError, ConnectionResetError):  # the parent is gone
            return
        result: R | Death
        try:
            result = function(job)
        except Exception as error:  # noqa: BLE001 - one odd file among many must not end the run; it is reported
            result = Death(f"{type(error).__name__}: {error}")
        pipe.send(result)
