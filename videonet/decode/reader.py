"""What a video reader is: the protocol, the facts it tells, the errors it raises, and `open_video`.

A frame is uint8 (H, W, 3), RGB, already rotated upright. Times are seconds after the first shown frame, whatever clock
the file itself uses. Frames are found by their presentation time, never by index / fps.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Protocol, Self

import torch

from videonet.decode.clip import Clip, Emit

Source = str | os.PathLike[str] | bytes | BinaryIO

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})


class VideoError(ValueError):
    """A video that cannot be read: `path`, the `reason`, and in the message the way out."""

    def __init__(self, path: str, reason: str, way_out: str = "check the file or leave it out of the list") -> None:
        super().__init__(path, reason, way_out)  # the arguments, so that a worker process can pickle the error
        self.path = path
        self.reason = reason
        self.way_out = way_out

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}; {self.way_out}"


class OpenError(VideoError):
    """The file is missing, or is in no container that can be read."""


class NoVideoStream(VideoError):
    """The container is sound and holds no video track."""


class Undecodable(VideoError):
    """There is a video track, and not one frame of it can be decoded."""


class TooLarge(VideoError):
    """The header asks for more than `Limits` allow."""


@dataclass(frozen=True)
class Limits:
    """The most a file's header may make us allocate; beyond it `TooLarge` is raised."""

    max_pixels: int = 8192 * 8192
    """Width times height of one frame."""
    max_side: int = 16384
    """Width or height of one frame."""
    max_frames: int = 2_000_000
    """Frames in one file (18 hours at 30 frames a second)."""

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


@dataclass(frozen=True)
class VideoInfo:
    """Facts of one video, counted from its packets and not believed from its header."""

    width: int
    """Pixels, after rotation."""
    height: int
    """Pixels, after rotation."""
    fps: float
    """Average frames a second."""
    frames: int
    """Exact number of shown frames."""
    duration_seconds: float
    """From the first frame's start to the last frame's end."""
    codec: str
    """FFmpeg's name, such as "h264"."""
    rotation: int
    """Degrees counter-clockwise the stored frames were turned by: 0, 90, 180 or 270."""
    missing: int = 0
    """Frames that the index of an mp4 or mov promises beyond `frames`: more than 0 says that the file was cut short."""


class VideoReader(Protocol):
    """One open video. A context manager; not to be pickled or kept across a fork: open it where it is read."""

    @property
    def info(self) -> VideoInfo: ...

    def at(self, seconds: Sequence[float], emit: Emit | None = None) -> Clip:
        """The frames on screen at these seconds after the first frame: greatest pts <= t + half a tick.

        Times past the end give the last frame, counted in `clamped`; negative or no times raise ValueError.
        """
        ...

    def at_index(self, indices: Sequence[int], emit: Emit | None = None) -> Clip:
        """Exactly these frames, in any order, repeats allowed, each decoded once.

        An index past the end gives the last frame, counted in `clamped`; negative or no indices raise ValueError.
        """
        ...

    def stream(
        self, start_seconds: float = 0.0, stop_seconds: float | None = None, emit: Emit | None = None
    ) -> Iterator[tuple[float, torch.Tensor]]:
        """(seconds, frame) from the frame on screen at `start_seconds` to the last one starting before
        `stop_seconds`, in one decode; a frame that cannot be decoded repeats its neighbour.

        Any other read of this reader ends the stream: going on with it raises RuntimeError.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def _pyav(source: Source, limits: Limits) -> VideoReader:
    from videonet.decode.pyav import PyavReader

    return PyavReader(source, limits)


# How to open a video, by backend name; each imports its module at its first use.
BACKENDS: dict[str, Callable[[Source, Limits], VideoReader]] = {"pyav": _pyav}


def open_video(
    source: Source, backend: str = "pyav", limits: Limits = Limits(), frames_fps: float = 30.0
) -> VideoReader:
    """Open a video file, its bytes, a seekable binary file, a directory of images, or one image.

    Args:
        source: a path, the encoded bytes, or an open file (left open on close). A directory is a video whose frames
            are its images in natural order; one image is a video of one frame.
        backend: a name of `BACKENDS`, for everything but images.
        limits: what the header may make us allocate.
        frames_fps: frames a second of a directory of images.

    Raises:
        VideoError: `OpenError`, `NoVideoStream`, `Undecodable` or `TooLarge`, with the path and the way out.
        ValueError: for an unknown backend or a frame rate that is not positive.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend {backend!r} is not known; choose one of {', '.join(map(repr, BACKENDS))}")
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        if "://" not in path and not os.path.exists(path):
            raise OpenError(path, "no such file or directory", "check the path and the data root")
        if os.path.isdir(path) or os.path.splitext(path)[1].lower() in IMAGE_SUFFIXES:
            from videonet.decode.frames import FramesReader

            return FramesReader(path, limits, frames_fps)
    return BACKENDS[backend](source, limits)
