"""Videos for the tests, made with PyAV alone: every frame carries its number as a barcode.

A frame is 96x224: along the top 14 blocks of 16x16, white, then 12 bits of the number (lowest first), then black;
below, content that moves, so that every frame depends on its neighbours.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BLOCK = 16
HEIGHT, WIDTH = 96, 14 * BLOCK
FPS = 30
FRAMES = 60


def barcode_frame(number: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """uint8 (height, width, 3); width need only hold the 14 blocks."""
    rows, columns = np.mgrid[:height, :width]
    image = np.empty((height, width, 3), dtype=np.uint8)
    image[..., 0] = (3 * columns + 5 * number) % 256
    image[..., 1] = (2 * rows + columns + 7 * number) % 256
    image[..., 2] = 96 + 64 * (((rows - 3 * number) // 8 + columns // 8) % 2)
    bits = [1, *(number >> bit & 1 for bit in range(12)), 0]
    image[:BLOCK, : 14 * BLOCK] = np.repeat(bits, BLOCK)[None, :, None] * 255
    return image


def read_number(frame: np.ndarray) -> int:
    """The number in a uint8 (H, W, 3) frame; -1 where the white and black marks are not in place."""
    levels = frame[4:12, : 14 * BLOCK].mean(axis=(0, 2)).reshape(14, BLOCK)[:, 4:12].mean(axis=1) > 127
    return int((levels[1:13] << np.arange(12)).sum()) if levels[0] and not levels[13] else -1


@dataclass(frozen=True)
class Recipe:
    """How to encode a test video; `options` are the encoder's, `container` the muxer's."""

    suffix: str
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=dict)
    container: dict[str, str] = field(default_factory=dict)
    pix_fmt: str = "yuv420p"
    numbers: Sequence[int] = range(FRAMES)
    ticks: Sequence[int] | None = None
    """Presentation time of each frame, 1/600 s; None for 30 frames a second."""
    durations: bool = True
    """Whether packets carry their duration."""
    rotation: int = 0
    size: tuple[int, int] = (HEIGHT, WIDTH)


def encode(recipe: Recipe, path: Path) -> Path:
    """Write the video of `recipe`; returns `path`."""
    height, width = recipe.size
    with av.open(str(path), "w", options=recipe.container) as output:
        stream = output.add_stream(recipe.codec, rate=FPS, options=recipe.options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, recipe.pix_fmt
        tick = Fraction(1, FPS if recipe.ticks is None else 600)
        stream.time_base = stream.codec_context.time_base = tick
        stream.codec_context.thread_count = 1
        if recipe.rotation:
            stream.set_display_rotation(recipe.rotation)
        for place, number in enumerate(recipe.numbers):
            frame = av.VideoFrame.from_ndarray(barcode_frame(number, height, width), format="rgb24")
            frame.pts = place if recipe.ticks is None else recipe.ticks[place]
            frame.time_base = tick
            for packet in stream.encode(frame):
                packet.duration = packet.duration if recipe.durations else 0
                output.mux(packet)
        output.mux(stream.encode(None))
    return path


def remux(
    source: Path, path: Path, change: Callable[[av.Packet], av.Packet | None], container: dict[str, str] | None = None
) -> Path:
    """Copy the packets of `source` that `change` returns into the container that `path` names."""
    with av.open(str(source)) as input_, av.open(str(path), "w", options=container or {}) as output:
        track = input_.streams.video[0]
        stream = output.add_stream_from_template(track)
        for packet in input_.demux(track):
            changed = change(packet) if packet.size else None
            if changed is not None:
                changed.stream = stream
                output.mux(changed)
    return path


def shifted(packet: av.Packet, seconds: float, from_seconds: float = -1.0) -> av.Packet | None:
    """The packet moved in time; None for those stored before `from_seconds`."""
    assert packet.pts is not None
    assert packet.dts is not None
    if packet.dts * packet.time_base < from_seconds:
        return None
    ticks = round(seconds / packet.time_base)
    packet.pts += ticks
    packet.dts += ticks
    return packet


def plain_decode(path: Path) -> Iterator[tuple[float | None, np.ndarray]]:
    """(seconds on the file's own clock, uint8 (H, W, 3)) of every frame: what every reader must agree with."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic)
        stream.codec_context.thread_type, stream.codec_context.thread_count = "SLICE", 1
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue
            for frame in frames:
                yield frame.time, frame.to_ndarray(format="rgb24")
