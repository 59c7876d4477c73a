"""A clip: frames in the order asked for, with their times and how sound they are.

Layout: frames uint8 (T, H, W, 3), RGB, or packed YUV, (T, H * 3 // 2, W). Also the two ways to ask (by index, by
seconds) and the builder that every reader fills, one decoded frame at a time, so that only wanted frames are ever in
memory.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch

from videonet.decode.yuv import Colour, YuvFrame

Picture = torch.Tensor | YuvFrame  # RGB, uint8 (H, W, 3), or the planes

# RGB, uint8 (H, W, 3) -> (h, w, 3), or YuvFrame -> packed YUV, (h * 3 // 2, w), as the video was opened. Run once on
# each wanted frame, as soon as it is decoded.
Emit = Callable[[Any], torch.Tensor]

# One emit for all frames, or one an index asked: an index may be asked again with another emit. All give one size.
Emits = Emit | Sequence[Emit]

TOGETHER = 16  # frames that an emit of two steps finishes together
TOGETHER_BYTES = 1 << 21  # and the most memory for them: more than a core's own cache, and nothing is gained


@runtime_checkable
class TwoSteps(Protocol):
    """An emit whose second step costs less for some frames together than for each alone."""

    def cut(self, frame: torch.Tensor, /) -> torch.Tensor:
        """The part of a frame that matters, uint8 (H, W, 3) -> (h, w, 3), all of one size; a view."""
        ...

    def finish(self, parts: torch.Tensor, /) -> torch.Tensor:
        """Such parts as the emit gives them, uint8 (n, h, w, 3) -> (n, h, w, 3): `parts` or new memory."""
        ...


@dataclass(frozen=True)
class Clip:
    """T frames. On a sound file read inside its length, `clamped`, `damaged` and `substituted` are all 0."""

    frames: torch.Tensor
    """uint8 (T, H, W, 3), RGB; or packed YUV, (T, H * 3 // 2, W)."""
    pts_seconds: np.ndarray
    """float64 (T,): when each frame comes on screen, after the first frame of the video."""
    clamped: int
    """How many of the T were asked for past the end and are the last frame."""
    damaged: int
    """How many of the T the decoder flagged as corrupt."""
    substituted: int
    """How many of the T could not be decoded and are a neighbour."""
    colour: Colour | None = None
    """How packed YUV becomes RGB (`to_rgb`); None where the frames are RGB."""
    emit_seconds: float = 0.0
    """How long the emits took, on the wall."""

    def __post_init__(self) -> None:
        if not _is_picture(self.frames[0]) or (self.colour is not None and self.frames.ndim == 4):
            raise ValueError(
                f"clip frames are {self.frames.dtype} {tuple(self.frames.shape)}; "
                "they must be uint8 (T, H, W, 3), or (T, H * 3 // 2, W) with a colour"
            )
        if self.pts_seconds.dtype != np.float64 or self.pts_seconds.shape != (self.frames.shape[0],):
            raise ValueError(
                f"pts_seconds is {self.pts_seconds.dtype} {self.pts_seconds.shape}; "
                f"it must be float64 ({self.frames.shape[0]},), one time a frame"
            )


@dataclass(frozen=True)
class Timeline:
    """When each shown frame is on screen, in seconds after the first: float64 (frames,), strictly increasing."""

    starts_seconds: np.ndarray
    duration_seconds: float
    half_tick_seconds: float
    """Half the clock step of the file: a time is only known to within it."""

    def locate_indices(self, indices: Sequence[int]) -> tuple[np.ndarray, int]:
        """Positions int64 (T,) of these frame indices, and how many were clamped to the last frame."""
        asked = np.asarray(indices)
        if asked.ndim != 1 or asked.size == 0 or not np.issubdtype(asked.dtype, np.integer):
            raise ValueError(f"frame indices must be a flat, non-empty sequence of integers, got {indices!r}")
        if asked.min() < 0:
            raise ValueError(f"frame index {asked.min()} is negative; count frames from 0")
        last = len(self.starts_seconds) - 1
        return np.minimum(asked.astype(np.int64), last), int((asked > last).sum())

    def locate_seconds(self, seconds: Sequence[float]) -> tuple[np.ndarray, int]:
        """Positions int64 (T,) of the frames on screen at these seconds, and how many were past the end."""
        asked = np.asarray(seconds, dtype=np.float64)
        if asked.ndim != 1 or asked.size == 0 or not np.isfinite(asked).all() or asked.min() < 0:
            raise ValueError(f"times must be a flat, non-empty sequence of finite seconds >= 0, got {seconds!r}")
        positions = np.searchsorted(self.starts_seconds, asked + self.half_tick_seconds, side="right") - 1
        return positions, int((asked > self.duration_seconds + self.half_tick_seconds).sum())

    def locate_rising(self, indices: Sequence[int]) -> np.ndarray:
        """Positions int64 (T,) of these frame indices, which must rise and be those of shown frames."""
        positions, clamped = self.locate_indices(indices)
        if clamped or (np.diff(positions) <= 0).any():
            frames = len(self.starts_seconds)
            raise ValueError(f"indices to stream must rise, each once, and be below {frames}, got {indices!r}")
        return positions

    def locate_range(self, start_seconds: float, stop_seconds: float | None) -> tuple[int, int]:
        """[first, stop) positions: on screen at `start_seconds`, up to frames that start before `stop_seconds`."""
        first = int(self.locate_seconds([start_seconds])[0][0])
        if stop_seconds is None:
            return first, len(self.starts_seconds)
        if stop_seconds < start_seconds:
            raise ValueError(f"stop_seconds={stop_seconds} is before start_seconds={start_seconds}")
        return first, int(np.searchsorted(self.starts_seconds, stop_seconds - self.half_tick_seconds, side="left"))


class ClipBuilder:
    """Collects the frames of one clip as they are decoded; each goes straight to its rows of the result."""

    def __init__(self, timeline: Timeline, positions: np.ndarray, clamped: int, emit: Emits | None) -> None:
        if isinstance(emit, Sequence) and len(emit) != len(positions):
            raise ValueError(f"{len(emit)} emits for {len(positions)} frames; give one for all, or one a frame")
        self._pts_seconds = timeline.starts_seconds[positions]
        self._clamped = clamped
        self._emits: Sequence[Emit | None] = emit if isinstance(emit, Sequence) else [emit]
        self._emit_a_row = isinstance(emit, Sequence)
        self._together: dict[int, _Together] = {}
        for number, one in {id(one): one for one in self._emits}.items():
            if isinstance(one, TwoSteps):
                self._together[number] = _Together(one, self._fill)
        self._rows: dict[int, list[int]] = {}  # of each position still missing
        for row, position in enumerate(positions.tolist()):
            self._rows.setdefault(position, []).append(row)
        self._frames = torch.empty((0, 0, 0, 3), dtype=torch.uint8)  # until the first frame tells the size
        self._colour: Colour | None = None
        self._damaged = self._substituted = 0
        self._emit_seconds = 0.0

    @property
    def missing(self) -> np.ndarray:
        """Positions int64 still without a frame, sorted and unique."""
        return np.array(sorted(self._rows), dtype=np.int64)

    @property
    def done(self) -> bool:
        return not self._rows

    def wants(self, position: int) -> bool:
        return position in self._rows

    def put(self, position: int, frame: Picture, damaged: bool = False, substituted: bool = False) -> None:
        """Give the frame of a position still missing."""
        if isinstance(frame, YuvFrame):
            self._colour = frame.colour
        rows = self._rows.pop(position)
        self._damaged += damaged * len(rows)
        self._substituted += substituted * len(rows)
        start = time.perf_counter()
        if self._emit_a_row:
            for row in rows:
                self._emit_to([row], frame, self._emits[row])
        else:
            self._emit_to(rows, frame, self._emits[0])
        self._emit_seconds += time.perf_counter() - start

    def _emit_to(self, rows: list[int], frame: Picture, emit: Emit | None) -> None:
        together = self._together.get(id(emit))
        if together is None or isinstance(frame, YuvFrame):
            emitted = emitted_frame(frame, emit)
            self._fill(rows, emitted.expand(len(rows), *emitted.shape))
        else:
            together.add(rows, frame)

    def _fill(self, rows: list[int], emitted: torch.Tensor, ours: bool = False) -> None:
        """Put one frame a row into these rows; `ours`: nobody else holds the memory of `emitted`."""
        shape = emitted.shape[1:]
        first, last = rows[0], rows[-1]
        in_line = rows == list(range(first, last + 1))
        if not len(self._frames):
            if ours and in_line and len(rows) == len(self._pts_seconds):
                self._frames = emitted.contiguous()
                return
            self._frames = torch.empty((len(self._pts_seconds), *shape), dtype=torch.uint8)
        elif shape != self._frames.shape[1:]:
            raise ValueError(f"emit gave {tuple(shape)} after {tuple(self._frames.shape[1:])}; all must agree")
        if in_line:
            self._frames[first : last + 1] = emitted
        else:
            self._frames[torch.tensor(rows)] = emitted

    def clip(self) -> Clip:
        """The finished clip; all positions must have been put."""
        start = time.perf_counter()
        for together in self._together.values():
            together.finish()
        emit_seconds = self._emit_seconds + time.perf_counter() - start
        counts = self._clamped, self._damaged, self._substituted
        return Clip(self._frames, self._pts_seconds, *counts, self._colour, emit_seconds)


class _Together:
    """Parts of frames that wait for the second step of their emit, and the rows that they are for."""

    def __init__(self, emit: TwoSteps, fill: Callable[[list[int], torch.Tensor, bool], None]) -> None:
        self._emit = emit
        self._fill = fill
        self._parts = torch.empty((0, 0, 0, 3), dtype=torch.uint8)  # until the first one tells the size
        self._rows: list[list[int]] = []

    def add(self, rows: list[int], frame: torch.Tensor) -> None:
        """One more frame; once there are enough, they are finished."""
        part = self._emit.cut(frame)
        if not len(self._parts):
            room = max(1, min(TOGETHER, TOGETHER_BYTES // max(1, part.nbytes)))
            self._parts = torch.empty((room, *part.shape), dtype=torch.uint8)
        self._parts[len(self._rows)] = part
        self._rows.append(rows)
        if len(self._rows) == len(self._parts):
            self.finish()

    def finish(self) -> None:
        """Finish those that wait."""
        if not self._rows:
            return
        finished = self._emit.finish(self._parts[: len(self._rows)])
        if len(finished) != len(self._rows) or not _is_picture(finished[0]):
            raise ValueError(f"emit gave {finished.dtype} {tuple(finished.shape)}; it must give uint8 (n, h, w, 3)")
        places = [place for place, rows in enumerate(self._rows) for _ in rows]
        rows = [row for rows in self._rows for row in rows]
        self._fill(rows, finished if len(rows) == len(finished) else finished[torch.tensor(places)], True)
        self._rows = []


def emitted_frame(frame: Picture, emit: Emit | None) -> torch.Tensor:
    """`emit(frame)`, or the frame itself, packed if YUV; ValueError unless that is uint8 (h, w, 3) or (rows, w)."""
    if emit is None:
        return frame.packed() if isinstance(frame, YuvFrame) else frame.contiguous()
    emitted = emit(frame)
    if not _is_picture(emitted):
        raise ValueError(
            f"emit gave {emitted.dtype} {tuple(emitted.shape)}; it must give uint8 (h, w, 3), or packed YUV (rows, w)"
        )
    return emitted


def _is_picture(frame: torch.Tensor) -> bool:
    return frame.dtype == torch.uint8 and (frame.ndim == 2 or (frame.ndim == 3 and frame.shape[2] == 3))
