"""CPU time of making one training clip of a video, against the ways of other libraries; and of all its test views.

    python tools/bench_decode.py --make videos clip.mp4          # the standard files, re-encoded from a real video
    python tools/bench_decode.py --videos videos/*               # one clip, 16 frames at stride 4, 224 x 224
    python tools/bench_decode.py --videos videos/* --views       # 10 clips x 3 crops
    python tools/bench_decode.py --videos videos/* --markdown    # the table of docs/decoding.md

One process, one thread, files in the page cache. For each of `--repeats` random clips of each file all ways run, in an
order drawn anew, on the same draw of frames, crop and flip. Times are medians of the process's CPU time; ratios are to
videonet on the same clip, with their quartiles. Before it is timed, each way must give the very frames that its
definition of the clip names. One JSON line a file goes to standard output, the table to standard error.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median, quantiles

import av
import numpy as np
import torch
from decode_files import make_files
from decode_peers import CLIP_WAYS, MEAN, STD, Ask, Way, decoder_share, preprocessing
from decode_views import VIEWS_WAYS, ViewsWay
from rich.console import Console
from rich.table import Table

from videonet.data.views import TestViews
from videonet.decode import BackendMissing, VideoInfo, open_video, torchcodec

MOST_LEVELS = 3.0  # mean difference of frames that are the same, decoded by another build of FFmpeg
PACKAGES = ("av", "torchcodec", "decord", "decord2", "opencv-python-headless", "opencv-python", "pytorchvideo")

Times = dict[str, list[float]]
"""Milliseconds of CPU of each run, by way."""


def main() -> None:
    """Make files, or time every way on every file."""
    a = _arguments()
    torch.set_num_threads(1)
    if a.make:
        make_files(Path(a.make[0]), Path(a.make[1]))
        return
    rng = np.random.default_rng(a.seed)
    results = {Path(video).name: _file(Path(video), a, rng) for video in a.videos}
    _show(results, a.markdown)


def _file(path: Path, a: argparse.Namespace, rng: np.random.Generator) -> Times:
    """Check and time every way on one file; print its JSON line."""
    with open_video(path) as video:
        info = video.info
    runs: list[dict[str, Callable[[], object]]]
    if a.views:
        views = TestViews(preprocessing(a.frames, a.stride, 224, 256), 10, 3)
        views_ways = [way for way in VIEWS_WAYS if _usable(way.name, way.needs)]
        _check_views(path, views_ways, views)
        runs = [{way.name: partial(way.read, path, views) for way in views_ways}] * a.repeats
    else:
        stride = a.stride if info.frames >= a.frames * a.stride else max(1, info.frames // a.frames)
        asks = [_ask(info, a.frames, stride, rng) for _ in range(a.repeats)]
        clip_ways = [way for way in CLIP_WAYS if _usable(way.name, way.needs)]
        _check_frames(path, clip_ways, asks[0], info)
        runs = [
            {
                **{way.name: partial(way.read, path, ask) for way in clip_ways},
                "videonet, the decoder's calls": partial(decoder_share, path, ask),
            }
            for ask in asks
        ]
    times = _timed(runs, rng)
    if not a.markdown:
        facts = {"file": path.name, "codec": info.codec, "size": f"{info.width}x{info.height}", "frames": info.frames}
        line = {"bench": "views" if a.views else "clip", **facts, "repeats": a.repeats, **_versions()}
        print(
            json.dumps({**line, "ways": {name: vars(of_way) for name, of_way in _summary(times).items()}}), flush=True
        )
    return times


def _ask(info: VideoInfo, frames: int, stride: int, rng: np.random.Generator) -> Ask:
    first = int(rng.integers(0, max(1, info.frames - frames * stride + 1)))
    return Ask(
        first, frames, stride, int(rng.integers(256, 321)), rng.random(), rng.random(), rng.random() < 0.5, info.fps
    )


def _timed(runs: Sequence[Mapping[str, Callable[[], object]]], rng: np.random.Generator) -> Times:
    """Every way of each run, in an order drawn for each run; all run once before. A number given is the seconds."""
    times: Times = {name: [] for name in runs[0]}
    for read in runs[0].values():
        read()
    for run in runs:
        for name in rng.permutation(list(run)).tolist():
            start = time.process_time()
            given = run[name]()
            seconds = given if isinstance(given, float) else time.process_time() - start
            times[name].append(1e3 * seconds)
    return times


def _check_frames(path: Path, ways: Sequence[Way], ask: Ask, info: VideoInfo) -> None:
    """Every way gives the frames that it means to, where nothing is resized."""
    plain = replace(ask, short_side=min(info.width, info.height))
    for way in ways:
        clip = way.finish(way.read(path, plain))
        if clip.dtype != torch.uint8:
            clip = (clip * torch.tensor(STD).view(3, 1, 1, 1) + torch.tensor(MEAN).view(3, 1, 1, 1)) * 255
        with open_video(path) as video:
            frames = video.at_index(way.indices(plain), plain.spatial(info.height, info.width)).frames
        levels = (clip.float() - frames.permute(3, 0, 1, 2).float()).abs().mean(dim=(0, 2, 3))
        if levels.max() > MOST_LEVELS:
            raise SystemExit(f"{way.name} gives other frames of {path}: {levels.tolist()} levels off")


def _check_views(path: Path, ways: Sequence[ViewsWay], views: TestViews) -> None:
    expected = ways[0].read(path, views).float()
    for way in ways[1:]:
        levels = (way.read(path, views).float() - expected).abs().mean(dim=(1, 3, 4)).max().item()
        if levels > MOST_LEVELS:
            raise SystemExit(f"{way.name} gives other views of {path}: {levels:.1f} levels off")


def _usable(name: str, needs: Sequence[str]) -> bool:
    """Whether what a way needs is installed; says so where it is not."""
    for package in needs:
        try:
            module = importlib.import_module(package)
            if package == "torchcodec":
                torchcodec.library()  # it imports without FFmpeg, and fails at its first decoder
        except (ImportError, OSError, RuntimeError, BackendMissing) as error:
            print(f"left out: {name} ({str(error).partition(chr(10))[0]})", file=sys.stderr)
            return False
        if package == "cv2":
            module.setNumThreads(0)
    return True


@dataclass(frozen=True)
class Summary:
    """Of one way on one file."""

    cpu_ms: float
    ratio: float
    """Median of its CPU time over videonet's on the same clip."""
    ratio_quartiles: tuple[float, float]


def _summary(times: Times) -> dict[str, Summary]:
    base = next(iter(times.values()))
    summary: dict[str, Summary] = {}
    for name, of_way in times.items():
        ratios = [one / own for one, own in zip(of_way, base, strict=True)]
        low, middle, high = quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        summary[name] = Summary(median(of_way), middle, (low, high))
    return summary


def _versions() -> dict[str, str]:
    found = {"torch": torch.__version__, "libavcodec": ".".join(map(str, av.library_versions["libavcodec"]))}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _show(results: Mapping[str, Times], markdown: bool) -> None:
    """Ways down, files across: CPU ms, and the ratio with its quartiles."""
    summaries = {file: _summary(times) for file, times in results.items()}
    rows = [
        [name, *(_cell(summary[name]) for summary in summaries.values())] for name in next(iter(summaries.values()))
    ]
    heads = list(summaries)
    if len(heads) > 2:
        heads.append("median of files")
        for row in rows:
            row.append(f"{median(summary[row[0]].ratio for summary in summaries.values()):.2f}")
    if markdown:
        print(f"| | {' | '.join(heads)} |\n{'|---' * (1 + len(heads))}|")
        print("\n".join(f"| {' | '.join(row)} |" for row in rows))
        print("\n" + ", ".join(f"{package} {number}" for package, number in _versions().items()))
        return
    table = Table("CPU ms, ratio [quartiles]", *heads)
    for row in rows:
        table.add_row(*row)
    Console(stderr=True).print(table)


def _cell(summary: Summary) -> str:
    low, high = summary.ratio_quartiles
    return f"{summary.cpu_ms:.1f}, {summary.ratio:.2f} [{low:.2f}-{high:.2f}]"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--videos", nargs="+", metavar="FILE")
    parser.add_argument("--make", nargs=2, metavar=("FOLDER", "VIDEO"), help="write the standard files and stop")
    parser.add_argument("--views", action="store_true", help="time 10 clips x 3 crops instead of one clip")
    parser.add_argument("--repeats", type=int, default=20, help="random clips a file")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--stride", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--markdown", action="store_true", help="print only the table, in Markdown")
    a = parser.parse_args()
    if bool(a.make) == bool(a.videos):
        parser.error("give --videos FILE... to time, or --make FOLDER VIDEO")
    return a


if __name__ == "__main__":
    main()
