"""One training copy of one video: small, with many keyframes and cheap to decode, the same frames at the same times.

H.264 in mp4, yuv420p, upright, without sound. A copy is written beside its place, verified frame by frame, and then
renamed, so that it is there whole or not at all; a comment inside tells it from other people's files.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from videonet.decode.clip import Clip
from videonet.decode.reader import Undecodable, VideoError, VideoInfo, VideoReader

from .manifest import Open

MARK = "videonet prepare"  # the comment in a copy begins with it
TICKS = 90_000  # a second: whole for 24, 25, 30, 50 and 60 frames a second, and for 29.97
_CLOCK_SECONDS = 0.002  # Matroska counts in milliseconds
_NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
_MOST_BYTES = 1 << 28  # of scaled frames in memory at once


class CopyError(ValueError):
    """Copies cannot be made as asked, or there: the message says the way out."""


@dataclass(frozen=True)
class Recipe:
    """How copies are encoded."""

    short_side: int = 256
    """Pixels; smaller videos keep their size."""
    gop: int = 12
    """Most frames from keyframe to keyframe."""
    crf: int = 23
    """Quality of x264: 0 is lossless, 51 the worst."""

    def __post_init__(self) -> None:
        if not (16 <= self.short_side <= 4096 and 1 <= self.gop <= 1000 and 0 <= self.crf <= 51):
            raise CopyError(f"{self}: short_side must be 16 to 4096, gop 1 to 1000, crf 0 to 51")

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) of the copy: even, the short side at most `short_side`, never more than the source."""
        scale = min(1.0, self.short_side / min(width, height))
        return _even(width * scale, width), _even(height * scale, height)


def _even(length: float, most: int) -> int:
    return max(2, min(2 * round(length / 2), most // 2 * 2))


class Scale:
    """uint8 (H, W, 3) -> (height, width, 3), bicubic, by swscale, which smooths when it shrinks. An `Emit`."""

    def __init__(self, width: int, height: int) -> None:
        self._width, self._height = width, height
        self._reformatter = VideoReformatter()

    def __call__(self, frame: torch.Tensor) -> torch.Tensor:
        if frame.shape[:2] == (self._height, self._width):
            return frame
        image = av.VideoFrame.from_ndarray(frame.numpy(), format="rgb24")
        scaled = self._reformatter.reformat(
            image, self._width, self._height, "rgb24", interpolation=Interpolation.BICUBIC, threads=1
        )
        return torch.from_numpy(scaled.to_ndarray())


@dataclass(frozen=True)
class Copied:
    """What a copy holds: times in seconds after the first frame, and how many of the frames were bad in the source."""

    pts_seconds: np.ndarray
    """float64 (frames,)."""
    duration_seconds: float
    damaged: int
    substituted: int


def copy_video(source: VideoReader, target: Path, recipe: Recipe, open_copy: Open, max_damaged: float = 0.25) -> Copied:
    """Write the copy of `source` to `target`, atomically; `open_copy` opens it to verify it.

    Raises VideoError where more than `max_damaged` of the source's frames are bad or the copy does not verify, and
    CopyError where the disk is full or may not be written to.
    """
    part = part_of(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        copied = _encode(source, part, recipe)
        bad, frames = copied.damaged + copied.substituted, len(copied.pts_seconds)
        if bad > max_damaged * frames:
            raise Undecodable(str(target), f"{bad} of {frames} frames are damaged")
        with open_copy(str(part)) as reader:
            _verify(reader, target, copied)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(target)
    except VideoError:
        raise
    except (OSError, av.FFmpegError) as error:
        reason = f"{target} cannot be written: {error.strerror}"
        if error.errno in _NO_PLACE:
            raise CopyError(
                f"{reason}; the copies made so far are kept, so start it again once that is mended"
            ) from error
        raise VideoError(str(target), reason) from error
    finally:
        part.unlink(missing_ok=True)
    return copied


def part_of(target: Path) -> Path:
    """Where a copy lies while it is written."""
    return target.with_name(f".{target.name}.part")


def _encode(source: VideoReader, path: Path, recipe: Recipe) -> Copied:
    """Decode, scale and encode all frames; damage is counted, and a lost frame is its neighbour."""
    info = source.info
    width, height = recipe.size(info.width, info.height)
    times: list[float] = []
    damaged = substituted = 0
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as output:
        output.metadata["comment"] = MARK
        stream = output.add_stream("libx264", rate=max(Fraction(info.fps).limit_denominator(1001), Fraction(1, 1001)))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": str(recipe.crf), "g": str(recipe.gop), "tune": "fastdecode"}
        context = stream.codec_context
        context.time_base = stream.time_base = Fraction(1, TICKS)
        context.thread_count = 1
        context.colorspace, context.color_range = Colorspace.SMPTE170M, ColorRange.MPEG
        reformatter = VideoReformatter()
        for clip in _clips(source, info, width, height):
            damaged, substituted = damaged + clip.damaged, substituted + clip.substituted
            for frame, seconds in zip(clip.frames.numpy(), clip.pts_seconds.tolist(), strict=True):
                image = reformatter.reformat(
                    av.VideoFrame.from_ndarray(frame, format="rgb24"), format="yuv420p",
                    dst_colorspace=Colorspace.SMPTE170M, dst_color_range=ColorRange.MPEG, threads=1,
                )  # fmt: skip
                image.pts, image.time_base = round(seconds * TICKS), Fraction(1, TICKS)
                times.append(seconds)
                if len(times) == info.frames and _uneven(times):
                    image.pict_type = PictureType.I  # stored last, so that its own duration is kept
                output.mux(stream.encode(image))
        for packet in stream.encode(None):
            if packet.pts == round(times[-1] * TICKS):
                packet.duration = round((info.duration_seconds - times[-1]) * TICKS)
            output.mux(packet)
    return Copied(np.array(times), info.duration_seconds, damaged, substituted)


def _uneven(times: list[float]) -> bool:
    """Whether the frame rate varies by more than the clocks of containers blur it."""
    steps = np.diff(times)
    return len(steps) > 0 and bool(steps.max() - steps.min() > _CLOCK_SECONDS)


def _clips(source: VideoReader, info: VideoInfo, width: int, height: int) -> Iterator[Clip]:
    """All frames in order, scaled, as many at a time as `_MOST_BYTES` hold."""
    together = max(16, _MOST_BYTES // (3 * width * height))
    for start in range(0, info.frames, together):
        yield source.at_index(range(start, min(start + together, info.frames)), emit=Scale(width, height))


def _verify(copy: VideoReader, target: Path, wanted: Copied) -> None:
    """Raise VideoError unless the copy decodes to the frames and times that went in."""
    clip = copy.at_index(range(copy.info.frames), emit=lambda frame: frame[:1, :1])
    if copy.info.frames != len(wanted.pts_seconds) or clip.damaged or clip.substituted or copy.info.missing:
        found = f"{copy.info.frames} frames, {clip.damaged + clip.substituted} bad, for {len(wanted.pts_seconds)}"
        raise VideoError(str(target), f"the copy does not verify: {found}")
    late = float(np.abs(clip.pts_seconds - wanted.pts_seconds).max())
    off = abs(copy.info.duration_seconds - wanted.duration_seconds)
    if late > 1 / TICKS or off > 0.5 / copy.info.fps:
        found = f"frames are up to {late:.4f} s late, and it is {off:.4f} s longer or shorter"
        raise VideoError(str(target), f"the copy does not verify: {found}")


def is_copy(path: Path) -> bool:
    """Whether this file was made by `copy_video`."""
    try:
        with av.open(str(path)) as container:
            return container.metadata.get("comment", "").startswith(MARK)
    except (av.FFmpegError, OSError):
        return False
