"""The standard files of tools/bench_decode.py: one real video, looped to ten seconds and re-encoded in several ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import av
import numpy as np

from videonet.decode import open_video

FPS, SECONDS = 30, 10


@dataclass(frozen=True)
class Encoding:
    """How to encode a file, by FFmpeg's names."""

    width: int
    height: int
    options: dict[str, str]
    codec: str = "libx264"
    fps: int = FPS
    seconds: int = SECONDS
    tiles: int = 1
    """2: each frame is four pictures of the video, a quarter of its length apart."""
    container: dict[str, str] = field(default_factory=dict)


FILES = {
    "k250.mp4": Encoding(340, 256, {"crf": "23", "g": "250"}),
    "k12.mp4": Encoding(340, 256, {"crf": "23", "g": "12"}),
    "k12fast.mp4": Encoding(340, 256, {"crf": "23", "g": "12", "tune": "fastdecode"}),
    "720p.mp4": Encoding(1280, 720, {"crf": "23", "g": "250"}, tiles=2),
    "ssv2.webm": Encoding(
        427, 240, {"crf": "33", "b": "0", "deadline": "good", "cpu-used": "4"}, "libvpx-vp9", fps=12, seconds=4
    ),
}


def make_files(folder: Path, video: Path) -> None:
    """Write all of `FILES` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, how in FILES.items():
        encode(video, folder / name, how)
        print(f"{folder / name}: {(folder / name).stat().st_size} bytes")


def encode(video: Path, path: Path, how: Encoding) -> None:
    """One file."""
    with av.open(str(path), "w", options=how.container) as output:
        stream = output.add_stream(how.codec, rate=how.fps, options=how.options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = how.width, how.height, "yuv420p"
        stream.codec_context.thread_count = 1
        size = how.width // how.tiles, how.height // how.tiles
        players = [resized(looped(video, number / how.tiles**2), *size) for number in range(how.tiles**2)]
        for images in islice(zip(*players, strict=True), 0, FPS * how.seconds, FPS // how.fps):
            rows = [np.hstack(images[row : row + how.tiles]) for row in range(0, len(images), how.tiles)]
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.vstack(rows), format="rgb24")))
        output.mux(stream.encode(None))


def looped(video: Path, start: float) -> Iterator[np.ndarray]:
    """uint8 (H, W, 3), all frames from this share of the length on, again and again."""
    with open_video(video) as reader:
        yield from (frame.numpy() for _, frame in reader.stream(start * reader.info.duration_seconds))
        while True:
            yield from (frame.numpy() for _, frame in reader.stream())


def resized(images: Iterator[np.ndarray], width: int, height: int) -> Iterator[np.ndarray]:
    """uint8 (height, width, 3)."""
    reformat: Callable[..., av.VideoFrame] = av.video.reformatter.VideoReformatter().reformat
    for image in images:
        yield reformat(av.VideoFrame.from_ndarray(image, format="rgb24"), width, height, "rgb24").to_ndarray()
