"""Worker processes of a loader: a crash of the decoder, or a hang, costs one video.

A process answers through a pipe, but for the pixels: they lie in an outbox, shared memory that it writes and the parent
reads, as large as the largest sample so far. It has two, for the two threads of the parent that take turns with it.
"""

from __future__ import annotations

import functools
import math
import os
import pickle
import shutil
import signal
import traceback
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from pathlib import Path

import torch

from videonet.decode.reader import VideoError

from .dataset import Job, Key, Sample
from .lists import VideoItem
from .workers import MOST_LOSSES, OUTBOXES, STARTING, Closed, LoaderError, WorkerLost

_START_SECONDS = 300.0  # a new process imports torch, perhaps from a slow network disk
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, not written to

_Answer = int | Exception | tuple[Sample, tuple[int, ...]]
"""Bytes that the outbox must have (0: ready for the first video), what went wrong, or a sample and its views' shape."""


class ProcessWorker:
    """A process of its own: a crash of the decoder costs one video."""

    def __init__(self, job: Job, context: BaseContext, timeout_seconds: float) -> None:
        self._job, self._context, self._timeout = job, context, timeout_seconds
        self._losses = 0
        self._closed = False
        self._start()

    def _start(self) -> None:
        with STARTING:  # else a process forked by another thread could inherit `theirs`, and hide this one's death
            if self._closed:
                raise Closed
            self._pipe, theirs = self._context.Pipe()
            forked = self._pipe if self._context.get_start_method() == "fork" else None
            # BaseContext has no Process of its own, though each kind has
            process = self._context.Process  # type: ignore[attr-defined]
            self._process = process(
                target=_serve, args=(self._job, theirs, forked), daemon=True, name="videonet-loader"
            )
            self._process.start()
            theirs.close()
        self._outboxes = [torch.empty(0, dtype=torch.uint8) for _ in range(OUTBOXES)]
        self._ready = False

    def read(self, item: VideoItem, key: Key, outbox: int = 0) -> Sample:
        self._hand_over(item, key, outbox)
        try:
            answer = self._answer(self._timeout)
            while isinstance(answer, int):
                self._outboxes[outbox] = _shared(answer)
                self._pipe.send(self._outboxes[outbox])
                answer = self._answer(self._timeout)
        except (_Gone, OSError) as error:
            reason = f"its decoding {error if isinstance(error, _Gone) else self._ending()}"
            self._replace(reason)
            raise WorkerLost(item.path, reason) from None
        self._losses = 0
        if isinstance(answer, Exception):
            raise answer
        sample, shape = answer
        return replace(sample, views=self._outboxes[outbox][: math.prod(shape)].view(shape))

    def _hand_over(self, item: VideoItem, key: Key, outbox: int) -> None:
        """A worker lost before it has the video is not the video's fault."""
        while True:
            try:
                if not self._ready:
                    self._answer(_START_SECONDS)
                    self._ready = True
                self._pipe.send((item, key, outbox))
                return
            except _Gone as gone:
                reason = str(gone)
            except OSError:
                reason = self._ending()
            self._replace(reason)

    def _answer(self, timeout_seconds: float) -> _Answer:
        try:
            if wait([self._pipe, self._process.sentinel], timeout_seconds):
                if self._pipe.poll():
                    answer: _Answer = self._pipe.recv()
                    return answer
                raise _Gone(self._ending())
        except (EOFError, OSError):
            raise _Gone(self._ending()) from None
        raise _Gone(f"kept a loader worker for more than {timeout_seconds:g} s")

    def _ending(self) -> str:
        self._process.join(10)
        code = self._process.exitcode
        if code is None or code >= 0:
            return f"ended a loader worker (exit code {code})"
        hint = {signal.SIGKILL: ": out of memory?", signal.SIGBUS: f": {_shared_memory()}"}.get(-code, "")
        return f"killed a loader worker (signal {-code}{hint})"

    def _replace(self, reason: str) -> None:
        """Start anew. Raises Closed, or LoaderError when that was done too often."""
        self._bury()
        if self._closed:
            raise Closed
        self._losses += 1
        if self._losses > MOST_LOSSES:
            raise LoaderError(
                f"a loader worker was lost {self._losses} times in a row without reading a video ({reason}). "
                f"Its own message is above; with data.workers=0 the error shows where it happens. {_shared_memory()}. "
                f"A script that uses workers must do its work under `if __name__ == '__main__':`"
            )
        self._start()

    def _bury(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def close(self) -> None:
        with STARTING:
            self._closed = True
            self._process.kill()
        self._process.join()

    @property
    def rss_bytes(self) -> int | None:
        try:
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        except OSError:
            return None
        return pages * os.sysconf("SC_PAGE_SIZE")


class _Gone(Exception):
    """A worker process is dead or too slow; the message says how it ended."""


def _serve(job: Job, pipe: Connection, forked: Connection | None) -> None:
    """The life of a worker process; it ends when its parent closes the other end of the pipe, dead or alive.

    forked: that other end, where this process came by a copy of it.
    """
    if forked is not None:
        forked.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    torch.set_num_threads(1)  # there is a worker for each core
    outboxes = [torch.empty(0, dtype=torch.uint8) for _ in range(OUTBOXES)]

    def allocate(outbox: int, shape: tuple[int, ...]) -> torch.Tensor:
        size = math.prod(shape)
        if size > len(outboxes[outbox]):
            pipe.send(size)
            outboxes[outbox] = pipe.recv()
        return outboxes[outbox][:size].view(shape)

    try:
        pipe.send(0)
        while True:
            item, key, outbox = pipe.recv()
            try:
                sample = job(item, key, functools.partial(allocate, outbox))
                assert sample.views is not None
                answer = (replace(sample, views=None), tuple(sample.views.shape))
            except Exception as error:  # noqa: BLE001 - the parent raises it
                pipe.send(_portable(error, item))
            else:
                pipe.send(answer)
    except (EOFError, OSError):
        return  # the parent is gone, or has done with this worker


def _portable(error: Exception, item: VideoItem) -> Exception:
    """The error as it can travel; one that is no VideoError is a bug, and says where."""
    note = f"in a loader worker, at {item.path}:\n{traceback.format_exc()}"
    if not isinstance(error, VideoError):
        error.add_note(note)
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    except Exception:  # noqa: BLE001 - pickling runs its author's code; the text is what counts
        error = RuntimeError(f"{type(error).__name__}: {error}")
        error.add_note(note)
    return error


def _shared(size: int) -> torch.Tensor:
    """An outbox. Raises LoaderError where shared memory is short, which would else kill the worker that fills it."""
    try:
        if _SHARED_MEMORY.is_dir() and shutil.disk_usage(_SHARED_MEMORY).free < size:
            raise RuntimeError("none left")
        return torch.empty(size, dtype=torch.uint8).share_memory_()
    except RuntimeError as error:
        raise LoaderError(
            f"no {size:,} bytes of shared memory for a sample ({error}); {_shared_memory()}; make it larger "
            "(docker run --shm-size=8g), use fewer workers, or data.worker_kind=thread"
        ) from None


def _shared_memory() -> str:
    if not _SHARED_MEMORY.is_dir():
        return "shared memory may be full"
    usage = shutil.disk_usage(_SHARED_MEMORY)
    return f"{_SHARED_MEMORY} has {usage.free >> 20} of {usage.total >> 20} MiB free"
