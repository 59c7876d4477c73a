"""Which ticks of a video make a clip: pure index arithmetic, (views, frames) int64 out, no video in sight.

A *tick* is one position on a video's timeline of `ticks` positions [0, ticks): a frame of the video, or 1/fps seconds.
A clip is `frames` ticks, `stride` apart; it covers the half-open interval of (frames - 1) * stride + 1 ticks from its
first frame to one past its last.
Short videos: a clip longer than the video starts at 0, and past the end either the last tick is held ("hold", as
PySlowFast does) or the video starts over ("loop", as MMAction2 does).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
FrameOrder = Literal["normal", "shuffled", "reversed", "frozen"]
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


def dense_places(views: int) -> tuple[Fraction, ...]:
    """Where each of `views` even clips starts, as a share of the room that a clip has: i / (views - 1); 1 view: 1/2."""
    _check(views=views)
    return tuple(Fraction(view, views - 1) for view in range(views)) if views > 1 else (Fraction(1, 2),)


def dense_at(ticks: int, frames: int, stride: int, places: Sequence[Fraction], short: Short = "hold") -> Indices:
    """(places, frames): clips that start at these shares of the room [0, last start], rounded down."""
    _check(ticks=ticks, frames=frames, stride=stride)
    last_start = max(0, ticks - span(frames, stride))
    return clips_at(
        [place.numerator * last_start // place.denominator for place in places], ticks, frames, stride, short
    )


def dense_uniform(ticks: int, frames: int, stride: int, views: int, short: Short = "hold") -> Indices:
    """(views, frames): starts spread evenly, the first at 0 and the last where the clip ends with the video.

    One view is the centre one. The multi-view test of the field, as PySlowFast with USE_OFFSET_SAMPLING and MMAction2,
    but for their rounding; PyTorchVideo leaves the last of `views` + 1 such clips out.
    """
    return dense_at(ticks, frames, stride, dense_places(views), short)


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


def segment_places(views: int) -> tuple[Fraction, ...]:
    """Where each of `views` even clips takes its frame of every part, as a share of the part: (v + 1/2) / views."""
    _check(views=views)
    return tuple(Fraction(2 * view + 1, 2 * views) for view in range(views))


def segment_at(ticks: int, frames: int, places: Sequence[Fraction]) -> Indices:
    """(places, frames): clips that take each of `frames` equal parts at these shares of it, rounded down."""
    _check(ticks=ticks, frames=frames)
    parts = np.arange(frames, dtype=np.int64)
    return np.stack([(parts * p.denominator + p.numerator) * ticks // (frames * p.denominator) for p in places])


def segment_uniform(ticks: int, frames: int, views: int) -> Indices:
    """(views, frames): view v takes each part at (v + 1/2) / views of its length; one view takes the middles."""
    return segment_at(ticks, frames, segment_places(views))


def frame_order(order: FrameOrder, places: Sequence[Fraction], frames: int, rng: np.random.Generator) -> Indices:
    """(places, frames): for each frame of each clip, which of the clip's own frames is shown there.

    How a clip is shuffled follows from `rng` and its own place: not from which other clips there are.
    """
    straight = np.arange(frames, dtype=np.int64)
    if order == "shuffled":
        seed = int(rng.integers(2**63))
        keys = [(seed, place.numerator, place.denominator) for place in places]
        return np.stack([np.random.default_rng(key).permutation(straight) for key in keys])
    row = {"normal": straight, "reversed": straight[::-1], "frozen": np.full_like(straight, frames // 2)}[order]
    return np.tile(row, (len(places), 1))


def reorder(
    clips: Indices, order: FrameOrder, rng: np.random.Generator, places: Sequence[Fraction] | None = None
) -> Indices:
    """Each clip's ticks in another order, or its middle one alone: what is left of a model's accuracy without time?"""
    places = dense_places(len(clips)) if places is None else places
    return np.take_along_axis(clips, frame_order(order, places, clips.shape[1], rng), axis=1)
