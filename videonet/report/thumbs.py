"""Four frames a video: the contact sheet of wrong predictions, and strips for pages of videos."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from videonet.report.figures import GREY, INK, ORANGE, WIDTH_INCHES, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FRAMES_PER_VIDEO = 4
_CAPTION_INCHES, _GAP_INCHES, _MARGIN_INCHES = 0.42, 0.05, 0.12
_MAX_SIDE_PIXELS = 320


@dataclass(frozen=True)
class Mistake:
    """A video taken for another class than its own, with the probability given to that class."""

    id: str
    path: str
    label: int
    predicted: int
    probability: float


def mistakes(wrong: Sequence[Mistake], class_names: Sequence[str]) -> Figure:
    """One row for each of the videos, in the order given; a video that cannot be read any more says so."""
    from matplotlib.figure import Figure

    strips = [frames_of(one.path) for one in wrong]
    cell = (WIDTH_INCHES - 2 * _MARGIN_INCHES - (FRAMES_PER_VIDEO - 1) * _GAP_INCHES) / FRAMES_PER_VIDEO
    heights = [_strip_inches(strip, cell) for strip in strips]
    total = sum(heights) + len(wrong) * (_CAPTION_INCHES + _MARGIN_INCHES) + _MARGIN_INCHES
    figure = Figure(figsize=(WIDTH_INCHES, total))

    def write(text: str, y: float, color: str, size: float, weight: str = "normal") -> None:
        x = _MARGIN_INCHES / WIDTH_INCHES
        figure.text(x, y / total, text, fontsize=size, fontweight=weight, color=color, va="center", parse_math=False)

    top = total - _MARGIN_INCHES  # inches from the lower edge, as all y here
    for one, strip, height in zip(wrong, strips, heights, strict=True):
        true_name, wrong_name = (shorten(class_names[k], 26) for k in (one.label, one.predicted))
        bottom = top - _CAPTION_INCHES - height
        write(
            f"{true_name}  \N{RIGHTWARDS ARROW}  {wrong_name}  ({100 * one.probability:.0f} %)",
            top - 0.11,
            INK,
            8.5,
            "bold",
        )
        write(shorten(one.id, 70), top - 0.28, GREY, 7)
        if isinstance(strip, str):
            write(shorten(strip, 70), bottom + height / 2, ORANGE, 7)
        else:
            for k, frame in enumerate(strip):
                x = _MARGIN_INCHES + k * (cell + _GAP_INCHES)
                axes = figure.add_axes((x / WIDTH_INCHES, bottom / total, cell / WIDTH_INCHES, height / total))
                axes.imshow(frame, interpolation="antialiased")
                axes.set_axis_off()
        top = bottom - _MARGIN_INCHES
    return figure


def strip_jpeg(path: str, height: int = 110) -> bytes | str:
    """The frames side by side as one JPEG `height` pixels high, or why there are none."""
    from PIL import Image

    frames = frames_of(path)
    if isinstance(frames, str):
        return frames
    width = max(1, round(height * frames.shape[2] / frames.shape[1]))
    strip = Image.new("RGB", (len(frames) * (width + 3) - 3, height), "white")
    for place, frame in enumerate(frames):
        strip.paste(Image.fromarray(frame).resize((width, height)), (place * (width + 3), 0))
    buffer = io.BytesIO()
    strip.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def frames_of(path: str) -> np.ndarray | str:
    """Frames spread over the video, uint8 (T, h, w, 3) with T <= FRAMES_PER_VIDEO, or why there are none."""
    from videonet.decode.reader import VideoError, open_video

    try:
        with open_video(path) as reader:
            last = reader.info.frames - 1
            indices = sorted({round(last * (k + 0.5) / FRAMES_PER_VIDEO) for k in range(FRAMES_PER_VIDEO)})
            frames = np.asarray(reader.at_index(indices).frames)
    except VideoError as error:
        return f"not readable now: {error.reason}"
    step = max(1, max(frames.shape[1:3]) // _MAX_SIDE_PIXELS)
    return frames[:, ::step, ::step]


def _strip_inches(strip: np.ndarray | str, cell: float) -> float:
    """Height of a row of frames `cell` inches wide; tall frames are kept from filling the page."""
    if isinstance(strip, str):
        return 0.3
    return min(cell * strip.shape[1] / strip.shape[2], 1.5 * cell)
