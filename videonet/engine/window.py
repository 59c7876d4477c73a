"""The steps since the last log line: their losses, which may turn out to be none, and where their time went."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from videonet.data.batch import Batch
from videonet.data.dataset import Timing


class Window:
    """Filled step by step without a wait for the device; looked at once in a while."""

    def __init__(self, results: Sequence[torch.Tensor] = ()) -> None:
        self._results = list(results)
        """float32 (2,) of each step: loss and share of right clips."""
        self._videos: list[list[str]] = [[] for _ in self._results]
        """Their videos, to be named where a loss is none."""
        self.timed = 0
        """Steps that were added here, not restored: those that times are of."""
        self._start = time.monotonic()
        self._clips, self._reading = 0, Timing()

    def begin(self) -> None:
        """Time counts from here."""
        self._start = time.monotonic()

    def add(self, result: torch.Tensor, batch: Batch, clips: int, videos: list[str]) -> None:
        """A step that was asked of the device."""
        self._results.append(result)
        self._videos.append(videos)
        self._clips += clips
        self.timed += 1
        self._reading += batch.timing

    def mean(self) -> torch.Tensor:
        """float32 (2,)."""
        return torch.stack(self._results).mean(dim=0)

    def clips_per_second(self) -> float:
        """Of this rank."""
        return self._clips / (time.monotonic() - self._start)

    def reading(self) -> dict[str, float]:
        """CPU seconds of the loader's workers for a step: beside the network's time, not part of it."""
        steps, reading = max(1, self.timed), self._reading
        return {
            "worker_seconds_open": reading.open_seconds / steps,
            "worker_seconds_decode": reading.decode_seconds / steps,
            "worker_seconds_augment": reading.transform_seconds / steps,
        }

    def bad(self) -> dict[str, Any] | None:
        """The first step whose loss is no number: loss and videos."""
        losses = torch.stack(self._results)[:, 0].tolist() if self._results else []
        for loss, videos in zip(losses, self._videos, strict=True):
            if not np.isfinite(loss):
                return {"loss": str(loss), "videos": videos}
        return None

    def state(self) -> torch.Tensor | None:
        """float32 (n, 2) on the CPU, for a checkpoint: rows for `Window(rows)`."""
        return torch.stack(self._results).cpu() if self._results else None
