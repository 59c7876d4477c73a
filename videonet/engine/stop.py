"""A run that is asked to stop (SLURM's SIGUSR1, SIGTERM of a spot machine or of torchrun) stops between two steps."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch
import torch.distributed as td

from .dist import Ranks

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class Stopped(Exception):
    """Training stopped when it was asked to, with a checkpoint written."""


class Requests:
    """What any rank asks of all: to stop, since a signal came, or to save. All ranks learn of it at the same step."""

    def __init__(self, ranks: Ranks) -> None:
        self._ranks = ranks
        self._signalled = False
        self._sent: tuple[torch.Tensor, td.Work] | None = None

    def agree(self, save: bool) -> tuple[bool, bool]:
        """(stop, save), to be called once a step by every rank.

        Costs no wait for the device: over several ranks, the answer is that of one call before.
        """
        if self._ranks.world == 1:
            return self._signalled, save
        answer = torch.zeros(2, dtype=torch.int32)
        if self._sent is not None:
            answer, work = self._sent
            work.wait()
        asked = torch.tensor([self._signalled, save], dtype=torch.int32)
        self._sent = asked, td.all_reduce(asked, td.ReduceOp.MAX, async_op=True)
        return bool(answer[0]), bool(answer[1])

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Signals ask for a stop while the block runs (in the main thread; elsewhere signals stay as they are)."""
        try:
            before = {number: signal.signal(number, self._note) for number in SIGNALS}
        except ValueError:  # not the main thread
            before = {}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
