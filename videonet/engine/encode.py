"""H.264 video out, a frame at a time: times are kept as given, memory does not grow."""

from __future__ import annotations

from fractions import Fraction
from types import TracebackType
from typing import IO, Self

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

TICKS = 90_000  # a second: whole for the usual frame rates


class VideoWriter:
    """An mp4, yuv420p, without sound. A context manager: closing it ends the file."""

    def __init__(self, file: IO[bytes], height: int, width: int, fps: float, crf: int = 20) -> None:
        """file: seekable. height, width: even. fps: about; what counts are the times of the frames."""
        if height % 2 or width % 2:
            raise ValueError(f"frames are {height}x{width}; H.264 of this kind needs both even")
        self._output = av.open(file, "w", format="mp4")
        rate = max(Fraction(fps).limit_denominator(1001), Fraction(1, 1001))
        self._stream = self._output.add_stream("libx264", rate=rate)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        # Without B-frames the last frame is stored last, and an mp4 keeps how long that one stays.
        self._stream.options = {"crf": str(crf), "preset": "veryfast", "bf": "0"}
        context = self._stream.codec_context
        context.time_base = self._stream.time_base = Fraction(1, TICKS)
        context.colorspace, context.color_range = Colorspace.SMPTE170M, ColorRange.MPEG
        self._reformatter = VideoReformatter()
        self._last_pts, self._step = -1, round(TICKS / fps)

    def write(self, seconds: float, frame: np.ndarray) -> None:
        """uint8 (height, width, 3), on screen from `seconds` on, which must rise."""
        image = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"), format="yuv420p",
            dst_colorspace=Colorspace.SMPTE170M, dst_color_range=ColorRange.MPEG, threads=1,
        )  # fmt: skip
        image.pts, image.time_base = max(round(seconds * TICKS), self._last_pts + 1), Fraction(1, TICKS)
        self._last_pts = image.pts
        self._output.mux(self._stream.encode(image))

    def close(self) -> None:
        """The last frame stays as long as `fps` says."""
        if self._last_pts >= 0:
            for packet in self._stream.encode(None):
                if packet.pts == self._last_pts:
                    packet.duration = self._step
                self._output.mux(packet)
        self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
