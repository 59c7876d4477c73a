"""Geometry of a clip: one random draw a clip, applied to every wanted frame as it leaves the decoder.

All sizes are pixels, (height, width) in that order. Frames are uint8 (H, W, 3) and stay uint8.
Resizing is bilinear and antialiased, bit for bit what torchvision v2 gives in less than half of its time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

Size = tuple[int, int]


@dataclass(frozen=True)
class Box:
    """A rectangle [top, top + height) x [left, left + width)."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, frames: torch.Tensor) -> torch.Tensor:
        """(..., H, W, 3) -> (..., height, width, 3), a view."""
        return frames[..., self.top : self.top + self.height, self.left : self.left + self.width, :]


@dataclass(frozen=True)
class Spatial:
    """Cut `box` out of the source frame, resize it to `size`, flip it, and lay it on a black `canvas` at `offset`."""

    box: Box
    size: Size
    flip: bool = False
    canvas: Size | None = None
    offset: tuple[int, int] = (0, 0)

    @property
    def out_size(self) -> Size:
        """(h, w) of what comes out."""
        return self.canvas or self.size

    def __call__(self, frame: torch.Tensor) -> torch.Tensor:
        """(H, W, 3) uint8 -> (h, w, 3) uint8."""
        return self.finish(self.cut(frame)[None])[0]

    def cut(self, frame: torch.Tensor, /) -> torch.Tensor:
        """(H, W, 3) uint8 -> (box.height, box.width, 3), a view."""
        return self.box.cut(frame)

    def finish(self, parts: torch.Tensor, /) -> torch.Tensor:
        """What `cut` gave, uint8 (n, box.height, box.width, 3) -> (n, h, w, 3)."""
        if parts.shape[1:3] != self.size:
            # The batch axis stands first: only then does torch see channels last, its fast layout for uint8.
            batch = parts.permute(0, 3, 1, 2)  # (n, 3, h, w)
            parts = F.interpolate(batch, self.size, mode="bilinear", antialias=True).permute(0, 2, 3, 1)
        if self.flip:
            parts = parts.flip(2)
        if self.canvas is None:
            return parts
        (top, left), (height, width) = self.offset, self.size
        canvas = parts.new_zeros((len(parts), *self.canvas, 3))
        canvas[:, top : top + height, left : left + width] = parts
        return canvas


def resized_crop(
    source: Size, out: int, area: tuple[float, float], aspect: tuple[float, float], flip: bool, rng: np.random.Generator
) -> Spatial:
    """Random resized crop (Inception): a box of random area share and aspect ratio, resized to out x out."""
    height, width = source
    for _ in range(10):
        target = rng.uniform(*area) * height * width
        ratio = math.exp(rng.uniform(math.log(aspect[0]), math.log(aspect[1])))
        w, h = round(math.sqrt(target * ratio)), round(math.sqrt(target / ratio))
        if 0 < w <= width and 0 < h <= height:
            top, left = int(rng.integers(0, height - h + 1)), int(rng.integers(0, width - w + 1))
            return Spatial(Box(top, left, h, w), (out, out), flip)
    h = min(height, round(width / aspect[0]))  # no box fitted: the largest centred one within the aspect range
    w = min(width, round(height * aspect[1]))
    return Spatial(Box((height - h) // 2, (width - w) // 2, h, w), (out, out), flip)


def jittered_crop(source: Size, out: int, short_side: tuple[int, int], flip: bool, rng: np.random.Generator) -> Spatial:
    """Resize the short side to a random length, then cut a random out x out square (Simonyan and Zisserman 2014)."""
    side = int(rng.integers(short_side[0], short_side[1] + 1))
    edge = min(min(source), max(1, round(out * min(source) / side)))  # the square in source pixels
    top, left = (int(rng.integers(0, length - edge + 1)) for length in source)
    return Spatial(Box(top, left, edge, edge), (out, out), flip)


def padded_crop(source: Size, out: int, pad: int, flip: bool, rng: np.random.Generator) -> Spatial:
    """An out x out cut of the out x out frame in a black border of `pad` pixels (He et al. 2016, on CIFAR)."""
    shift = rng.integers(-pad, pad + 1, size=2).clip(1 - out, out - 1).tolist()  # rows, columns
    seen = tuple(out - abs(move) for move in shift)
    first = [max(0, -move) for move in shift]
    scale = source[0] / out, source[1] / out
    top, left = (round(at * by) for at, by in zip(first, scale, strict=True))
    height, width = (max(1, round(length * by)) for length, by in zip(seen, scale, strict=True))
    offset = max(0, shift[0]), max(0, shift[1])
    return Spatial(Box(top, left, height, width), (seen[0], seen[1]), flip, (out, out), offset)


def scaled_letterbox(
    source: Size, out: int, area: tuple[float, float], flip: bool, rng: np.random.Generator
) -> Spatial:
    """The whole frame, shrunk to a random share of the area it could have, at a random place of the square."""
    size = _fit_inside(source, out, math.sqrt(rng.uniform(*area)))
    offset = int(rng.integers(0, out - size[0] + 1)), int(rng.integers(0, out - size[1] + 1))
    return Spatial(Box(0, 0, *source), size, flip, (out, out), offset)


def centred_letterbox(source: Size, out: int) -> Spatial:
    """The whole frame, as large as fits, in the middle of the square."""
    size = _fit_inside(source, out, 1.0)
    return Spatial(Box(0, 0, *source), size, False, (out, out), ((out - size[0]) // 2, (out - size[1]) // 2))


def short_side_resize(source: Size, short_side: int) -> Spatial:
    """The whole frame, its short side resized to `short_side`."""
    scale = short_side / min(source)
    size = max(short_side, round(source[0] * scale)), max(short_side, round(source[1] * scale))
    return Spatial(Box(0, 0, *source), size)


def uniform_crops(frame: Size, out: int, crops: int) -> list[Box]:
    """1: the centre square. 3: left, centre, right of a wide frame (top, centre, bottom of a tall one).

    Where the centre falls between two pixels it is the later one, as in PySlowFast.
    """
    free = frame[0] - out, frame[1] - out
    if min(free) < 0:
        raise ValueError(f"a crop of {out} does not fit a frame of {frame[0]}x{frame[1]}")
    top, left = (free[0] + 1) // 2, (free[1] + 1) // 2
    if crops == 1:
        return [Box(top, left, out, out)]
    if free[1] >= free[0]:
        return [Box(top, start, out, out) for start in (0, left, free[1])]
    return [Box(start, left, out, out) for start in (0, top, free[0])]


def _fit_inside(source: Size, out: int, scale: float) -> Size:
    factor = out * min(1.0, scale) / max(source)
    return min(out, max(1, round(source[0] * factor))), min(out, max(1, round(source[1] * factor)))
