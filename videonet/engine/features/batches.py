"""Forwards of one size: views of several videos share a batch, and no row depends on its neighbours.

How a matrix product is summed depends on its shape. With a batch that always has the same number of views, filled up at
the end of the stream, a view gives the same bits whatever stands beside it: after a resume, on another rank, in another
order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from videonet.data.preprocessing import Preprocessing
from videonet.engine.forward import autocast

Outputs = dict[str, np.ndarray]


class FixedBatches:
    """Views in, rows of features out, in the order of the views, each with its owner (the index of its video)."""

    def __init__(
        self,
        network: Callable[[torch.Tensor], dict[str, torch.Tensor]],
        preprocessing: Preprocessing,
        device: torch.device,
        precision: str,
        size: int,
    ) -> None:
        self._network, self._preprocessing, self._device = network, preprocessing, device
        self._precision, self._size = precision, size
        self._waiting: deque[tuple[int, torch.Tensor]] = deque()
        self._count = 0
        self._running: deque[_Running] = deque()

    def add(self, owner: int, views: torch.Tensor) -> Iterator[tuple[int, Outputs]]:
        """Take uint8 (n, 3, T, S, S) on the device; (owner, rows) of batches that are done."""
        self._waiting.append((owner, views))
        self._count += len(views)
        while self._count >= self._size:
            self._launch()
            yield from self._done(leave=0 if self._device.type == "cpu" else 1)  # a GPU works while we write

    def flush(self) -> Iterator[tuple[int, Outputs]]:
        """The rows of all views that are left."""
        if self._count:
            self._launch()
        yield from self._done(leave=0)

    def _next(self) -> tuple[list[tuple[int, int]], torch.Tensor]:
        """Owners with their numbers of views, and `size` views; the last one is repeated where there are fewer."""
        owners, parts, free = [], [], self._size
        while free and self._waiting:
            owner, views = self._waiting.popleft()
            if len(views) > free:
                self._waiting.appendleft((owner, views[free:]))
                views = views[:free]
            owners.append((owner, len(views)))
            parts.append(views)
            free -= len(views)
        self._count -= self._size - free
        if free:
            parts.append(parts[-1][-1:].expand(free, *parts[-1].shape[1:]))
        return owners, torch.cat(parts)

    @torch.inference_mode()
    def _launch(self) -> None:
        owners, views = self._next()
        x = self._preprocessing.normalise(views)
        with autocast(self._device, self._precision):
            outputs = self._network(x)
        copies = {name: value.to("cpu", non_blocking=True) for name, value in outputs.items()}
        event = None
        if self._device.type == "cuda":
            event = torch.cuda.Event()
            event.record()
        self._running.append(_Running(owners, copies, event))

    def _done(self, leave: int) -> Iterator[tuple[int, Outputs]]:
        while len(self._running) > leave:
            batch = self._running.popleft()
            if batch.copied is not None:
                batch.copied.synchronize()
            start = 0
            for owner, count in batch.owners:
                yield owner, {name: value[start : start + count].numpy() for name, value in batch.outputs.items()}
                start += count


@dataclass(frozen=True)
class _Running:
    owners: list[tuple[int, int]]
    outputs: dict[str, torch.Tensor]
    copied: torch.cuda.Event | None
    """Reached once the outputs are in the memory of the CPU."""
