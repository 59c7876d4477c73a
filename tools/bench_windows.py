"""Sliding windows over a long video, three ways: CPU time a window and peak memory, one JSON line a setting.

    python tools/bench_windows.py --video CLIP.mp4 [CLIP.mp4 ...]

The clips are looped into a video of 340x256, 30 frames a second, H.264 with a keyframe every 250 frames. Ways:
"stream" (videonet.data.windows, the whole video), "seek" (one open reader, `at_index` a window) and "open" (PyAV as it
is mostly written: open, seek to the keyframe before, decode, convert the wanted frames), both on windows spread over
the video. CPU is the process's, of all threads; memory is the most that a fresh process has resident as a window comes,
less what it had before, for the whole video and for its first tenth.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import torch
from av.video.frame import PictureType

from videonet.data import clips
from videonet.data.windows import windows
from videonet.decode import open_video

WIDTH, HEIGHT, FPS = 340, 256, 30
LOOP_SECONDS = 60
SETTINGS = ((16, 4, 32), (16, 1, 16), (64, 1, 8))  # frames, stride, hop


def main() -> None:
    """Make the videos, then measure each setting."""
    a = _arguments()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(a.keep or made)
        loop = folder / f"loop{LOOP_SECONDS}.mp4"
        if not loop.exists():
            encode_loop(a.video, loop)
        whole, tenth = (repeat_loop(loop, times, folder / f"{times}.mp4") for times in (10 * a.tens, a.tens))
        for frames, stride, hop in SETTINGS:
            spread = clips.sliding(10 * a.tens * LOOP_SECONDS * FPS, frames, stride, hop, "drop")
            some = spread[np.linspace(0, len(spread) - 1, a.windows).astype(int)]
            cpu_ms = {way: _in_a_process(_cpu_ms_of, way, whole, some, stride, hop) for way in WAYS}
            peaks = [_in_a_process(_peak_mb, path, frames, stride, hop) for path in (whole, tenth)]
            figures = {
                "bench": "windows", "frames": frames, "stride": stride, "hop": hop, "windows": len(spread),
                "video_seconds": 10 * a.tens * LOOP_SECONDS, "size": [HEIGHT, WIDTH],
                **{f"{way}_cpu_ms": round(ms, 2) for way, ms in cpu_ms.items()},
                "seek_to_stream": round(cpu_ms["seek"] / cpu_ms["stream"], 2),
                "open_to_stream": round(cpu_ms["open"] / cpu_ms["stream"], 2),
                "peak_mb": round(peaks[0], 1), "peak_mb_of_a_tenth": round(peaks[1], 1), "pyav": av.__version__,
            }  # fmt: skip
            print(json.dumps(figures), flush=True)


def _stream(path: Path, some: np.ndarray, stride: int, hop: int) -> int:
    with open_video(path) as reader:
        return sum(1 for _ in windows(reader, some.shape[1], stride, hop, tail="drop"))


def _seek(path: Path, some: np.ndarray, stride: int, hop: int) -> int:
    with open_video(path) as reader:
        return sum(len(reader.at_index(clip.tolist()).frames) > 0 for clip in some)


def _open(path: Path, some: np.ndarray, stride: int, hop: int) -> int:
    return sum(len(_classic(path, clip)) > 0 for clip in some)


WAYS: dict[str, Callable[[Path, np.ndarray, int, int], int]] = {"stream": _stream, "seek": _seek, "open": _open}


def _classic(path: Path, clip: np.ndarray) -> np.ndarray:
    """uint8 (T, H, W, 3)."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_type, stream.codec_context.thread_count = "SLICE", 1
        ticks_a_frame = round(1 / (FPS * float(stream.time_base or 1)))
        container.seek(int(clip[0]) * ticks_a_frame, stream=stream, backward=True)
        wanted, found = set(clip.tolist()), []
        for frame in container.decode(stream):
            number = round((frame.pts or 0) / ticks_a_frame)
            if number in wanted:
                found.append(frame.to_ndarray(format="rgb24"))
            if number >= clip[-1]:
                break
        return np.stack(found)


def _cpu_ms_of(way: str, path: Path, some: np.ndarray, stride: int, hop: int) -> float:
    """CPU milliseconds a window."""
    start = time.process_time()
    done = WAYS[way](path, some, stride, hop)
    return 1000 * (time.process_time() - start) / done


def _peak_mb(path: Path, frames: int, stride: int, hop: int) -> float:
    """Growth of the resident size over a pass, the largest seen when a window comes."""
    with open_video(path) as reader:  # code and decoder are loaded
        list(islice(reader.stream(), 1))
    before = _resident_mb()
    with open_video(path) as reader:
        return max(_resident_mb() for _ in windows(reader, frames, stride, hop)) - before


def _resident_mb() -> float:
    """Linux only; the kernel's own peak outlives the parent process's, so it cannot be used here."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _in_a_process(measure: Callable[..., float], *arguments: object) -> float:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, arguments)


def encode_loop(videos: Sequence[str], path: Path, seconds: int = LOOP_SECONDS) -> None:
    """So many seconds of the videos' frames, over and over, as H.264."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=FPS, options={"crf": "23", "g": "250", "sc_threshold": "0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        written = 0
        while written < seconds * FPS:
            for video in videos:
                with av.open(video) as source:
                    for frame in islice(source.decode(video=0), seconds * FPS - written):
                        scaled = frame.reformat(WIDTH, HEIGHT, "yuv420p")
                        scaled.pict_type = PictureType.NONE  # else the source's keyframes would be keyframes here
                        scaled.pts, scaled.time_base = written, Fraction(1, FPS)
                        output.mux(stream.encode(scaled))
                        written += 1
        output.mux(stream.encode(None))


def repeat_loop(loop: Path, times: int, path: Path) -> Path:
    """The loop's packets again and again."""
    with av.open(str(path), "w") as output:
        stream = None
        for turn in range(times):
            with av.open(str(loop)) as source:
                stream = stream or output.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.pts is not None and packet.dts is not None:
                        shift = round(turn * LOOP_SECONDS / packet.time_base)
                        packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                        output.mux(packet)
    return path


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--video", nargs="+", required=True, help="clips with real content")
    parser.add_argument("--windows", type=int, default=100, help="windows of the slow ways (default 100)")
    parser.add_argument("--tens", type=int, default=1, help="length of the video in tens of minutes (default 1)")
    parser.add_argument("--keep", metavar="DIR", help="where the encoded loop stays, for the next run")
    return parser.parse_args()


if __name__ == "__main__":
    main()
