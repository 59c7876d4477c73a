"""What comes of reading videos, piece by piece: rows of a video, its end, or its failure.

Events of one video come in order, those of several interleave. They are what one process, a rank or a Ray worker hands
to the folder that writes them down.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from videonet.data.dataset import Sample
from videonet.data.preprocessing import Preprocessing
from videonet.data.streams import Streams

from .batches import FixedBatches, Outputs
from .embed import Wanted


@dataclass(frozen=True)
class Rows:
    """The next rows of a video: feature -> (n, ...), and float64 (n, 2), the seconds [start, stop) that each covers."""

    index: int
    values: Outputs
    seconds: np.ndarray


@dataclass(frozen=True)
class End:
    """All rows of a video have come. `facts`: its frames, fps and duration."""

    index: int
    facts: dict[str, Any]


@dataclass(frozen=True)
class Failed:
    """A video cannot be read, perhaps after some of its rows have come; no more will."""

    index: int
    reason: str


@dataclass(frozen=True)
class Again:
    """What has come of a video so far is void: it will come again from its first row."""

    index: int


Event = Rows | End | Failed | Again


@dataclass(frozen=True)
class Extractor:
    """Everything that turns videos into rows. Picklable: Ray workers get a copy."""

    model: Any
    """An `Embedder`, in eval mode, on `device`."""
    wanted: Wanted
    preprocessing: Preprocessing
    streams: Streams
    precision: str
    batch_size: int
    """Views a forward, always: part of what the bits of a row depend on."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def on(self, device: torch.device) -> Extractor:
        """The same on another device."""
        return replace(self, model=self.model.to(device), device=device)

    def events(self, indices: Iterable[int]) -> Generator[Event, None, None]:
        """Of the items at these places."""
        batches = FixedBatches(
            lambda x: self.wanted(self.model, x), self.preprocessing, self.device, self.precision, self.batch_size
        )
        ledger = _Ledger()
        for sample in self.streams(indices):
            if sample.views is None:
                yield ledger.fail(sample)
                continue
            ledger.enter(sample)
            views = sample.views.to(self.device, non_blocking=True)
            views = views if sample.finish is None else sample.finish(views)
            yield from ledger.rows(batches.add(sample.index, views))
        yield from ledger.rows(batches.flush())


@dataclass
class _Video:
    seconds: list[np.ndarray] = field(default_factory=list)
    """Of rows that are still in the network, a row an array."""
    facts: dict[str, Any] | None = None
    """Known once its last sample is here."""


class _Ledger:
    """Which rows of which videos are under way."""

    def __init__(self) -> None:
        self._videos: dict[int, _Video] = {}

    def enter(self, sample: Sample) -> None:
        """A sample goes into the network."""
        video = self._videos.setdefault(sample.index, _Video())
        video.seconds += list(np.stack([sample.seconds[:, 0], sample.stop_seconds], axis=1))
        if not sample.more:
            assert sample.info is not None
            info = sample.info
            video.facts = {"frames": info.frames, "fps": info.fps, "duration_seconds": info.duration_seconds}

    def fail(self, sample: Sample) -> Failed:
        """Rows of it that are still in the network will not be told."""
        self._videos.pop(sample.index, None)
        return Failed(sample.index, sample.failures[0].reason)

    def rows(self, outputs: Iterable[tuple[int, Outputs]]) -> Iterator[Rows | End]:
        """What leaves the network."""
        for index, values in outputs:
            video = self._videos.get(index)
            if video is None:
                continue
            count = len(next(iter(values.values())))
            seconds, video.seconds = np.stack(video.seconds[:count]), video.seconds[count:]
            yield Rows(index, values, seconds)
            if not video.seconds and video.facts is not None:
                del self._videos[index]
                yield End(index, video.facts)
