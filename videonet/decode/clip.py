"""A clip: frames in the order asked for, with their times and how sound they are.

Layout: frames uint8 (T, H, W, 3). Also the two ways to ask (by index, by seconds) and the builder that every reader
fills, one decoded frame at a time, so that only wanted frames are ever in memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

# (H, W, 3) uint8 -> (h, w, 3) uint8, run once on each wanted frame, right after its conversion to RGB.
Emit = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Clip:
    """T frames. On a sound file read inside its length, `clamped`, `damaged` and `substituted` are all 0."""

    frames: torch.Tensor
    """uint8 (T, H, W, 3)."""
    pts_seconds: np.ndarray
    """float64 (T,): when each frame comes on screen, after the first frame of the video."""
    clamped: int
    """How many of the T were asked for past the end and are the last frame."""
    damaged: int
    """How many of the T the decoder flagged as corrupt."""
    substituted: int
    """How many of the T could not be decoded and are a neighbour."""

    def __post_init__(self) -> None:
        if self.frames.dtype != torch.uint8 or self.frames.ndim != 4 or self.frames.shape[3] != 3:
            raise ValueError(
                f"clip frames are {self.frames.dtype} {tuple(self.frames.shape)}; they must be uint8 (T, H, W, 3)"
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

    def __init__(self, timeline: Timeline, positions: np.ndarray, clamped: int, emit: Emit | None) -> None:
        self._pts_seconds = timeline.starts_seconds[positions]
        self._clamped = clamped
        self._emit = emit
        self._order = np.argsort(positions, kind="stable")
        self._sorted = positions[self._order]
        self._missing = set(positions.tolist())
        self._frames = torch.empty((0, 0, 0, 3), dtype=torch.uint8)  # until the first frame tells the size
        self._damaged = self._substituted = 0

    @property
    def missing(self) -> np.ndarray:
        """Positions int64 still without a frame, sorted and unique."""
        return np.array(sorted(self._missing), dtype=np.int64)

    @property
    def done(self) -> bool:
        return not self._missing

    def wants(self, position: int) -> bool:
        return position in self._missing

    def put(self, position: int, frame: torch.Tensor, damaged: bool = False, substituted: bool = False) -> None:
        """Give the uint8 (H, W, 3) frame of a position still missing."""
        emitted = emitted_frame(frame, self._emit)
        if not len(self._frames):
            self._frames = torch.empty((len(self._sorted), *emitted.shape), dtype=torch.uint8)
        elif emitted.shape != self._frames.shape[1:]:
            raise ValueError(f"emit gave {tuple(emitted.shape)} after {tuple(self._frames.shape[1:])}; all must agree")
        rows = self._order[slice(*np.searchsorted(self._sorted, [position, position + 1]))]
        for row in rows.tolist():
            self._frames[row] = emitted
        self._damaged += damaged * len(rows)
        self._substituted += substituted * len(rows)
        self._missing.remove(position)

    def clip(self) -> Clip:
        """The finished clip; all positions must have been put."""
        return Clip(self._frames, self._pts_seconds, self._clamped, self._damaged, self._substituted)


def emitted_frame(frame: torch.Tensor, emit: Emit | None) -> torch.Tensor:
    """`emit(frame)`, or the frame itself; ValueError unless the result is uint8 (h, w, 3)."""
    if emit is None:
        return frame
    emitted = emit(frame)
    if emitted.dtype != torch.uint8 or emitted.ndim != 3 or emitted.shape[2] != 3:
        raise ValueError(f"emit gave {emitted.dtype} {tuple(emitted.shape)}; it must give uint8 (h, w, 3)")
    return emitted
