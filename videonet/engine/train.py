"""The training loop. All that a step depends on is keyed on (seed, epoch, step): a run may stop and go on anywhere."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from videonet.data.dataset import Failure
from videonet.data.loader import Batch, TrainSampler
from videonet.data.preprocessing import Preprocessing

from .checkpoint import Checkpoint, save_checkpoint
from .dist import Ranks
from .evaluate import evaluate, summarise
from .forward import autocast
from .log import RunLog, logger, track
from .optim import set_rate
from .schedule import Schedule


class TrainingError(ValueError):
    """Training cannot go on; the message says why and the way out."""


@dataclass(frozen=True)
class Plan:
    """How long and how: see `videonet.config.schema` for each field."""

    seed: int
    epochs: int
    lr: float
    precision: str
    clip_grad_norm: float | None
    label_smoothing: float
    eval_every: int
    checkpoint_every: int
    log_every: int
    max_failed: float


@dataclass
class Position:
    """The next step to run: `step` of `epoch`, both from 0."""

    epoch: int = 0
    step: int = 0


@dataclass
class Trainer:
    """Parts in, checkpoints out: `output_dir/checkpoints/{last,best}.pt`, `train.jsonl`, `tensorboard/`."""

    model: nn.Module
    preprocessing: Preprocessing
    class_names: Sequence[str]
    loader: DataLoader[Batch]
    sampler: TrainSampler
    val_loader: DataLoader[Batch] | None
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    plan: Plan
    ranks: Ranks
    output_dir: Path
    config: dict[str, Any]
    videos: int
    """Training videos listed, of which `plan.max_failed` may fail."""
    position: Position = field(default_factory=Position)
    best_top1: float | None = None
    failed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._quarantine = self.output_dir / "quarantine.jsonl"
        self._scaler = torch.amp.GradScaler(self.ranks.device.type, enabled=self.plan.precision == "fp16")
        self._loss = nn.CrossEntropyLoss(label_smoothing=self.plan.label_smoothing)
        self._network: nn.Module = self.model  # wrapped while `fit` runs

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from where `checkpoint` was written."""
        self.model.load_state_dict(checkpoint.model)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self._scaler.load_state_dict(checkpoint.scaler)
        self.position = Position(checkpoint.epoch, checkpoint.step)
        self.best_top1 = checkpoint.best_top1
        self.failed = set(checkpoint.failed)

    def fit(self) -> None:
        """Run from `position` to the last epoch."""
        log = RunLog(self.output_dir, enabled=self.ranks.first)
        if self.ranks.world > 1:
            self._network = DistributedDataParallel(self.model)
        try:
            while self.position.epoch < self.plan.epochs:
                self._epoch(log)
                self.position = Position(self.position.epoch + 1, 0)
                if self._validate(log):
                    self._save("best")
                self._save("last")
        finally:
            log.close()
            # The wrapper must go before its process group: freed after it, it joins gloo's thread with the GIL held,
            # and that thread may be waiting for the GIL.
            self._network = self.model
            gc.collect()

    def _epoch(self, log: RunLog) -> None:
        epoch, first = self.position.epoch, self.position.step
        self.sampler.start_at(epoch, first)
        self._network.train()
        steps = len(self.sampler)
        window: list[torch.Tensor] = []
        window_start, clips = time.monotonic(), 0
        batches = track(
            self.loader, steps - first, f"epoch {epoch + 1}/{self.plan.epochs}", "steps", shown=self.ranks.first
        )
        for step, batch in enumerate(batches, first):
            self._note_failures(batch.failures)
            if not len(batch):
                raise TrainingError(f"no video of step {step} could be read; see {self._quarantine}")
            rate = self.plan.lr * self.schedule(epoch + step / steps)
            window.append(self._step(batch, rate, epoch, step))
            clips += len(batch)
            self.position = Position(epoch, step + 1)
            last = step + 1 == steps
            if last or (step + 1) % self.plan.log_every == 0:
                seconds = time.monotonic() - window_start
                loss, top1 = self.ranks.mean(torch.stack(window).mean(dim=0)).tolist()
                self._report(log, epoch, step, steps, loss, top1, rate, clips * self.ranks.world / seconds)
                window, window_start, clips = [], time.monotonic(), 0
            if not last and self.plan.checkpoint_every and (step + 1) % self.plan.checkpoint_every == 0:
                self._save("last")

    def _step(self, batch: Batch, rate: float, epoch: int, step: int) -> torch.Tensor:
        """One update; float32 (2,), loss and share of right clips, left on the device."""
        device = self.ranks.device
        key = np.random.SeedSequence((self.plan.seed, epoch, step, self.ranks.rank))
        torch.manual_seed(int(key.generate_state(1)[0]))  # dropout
        views = batch.views.to(device, non_blocking=True).flatten(0, 1)  # (B, 3, T, S, S): one view a video
        labels = batch.labels.to(device, non_blocking=True)
        set_rate(self.optimizer, rate)
        with autocast(device, self.plan.precision):
            logits = self._network(self.preprocessing.normalise(views))
        loss = self._loss(logits.float(), labels)
        self.optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        if self.plan.clip_grad_norm is not None:
            self._scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.clip_grad_norm)
        self._scaler.step(self.optimizer)
        self._scaler.update()
        return torch.stack([loss.detach(), (logits.detach().argmax(dim=1) == labels).float().mean()])

    def _report(
        self, log: RunLog, epoch: int, step: int, steps: int, loss: float, top1: float, rate: float, speed: float
    ) -> None:
        if not np.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss} in epoch {epoch + 1}, step {step + 1}; lower optim.lr, lengthen "
                f"optim.warmup_epochs or set optim.clip_grad_norm, and train anew in another output_dir"
            )
        values = {"loss": loss, "top1": top1, "lr": rate, "clips_per_second": speed, "failed_videos": len(self.failed)}
        log.row("train", epoch, epoch * steps + step, values)
        if self.ranks.first:
            logger.info(
                "epoch %d/%d step %d/%d  loss %.3f  top-1 %.1f %%  lr %.2e  %.1f clips/s%s",
                epoch + 1, self.plan.epochs, step + 1, steps, loss, 100 * top1, rate, speed,
                f"  {len(self.failed)} videos failed" if self.failed else "",
            )  # fmt: skip

    def _validate(self, log: RunLog) -> bool:
        """Test on the validation videos when it is time; True when the result is the best so far."""
        done = self.position.epoch
        if self.val_loader is None or (done % self.plan.eval_every and done < self.plan.epochs):
            return False
        result = evaluate(self.model, self.val_loader, self.preprocessing, self.ranks, self.plan.precision, what="val")
        top1 = summarise(result, self.class_names)["top1"]
        if top1 is None:
            raise TrainingError(f"none of the {len(result.failures)} validation videos could be read; check data.val")
        log.row("val", done - 1, done * len(self.sampler) - 1, {"top1": top1, "failed_videos": len(result.failures)})
        if self.ranks.first:
            logger.info("epoch %d/%d val: top-1 %.1f %% of %d", done, self.plan.epochs, 100 * top1, len(result.labels))
        if self.best_top1 is not None and top1 <= self.best_top1:
            return False
        self.best_top1 = top1
        return True

    def _save(self, name: str) -> None:
        failed = sorted(set(self.ranks.gather(sorted(self.failed))))
        if self.ranks.first:
            checkpoint = Checkpoint(
                model=self.model.state_dict(),
                optimizer=self.optimizer.state_dict(),
                scaler=self._scaler.state_dict(),
                epoch=self.position.epoch,
                step=self.position.step,
                config=self.config,
                preprocessing=self.preprocessing.to_dict(),
                class_names=list(self.class_names),
                best_top1=self.best_top1,
                failed=failed,
            )
            save_checkpoint(self.output_dir / "checkpoints" / f"{name}.pt", checkpoint)
        self.ranks.wait()

    def _note_failures(self, failures: Sequence[Failure]) -> None:
        """Write each unreadable video down once; stop when they are too many."""
        for failure in failures:
            if failure.path not in self.failed:
                self.failed.add(failure.path)
                logger.warning("not readable, replaced by another video: %s: %s", failure.path, failure.reason)
                self.output_dir.mkdir(parents=True, exist_ok=True)
                with self._quarantine.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"id": failure.id, "path": failure.path, "reason": failure.reason}) + "\n")
        if len(self.failed) > self.plan.max_failed * self.videos:
            raise TrainingError(
                f"{len(self.failed)} of {self.videos} training videos could not be read, more than data.max_failed "
                f"{self.plan.max_failed:g} allows; they stand in {self._quarantine}. Mend or "
                f"delist them, or raise data.max_failed"
            )
