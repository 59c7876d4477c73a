"""A run that hangs says where: the stacks of all threads go to a file, and to the log, before the run is given up.

A hang over several ranks is seen by all of them: one does not come, the others wait for it in a collective. The stacks
of that one rank tell why, those of the others only where they wait.
"""

from __future__ import annotations

import faulthandler
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .log import logger

_LOOKS = 10
"""How often within the time allowed one looks whether a step has ended."""


class Watch:
    """`alive()` at each step; where none comes for `minutes`, the stacks are written to `path`, once a hang.

    None: nothing is watched. Where a thread of C code holds Python's lock, a timer of C code writes the file alone.
    """

    def __init__(self, minutes: float | None, path: Path) -> None:
        self._seconds = None if minutes is None else 60 * minutes
        self._path = path
        self._last: float | None = None
        self._done = threading.Event()

    def alive(self) -> None:
        """A step begins; costs nothing."""
        self._last = time.monotonic()

    def pause(self) -> None:
        """No step is to be waited for until the next `alive`."""
        self._last = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Until the end of the block."""
        if self._seconds is None:
            yield
            return
        self._done.clear()
        thread = threading.Thread(target=self._look, args=(self._seconds,), daemon=True, name="videonet-watch")
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            thread.join()
            if self._path.exists() and not self._path.stat().st_size:
                self._path.unlink()

    def _look(self, seconds: float) -> None:
        told: float | None = None
        if self._done.wait(seconds / _LOOKS):
            return
        with self._path.open("w+", encoding="utf-8") as file:
            while not self._done.wait(seconds / _LOOKS):
                faulthandler.dump_traceback_later(seconds, file=file)  # starts anew; fires where this loop cannot run
                last = self._last
                if last is None or last == told or time.monotonic() - last < seconds:
                    continue
                told = last
                faulthandler.dump_traceback(file, all_threads=True)
                file.flush()
                logger.error("no step for %g s; where each thread of this rank stands is in %s:\n%s",
                             seconds, self._path, self._path.read_text(encoding="utf-8"))  # fmt: skip
            faulthandler.cancel_dump_traceback_later()
