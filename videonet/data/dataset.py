"""VideoItem -> open once -> plan -> wanted frames decoded once -> views. Training and test use the same classes.

`SampleReader` is what happens to one video and is all that a loader's worker knows; `VideoDataset` knows the videos and
which other one stands in for a video that cannot be read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from torch.utils.data import Dataset

from videonet.decode.reader import Emit, Undecodable, VideoError, VideoInfo, VideoReader, open_video
from videonet.decode.yuv import EvenCut

from .lists import VideoItem
from .planes import Cut, Finish, Later, cut_around
from .views import ViewPlan, Views

Key = tuple[int, int]  # (epoch, index of the item)
Open = Callable[[str], VideoReader]
Allocate = Callable[[tuple[int, ...]], torch.Tensor]  # shape -> uint8 memory to write a sample's pixels to

_MOST_SUBSTITUTES = 20


@dataclass(frozen=True)
class Failure:
    """A video that could not be read, and why."""

    id: str
    path: str
    reason: str


@dataclass(frozen=True)
class Timing:
    """Where the time of reading went: CPU seconds of the reading thread, and seconds on the wall for all of it."""

    open_seconds: float = 0.0
    """Opening the file and finding its frames."""
    decode_seconds: float = 0.0
    """Decoding and conversion to RGB."""
    transform_seconds: float = 0.0
    """Crop, resize, flip, and putting the views together."""
    wall_seconds: float = 0.0

    def __add__(self, other: Timing) -> Timing:
        return Timing(
            self.open_seconds + other.open_seconds,
            self.decode_seconds + other.decode_seconds,
            self.transform_seconds + other.transform_seconds,
            self.wall_seconds + other.wall_seconds,
        )


@dataclass(frozen=True)
class Sample:
    """One video with all its views.

    views: uint8 (V, 3, T, S, S) with V = clips x crops, or the frames or planes that `finish` makes such views of; None
    when the video could not be read.
    seconds: float64 (V_t, 2), first and last frame of each clip; stop_seconds: float64 (V_t,), when that last frame
    leaves the screen.
    more: the video has more views, which the next number of the key gives (see `sliding.py`).
    """

    index: int
    label: int
    views: torch.Tensor | None
    seconds: np.ndarray
    failures: tuple[Failure, ...] = ()
    labels: tuple[int, ...] = ()
    """All classes, of a list of several labels a video."""
    finish: Later | None = None
    timing: Timing = field(default_factory=Timing)
    stop_seconds: np.ndarray = field(default_factory=lambda: np.zeros(0))
    info: VideoInfo | None = None
    more: bool = False


class Job(Protocol):
    """What a worker does with a video; picklable."""

    def __call__(self, item: VideoItem, key: Key, allocate: Allocate | None = None) -> Sample:
        """A sample whose views lie in memory from `allocate`. Raises VideoError."""
        ...


@dataclass(frozen=True)
class SampleReader:
    """What is done with one video. Small and picklable, since every worker has one.

    Where the preprocessing says pixels="yuv", `open_video` must open for it, and samples hold planes.

    A video counts as unreadable when more than `max_missing` of its frames were cut off the file, or more than
    `max_damaged` of the frames wanted from it are damaged. Where a clip was flipped, `flip_labels` changes its labels.
    """

    views: Views
    open_video: Open = open_video
    seed: int = 0
    flip_labels: Mapping[int, int] = field(default_factory=dict)
    max_missing: float = 0.1
    max_damaged: float = 0.25

    def __call__(self, item: VideoItem, key: Key, allocate: Allocate | None = None) -> Sample:
        """The sample of `item` at `key`, its views in memory from `allocate`. Raises VideoError."""
        start, cpu = time.perf_counter(), time.thread_time()
        preprocessing = self.views.preprocessing
        with self.open_video(item.path) as reader:
            info = refuse_cut_short(item.path, reader.info, self.max_missing)
            opened, reading = time.thread_time(), time.perf_counter()
            plan = self.views.plan(
                preprocessing.ticks(info), (info.height, info.width), np.random.default_rng((self.seed, *key))
            )
            cut = cut_around(plan.emits) if preprocessing.pixels == "yuv" else None
            ticks, emits, rows = _wanted(plan, cut)
            clip = preprocessing.read(reader, ticks, emits[0] if len(emits) == 1 else emits)
            ends = np.append(reader.timeline.starts_seconds, reader.timeline.duration_seconds)
        bad = clip.damaged + clip.substituted
        if bad > self.max_damaged * len(ticks):
            raise Undecodable(item.path, f"{bad} of the {len(ticks)} frames wanted are damaged")
        decoded = time.thread_time()
        emitted = clip.emit_seconds / max(time.perf_counter() - reading, 1e-9)
        finish: Later | None = None
        if cut is None and plan.cut_later:
            views = (allocate or _new)(tuple(clip.frames.shape)).copy_(clip.frames)
            finish = Cut(rows, plan.crops)
        elif cut is None:
            views = _cut(clip.frames, rows, plan, allocate or _new)
            for view, retouch in zip(views, plan.retouches, strict=False):
                view.copy_(retouch(view))
        else:
            assert clip.colour is not None
            views = (allocate or _new)(tuple(clip.frames.shape)).copy_(clip.frames)
            finish = Finish(clip.colour, cut, rows, plan.emits, plan.crops)
        seconds = clip.pts_seconds[rows]
        mirrored = self.flip_labels if plan.flipped else {}
        emitting = emitted * (decoded - opened)
        return Sample(
            index=key[1],
            label=mirrored.get(item.label, item.label),
            labels=tuple(mirrored.get(label, label) for label in item.labels),
            views=views,
            seconds=np.stack([seconds.min(axis=1), seconds.max(axis=1)], axis=1),
            finish=finish,
            stop_seconds=ends[np.searchsorted(ends, seconds.max(axis=1), side="right").clip(max=len(ends) - 1)],
            info=info,
            timing=Timing(
                opened - cpu,
                decoded - opened - emitting,
                time.thread_time() - decoded + emitting,
                time.perf_counter() - start,
            ),
        )


class VideoDataset(Dataset[Sample]):
    """Indexed by (epoch, index); the same key gives the same sample, whoever asks.

    With `substitute`, an unreadable video is replaced by another one of the same epoch, chosen by the key alone, and
    the failure is reported in the sample (training). Without it, the sample has no views (test, features).
    Videos of `known_bad` (path -> reason) count as unreadable without being opened.
    """

    def __init__(
        self,
        items: Sequence[VideoItem],
        views: Views,
        seed: int = 0,
        substitute: bool = False,
        open_video: Open = open_video,
        flip_labels: Mapping[int, int] | None = None,
        known_bad: Mapping[str, str] | None = None,
        max_missing: float = 0.1,
        max_damaged: float = 0.25,
    ) -> None:
        self.items = list(items)
        self.reader = SampleReader(views, open_video, seed, dict(flip_labels or {}), max_missing, max_damaged)
        self.substitute = substitute
        self.known_bad = dict(known_bad or {})

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, key: Key) -> Sample:
        return self.sample(key, self.reader)

    def sample(self, key: Key, read: Callable[[VideoItem, Key], Sample]) -> Sample:
        """The sample of `key`; `read` reads one video, here or in a worker, and raises VideoError where it cannot."""
        epoch, index = key
        failures: list[Failure] = []
        for candidate in self._candidates(key):
            item = self.items[candidate]
            if item.path in self.known_bad:
                failures.append(Failure(item.id, item.path, f"quarantined before: {self.known_bad[item.path]}"))
                continue
            try:
                sample = read(item, (epoch, candidate))
            except VideoError as error:
                failures.append(Failure(item.id, item.path, error.reason))
                continue
            return replace(sample, failures=tuple(failures))
        item = self.items[index]
        return Sample(index, item.label, None, np.zeros((0, 2)), tuple(failures), item.labels)

    def _candidates(self, key: Key) -> Iterator[int]:
        epoch, index = key
        yield index
        if self.substitute:
            others = np.random.default_rng((self.reader.seed, epoch, index, 1)).permutation(len(self.items))
            yield from others[others != index][:_MOST_SUBSTITUTES].tolist()


def refuse_cut_short(path: str, info: VideoInfo, max_missing: float) -> VideoInfo:
    """Raises Undecodable where more than this share of the frames that the file promises is gone."""
    promised = info.frames + info.missing
    if info.missing > max_missing * promised:
        raise Undecodable(path, f"cut short: {info.missing} of {promised} frames are gone")
    return info


def _wanted(plan: ViewPlan, cut: EvenCut | None) -> tuple[np.ndarray, list[Emit], np.ndarray]:
    """What to ask a reader for: ticks, one emit or one a tick, and the row of the answer of each frame, (V_t, T).

    Clips with the same emit, or cut, share their frames; a clip with its own has its own rows.
    """
    if cut is not None or len(plan.emits) == 1:
        ticks, rows = np.unique(plan.ticks, return_inverse=True)
        return ticks, [cut or plan.emits[0]], rows.reshape(plan.ticks.shape)
    emits: list[Emit] = [emit for emit in plan.emits for _ in range(plan.ticks.shape[1])]
    return plan.ticks.flatten(), emits, np.arange(plan.ticks.size).reshape(plan.ticks.shape)


def _new(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.uint8)


def _cut(frames: torch.Tensor, rows: np.ndarray, plan: ViewPlan, allocate: Allocate) -> torch.Tensor:
    """uint8 (frames, h, w, 3) -> (V_t * V_s, 3, T, S, S), the crops of one clip side by side."""
    (clips, length), box = rows.shape, plan.crops[0]
    views = allocate((clips * len(plan.crops), 3, length, box.height, box.width))
    for number, clip_rows in enumerate(rows):
        first, last = int(clip_rows[0]), int(clip_rows[-1])
        in_line = np.array_equal(clip_rows, np.arange(first, last + 1))
        clip = frames[first : last + 1] if in_line else frames[torch.from_numpy(clip_rows)]  # (T, h, w, 3)
        for view, crop in enumerate(plan.crops, number * len(plan.crops)):
            views[view] = crop.cut(clip).permute(3, 0, 1, 2)
    return views
