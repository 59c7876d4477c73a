"""A folder of frames as a video, and one image as a video of one frame.

Files are taken in natural order (img_2 before img_10), gaps in the numbers are fine, and a pattern may choose among
them (img_*.jpg beside flow_x_*.jpg), or the numbers that their names end in (folder#3-7). Images are read by Pillow,
turned upright by their EXIF tag, and brought to the first image's size.
"""

import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps

from videonet.decode.clip import Clip, ClipBuilder, Emit, Emits, Timeline, emitted_frame
from videonet.decode.errors import OpenError, TooLarge, Undecodable, VideoError
from videonet.decode.limits import Deadline, Limits
from videonet.decode.reader import IMAGE_SUFFIXES, NUMBERS, OpenVideo, VideoInfo
from videonet.decode.remote import is_url, open_url
from videonet.decode.tar import open_member, shard_and_member

UNREADABLE = (OSError, SyntaxError, ValueError)  # what Pillow raises on a broken image


def natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """Sort key under which numbers compare as numbers."""
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"([0-9]+)", name))


def last_number(name: str) -> int:
    """The number that a file name ends in, before its suffix; -1 where there is none."""
    digits = re.search("([0-9]+)[^0-9]*$", os.path.splitext(name)[0])
    return int(digits[1]) if digits else -1


def _open(file: str) -> BinaryIO:
    if shard_and_member(file):
        return open_member(file)
    return open_url(file) if is_url(file) else open(file, "rb")


class FramesReader(OpenVideo):
    """A `VideoReader` of the images in a directory, `fps` frames a second, or of one image."""

    def __init__(self, path: str, limits: Limits, fps: float, pattern: str = "*") -> None:
        if not 0 < fps < float("inf"):
            raise ValueError(f"frames_fps={fps} must be a positive number of frames a second")
        self._path = path
        self._limits = limits
        self._deadline = Deadline(path, limits)
        self._files = self._image_files(pattern)
        limits.check_frames(path, len(self._files))
        starts = np.arange(len(self._files)) / fps
        self._timeline = Timeline(starts, len(self._files) / fps, 0.0005)
        self._closed = False
        self.bad_streamed = 0
        self._size: tuple[int, int] | None = None
        height, width = self._nearest_good(0)[0].shape[:2]
        self._size = width, height
        self.info = VideoInfo(*self._size, fps, len(self._files), len(self._files) / fps, "images", 0)

    def _image_files(self, pattern: str) -> list[str]:
        folder, _, part = self._path.rpartition("#")
        numbers = NUMBERS.fullmatch(part)
        if os.path.isdir(self._path) or numbers is None or not os.path.isdir(folder):
            folder, numbers = self._path, None
        if not os.path.isdir(folder):
            return [folder]
        names = [name for name in os.listdir(folder) if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES]
        if not names:
            raise OpenError(self._path, "a directory without images", "name a video file, or a directory of images")
        names = [name for name in names if fnmatchcase(name, pattern)]
        if not names:
            raise OpenError(self._path, f"no image here is named {pattern}", "change frames_pattern")
        if numbers:
            first, last = int(numbers[1]), int(numbers[2])
            names = [name for name in names if first <= last_number(name) <= last]
            if not names:
                raise OpenError(self._path, f"no image here has a number from {first} to {last}", "check the list")
        return [os.path.join(folder, name) for name in sorted(names, key=natural_key)]

    def _image(self, position: int) -> Image.Image | None:
        """The upright RGB image of `info` size; None where the file cannot be decoded."""
        file = self._files[position]
        self._deadline.check()
        try:
            with _open(file) as data, Image.open(data) as stored:
                self._limits.check_size(file, *stored.size)
                image = ImageOps.exif_transpose(stored).convert("RGB")
        except VideoError:
            raise
        except Image.DecompressionBombError as error:
            raise TooLarge(file, str(error), "scale the image down") from error
        except UNREADABLE:
            return None
        return image if self._size in (None, image.size) else image.resize(self._size, Image.Resampling.BILINEAR)

    def _nearest_good(self, position: int) -> tuple[torch.Tensor, bool]:
        """The uint8 (H, W, 3) image of this position, or of the nearest earlier, or next, good one; whether exact."""
        for other in (*range(position, -1, -1), *range(position + 1, len(self._files))):
            image = self._image(other)
            if image is not None:
                return torch.from_numpy(np.array(image)), other == position
        raise Undecodable(self._path, "not one image can be decoded", "the files are damaged; fetch them again")

    @property
    def timeline(self) -> Timeline:
        return self._timeline

    def at(self, seconds: Sequence[float], emit: Emits | None = None) -> Clip:
        return self._clip(*self._timeline.locate_seconds(seconds), emit)

    def at_index(self, indices: Sequence[int], emit: Emits | None = None) -> Clip:
        return self._clip(*self._timeline.locate_indices(indices), emit)

    def _clip(self, positions: np.ndarray, clamped: int, emit: Emits | None) -> Clip:
        self._begin_read()
        builder = ClipBuilder(self._timeline, positions, clamped, emit)
        for position in builder.missing.tolist():
            frame, exact = self._nearest_good(position)
            builder.put(position, frame, substituted=not exact)
        return builder.clip()

    def stream(
        self, start_seconds: float = 0.0, stop_seconds: float | None = None, emit: Emit | None = None
    ) -> Iterator[tuple[float, torch.Tensor]]:
        self._begin_read()
        starts = self._timeline.starts_seconds
        for position in range(*self._timeline.locate_range(start_seconds, stop_seconds)):
            yield float(starts[position]), self._streamed(position, emit)
            self._deadline.restart()

    def stream_index(self, indices: Sequence[int], emit: Emit | None = None) -> Iterator[torch.Tensor]:
        self._begin_read()
        for position in self._timeline.locate_rising(indices).tolist():
            yield self._streamed(position, emit)
            self._deadline.restart()

    def _streamed(self, position: int, emit: Emit | None) -> torch.Tensor:
        frame, exact = self._nearest_good(position)
        self.bad_streamed += not exact
        return emitted_frame(frame, emit)

    def _begin_read(self) -> None:
        self.bad_streamed = 0
        if self._closed:
            raise ValueError(f"{self._path}: this reader is closed; open the video again")
        self._deadline.restart()

    def close(self) -> None:
        self._closed = True
