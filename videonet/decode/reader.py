"""What a video reader is: the protocol, the facts it tells, and `open_video`.

A frame is uint8 (H, W, 3), RGB, already rotated upright. Times are seconds after the first shown frame, whatever clock
the file itself uses. Frames are found by their presentation time, never by index / fps.
"""

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Literal, NoReturn, Protocol, Self, get_args

import torch

from videonet.decode.clip import Clip, Emit, Emits, Timeline
from videonet.decode.errors import (
    BackendMissing,
    NoVideoStream,
    OpenError,
    Refused,
    TimedOut,
    TooLarge,
    Undecodable,
    VideoError,
)
from videonet.decode.limits import DEFAULT_LIMITS, Limits
from videonet.decode.remote import is_url, open_url
from videonet.decode.tar import open_member, shard_and_member

__all__ = [
    "BACKENDS",
    "IMAGE_SUFFIXES",
    "BackendMissing",
    "Limits",
    "NoVideoStream",
    "OpenError",
    "OpenVideo",
    "Opener",
    "Pixels",
    "Refused",
    "Source",
    "TimedOut",
    "TooLarge",
    "Undecodable",
    "VideoError",
    "VideoInfo",
    "VideoReader",
    "open_video",
]

Pixels = Literal["rgb", "yuv"]
Source = str | os.PathLike[str] | bytes | BinaryIO

NUMBERS = re.compile("([0-9]{1,9})-([0-9]{1,9})")  # of the frames of a directory: `directory#3-7`
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})


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
    keyframes: int = 0
    """Packets that decoding can start at; 0 where the backend does not count them."""
    first_pts_seconds: float = 0.0
    """Start of the first frame on the file's own clock; 0 where it has none."""
    last_pts_seconds: float = 0.0
    """Start of the last frame on the same clock."""


class OpenVideo(ABC):
    """What all readers share: they close at the end of their `with`, and are not sent to other processes."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open video cannot be pickled; send the path and open it in the worker")


class VideoReader(Protocol):
    """One open video. A context manager; not to be pickled or kept across a fork: open it where it is read."""

    @property
    def info(self) -> VideoInfo: ...

    @property
    def timeline(self) -> Timeline:
        """When each frame is on screen."""
        ...

    def at(self, seconds: Sequence[float], emit: Emits | None = None) -> Clip:
        """The frames on screen at these seconds after the first frame: greatest pts <= t + half a tick.

        Times past the end give the last frame, counted in `clamped`; negative or no times raise ValueError.
        """
        ...

    def at_index(self, indices: Sequence[int], emit: Emits | None = None) -> Clip:
        """Exactly these frames, in any order, repeats allowed, each decoded once.

        `emit` runs on each frame, or is one emit an index, for frames that are wanted in several ways.

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

    def stream_index(self, indices: Sequence[int], emit: Emit | None = None) -> Iterator[torch.Tensor]:
        """What `at_index` gives, a frame at a time, in one pass over the file: only one is in memory.

        The indices must rise and lie inside the video, else ValueError. Any other read of this reader ends the stream.
        """
        ...

    @property
    def bad_streamed(self) -> int:
        """Frames of the last stream so far that were damaged, or a neighbour because they could not be decoded."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def _in_pixels(reader: VideoReader, pixels: Pixels) -> VideoReader:
    """An RGB reader, or what gives its frames as YUV."""
    if pixels == "rgb":
        return reader
    from videonet.decode.as_yuv import YuvOfRgb

    return YuvOfRgb(reader)


def _pyav(source: Source, limits: Limits, pixels: Pixels) -> VideoReader:
    from videonet.decode.pyav import PyavReader

    return PyavReader(source, limits, pixels)


def _torchcodec(source: Source, limits: Limits, pixels: Pixels) -> VideoReader:
    from videonet.decode.batched import BatchedReader
    from videonet.decode.torchcodec import library

    return BatchedReader(source, limits, library())


def _decord(source: Source, limits: Limits, pixels: Pixels) -> VideoReader:
    from videonet.decode.batched import BatchedReader
    from videonet.decode.decord import library

    return BatchedReader(source, limits, library())


# How to open a video, by backend name; each imports its module at its first use.
BACKENDS: dict[str, Callable[[Source, Limits, Pixels], VideoReader]] = {
    "pyav": _pyav,
    "torchcodec": _torchcodec,
    "decord": _decord,
}


def open_video(
    source: Source,
    backend: str = "pyav",
    limits: Limits = DEFAULT_LIMITS,
    frames_fps: float = 30.0,
    frames_pattern: str = "*",
    pixels: Pixels = "rgb",
) -> VideoReader:
    """Open a video file, its bytes, a seekable binary file, a URL, a directory of images, or one image.

    Args:
        source: a path, the encoded bytes, an open file (left open on close), or a URL that fsspec can open. A
            directory is a video whose frames are its images in natural order, and `directory#3-7` is one of those
            numbered 3 to 7; one image is a video of one frame, and so is `file#17`, image 17 of a file of packed
            images (idx, CIFAR). `shard.tar#clip.mp4` is a member of a tar file.
        backend: a name of `BACKENDS`, for everything but images.
        limits: what the file may make us allocate and work.
        frames_fps: frames a second of a directory of images.
        frames_pattern: which images of a directory are its frames, such as "img_*.jpg".
        pixels: "rgb", or "yuv" for frames as the decoder holds them: `emit` then gets a `YuvFrame` and gives packed
            YUV, which it is without an emit, and `to_rgb` makes RGB of it, on any device.

    Raises:
        VideoError: `OpenError`, `NoVideoStream`, `Undecodable`, `TooLarge`, `TimedOut` or `Refused`, with the path and
            the way out.
        ValueError: for an unknown backend or pixels, or a frame rate that is not positive; `BackendMissing` where the
            library of the backend, or for the URL, is not installed.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend {backend!r} is not known; choose one of {', '.join(map(repr, BACKENDS))}")
    if pixels not in get_args(Pixels):
        raise ValueError(f"pixels={pixels!r} is not known; choose one of {', '.join(map(repr, get_args(Pixels)))}")
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        file, _, part = path.rpartition("#")
        if part.isdecimal() and os.path.isfile(file) and not os.path.exists(path):
            from videonet.decode.packed import PackedReader

            return _in_pixels(PackedReader(file, int(part), limits), pixels)
        member = shard_and_member(path) is not None
        folder = os.path.isdir(path) or (NUMBERS.fullmatch(part) is not None and os.path.isdir(file))
        if not member and not folder and not is_url(path) and not os.path.exists(path):
            raise OpenError(path, "no such file or directory", "check the path and the data root")
        if folder or os.path.splitext(path)[1].lower() in IMAGE_SUFFIXES:
            from videonet.decode.frames import FramesReader

            return _in_pixels(FramesReader(path, limits, frames_fps, frames_pattern), pixels)
        if member:
            source = open_member(path)
        elif is_url(path):
            source = open_url(path)
    return BACKENDS[backend](source, limits, pixels)


@dataclass(frozen=True)
class Opener:
    """How a data set opens its videos: the arguments of `open_video` but the source. Can be pickled."""

    backend: str = "pyav"
    limits: Limits = DEFAULT_LIMITS
    frames_fps: float = 30.0
    frames_pattern: str = "*"
    pixels: Pixels = "rgb"

    def __call__(self, source: Source) -> VideoReader:
        return open_video(source, self.backend, self.limits, self.frames_fps, self.frames_pattern, self.pixels)
