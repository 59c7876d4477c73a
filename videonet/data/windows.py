"""Sliding windows over a video of any length: one pass over the file, memory for one window.

Each frame that a window needs is decoded and emitted once, whatever the overlap; frames between are decoded only where
others lean on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from videonet.decode.reader import Emit, VideoReader

from . import clips


@dataclass(frozen=True)
class Window:
    """T frames of a video and the time [start_seconds, stop_seconds) that they cover."""

    frames: torch.Tensor
    """uint8 (T, H, W, 3), as `emit` gave them; its own memory."""
    indices: clips.Indices
    """int64 (T,): which frames of the video these are."""
    start_seconds: float
    """When the first frame comes on screen; with a rate, the time of the first tick."""
    stop_seconds: float
    """When the last frame leaves the screen; with a rate, the end of the last tick. At most the video's end."""


def windows(
    reader: VideoReader,
    frames: int,
    stride: int,
    hop: int,
    emit: Emit | None = None,
    fps: float | None = None,
    tail: clips.Tail = "hold",
) -> Iterator[Window]:
    """Windows of `frames` ticks `stride` apart, each `hop` ticks after the one before, in order.

    Args:
        reader: left open; any other read of it ends the iteration.
        emit: run on each frame needed, once.
        fps: ticks a second, the frame of a tick being the one on screen; None: a tick is a frame of the video.
        tail: what becomes of the end of the video, see `clips.sliding_starts`.

    Raises ValueError for counts below 1, and what the reader raises.
    """
    timeline = reader.timeline
    if fps is None:
        ticks = len(timeline.starts_seconds)
        edges = np.append(timeline.starts_seconds, timeline.duration_seconds)  # when ticks begin, and the last ends
    else:
        ticks = max(1, round(timeline.duration_seconds * fps))
        edges = np.minimum(np.arange(ticks + 1) / fps, timeline.duration_seconds)
    starts = clips.sliding_starts(ticks, frames, stride, hop, tail)

    def indices_from(start: int) -> clips.Indices:
        clip = clips.clips_at([start], ticks, frames, stride)[0]
        return clip if fps is None else timeline.locate_seconds(clip / fps)[0]

    needed = np.zeros(len(timeline.starts_seconds), dtype=bool)
    for start in starts:
        needed[indices_from(start)] = True
    rank = np.cumsum(needed) - 1  # of each frame needed, among those
    most = max((rank[indices[-1]] - rank[indices[0]] for indices in map(indices_from, starts)), default=0) + 1
    stream = reader.stream_index(np.flatnonzero(needed).tolist(), emit) if len(starts) else iter(())
    ring = torch.empty(0)  # (most, H, W, 3): the frame of rank r lies at r % most until no window needs it any more
    read = 0
    for start in starts:
        indices = indices_from(start)
        while read <= rank[indices[-1]]:
            frame = next(stream)
            if not read:
                ring = frame.new_empty((most, *frame.shape))
            ring[read % most] = frame
            read += 1
        stop = min(start + clips.span(frames, stride), ticks)
        window = ring.index_select(0, torch.from_numpy(rank[indices] % most))
        yield Window(window, indices, float(edges[start]), float(edges[stop]))
