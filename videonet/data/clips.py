"""Which ticks of a video make a clip: pure index arithmetic, (views, frames) int64 out, no video in sight.

A *tick* is one position on a video's timeline of `ticks` positions [0, ticks): a frame of the video, or 1/fps seconds.
A clip is `frames` ticks, `stride` apart; it covers the half-open interval of (frames - 1) * stride + 1 ticks from its
first frame to one past its last.
Short videos: a clip longer than the video starts at 0, and past the end either the last tick is held ("hold", as
PySlowFast does) or the video starts over ("loop", as MMAction2 does).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
FrameOrder = Literal["normal", "shuffled", "reversed"]
Short = Literal["hold", "loop"]
Tail = Literal["drop", "hold", "shift"]


def span(frames: int, stride: int) -> int:
    """Ticks from the first frame of a clip to one past its last."""
    return (frames - 1) * stride + 1


def intervals(clips: Indices) -> Indices:
    """(views, frames) -> (views, 2): the ticks [start, stop) that each clip covers, whatever the order inside it."""
    return np.stack([clips.min(axis=1), clips.max(axis=1) + 1], axis=1)


def clips_at(starts: Sequence[int] | Indices, ticks: int, frames: int, stride: int, short: Short = "hold") -> Indices:
    """(views, frames): clips that begin at these ticks."""
    offsets = np.arange(frames, dtype=np.int64) * stride
    clips = np.asarray(starts, dtype=np.int64)[:, None] + offsets
    return clips % ticks if short == "loop" else np.minimum(clips, ticks - 1)


def _check(**counts: int) -> None:
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")


def dense_random(
    ticks: int, frames: int, stride: int, rng: np.random.Generator, clips: int = 1, short: Short = "hold"
) -> Indices:
    """(clips, frames): clips whose starts are independent and uniform over all places where a clip fits."""
    _check(ticks=ticks, frames=frames, stride=stride, clips=clips)
    last_start = max(0, ticks - span(frames, stride))
    return clips_at(rng.integers(0, last_start + 1, clips), ticks, frames, stride, short)


def dense_uniform(ticks: int, frames: int, stride: int, views: int, short: Short = "hold") -> Indices:
    """(views, frames): starts spread evenly, the first at 0 and the last where the clip ends with the video.

    One view is the centre one. The multi-view test of the field, as PySlowFast with USE_OFFSET_SAMPLING and MMAction2,
    but for their rounding; PyTorchVideo leaves the last of `views` + 1 such clips out.
    """
    _check(ticks=ticks, frames=frames, stride=stride, views=views)
    last_start = max(0, ticks - span(frames, stride))
    if views == 1:
        return clips_at([last_start // 2], ticks, frames, stride, short)
    return clips_at(np.arange(views) * last_start // (views - 1), ticks, frames, stride, short)


def sliding_starts(ticks: int, frames: int, stride: int, hop: int, tail: Tail = "hold") -> Indices:
    """(windows,): first ticks of windows `hop` apart, window w at w * hop, as long as a window fits; then the `tail`.

    Where that leaves the last ticks out, "drop" leaves it at that (a video shorter than one window has none), "hold"
    adds the next window, which holds the last tick past the end, and "shift" adds one that ends with the video (one
    that starts at 0 and holds the last tick where the video is shorter than a window).
    """
    _check(ticks=ticks, frames=frames, stride=stride, hop=hop)
    length = span(frames, stride)
    starts = np.arange(0, max(0, ticks - length + 1), hop, dtype=np.int64)
    next_start = len(starts) * hop
    reached = next_start - hop + length if len(starts) else 0
    if tail == "drop" or max(reached, next_start) >= ticks:  # with hop > length the end may fall between two windows
        return starts
    return np.append(starts, next_start if tail == "hold" else max(0, ticks - length))


def sliding(ticks: int, frames: int, stride: int, hop: int, tail: Tail = "hold") -> Indices:
    """(windows, frames): the windows of `sliding_starts`."""
    return clips_at(sliding_starts(ticks, frames, stride, hop, tail), ticks, frames, stride)


def segment_random(ticks: int, frames: int, rng: np.random.Generator, clips: int = 1) -> Indices:
    """(clips, frames): a tick of each of `frames` equal parts [k * ticks / frames, (k + 1) * ticks / frames) (TSN)."""
    _check(ticks=ticks, frames=frames, clips=clips)
    position = (np.arange(frames) + rng.random((clips, frames))) * ticks / frames
    return np.minimum(np.floor(position).astype(np.int64), ticks - 1)  # a product may round up to `ticks`


def segment_uniform(ticks: int, frames: int, views: int) -> Indices:
    """(views, frames): view v takes each part at (v + 1/2) / views of its length; one view takes the middles."""
    _check(ticks=ticks, frames=frames, views=views)
    halves = 2 * np.arange(frames * views).reshape(frames, views).T + 1  # (V, T), in half parts of a view's share
    return halves * ticks // (2 * frames * views)


def reorder(clips: Indices, order: FrameOrder, rng: np.random.Generator) -> Indices:
    """The same ticks in another order inside each clip: what is left of a model's accuracy without time?"""
    if order == "reversed":
        return np.ascontiguousarray(clips[:, ::-1])
    if order == "shuffled":
        return rng.permuted(clips, axis=1)
    return clips
