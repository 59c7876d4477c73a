"""Sliding windows over a video that is still coming: each as soon as it is complete, memory for one window.

They are the windows that `windows` gives of the whole file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch

from videonet.decode.clip import emitted_frame
from videonet.decode.reader import Emit

from . import clips
from .windows import Window

Timed = tuple[float, torch.Tensor]
"""When a frame comes on screen, in seconds, and the frame, uint8 (H, W, 3)."""


class _Tick(NamedTuple):
    frame: torch.Tensor
    place: int
    """Of the frame among all."""
    start: float
    stop: float


def rolling(
    frames: Iterable[Timed],
    length: int,
    stride: int,
    hop: int,
    emit: Emit | None = None,
    fps: float | None = None,
    half_tick_seconds: float = 0.0,
) -> Iterator[Window]:
    """Windows of `length` ticks `stride` apart, each `hop` ticks after the one before; `indices` count the frames.

    Args:
        frames: in order. A frame is on screen until the next one comes, and is known to be so only then.
        emit: run on each frame that a window needs.
        fps: ticks a second, the frame of a tick being the one on screen; None: a tick is a frame.
        half_tick_seconds: how exact times are, see `Timeline`.

    Where the end leaves ticks out, a last window holds the last frame past the end. How long that frame stays on screen
    is not known, and taken from the others.
    """
    span = clips.span(length, stride)
    kept: dict[int, _Tick] = {}  # those that a window still needs, emitted
    number, start = -1, 0  # of the last tick, and where the next window starts
    last: _Tick | None = None
    for number, last in enumerate(_by_frame(frames) if fps is None else _by_rate(frames, fps, half_tick_seconds)):
        if _needed(number, span, stride, hop):
            kept[number] = last._replace(frame=emitted_frame(last.frame, emit))
        if number == start + span - 1:
            yield _window([kept[tick] for tick in range(start, start + span, stride)])
            start += hop
            kept = {tick: value for tick, value in kept.items() if tick >= start}
    if last is None:
        return
    starts = clips.sliding_starts(number + 1, length, stride, hop, "hold")
    if starts[-1] == start:
        kept.setdefault(number, last._replace(frame=emitted_frame(last.frame, emit)))
        yield _window([kept[min(tick, number)] for tick in range(start, start + span, stride)])


def _needed(tick: int, span: int, stride: int, hop: int) -> bool:
    """Whether any window has this tick."""
    first = max(0, -((span - 1 - tick) // hop))  # the first window that reaches so far
    return any((tick - window * hop) % stride == 0 for window in range(first, tick // hop + 1))


def _window(ticks: list[_Tick]) -> Window:
    indices = np.array([tick.place for tick in ticks], dtype=np.int64)
    return Window(torch.stack([tick.frame for tick in ticks]), indices, ticks[0].start, ticks[-1].stop)


def _by_frame(frames: Iterable[Timed]) -> Iterator[_Tick]:
    """Each frame is a tick."""
    before: tuple[int, float, torch.Tensor] | None = None
    for index, (seconds, frame) in enumerate(frames):
        if before is not None:
            yield _Tick(before[2], before[0], before[1], seconds)
        before = index, seconds, frame
    if before is not None:
        index, seconds, frame = before
        yield _Tick(frame, index, seconds, seconds + seconds / max(index, 1))


def _by_rate(frames: Iterable[Timed], fps: float, half_tick_seconds: float) -> Iterator[_Tick]:
    """Ticks at k / fps; there are as many as round to the time gone by."""
    waiting: list[_Tick] = []  # a tick counts from its middle on
    number = 0
    for shown in _by_frame(frames):
        while number / fps + half_tick_seconds < shown.stop:
            waiting.append(shown._replace(start=number / fps, stop=(number + 1) / fps))
            number += 1
        while waiting and (waiting[0].start + waiting[0].stop) / 2 <= shown.stop:
            yield waiting.pop(0)
    if waiting and waiting[0].start == 0.0:  # the video is shorter than half a tick: there is one all the same
        yield waiting[0]
