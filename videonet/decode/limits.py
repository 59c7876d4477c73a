"""How much memory and time one video may take."""

import time
from dataclasses import dataclass

from videonet.decode.errors import TimedOut, TooLarge


@dataclass(frozen=True)
class Limits:
    """The most a file may make us allocate, beyond which `TooLarge` is raised, or work, beyond which `TimedOut` is."""

    max_pixels: int = 8192 * 8192
    """Width times height of one frame."""
    max_side: int = 16384
    """Width or height of one frame."""
    max_frames: int = 2_000_000
    """Frames in one file (18 hours at 30 frames a second)."""
    max_decode_seconds: float = 120.0
    """CPU seconds of the calling thread that opening, one read, or one step of a stream may take."""

    def __post_init__(self) -> None:
        if not self.max_decode_seconds > 0:
            raise ValueError(f"max_decode_seconds={self.max_decode_seconds} must be more than 0")

    def check_size(self, path: str, width: int, height: int) -> None:
        """Raise `TooLarge` where a width x height frame passes a limit."""
        if max(width, height) > self.max_side or width * height > self.max_pixels:
            raise TooLarge(
                path,
                f"frames are {width}x{height}, over max_side={self.max_side} or max_pixels={self.max_pixels}",
                "pass larger Limits to open_video, or scale the file down",
            )

    def check_frames(self, path: str, frames: int) -> None:
        """Raise `TooLarge` where `frames` passes the limit."""
        if frames > self.max_frames:
            raise TooLarge(
                path,
                f"more than max_frames={self.max_frames} frames",
                "pass larger Limits to open_video, or cut the file",
            )


DEFAULT_LIMITS = Limits()


class Deadline:
    """CPU time of this thread that one read may still take: a busy machine, or a slow disk, changes nothing.

    A single call into the codec is not interrupted; the time is looked at between packets and between frames.
    """

    def __init__(self, path: str, limits: Limits) -> None:
        self._path = path
        self._seconds = limits.max_decode_seconds
        self.restart()

    def restart(self) -> None:
        """A new read, or step of a stream, begins."""
        self._end = time.thread_time() + self._seconds
        self._earliest = time.perf_counter() + self._seconds  # a thread's CPU time runs no faster than the clock

    def check(self) -> None:
        """Raise `TimedOut` where the time is used up."""
        if time.perf_counter() > self._earliest and time.thread_time() > self._end:  # CPU time is dear to ask for
            raise TimedOut(
                self._path,
                f"reading took more than max_decode_seconds={self._seconds:g} of CPU time",
                "pass larger Limits to open_video for a very long video; else the file is damaged: fetch it again",
            )
