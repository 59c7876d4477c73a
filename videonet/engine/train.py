"""The training loop. All that a step depends on is keyed on (seed, epoch, step): a run may stop and go on anywhere."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from videonet.data.batch import Batch
from videonet.data.dataset import Failure
from videonet.data.lists import VideoItem
from videonet.data.loader import Loader, TrainSampler

from .checkpoint import LAST, Checkpoint, save_checkpoint
from .clock import PARTS, advice
from .evaluate import evaluate, summarise
from .files import sweep, write_json
from .log import RunLog, logger, track
from .loss import Activation
from .multilabel import summarise_several
from .schedule import Schedule
from .step import Step
from .stop import Requests, Stopped
from .trackers import Tracker
from .watch import Watch
from .window import Window


class TrainingError(ValueError):
    """Training cannot go on; the message says why and the way out."""


@dataclass(frozen=True)
class Plan:
    """How long, and when what is done: see `videonet.config.schema` for each field."""

    seed: int
    epochs: int
    lr: float
    eval_every: int = 1
    checkpoint_every: int = 0
    checkpoint_minutes: float | None = None
    keep: int = 2
    log_every: int = 10
    precise_bn_batches: int = 0
    early_stop: int = 0
    max_failed: float = 0.1
    clips_per_video: int = 1
    workers: int = 0
    timeout_minutes: float | None = None


@dataclass
class Position:
    """The next step to run: `step` of `epoch`, both from 0."""

    epoch: int = 0
    step: int = 0


class Batches(Protocol):
    """What the trainer needs of a loader."""

    def __iter__(self) -> Iterator[Batch]: ...

    def rss_bytes(self) -> list[int]: ...


@dataclass
class Trainer:
    """Parts in, checkpoints out: `output_dir/checkpoints/{last,best}.pt`, `train.jsonl`, `train.csv`."""

    step: Step
    class_names: Sequence[str]
    items: Sequence[VideoItem]
    """The training videos, of which `plan.max_failed` may fail."""
    loader: Batches
    sampler: TrainSampler
    val_loader: Loader | None
    schedule: Schedule
    plan: Plan
    output_dir: Path
    config: dict[str, Any]
    fingerprint: str = ""
    position: Position = field(default_factory=Position)
    best_top1: float | None = None
    """Top-1 of `best.pt`, or its mean average precision where a video has several labels."""
    stale: int = 0
    failed: set[str] = field(default_factory=set)
    val_items: Sequence[VideoItem] = ()
    activation: Activation = "softmax"
    trackers: Sequence[Tracker] = ()

    def __post_init__(self) -> None:
        self.ranks = self.step.ranks
        self._requests = Requests(self.ranks)
        self._window = Window()
        self._watch = Watch(self.plan.timeout_minutes, self.output_dir / f"stacks.{self.ranks.rank}.txt")
        self._saved_at = time.monotonic()

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from where `checkpoint` was written."""
        state = {name: getattr(checkpoint, name) for name in ("model", "optimizer", "scaler", "ema")}
        self.step.load_state_dict(state)
        self.position = Position(checkpoint.epoch, checkpoint.step)
        self.best_top1, self.stale = checkpoint.best_top1, checkpoint.stale
        self.failed = set(checkpoint.failed)
        if checkpoint.window is not None:
            self._window = Window(list(checkpoint.window.to(self.ranks.device)))

    def fit(self) -> None:
        """Run from `position` to the last epoch. Raises TrainingError, TrackerError, and Stopped after a signal."""
        start = self.position.epoch * len(self.sampler) + self.position.step
        log = RunLog(self.output_dir, self.trackers, self.config, start, enabled=self.ranks.first)
        if self.ranks.first:
            sweep(self.output_dir)
            sweep(self.output_dir / "checkpoints")
        try:
            with self._requests.listening(), self.step.ready(), self._watch.watching():
                while self.position.epoch < self.plan.epochs:
                    self._epoch(log)
                    self._renew_statistics()
                    self.position = Position(self.position.epoch + 1, 0)
                    if self._validate(log):
                        self._save("best.pt")
                    self._save(LAST)
                    if self.plan.early_stop and self.stale >= self.plan.early_stop:
                        logger.info("no better for %d looks at data.val: stopped early", self.stale)
                        return
        finally:
            log.close()

    def _epoch(self, log: RunLog) -> None:
        epoch, first = self.position.epoch, self.position.step
        self.sampler.start_at(epoch, first)
        self.step.train()
        steps = len(self.sampler)
        spent = dict.fromkeys(PARTS, 0.0)
        self._window.begin()
        self._watch.alive()
        self.step.clock.begin("data")
        batches = track(
            self.loader, steps - first, f"epoch {epoch + 1}/{self.plan.epochs}", "steps", shown=self.ranks.first
        )
        for step, batch in enumerate(batches, first):
            self._note_failures(batch.failures)
            if not len(batch):
                raise TrainingError(f"no video of step {step} could be read; see the quarantine file")
            rate = self.plan.lr * self.schedule(epoch + step / steps)
            self._seed(epoch, step)
            videos = [self.items[index].id for index in batch.indices.tolist()]
            self._window.add(self.step(batch, rate), batch, len(batch) * self.plan.clips_per_video, videos)
            self._watch.alive()
            self.position = Position(epoch, step + 1)
            last = step + 1 == steps
            if last or (step + 1) % self.plan.log_every == 0:
                parts = self.step.clock.read()
                spent = {part: spent[part] + parts[part] for part in PARTS}
                self._report(log, epoch, step, steps, rate, parts)
            if not last:
                self._serve_requests(step)
        self._watch.pause()
        if self.ranks.first and steps > first:
            cores = (os.cpu_count() or 1) / self.ranks.world
            logger.info("epoch %d: %s", epoch + 1, advice(spent, cores, self.plan.workers))

    def _seed(self, epoch: int, step: int) -> None:
        """Dropout and mixing of a step depend on its place alone."""
        key = int(np.random.SeedSequence((self.plan.seed, epoch, step, self.ranks.rank)).generate_state(1)[0])
        # not torch.manual_seed: for every kind of device that is not in use it keeps a stack of Python, 2 ms a step
        torch.default_generator.manual_seed(key)
        if self.ranks.device.type == "cuda":
            torch.cuda.manual_seed(key)

    def _serve_requests(self, step: int) -> None:
        """Save in the middle of an epoch where it is time, and stop where a signal asked for it."""
        minutes, every = self.plan.checkpoint_minutes, self.plan.checkpoint_every
        due = minutes is not None and self.ranks.first and time.monotonic() - self._saved_at > 60 * minutes
        stop, save = self._requests.agree(due)
        if stop or save or (every and (step + 1) % every == 0):
            self._refuse_nan()
            self._save(LAST)
        if stop:
            raise Stopped(f"stopped as asked in epoch {self.position.epoch + 1}, after step {step + 1}")

    def _report(self, log: RunLog, epoch: int, step: int, steps: int, rate: float, parts: dict[str, float]) -> None:
        self._refuse_nan()
        window, self._window = self._window, Window()
        loss, top1 = self.ranks.mean(window.mean()).tolist()
        speed, reading = window.clips_per_second() * self.ranks.world, window.reading()
        values = {"loss": loss, "top1": top1, "lr": rate, "clips_per_second": speed, "failed_videos": len(self.failed)}
        values |= {f"seconds_{part}": parts[part] / window.timed for part in PARTS} | reading
        values |= {"worker_rss_mib": max(self.loader.rss_bytes(), default=0) / 2**20}
        log.row("train", epoch, epoch * steps + step, values)
        if self.ranks.first:
            logger.info(
                "epoch %d/%d step %d/%d  loss %.3f  top-1 %.1f %%  lr %.2e  %.1f clips/s  (%s ms a step; workers: "
                "decode %.0f, augment %.0f)%s",
                epoch + 1, self.plan.epochs, step + 1, steps, loss, 100 * top1, rate, speed,
                " + ".join(f"{part} {1000 * parts[part] / window.timed:.0f}" for part in PARTS),
                1000 * (reading["worker_seconds_open"] + reading["worker_seconds_decode"]),
                1000 * reading["worker_seconds_augment"],
                f"  {len(self.failed)} videos failed" if self.failed else "",
            )  # fmt: skip

    def _refuse_nan(self) -> None:
        """Stop where a loss is no number, and write down whose: before anything is saved."""
        bad = self._window.bad()
        found = self.ranks.gather([{"rank": self.ranks.rank, **bad}] if bad else [])
        if not found:
            return
        path = self.output_dir / "nan.json"
        if self.ranks.first:
            write_json(path, {"epoch": self.position.epoch, "before_step": self.position.step, "batches": found})
        raise TrainingError(
            f"the loss became {found[0]['loss']} in epoch {self.position.epoch + 1}, at or before step "
            f"{self.position.step}; its videos stand in {path}, and the checkpoint before is kept. Lower optim.lr, "
            f"lengthen optim.warmup_epochs or set optim.clip_grad_norm, and train anew in another output_dir"
        )

    def _renew_statistics(self) -> None:
        if not self.plan.precise_bn_batches:
            return
        self.sampler.start_at(self.position.epoch, 0)
        batches = itertools.islice(self.loader, self.plan.precise_bn_batches)
        self.step.renew_statistics(batches)

    def _validate(self, log: RunLog) -> bool:
        """Test on the validation videos when it is time; True when the result is the best so far."""
        done = self.position.epoch
        if self.val_loader is None or (done % self.plan.eval_every and done < self.plan.epochs):
            return False
        step = self.step
        result = evaluate(
            step.whole(), self.val_loader, step.preprocessing, self.ranks, step.recipe.precision, what="val",
            activation=self.activation,
        )  # fmt: skip
        if any(item.labels for item in self.val_items):
            name, key, summary = "mAP", "map", summarise_several(result, self.class_names, self.val_items)
        else:
            name, key, summary = "top-1", "top1", summarise(result, self.class_names)
        figure = summary[key]
        if figure is None:
            raise TrainingError(f"none of the {len(result.failures)} validation videos could be read; check data.val")
        log.row("val", done - 1, done * len(self.sampler) - 1, {key: figure, "failed_videos": len(result.failures)})
        if self.ranks.first:
            logger.info(
                "epoch %d/%d val: %s %.1f %% of %d", done, self.plan.epochs, name, 100 * figure, len(result.labels)
            )
        if self.best_top1 is not None and figure <= self.best_top1:
            self.stale += 1
            return False
        self.best_top1, self.stale = figure, 0
        return True

    def _save(self, name: str) -> None:
        failed = sorted(set(self.ranks.gather(sorted(self.failed))))
        state = self.step.state_dict()
        if self.ranks.first:
            checkpoint = Checkpoint(
                **state,
                epoch=self.position.epoch,
                step=self.position.step,
                config=self.config,
                preprocessing=self.step.preprocessing.to_dict(),
                class_names=list(self.class_names),
                best_top1=self.best_top1,
                failed=failed,
                fingerprint=self.fingerprint,
                window=self._window.state(),
                stale=self.stale,
            )
            save_checkpoint(self.output_dir / "checkpoints" / name, checkpoint, self.plan.keep if name == LAST else 1)
        self._saved_at = time.monotonic()
        self.ranks.wait()

    def _note_failures(self, failures: Sequence[Failure]) -> None:
        """Say each unreadable video once; stop when they are too many."""
        for failure in failures:
            if failure.path not in self.failed:
                self.failed.add(failure.path)
                logger.warning("not readable, replaced by another video: %s: %s", failure.path, failure.reason)
        if len(self.failed) > self.plan.max_failed * len(self.items):
            raise TrainingError(
                f"{len(self.failed)} of {len(self.items)} training videos could not be read, more than data.max_failed "
                f"{self.plan.max_failed:g} allows; the quarantine file lists them. Mend or delist them, or raise "
                f"data.max_failed"
            )
