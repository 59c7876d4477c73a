"""Images packed into one file: idx (MNIST, Fashion-MNIST) and CIFAR batches. `file#17` is image 17, from 0, as a video
of one frame, uint8 (1, H, W, 3); a gray image has three equal channels.

Plain idx and binary CIFAR files are mapped, so that processes share their pages. Gzipped idx and CIFAR's Python batches
are unpacked once a process. A Python batch is a pickle, so only the published files, known by their MD5, are opened.
"""

import gzip
import hashlib
import math
import os
import pickle
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from videonet.decode.clip import Clip, ClipBuilder, Emit, Emits, Timeline, emitted_frame
from videonet.decode.reader import Limits, OpenError, OpenVideo, TooLarge, Undecodable, VideoInfo

_LIMITS = Limits()

MOST_BYTES = 1 << 32
"""Largest file, unpacked, that is read."""

PUBLISHED_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}
"""Files of CIFAR's Python version."""


@dataclass(frozen=True)
class Pack:
    """All images of one file."""

    images: np.ndarray
    """uint8 (N, H, W, 1 or 3)."""
    labels: np.ndarray
    """(N,) from 0, of CIFAR-100 the fine ones; empty for idx, which has them in another file."""


def is_packed(path: str) -> bool:
    """Whether `path` is `file#index` of a file of packed images, told by its name."""
    file, _, index = path.rpartition("#")
    return index.isdecimal() and _opener(file) is not None and os.path.isfile(file)


def read_pack(file: str, limits: Limits = _LIMITS) -> Pack:
    """The images of a packed file; kept for the next call while the file does not change.

    Raises VideoError: OpenError, Undecodable or TooLarge.
    """
    opener = _opener(file)
    if opener is None:
        raise OpenError(file, "no name of packed images", "name an idx3-ubyte file or a CIFAR batch")
    try:
        stat = os.stat(file)
        return _kept(opener, file, (stat.st_mtime_ns, stat.st_size), limits)
    except OSError as error:
        raise OpenError(file, f"cannot be read: {error.strerror}", "check the path and the data root") from error


def read_idx(file: str, dimensions: int, limits: Limits = _LIMITS) -> np.ndarray:
    """The uint8 array of an idx file, plain (then mapped) or gzipped: labels have 1 dimension, images 3.

    Raises VideoError: OpenError, Undecodable or TooLarge.
    """
    start = 4 + 4 * dimensions
    zipped = file.endswith(".gz")
    try:
        with gzip.open(file) if zipped else open(file, "rb") as stream:
            header = stream.read(start)
            if len(header) < start or header[:4] != bytes([0, 0, 8, dimensions]):
                raise Undecodable(file, f"not an idx file of unsigned bytes in {dimensions} dimensions")
            shape = tuple(int(size) for size in np.frombuffer(header, ">u4", offset=4))
            limits.check_frames(file, shape[0])
            if dimensions == 3:
                limits.check_size(file, shape[2], shape[1])
            size = math.prod(shape)
            if not 0 < size <= MOST_BYTES:
                raise TooLarge(file, f"its header says {shape}, not 1 to {MOST_BYTES} bytes", "check the file")
            # one byte more than promised, to see that the file ends there
            held = len(data := stream.read(size + 1)) if zipped else os.path.getsize(file) - start
    except (OSError, EOFError, zlib.error) as error:
        raise OpenError(file, f"cannot be read: {error}", "check the path, or fetch the file again") from error
    if held != size:
        raise Undecodable(file, f"its header promises {size} bytes, and {'more' if held > size else held} are there")
    if zipped:
        return np.frombuffer(data, np.uint8).reshape(shape)
    return np.memmap(file, np.uint8, "r", start, shape)


def read_python_batch(file: str) -> dict[str, Any]:
    """The dict of a file of CIFAR's Python version. Raises OpenError unless it is the published file."""
    try:
        with open(file, "rb") as stream:
            data = stream.read(1 << 28)
    except OSError as error:
        raise OpenError(file, f"cannot be read: {error.strerror}", "check the path") from error
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != PUBLISHED_MD5.get(os.path.basename(file)):
        raise OpenError(file, "not the published file of CIFAR (its MD5 differs)", "fetch it again, or use the binary "
                        "version")  # fmt: skip
    batch: dict[str, Any] = pickle.loads(data, encoding="latin1")  # noqa: S301  the published bytes
    return batch


def _idx_pack(file: str, limits: Limits) -> Pack:
    return Pack(read_idx(file, 3, limits)[..., None], np.zeros(0, np.uint8))


def _binary_pack(file: str, limits: Limits) -> Pack:
    """Rows of 1 (CIFAR-100: coarse and fine) label bytes and 3 x 32 x 32 pixels."""
    labels = 1 if "batch" in os.path.basename(file) else 2
    size = os.path.getsize(file)
    if size == 0 or size % (labels + 3072):
        raise Undecodable(file, f"its {size} bytes are not rows of {labels + 3072}")
    limits.check_frames(file, size // (labels + 3072))
    rows = np.memmap(file, np.uint8, "r").reshape(-1, labels + 3072)
    return Pack(_upright(rows[:, labels:]), rows[:, labels - 1])


def _python_pack(file: str, limits: Limits) -> Pack:
    batch = read_python_batch(file)
    limits.check_frames(file, len(batch["data"]))
    return Pack(_upright(batch["data"]), np.array(batch["labels" if "labels" in batch else "fine_labels"]))


def _upright(pixels: np.ndarray) -> np.ndarray:
    """(N, 3072) -> (N, 32, 32, 3), a view."""
    return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


_Open = Callable[[str, Limits], Pack]

# How a packed file is opened, by its name.
_OPENERS: dict[str, _Open] = {
    r".*idx3-ubyte(\.gz)?": _idx_pack,
    r"((data|test)_batch(_\d)?|train|test)\.bin": _binary_pack,
    r"data_batch_\d|test_batch|train|test": _python_pack,
}


def _opener(file: str) -> _Open | None:
    name = os.path.basename(file)
    return next((opener for pattern, opener in _OPENERS.items() if re.fullmatch(pattern, name)), None)


@lru_cache(maxsize=8)
def _kept(opener: _Open, file: str, stamp: tuple[int, int], limits: Limits) -> Pack:
    return opener(file, limits)


class PackedReader(OpenVideo):
    """A `VideoReader` of image `index` of a packed file, one frame of 1 / `fps` seconds."""

    bad_streamed = 0

    def __init__(self, path: str, index: int, limits: Limits, fps: float = 30.0) -> None:
        self._path = f"{path}#{index}"
        images = read_pack(path, limits).images
        if not 0 <= index < len(images):
            raise OpenError(self._path, f"{path} holds {len(images)} images, counted from 0", "check the index")
        height, width = images.shape[1:3]
        pixels = np.broadcast_to(images[index], (height, width, 3))
        self._frame = torch.from_numpy(np.array(pixels, order="C"))
        self._timeline = Timeline(np.zeros(1), 1 / fps, 0.0005)
        self._closed = False
        self.info = VideoInfo(width, height, fps, 1, 1 / fps, "images", 0)

    @property
    def timeline(self) -> Timeline:
        return self._timeline

    def at(self, seconds: Sequence[float], emit: Emits | None = None) -> Clip:
        return self._clip(*self._timeline.locate_seconds(seconds), emit)

    def at_index(self, indices: Sequence[int], emit: Emits | None = None) -> Clip:
        return self._clip(*self._timeline.locate_indices(indices), emit)

    def _clip(self, positions: np.ndarray, clamped: int, emit: Emits | None) -> Clip:
        self._check_open()
        builder = ClipBuilder(self._timeline, positions, clamped, emit)
        builder.put(0, self._frame)
        return builder.clip()

    def stream(
        self, start_seconds: float = 0.0, stop_seconds: float | None = None, emit: Emit | None = None
    ) -> Iterator[tuple[float, torch.Tensor]]:
        self._check_open()
        for _ in range(*self._timeline.locate_range(start_seconds, stop_seconds)):
            yield 0.0, emitted_frame(self._frame, emit)

    def stream_index(self, indices: Sequence[int], emit: Emit | None = None) -> Iterator[torch.Tensor]:
        self._check_open()
        for _ in self._timeline.locate_rising(indices):
            yield emitted_frame(self._frame, emit)

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"{self._path}: this reader is closed; open the video again")

    def close(self) -> None:
        self._closed = True
