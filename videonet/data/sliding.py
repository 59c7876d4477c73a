"""Sliding windows as a worker's job: a few windows of a video at a time, however long it is.

The key of a sample is (number of the chunk, index of the item): chunk 0 opens the video, each of the next goes on with
the same pass over it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from videonet.decode.reader import Undecodable, VideoInfo, VideoReader, open_video
from videonet.decode.yuv import Colour

from . import clips
from .dataset import Allocate, Key, Open, Sample, refuse_cut_short
from .lists import VideoItem
from .planes import Finish, cut_around
from .preprocessing import Preprocessing
from .transforms import Size
from .views import TestViews, ViewPlan
from .windows import windows


@dataclass(frozen=True)
class Hop:
    """How far apart windows begin: in ticks of the timeline (frames of the video, unless it is read at a rate), or in
    seconds, which come to a whole number of ticks."""

    ticks: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if (self.ticks is None) == (self.seconds is None):
            raise ValueError("a hop is so many ticks or so many seconds: give one of the two")
        if (self.ticks or self.seconds or 0) <= 0:
            raise ValueError(f"a hop of {self.seconds if self.ticks is None else self.ticks} must be above 0")

    def of(self, rate: float) -> int:
        """In ticks, at least 1, where there are `rate` a second."""
        return self.ticks or max(1, round((self.seconds or 0.0) * rate))


@dataclass(frozen=True)
class Sliding:
    """Windows as the model's own clips, one every `hop`, centre crop or letterbox as in a test with one crop."""

    preprocessing: Preprocessing
    hop: Hop
    tail: clips.Tail = "hold"

    def starts(self, info: VideoInfo) -> clips.Indices:
        """(windows,) ticks at which the windows of a video begin."""
        p = self.preprocessing
        return clips.sliding_starts(p.ticks(info), p.frames, p.stride, self.hop_ticks(info), self.tail)

    def hop_ticks(self, info: VideoInfo) -> int:
        """Ticks from a window to the next."""
        return self.hop.of(self.preprocessing.fps or info.fps)

    def geometry(self, frame: Size) -> ViewPlan:
        """The emit and the crop of every window of a video with such frames."""
        return TestViews(self.preprocessing, 1, 1).plan(1, frame, np.random.default_rng(0))


class SlidingReader:
    """Reads `chunk` windows at a time; one video at a time, each from chunk 0 on. A copy for each worker.

    `open_video`, `max_missing` and `max_damaged` are as in `SampleReader`; damage over the limit shows at the end of a
    video, with its last chunk.
    """

    def __init__(
        self,
        sliding: Sliding,
        chunk: int = 4,
        open_video: Open = open_video,
        max_missing: float = 0.1,
        max_damaged: float = 0.25,
    ) -> None:
        self._sliding, self._chunk, self._open_video = sliding, chunk, open_video
        self._max_missing, self._max_damaged = max_missing, max_damaged
        self._pass: _Pass | None = None

    def __call__(self, item: VideoItem, key: Key, allocate: Allocate | None = None) -> Sample:
        """The chunk `key[0]` of the item. Raises VideoError."""
        number, index = key
        if number == 0:
            self._pass = None  # a video that was given up is closed before the next one opens
            self._pass = _Pass(item.path, self._open_video(item.path), self._sliding, self._max_missing)
        assert self._pass is not None
        assert self._pass.chunks == number, "the chunks of a video are asked for one after the other"
        try:
            views, finish, seconds = self._pass.take(self._chunk, allocate or _new)
            if not self._pass.left:
                self._pass.refuse_damaged(self._max_damaged)
        except BaseException:
            self._pass.close()
            raise
        if not self._pass.left:
            self._pass.close()
        return Sample(
            index=index,
            label=item.label,
            views=views,
            seconds=seconds,
            finish=finish,
            stop_seconds=seconds[:, 1],
            info=self._pass.info,
            more=self._pass.left > 0,
        )


class _Pass:
    """One pass over an open video, which it closes when there is nothing to read in it."""

    def __init__(self, path: str, reader: VideoReader, sliding: Sliding, max_missing: float) -> None:
        p = sliding.preprocessing
        self._path, self._reader, self._length = path, reader, p.frames
        self.chunks = self._frames = 0
        self._colour: Colour | None = None
        try:
            self.info = refuse_cut_short(path, reader.info, max_missing)
            self.left = len(sliding.starts(self.info))
            if not self.left:
                span, ticks = clips.span(p.frames, p.stride), p.ticks(self.info)
                raise Undecodable(path, f"{ticks} frames, and a window takes {span}", "keep the tail (hold or shift)")
            plan = sliding.geometry((self.info.height, self.info.width))
        except BaseException:
            reader.close()
            raise
        self._emit, self._crop = plan.emits[0], plan.crops[0]
        self._cut = cut_around(plan.emits) if p.pixels == "yuv" else None
        hop = sliding.hop_ticks(self.info)
        self._windows = windows(reader, p.frames, p.stride, hop, self._emit_counted, p.fps, sliding.tail)

    def _emit_counted(self, frame: Any) -> torch.Tensor:
        self._frames += 1
        if self._cut is None:
            return self._emit(frame)
        self._colour = frame.colour
        return self._cut(frame)

    def take(self, most: int, allocate: Allocate) -> tuple[torch.Tensor, Finish | None, np.ndarray]:
        """The next windows, uint8 (n, 3, T, S, S), or planes and what makes such views; their times, float64 (n, 2)."""
        count = min(most, self.left)
        views = torch.empty(0)
        seconds = np.empty((count, 2))
        for row in range(count):
            window = next(self._windows)
            pixels = window.frames if self._cut else self._crop.cut(window.frames).permute(3, 0, 1, 2)
            if not row:
                views = allocate((count, *pixels.shape))
            views[row] = pixels
            seconds[row] = window.start_seconds, window.stop_seconds
        self.left -= count
        self.chunks += 1
        if self._cut is None:
            return views, None, seconds
        assert self._colour is not None
        rows = np.arange(count * self._length).reshape(count, self._length)
        return views.flatten(0, 1), Finish(self._colour, self._cut, rows, (self._emit,), (self._crop,)), seconds

    def refuse_damaged(self, max_damaged: float) -> None:
        """Raises Undecodable where more than this share of the frames read so far are damaged."""
        if self._reader.bad_streamed > max_damaged * self._frames:
            raise Undecodable(
                self._path, f"{self._reader.bad_streamed} of the {self._frames} frames wanted are damaged"
            )

    def close(self) -> None:
        self._reader.close()


def _new(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.uint8)
