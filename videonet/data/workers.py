"""Workers of a loader: each reads one video at a time.

A worker is handed one video and answers with its sample before it gets the next, so that a worker that dies or hangs
has one culprit: that video counts as unreadable (`WorkerLost`) and a new worker takes the place of the old one.
Here: what a worker is, the thread, and none at all; the process is in `processes.py`.
"""

from __future__ import annotations

import logging
import queue
import threading
from typing import Literal, Protocol

import torch

from videonet.decode.reader import VideoError

from .dataset import Job, Key, Sample
from .lists import VideoItem

Kind = Literal["forkserver", "spawn", "fork", "thread"]

MOST_LOSSES = 3
"""Workers that may be lost in a row without one sample."""
OUTBOXES = 2
"""Samples of one worker that may be in use: while one is copied, the next is read."""
STARTING = threading.RLock()
"""Held while a worker starts: see where it is used."""

logger = logging.getLogger("videonet")


class WorkerLost(VideoError):
    """The worker that read this video died or hung."""


class LoaderError(RuntimeError):
    """Workers cannot be started, or die one after the other: the machine's fault, not a video's."""


class Closed(Exception):
    """The loader was closed while a worker was reading."""


class Worker(Protocol):
    """Reads one video at a time; called by one thread at a time, but `close` may come at any time."""

    def read(self, item: VideoItem, key: Key, outbox: int = 0) -> Sample:
        """The sample; its views are good until the next one by the same outbox, of `OUTBOXES`.

        Raises VideoError (WorkerLost among them), LoaderError, Closed, or what a bug raised in the worker, with notes.
        """
        ...

    def close(self) -> None:
        """Stop at once, whatever it is doing."""
        ...

    @property
    def rss_bytes(self) -> int | None:
        """Resident memory of a worker process; None for threads, and where the system does not tell."""
        ...


class CallingThread:
    """No worker at all: an endless or deadly video is one of the caller."""

    rss_bytes = None

    def __init__(self, job: Job) -> None:
        self._job = job

    def read(self, item: VideoItem, key: Key, outbox: int = 0) -> Sample:
        try:
            return self._job(item, key)
        except Exception as error:
            if not isinstance(error, VideoError):
                error.add_note(f"at {item.path}")
            raise

    def close(self) -> None:
        """Nothing runs."""


class ThreadWorker:
    """A thread: decoding frees the GIL, but a crash of the decoder is one of the whole process."""

    rss_bytes = None

    def __init__(self, job: Job, timeout_seconds: float) -> None:
        self._job, self._timeout = job, timeout_seconds
        self._losses = 0
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._tasks: queue.SimpleQueue[tuple[VideoItem, Key] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Sample | Exception | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=_serve_in_thread, args=(self._job, self._tasks, self._answers), daemon=True, name="videonet-loader"
        )
        with STARTING:  # the number of threads is read, changed and put back
            threads = torch.get_num_threads()
            self._thread.start()
            self._answers.get()  # it set its own number of threads to 1, and that of threads which have not asked yet
            torch.set_num_threads(threads)

    def read(self, item: VideoItem, key: Key, outbox: int = 0) -> Sample:
        self._tasks.put((item, key))
        try:
            answer = self._answers.get(timeout=self._timeout)
        except queue.Empty:
            answer = self._abandon(item)
        if self._closed:
            raise Closed
        if isinstance(answer, Exception):
            raise answer
        assert answer is not None
        self._losses = 0
        return answer

    def _abandon(self, item: VideoItem) -> Exception:
        self._losses += 1
        if self._losses > MOST_LOSSES:
            return LoaderError(f"a loader thread hung {self._losses} times in a row; is the storage there?")
        logger.warning("%s: a thread hangs in it and is left behind, with its memory", item.path)
        self._tasks.put(None)
        self._start()
        return WorkerLost(item.path, f"its decoding kept a loader thread for more than {self._timeout:g} s")

    def close(self) -> None:
        self._closed = True
        self._tasks.put(None)
        self._answers.put(Closed())


def _serve_in_thread(
    job: Job,
    tasks: queue.SimpleQueue[tuple[VideoItem, Key] | None],
    answers: queue.SimpleQueue[Sample | Exception | None],
) -> None:
    torch.get_num_threads()  # only then is the number set next this thread's own
    torch.set_num_threads(1)
    answers.put(None)
    while (task := tasks.get()) is not None:
        try:
            answers.put(job(*task))
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits for it
            if not isinstance(error, VideoError):
                error.add_note(f"in a loader thread, at {task[0].path}")
            answers.put(error)
