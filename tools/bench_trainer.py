"""Time of the trainer's step against a plain PyTorch loop over the same network, batches and optimizer: one JSON line.

    python tools/bench_trainer.py                                    # batches ready in memory: the trainer's own share
    python tools/bench_trainer.py --data videos --workers 1          # with the loader, on videos made for it
    python tools/bench_trainer.py --data videos --videos FOLDER

Both train in this process and take turns, an epoch each; a step is timed from one request for a batch to the next, so
that all the trainer does between them counts (losses, log lines, TensorBoard, checks for signals). `ratio` is the
median over pairs of epochs, of trainer to plain; `ratio_cpu_time` that of CPU times, workers not counted.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles

import torch
import torch.nn.functional as F
from torch import nn

from videonet.build import KNOWN_NAMES, build_trainer
from videonet.config import load_config
from videonet.data.batch import Batch
from videonet.data.synthetic import DemoSpec, write_demo_videos
from videonet.engine.dist import ranks
from videonet.engine.log import setup_logging
from videonet.engine.train import Batches, Trainer

Seconds = tuple[float, float]
"""By wall clock and of CPU, a step."""


class Timed:
    """Batches, and when each was asked for."""

    def __init__(self, source: Batches, kept: list[Batch] | None = None) -> None:
        self._source, self._kept = source, kept
        self._marks: list[Seconds] = []

    def __iter__(self) -> Iterator[Batch]:
        self._marks = []
        batches: Iterable[Batch] = self._source if self._kept is None else self._kept
        given = iter(batches)
        while True:
            self._marks.append((time.perf_counter(), time.process_time()))
            batch = next(given, None)
            if batch is None:
                return
            yield batch

    def rss_bytes(self) -> list[int]:
        """Of the workers."""
        return self._source.rss_bytes()

    def a_step(self) -> Seconds:
        """Mean over the last epoch."""
        (start, cpu_start), (end, cpu_end) = self._marks[0], self._marks[-1]
        steps = len(self._marks) - 1
        return (end - start) / steps, (cpu_end - cpu_start) / steps


def main() -> None:
    """Compare, and print the line."""
    a = arguments()
    setup_logging()
    logging.getLogger("videonet").setLevel(logging.INFO if a.verbose else logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, ranks(a.device) as here:
        videos = Path(a.videos) if a.videos else demo_videos(Path(folder), a.batch * a.steps)
        words = [
            f"data.train={videos}", "data.holdout=0", f"output_dir={folder}/run", f"model.name={a.model}",
            f"clip.frames={a.frames}", f"clip.crop={a.size}", f"clip.short_side={a.size}",
            f"train.batch_size={a.batch}", "train.epochs=1000", "optim.lr=0.001", f"data.workers={a.workers}", *a.words,
        ]  # fmt: skip
        trainer = build_trainer(load_config(None, words, KNOWN_NAMES).config, here)
        kept = list(trainer.loader) if a.data == "ready" else None
        timed = Timed(trainer.loader, kept)
        trainer.loader = timed
        network = copy.deepcopy(trainer.step.model)
        optimizer = torch.optim.SGD(network.parameters(), 0.001, 0.9, weight_decay=1e-4)
        pairs: list[tuple[Seconds, Seconds]] = []
        for repeat in range(-1, a.repeats):  # -1: warming up
            times = {}
            for turn in ("trainer", "plain") if repeat % 2 else ("plain", "trainer"):
                if turn == "trainer":
                    trainer.plan = replace(trainer.plan, epochs=trainer.position.epoch + 1)
                    trainer.fit()
                else:
                    trainer.sampler.start_at(max(0, repeat), 0)
                    train_plainly(network, optimizer, timed, trainer, here.device)
                times[turn] = timed.a_step()
            if repeat >= 0:
                pairs.append((times["trainer"], times["plain"]))
        print(json.dumps({"bench": "trainer", **vars(a), "words": a.words, "steps": len(trainer.sampler),
                          "device": str(here.device), "threads": torch.get_num_threads(), **summary(pairs),
                          "torch": torch.__version__}))  # fmt: skip


def train_plainly(
    network: nn.Module, optimizer: torch.optim.Optimizer, batches: Timed, trainer: Trainer, device: torch.device
) -> None:
    """The loop that everybody writes."""
    preprocessing = trainer.step.preprocessing
    mean = torch.tensor(preprocessing.mean, device=device).view(3, 1, 1, 1) * 255
    std = torch.tensor(preprocessing.std, device=device).view(3, 1, 1, 1) * 255
    network.train()
    for batch in batches:
        clips = batch.on(device).flatten(0, 1).float().sub_(mean).div_(std)
        labels = batch.labels.to(device, non_blocking=True)
        loss = F.cross_entropy(network(clips), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if device.type == "cuda":
        torch.cuda.synchronize()


def summary(pairs: list[tuple[Seconds, Seconds]]) -> dict[str, object]:
    """Medians of (trainer, plain)."""
    ratios = [ours[0] / plain[0] for ours, plain in pairs]
    return {
        "ms_a_step": 1000 * median(ours[0] for ours, _ in pairs),
        "plain_ms_a_step": 1000 * median(plain[0] for _, plain in pairs),
        "ratio": median(ratios),
        "ratio_quartiles": quantiles(ratios, n=4, method="inclusive"),
        "ratio_cpu_time": median(ours[1] / plain[1] for ours, plain in pairs),
    }


def demo_videos(folder: Path, videos: int) -> Path:
    """At least so many, of 10 classes."""
    list(write_demo_videos(folder, DemoSpec(train=-(-videos // 10), val=1, test=1, frames=24, size=(96, 80))))
    return folder / "train"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", choices=("ready", "videos"), default="ready")
    parser.add_argument("--videos", metavar="FOLDER", help="of class folders (default: made for this run)")
    parser.add_argument("--workers", type=int, default=0, help="of the loader; only for --data videos")
    parser.add_argument("--model", default="iresnet3d18", metavar="NAME")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=12, help="an epoch")
    parser.add_argument("--repeats", type=int, default=9, help="pairs of epochs")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--verbose", action="store_true", help="show the trainer's log")
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE", help="more settings of the trainer")
    return parser.parse_args()


if __name__ == "__main__":
    main()
