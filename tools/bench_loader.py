"""How fast training clips come, where the CPU time goes, and how that compares with torch's DataLoader.

    python tools/bench_loader.py --videos LIST|DIR|FILE... [--workers 0 1 2] [--kind forkserver] [--clips 1]

For each number of workers videonet's loader and a DataLoader over the same dataset take turns `--repeats` times over
the same batches; figures are medians, of a stretch in the middle, where all workers are busy.
CPU is that of this process and its workers together, in ms a clip: open (container, packet scan), decode (and
conversion to RGB), transform (crop, resize, flip), and the rest: moving pixels, pipes, collation.
`first` is the time from making the loader to its first batch, workers started anew.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import get_args

import torch
from torch.utils.data import DataLoader

from videonet.data.dataset import Key, Sample, Timing, VideoDataset
from videonet.data.lists import named_videos
from videonet.data.loader import make_loader
from videonet.data.preprocessing import Preprocessing
from videonet.data.views import TrainViews
from videonet.data.workers import Kind
from videonet.decode.reader import Opener

COLUMNS = "workers  loader       clips/s  first s  CPU ms a clip = open + decode + transform + rest   RSS MiB a worker"


@dataclass(frozen=True)
class Figures:
    """One measurement; times per clip in ms of CPU but for the rate and `first_seconds`."""

    clips_per_second: float
    first_seconds: float
    cpu: float
    open: float
    decode: float
    transform: float
    worker_rss_mib: float

    @property
    def rest(self) -> float:
        """What reading does not account for."""
        return self.cpu - self.open - self.decode - self.transform


class Keys:
    """The first batches of an epoch, the same ones every time."""

    def __init__(self, videos: int, batch: int, batches: int) -> None:
        order = torch.randperm(videos, generator=torch.Generator().manual_seed(0)).tolist()
        picks = [(epoch, index) for epoch in range(1 + batch * batches // videos) for index in order]
        self._batches = [picks[start * batch : (start + 1) * batch] for start in range(batches)]

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[Key]]:
        return iter(self._batches)


def collate(samples: list[Sample]) -> tuple[torch.Tensor | list[torch.Tensor], int, Timing]:
    """Views (or planes, of a size each), how many clips they are, and summed timing."""
    views = [sample.views for sample in samples if sample.views is not None]
    clips, timing = sum(len(sample.seconds) for sample in samples), sum((s.timing for s in samples), Timing())
    return views if samples[0].finish else torch.stack(views), clips, timing


def main() -> None:
    """Print the table, the ratios, the advice and the JSON line."""
    a = arguments()
    items = named_videos(a.videos)
    preprocessing = Preprocessing(
        "dense", a.frames, a.stride, None, a.crop, a.crop, "crop", "rgb", (0.45,) * 3, (0.225,) * 3, pixels=a.pixels
    )
    views = TrainViews(preprocessing, "resized", (0.35, 1.0), (0.75, 4 / 3), (a.crop, a.crop), 0.5, a.clips)
    dataset = VideoDataset(items, views, substitute=True, open_video=Opener(a.backend, pixels=a.pixels))
    print(f"{len(items)} videos, {a.batches} batches of {a.batch} x {a.clips} clips, {a.kind}\n{COLUMNS}")
    results = []
    for workers in a.workers:
        keys = Keys(len(items), a.batch, a.batches + 2 * margin(workers))
        ours, theirs = [], []
        for _ in range(a.repeats):
            ours.append(run_ours(dataset, keys, workers, a.kind))
            theirs.append(run_theirs(dataset, keys, workers, a.kind))
        figures = {"videonet": middle(ours), "DataLoader": middle(theirs)}
        for name, one in figures.items():
            print(
                f"{workers:7}  {name:10} {one.clips_per_second:9.1f} {one.first_seconds:8.2f} {one.cpu:14.1f} = "
                f"{one.open:4.1f} + {one.decode:6.1f} + {one.transform:9.1f} + {one.rest:4.1f} "
                f"{one.worker_rss_mib:18.0f}"
            )
        paired = list(zip(ours, theirs, strict=True))
        results.append(
            {
                "workers": workers,
                **{name: asdict(one) | {"rest": one.rest} for name, one in figures.items()},
                "clips_per_second_ratio": median(
                    one.clips_per_second / other.clips_per_second for one, other in paired
                ),
                "cpu_ratio": median(one.cpu / other.cpu for one, other in paired),
            }
        )
    for row in results:
        print(
            f"{row['workers']} workers: {row['clips_per_second_ratio']:.2f}x DataLoader's clips/s for "
            f"{row['cpu_ratio']:.2f}x its CPU"
        )
    print(advice(middle(ours)))
    setting = {
        name: getattr(a, name) for name in ("kind", "clips", "batch", "frames", "stride", "crop", "backend", "pixels")
    }
    print(json.dumps({"bench": "loader", **setting, "videos": len(items), "results": results}))


def run_ours(dataset: VideoDataset, keys: Keys, workers: int, kind: Kind) -> Figures:
    """Our loader, its workers started anew."""
    start = time.perf_counter()
    with make_loader(dataset, keys, workers, kind=kind) as loader:
        parts = ((batch.seconds.shape[0] * batch.seconds.shape[1], batch.timing) for batch in loader)
        return measured(start, parts, workers, len(keys))


def run_theirs(dataset: VideoDataset, keys: Keys, workers: int, kind: Kind) -> Figures:
    """A DataLoader; threads are not among its kinds, and processes stand in for them."""
    start = time.perf_counter()
    context = None if not workers else "forkserver" if kind == "thread" else kind
    loader = DataLoader(
        dataset, batch_sampler=keys, num_workers=workers, collate_fn=collate, multiprocessing_context=context
    )
    parts = ((clips, timing) for _, clips, timing in loader)
    return measured(start, parts, workers, len(keys))


def margin(workers: int) -> int:
    """Batches left out at either end, more than a DataLoader reads ahead."""
    return 2 * workers + 1


def measured(start: float, parts: Iterable[tuple[int, Timing]], workers: int, batches: int) -> Figures:
    """Iterate over (clips, timing) of each batch, and measure in the middle."""
    all_parts = iter(parts)
    next(all_parts)
    ready = time.perf_counter()
    for _ in range(margin(workers) - 1):
        next(all_parts)
    first, cpu = time.perf_counter(), cpu_seconds()
    clips, timing = 0, Timing()
    for _ in range(batches - 2 * margin(workers)):
        count, one = next(all_parts)
        clips, timing = clips + count, timing + one
    last, last_cpu = time.perf_counter(), cpu_seconds()
    rss = max((rss_mib(child.pid) for child in multiprocessing.active_children()), default=0.0)
    for _ in all_parts:
        pass  # to the end: a DataLoader that is left alone complains
    per_clip = 1000 / clips
    return Figures(
        clips / (last - first),
        ready - start,
        (last_cpu - cpu) * per_clip,
        timing.open_seconds * per_clip,
        timing.decode_seconds * per_clip,
        timing.transform_seconds * per_clip,
        rss,
    )


def cpu_seconds() -> float:
    """Of this process and its running children (Linux; elsewhere of this process alone)."""
    total = time.process_time()
    for child in multiprocessing.active_children():
        stat = Path(f"/proc/{child.pid}/stat")
        if stat.exists():
            fields = stat.read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def rss_mib(pid: int | None) -> float:
    """Resident memory of a process, shared pages included; 0 where the system does not tell."""
    statm = Path(f"/proc/{pid}/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20 if statm.exists() else 0.0


def middle(figures: list[Figures]) -> Figures:
    """The median of each figure."""
    rows = [asdict(one) for one in figures]
    return replace(figures[0], **{name: median(row[name] for row in rows) for name in rows[0]})


def advice(figures: Figures) -> str:
    """What to do about the largest part."""
    parts = {name: getattr(figures, name) / figures.cpu for name in ("open", "decode", "transform", "rest")}
    largest = max(parts, key=lambda name: parts[name])
    ways_out = {
        "open": "many short reads: clips_per_video=2 opens half as many files",
        "decode": "`videonet prepare` re-encodes for cheap access; or clips_per_video=2, or more workers and cores",
        "transform": "large frames: `videonet prepare` scales them once and for all",
        "rest": "fewer, larger batches",
    }
    return f"{largest} is {100 * parts[largest]:.0f} % of the CPU time: {ways_out[largest]}"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--videos", required=True, nargs="+", metavar="PATH", help="files, folders or lists")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--kind", choices=get_args(Kind), default="forkserver")
    parser.add_argument("--clips", type=int, default=1, help="clips taken from a video each time it is opened")
    parser.add_argument("--batch", type=int, default=8, help="videos a batch")
    parser.add_argument("--batches", type=int, default=8, help="batches a measurement")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--stride", type=int, default=4)
    parser.add_argument("--crop", type=int, default=224)
    parser.add_argument("--backend", default="pyav")
    parser.add_argument("--pixels", choices=("rgb", "yuv"), default="rgb", help="yuv: colour and size left to a GPU")
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    main()
