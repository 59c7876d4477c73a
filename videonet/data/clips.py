"""Which ticks of a video make a clip: pure index arithmetic, (views, frames) int64 out, no video in sight.

A *tick* is one position on a video's timeline of `ticks` positions [0, ticks): a frame of the video, or 1/fps seconds.
A clip is `frames` ticks, `stride` apart; it spans (frames - 1) * stride + 1 ticks.
Short videos: where a clip is longer than the video, it starts at 0 and the last tick is held.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
FrameOrder = Literal["normal", "shuffled", "reversed"]


def span(frames: int, stride: int) -> int:
    """Ticks from the first frame of a clip to one past its last."""
    return (frames - 1) * stride + 1


def _at(starts: Sequence[int] | Indices, ticks: int, frames: int, stride: int) -> Indices:
    offsets = np.arange(frames, dtype=np.int64) * stride
    clips = np.asarray(starts, dtype=np.int64)[:, None] + offsets  # (V, T)
    return np.minimum(clips, ticks - 1)


def _check(ticks: int, frames: int, stride: int = 1, views: int = 1) -> None:
    for name, value in (("ticks", ticks), ("frames", frames), ("stride", stride), ("views", views)):
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")


def dense_random(ticks: int, frames: int, stride: int, rng: np.random.Generator) -> Indices:
    """(1, frames): a clip whose start is uniform over all places where it fits."""
    _check(ticks, frames, stride)
    last_start = max(0, ticks - span(frames, stride))
    return _at([int(rng.integers(0, last_start + 1))], ticks, frames, stride)


def dense_uniform(ticks: int, frames: int, stride: int, views: int) -> Indices:
    """(views, frames): starts spread evenly, the first at 0 and the last where the clip ends with the video.

    One view is the centre one (PySlowFast's multi-view test).
    """
    _check(ticks, frames, stride, views)
    last_start = max(0, ticks - span(frames, stride))
    shares = np.array([0.5]) if views == 1 else np.linspace(0.0, 1.0, views)
    return _at(np.floor(last_start * shares).astype(np.int64), ticks, frames, stride)


def segment_random(ticks: int, frames: int, rng: np.random.Generator) -> Indices:
    """(1, frames): one tick from each of `frames` equal parts [k * ticks / frames, (k + 1) * ticks / frames) (TSN)."""
    _check(ticks, frames)
    position = (np.arange(frames) + rng.random(frames)) * ticks / frames
    return np.floor(position).astype(np.int64)[None]


def segment_uniform(ticks: int, frames: int, views: int) -> Indices:
    """(views, frames): view v takes each part at (v + 1/2) / views of its length; one view takes the middles."""
    _check(ticks, frames, views=views)
    inside = (np.arange(views) + 0.5) / views
    position = (np.arange(frames)[None] + inside[:, None]) * ticks / frames  # (V, T)
    return np.floor(position).astype(np.int64)


def reorder(clips: Indices, order: FrameOrder, rng: np.random.Generator) -> Indices:
    """The same ticks in another order inside each clip: what is left of a model's accuracy without time?"""
    if order == "reversed":
        return np.ascontiguousarray(clips[:, ::-1])
    if order == "shuffled":
        return rng.permuted(clips, axis=1)
    return clips
