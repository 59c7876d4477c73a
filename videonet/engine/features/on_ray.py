"""Extraction by Ray workers, on one machine or many: each holds a copy of the extractor, and the driver writes.

Workers are actors that stream the events of a few videos at a time. Where one dies, its unfinished videos are begun
again by others, one by one, so that a video that ends every worker is found: it then counts as failed. (A map of Ray
Data 2.60 tries such a video again for ever: it was killed 18 times in 90 seconds.)
"""

from __future__ import annotations

import logging
import os
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from videonet.engine.dist import DeviceError
from videonet.engine.files import OutputError
from videonet.engine.log import logger

from .events import Again, End, Event, Extractor, Failed

MOST_LOSSES = 3
"""Workers that a video may cost."""
_BLOCK = 8  # videos that a worker is handed at a time
_AHEAD = 16  # events of a worker that may wait for the driver
_OBJECT_STORE_BYTES = 256 << 20  # of a cluster started here: only features go through it


class _Worker:
    """The actor. One thread: sums then come in the order they have in any other process with one."""

    def __init__(self, extractor: Extractor, device: str) -> None:
        torch.set_num_threads(1)
        self._extractor = extractor.on(torch.device(device))

    def extract(self, indices: Sequence[int]) -> Iterator[Event]:
        yield from self._extractor.events(indices)


@contextmanager
def ray_cluster(address: str | None, workers: int) -> Iterator[RayCluster]:
    """A running cluster (its address, or "auto"), or one on this machine that ends with the block.

    Raises OutputError where Ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise OutputError(f"--engine ray needs Ray: pip install 'videonet[ray]' ({error})") from None
    started = not ray.is_initialized()
    if started:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        here: dict[str, Any] = {"num_cpus": workers, "object_store_memory": _OBJECT_STORE_BYTES} if not address else {}
        ray.init(address=address, include_dashboard=False, logging_level=logging.WARNING, log_to_driver=False, **here)
    try:
        yield RayCluster(ray, workers)
    finally:
        if started:
            ray.shutdown()


@dataclass(frozen=True)
class RayCluster:
    """Where workers run: each takes one CPU, and one GPU where it computes on one."""

    ray: Any
    """The module."""
    workers: int

    def device(self, asked: str) -> torch.device:
        """Of each worker. `asked`: auto | cpu | cuda. Raises DeviceError where the cluster has no GPU to give."""
        gpus = self.ray.cluster_resources().get("GPU", 0)
        if asked == "cuda" and not gpus:
            raise DeviceError("device 'cuda' is asked for, but no machine of the Ray cluster has a GPU; use device=cpu")
        return torch.device("cuda" if gpus and asked != "cpu" else "cpu")

    def events(
        self, extractor: Extractor, device: torch.device, indices: Sequence[int]
    ) -> Generator[Event, None, None]:
        """Of the items at these places. Raises RuntimeError where workers die one after the other."""
        return _Driver(self.ray, extractor, device, indices, self.workers).events()


class _Driver:
    """Hands out blocks of videos and passes the events of all workers on."""

    def __init__(
        self, ray: Any, extractor: Extractor, device: torch.device, indices: Sequence[int], workers: int
    ) -> None:
        self._ray, self._workers, self._device = ray, workers, device.type
        gpus = 1 if device.type == "cuda" else 0
        self._actor = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0, max_task_retries=0)(_Worker)
        self._extractor = ray.put(extractor)
        self._fresh = deque(indices)
        self._again: deque[int] = deque()
        self._losses: Counter[int] = Counter()
        self._lost_in_a_row = 0
        self._running: dict[Any, tuple[Any, list[int]]] = {}  # stream of events -> actor, its unfinished videos

    def events(self) -> Generator[Event, None, None]:
        for _ in range(self._workers):
            self._begin()
        while self._running:
            (stream,), _ = self._ray.wait(list(self._running), num_returns=1)
            actor, unfinished = self._running[stream]
            try:
                event = self._ray.get(next(stream))
            except StopIteration:
                del self._running[stream]
                self._begin(actor)
            except self._ray.exceptions.RayActorError as error:
                del self._running[stream]
                yield from self._lost(unfinished, error)
                self._begin()
            else:
                if isinstance(event, End | Failed):
                    unfinished.remove(event.index)
                    self._lost_in_a_row = 0
                yield event

    def _begin(self, actor: Any = None) -> None:
        """The next block, if there is one, for this actor or a new one; else the actor goes."""
        if self._again:
            block = [self._again.popleft()]
        else:
            share = -(-len(self._fresh) // (2 * self._workers))  # small ones last, so that all end together
            block = [self._fresh.popleft() for _ in range(min(_BLOCK, share))]
        if not block:
            if actor is not None:
                self._ray.kill(actor)
            return
        actor = actor or self._actor.remote(self._extractor, self._device)
        extract = actor.extract.options(num_returns="streaming", _generator_backpressure_num_objects=_AHEAD)
        self._running[extract.remote(block)] = actor, list(block)

    def _lost(self, unfinished: list[int], error: Exception) -> Iterator[Event]:
        self._lost_in_a_row += 1
        if self._lost_in_a_row > MOST_LOSSES * (self._workers + 1):
            raise RuntimeError(f"{self._lost_in_a_row} Ray workers died one after the other") from error
        logger.warning("a Ray worker died; its %d videos are begun again", len(unfinished))
        for index in unfinished:
            self._losses[index] += 1
            yield Again(index)
            if self._losses[index] < MOST_LOSSES:
                self._again.append(index)
            else:
                yield Failed(index, f"it ended {MOST_LOSSES} Ray workers")
