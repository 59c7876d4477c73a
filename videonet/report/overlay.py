"""The most probable classes drawn on a frame: a bar and a name each, on a dark band below its lower edge."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from videonet.report.figures import shorten

LEAST_WIDTH = 480  # pixels; smaller videos are enlarged, or nobody could read the names
_BAND, _TEXT, _BAR, _LEAD = (24, 26, 30), (240, 242, 245), (70, 120, 170), (230, 120, 40)


class Overlay:
    """Draws on frames of one size.

    Attributes: `height`, `width` of what comes out, both even: the frame enlarged by a whole number where it is small,
    the band below it.
    """

    def __init__(self, height: int, width: int, rows: int) -> None:
        """Of the frames, and how many classes are shown."""
        self._scale = max(1, -(-LEAST_WIDTH // width))
        self._frame_height = height * self._scale
        self.width = width * self._scale // 2 * 2
        self._rows = rows
        self._line = max(20, self.width // 26)
        self._head = round(1.2 * self._line)
        self.height = (self._frame_height + self._head + rows * self._line + self._line // 3) // 2 * 2
        self._drawn: tuple[object, np.ndarray] | None = None

    def __call__(self, frame: np.ndarray, top: Sequence[tuple[str, float]], when: str) -> np.ndarray:
        """uint8 (H, W, 3) -> (height, width, 3); `top`: (class, probability), `when`: what to say of the time."""
        picture = np.empty((self.height, self.width, 3), np.uint8)
        large = frame.repeat(self._scale, axis=0).repeat(self._scale, axis=1) if self._scale > 1 else frame
        picture[: self._frame_height] = large[:, : self.width]
        picture[self._frame_height :] = self._band(tuple(top), when)
        return picture

    def _band(self, top: tuple[tuple[str, float], ...], when: str) -> np.ndarray:
        """Drawn once for as long as it stays the same."""
        if self._drawn is None or self._drawn[0] != (top, when):
            self._drawn = (top, when), self._draw(top, when)
        return self._drawn[1]

    def _draw(self, top: tuple[tuple[str, float], ...], when: str) -> np.ndarray:
        from PIL import Image, ImageDraw

        band = Image.new("RGB", (self.width, self.height - self._frame_height), _BAND)
        pen = ImageDraw.Draw(band)
        small, font = _font(round(0.5 * self._line)), _font(round(0.64 * self._line))
        pad = self._line // 3
        pen.text((pad, pad), when, (150, 156, 165), small)
        first, last = round(0.42 * self.width), self.width - pad - round(2.6 * self._line)
        letters = int((first - 2 * pad) / font.getlength("n"))
        for row, (name, share) in enumerate(top[: self._rows]):
            y = self._head + row * self._line
            pen.text((first - pad, y), shorten(name, letters), _TEXT, font, anchor="ra")
            bar = y + self._line // 8, y + round(0.72 * self._line)
            end = first + max(1, round((last - first) * share))
            pen.rectangle((first, bar[0], end, bar[1]), _LEAD if row == 0 else _BAR)
            pen.text((end + pad, y), f"{100 * share:.0f} %", _TEXT, font)
        return np.asarray(band)


@functools.cache
def _font(size: int):  # type: ignore[no-untyped-def]  # of Pillow, imported late
    """DejaVu, which matplotlib brings along: it has the letters of most languages."""
    import matplotlib
    from PIL import ImageFont

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size)
