"""The 30 views of a test: one item a video against one open a view, as PySlowFast makes them; and their logits.

    python tools/bench_eval.py --make videos clip.mp4      # k250.mp4: a real video, looped, a keyframe every 250 frames
    python tools/bench_eval.py --videos videos/k250.mp4    # 10 clips x 3 crops of 16 frames at stride 4, 256 x 256

PySlowFast lists each video once for each (clip, crop), and its `__getitem__` opens the file, seeks, decodes the span of
that clip, resizes and cuts that crop. Each way makes all views of the file in this process on one thread, in an order
drawn anew for each repeat; times are medians of its CPU time (ratios: of the same repeat), videos a second by the wall.
A small network with random weights then gives logits of all views in one item and of each view read and run alone.
One JSON line a file; exit code 1 where logits differ by more than 1e-5.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from decode_files import FILES, encode
from decode_peers import MEAN, STD, preprocessing, pyslowfast_clip
from decode_views import OneView, views_in_one_plan, views_one_by_one
from torch import Tensor

from videonet.data.batch import BatchBuilder
from videonet.data.dataset import VideoDataset
from videonet.data.lists import VideoItem
from videonet.data.views import TestViews, Views
from videonet.decode import Opener, open_video
from videonet.engine.forward import run_batch
from videonet.models import create_model

MOST_DIFFERENCE = 1e-5  # of logits
MOST_LEVELS = 3.0  # mean difference of frames that are the same, decoded by another build of FFmpeg
ONE_ITEM, ONE_BY_ONE, PYSLOWFAST = "videonet, one item", "videonet, one open a view", "PySlowFast, one open a view"
CUT_LATER = "videonet, one item, views left to the device"


def main() -> int:
    """Make the file, or time every file."""
    a = _arguments()
    torch.set_num_threads(1)
    if a.make:
        folder = Path(a.make[0])
        folder.mkdir(parents=True, exist_ok=True)
        encode(Path(a.make[1]), folder / "k250.mp4", FILES["k250.mp4"])
        return 0
    views = TestViews(preprocessing(a.frames, a.stride, a.size, a.size), a.clips, a.crops)
    return max(_file(Path(video), views, a) for video in a.videos)


def _file(path: Path, views: TestViews, a: argparse.Namespace) -> int:
    with open_video(path) as video:
        info = video.info
    _check_frames(path, views, info.frames)
    ways: dict[str, Callable[[], object]] = {
        ONE_ITEM: partial(views_in_one_plan, path, views),
        CUT_LATER: partial(views_in_one_plan, path, replace(views, cut_later=True)),
        ONE_BY_ONE: partial(views_one_by_one, path, views),
        PYSLOWFAST: partial(views_by_pyslowfast, path, views, info.frames),
    }
    cpu, wall = _timed(ways, a.repeats)
    ratio = {name: median(x / own for x, own in zip(cpu[name], cpu[ONE_ITEM], strict=True)) for name in ways}
    speed = {name: 1 / median(wall[name]) for name in ways}
    decoding = decode_seconds(path, [views]), decode_seconds(path, one_by_one(views))
    difference, largest = logits_difference(path, views, a.max_views)
    print(json.dumps({
        "bench": "eval", "file": path.name, "codec": info.codec, "size": f"{info.width}x{info.height}",
        "frames": info.frames, "views": f"{a.clips}x{a.crops}", "clip": f"{a.frames}x{a.stride} at {a.size}",
        "repeats": a.repeats, "cpu_ms": {name: round(1e3 * median(cpu[name]), 1) for name in ways},
        "cpu_ratio": {name: round(value, 2) for name, value in ratio.items()},
        "decode_ms": {ONE_ITEM: round(1e3 * decoding[0], 1), ONE_BY_ONE: round(1e3 * decoding[1], 1)},
        "decode_ratio": round(decoding[1] / decoding[0], 2),
        "videos_a_second": {name: round(value, 3) for name, value in speed.items()},
        "videos_a_second_over_pyslowfast": round(speed[ONE_ITEM] / speed[PYSLOWFAST], 2),
        "logits_max_difference": difference, "largest_logit": round(largest, 3),
        "load_average": round(os.getloadavg()[0], 1), "torch": torch.__version__,
    }), flush=True)  # fmt: skip
    return int(difference > MOST_DIFFERENCE)


def _timed(
    ways: dict[str, Callable[[], object]], repeats: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """CPU and wall seconds of each run, by way."""
    rng = np.random.default_rng(0)
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    wall: dict[str, list[float]] = {name: [] for name in ways}
    ways[ONE_ITEM]()  # the file is in the page cache, code is imported
    for _ in range(repeats):
        for name in rng.permutation(list(ways)).tolist():
            start, on_the_wall = time.process_time(), time.perf_counter()
            ways[name]()
            cpu[name].append(time.process_time() - start)
            wall[name].append(time.perf_counter() - on_the_wall)
    return cpu, wall


def one_by_one(views: TestViews) -> list[Views]:
    """Each view on its own."""
    return [OneView(views, clip, crop) for clip in range(views.clips) for crop in range(views.crops)]


def decode_seconds(path: Path, each: Sequence[Views]) -> float:
    """CPU seconds of opening and decoding alone, summed: what `Timing` says, without cutting and copying."""
    items = [VideoItem("video", str(path), 0)]
    timings = [VideoDataset(items, views, open_video=Opener())[0, 0].timing for views in each]
    return sum(timing.open_seconds + timing.decode_seconds for timing in timings)


def views_by_pyslowfast(path: Path, views: TestViews, frames: int) -> list[Tensor]:
    """float32 (3, T, S, S) of each (clip, crop): slowfast/datasets/kinetics.py `__getitem__` in mode "test"."""
    return [
        _pyslowfast_view(path, views, frames, clip, crop)
        for clip in range(views.clips)  # spatial_temporal_idx // NUM_SPATIAL_CROPS
        for crop in range(views.crops)  # spatial_temporal_idx % NUM_SPATIAL_CROPS
    ]


def _pyslowfast_view(path: Path, views: TestViews, frames: int, clip: int, crop: int) -> Tensor:
    seen = views.preprocessing
    first, span = _pyslowfast_start(views, frames, clip), seen.frames * seen.stride
    pixels = pyslowfast_clip(path, first, seen.frames, span)
    height, width = pixels.shape[2:]
    if width < height:  # transform.random_short_side_scale_jitter, min_scale = max_scale
        size = int(height / width * seen.short_side), seen.short_side
    else:
        size = seen.short_side, int(width / height * seen.short_side)
    if size != (height, width):
        pixels = torch.nn.functional.interpolate(pixels, size=size, mode="bilinear", align_corners=False)
    top, left = ((length - seen.crop + 1) // 2 for length in size)  # transform.uniform_crop
    along = (0, 1, 2)[crop] if views.crops == 3 else 1
    if size[0] > size[1]:
        top = (0, top, size[0] - seen.crop)[along]
    else:
        left = (0, left, size[1] - seen.crop)[along]
    return pixels[:, :, top : top + seen.crop, left : left + seen.crop]


def _pyslowfast_start(views: TestViews, frames: int, clip: int) -> int:
    """decoder.get_start_end_idx with use_offset."""
    room = max(frames - views.preprocessing.frames * views.preprocessing.stride, 0)
    return room // 2 if views.clips == 1 else clip * (room // (views.clips - 1))


def _check_frames(path: Path, views: TestViews, frames: int) -> None:
    """PySlowFast's way decodes the frames that it means to."""
    seen = views.preprocessing
    span = seen.frames * seen.stride
    first = _pyslowfast_start(views, frames, views.clips - 1)
    clip = pyslowfast_clip(path, first, seen.frames, span).permute(1, 2, 3, 0)  # (T, H, W, 3)
    with open_video(path) as video:
        own = video.at_index([first + int(k) for k in torch.linspace(0, span - 1, seen.frames).tolist()]).frames
    levels = ((clip * torch.tensor(STD) + torch.tensor(MEAN)) * 255 - own.float()).abs().mean(dim=(1, 2, 3)).max()
    if levels > MOST_LEVELS:
        raise SystemExit(f"PySlowFast's way gives other frames of {path}: {levels:.1f} levels off")


def logits_difference(path: Path, views: TestViews, max_views: int) -> tuple[float, float]:
    """The largest difference of a logit between all views in one item and each view read and run alone; the largest."""
    torch.manual_seed(0)
    network = create_model("iresnet3d50", 10, width=16, blocks=(1, 1, 1, 1)).eval()

    def logits(some: Views) -> Tensor:  # (V, K)
        builder = BatchBuilder(1)
        builder.put(0, VideoDataset([VideoItem("video", str(path), 0)], some)[0, 0])
        return run_batch(network, builder.batch(), some.preprocessing, torch.device("cpu"), "fp32", max_views)[0]

    together = logits(replace(views, cut_later=True))
    alone = torch.cat([logits(view) for view in one_by_one(views)])
    return float((together - alone).abs().max()), float(together.abs().max())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--videos", nargs="+", metavar="FILE")
    parser.add_argument("--make", nargs=2, metavar=("FOLDER", "VIDEO"), help="write k250.mp4 there and stop")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--crops", type=int, default=3, choices=(1, 3))
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--stride", type=int, default=4)
    parser.add_argument("--size", type=int, default=256, help="short side and crop in pixels")
    parser.add_argument("--max-views", type=int, default=8, help="views in the network at once")
    a = parser.parse_args()
    if bool(a.make) == bool(a.videos):
        parser.error("give --videos FILE... to time, or --make FOLDER VIDEO")
    return a


if __name__ == "__main__":
    raise SystemExit(main())
