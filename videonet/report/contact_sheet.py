"""Contact sheet of clips: a row of frames a clip, as the network sees them, above it what it is and when.

Frames come as plain arrays, uint8 (T, H, W, 3); inputs that are differences of frames are drawn around grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from videonet.report.figures import DPI, GREY, INK, ORANGE, WIDTH_INCHES, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_FRAMES = 16
"""Frames of a row; of a longer clip as many, evenly spread."""

_PAGE_INCHES = 12.0  # width of a row of MOST_FRAMES
_LARGEST_CELL_INCHES = 1.4
_LINE_INCHES, _GAP_INCHES, _MARGIN_INCHES = 0.2, 0.03, 0.14
_CHARACTERS_AN_INCH = 14  # of the small text


@dataclass(frozen=True)
class Strip:
    """One clip, or a video that gave none."""

    id: str
    name: str
    """Its class; empty where it is not known."""
    detail: str
    """What to say of it: seconds, which view, or why it could not be read."""
    frames: np.ndarray | None
    """uint8 (T, H, W, 3); None where the video could not be read."""

    def __post_init__(self) -> None:
        if self.frames is not None and (self.frames.dtype != np.uint8 or self.frames.shape[3:] != (3,)):
            raise ValueError(f"frames are {self.frames.dtype} {self.frames.shape}; they must be uint8 (T, H, W, 3)")


def around_grey(values: np.ndarray) -> np.ndarray:
    """Normalised input, float (T, H, W, 3) -> uint8: 0 is mid grey, the 99.5th percentile of the sizes black or white.

    Sizes below a quarter of a standard deviation stay faint: in a still clip they are the codec's noise.
    """
    largest = max(float(np.percentile(np.abs(values), 99.5)), 0.25)
    return np.clip(127.5 + 127.5 / largest * values, 0, 255).round().astype(np.uint8)


def contact_sheet(strips: Sequence[Strip], title: str = "") -> Figure:
    """One row a strip, in the order given; all frames drawn equally wide."""
    from matplotlib.figure import Figure

    rows = [np.empty((0, 1, 1, 3)) if strip.frames is None else _spread(strip.frames) for strip in strips]
    columns = max((len(row) for row in rows), default=0) or 1
    cell = min(_LARGEST_CELL_INCHES, (_PAGE_INCHES - 2 * _MARGIN_INCHES + _GAP_INCHES) / columns - _GAP_INCHES)
    inner = max(columns * (cell + _GAP_INCHES) - _GAP_INCHES, WIDTH_INCHES - 2 * _MARGIN_INCHES)
    heights = [cell * row.shape[1] / row.shape[2] if len(row) else 0.0 for row in rows]
    lines = [1 + bool(strip.name or strip.frames is None) for strip in strips]
    height = sum(heights) + _LINE_INCHES * (sum(lines) + 1.5 * bool(title)) + _MARGIN_INCHES * (len(rows) + 1)
    width = inner + 2 * _MARGIN_INCHES
    figure = Figure(figsize=(width, height), dpi=DPI)

    def write(text: str, line_top: float, color: str, size: float, weight: str = "normal", right: bool = False) -> None:
        figure.text(
            (width - _MARGIN_INCHES if right else _MARGIN_INCHES) / width, (line_top - _LINE_INCHES / 2) / height, text,
            fontsize=size, fontweight=weight, color=color, va="center", ha="right" if right else "left",
            parse_math=False,
        )  # fmt: skip

    room = int(inner * _CHARACTERS_AN_INCH)
    top = height - _MARGIN_INCHES / 2
    if title:
        write(title, top, GREY, 8)
        top -= 1.5 * _LINE_INCHES
    for strip, row, count, strip_height in zip(strips, rows, lines, heights, strict=True):
        write(shorten(strip.name or strip.id, room // 2), top, INK, 9, "bold")
        if strip.frames is None:
            reason = f"{strip.id}: {strip.detail}" if strip.name else strip.detail
            write(shorten(reason, room), top - _LINE_INCHES, ORANGE, 7.5)
        else:
            write(shorten(strip.detail, room // 2), top, INK, 8, right=True)
            write(shorten(strip.id if strip.name else "", room), top - _LINE_INCHES, GREY, 7.5)
        bottom = top - count * _LINE_INCHES - strip_height
        for column, frame in enumerate(row):
            x = _MARGIN_INCHES + column * (cell + _GAP_INCHES)
            axes = figure.add_axes((x / width, bottom / height, cell / width, strip_height / height))
            axes.imshow(frame, interpolation="antialiased")
            axes.set_axis_off()
        top = bottom - _MARGIN_INCHES
    return figure


def _spread(frames: np.ndarray) -> np.ndarray:
    """At most MOST_FRAMES of the frames, the first and the last among them."""
    if len(frames) <= MOST_FRAMES:
        return frames
    return frames[np.linspace(0, len(frames) - 1, MOST_FRAMES).round().astype(int)]
