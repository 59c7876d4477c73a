"""A reader over a library that hands out frames by index in batches: what torchcodec and decord have in common.

The facts, the count of frames and their times are the default backend's, from its scan of the packets; the library only
gives pixels. A file of a kind that the library was measured to get wrong is refused, and so is one where it counts
other frames, or dates them otherwise, than the scan.
"""

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import torch
from av.video.frame import PictureType

from videonet.decode.clip import Clip, ClipBuilder, Emit, Emits, Timeline, emitted_frame
from videonet.decode.demux import Demuxer
from videonet.decode.errors import Refused
from videonet.decode.limits import Deadline, Limits
from videonet.decode.pyav import PyavReader
from videonet.decode.reader import OpenVideo, Source, VideoInfo
from videonet.decode.track import CountedTrack, PlannedTrack, decode

Track = PlannedTrack | CountedTrack

CHUNK = 32  # frames of full size in memory at once


@dataclass(frozen=True)
class Opened:
    """One video, opened by a library."""

    frames: int
    """How many it counts."""
    first_pts_seconds: float
    """Start of the first frame on the clock that `fetch` uses."""
    fetch: Callable[[list[int]], tuple[torch.Tensor, np.ndarray]]
    """Rising indices -> uint8 (n, H, W, 3), RGB and upright, and float64 (n,), when each is on screen, in seconds."""


@dataclass(frozen=True)
class Library:
    """A decoding library, and what it was measured to get wrong."""

    name: str
    open: Callable[[str | BinaryIO, int], Opened]
    """From a path or file, and the number of the video's track in it."""
    errors: tuple[type[Exception], ...]
    """What it raises on files that it cannot read."""
    wrong_on: Sequence[str]
    """Kinds of files, names of `KINDS`."""


def _in(container: str) -> Callable[[Demuxer, Track], bool]:
    return lambda demuxer, track: demuxer.container == container


def _has_leading_pictures(demuxer: Demuxer, track: Track) -> bool:
    """Whether pictures are stored after a keyframe and shown before it: they lean on the group before."""
    if isinstance(track, CountedTrack):
        return False
    table = track.table
    group = np.searchsorted(table.group_starts, np.arange(len(table.pts)), side="right") - 1
    return bool((table.shown & (table.pts < table.pts[table.group_starts[group]])).any())


def _refreshes_by_columns(demuxer: Demuxer, track: Track) -> bool:
    """Whether decoding may start at packets that hold no whole picture (periodic intra refresh)."""
    later_keys = (
        [] if isinstance(track, CountedTrack) else np.flatnonzero(track.table.key & track.table.shown)[1:2].tolist()
    )
    if demuxer.context.codec.canonical_name not in ("h264", "hevc") or not later_keys:
        return False
    packet = next((packet for _, packet in demuxer.packets_from(later_keys[0])), None)
    frames = (decode(demuxer.context, packet) or decode(demuxer.context, None)) if packet else None
    return not frames or frames[0].pict_type != PictureType.I


# What a library may get wrong: in words, and whether a file is of this kind.
KINDS: Mapping[str, Callable[[Demuxer, Track], bool]] = {
    "frames without times of their own": lambda demuxer, track: isinstance(track, CountedTrack),
    "an MPEG transport stream": _in("mpegts"),
    "an MPEG program stream": _in("mpeg"),
    "open groups of pictures": _has_leading_pictures,
    "periodic intra refresh": _refreshes_by_columns,
}


class BatchedReader(OpenVideo):
    """A `VideoReader` whose pixels come from `library`. It does not tell damage: `Clip.damaged` is always 0.

    Raises Refused, besides what the default backend raises on the file.
    """

    bad_streamed = 0

    def __init__(self, source: Source, limits: Limits, library: Library) -> None:
        self._library = library
        with PyavReader(source, limits) as video:
            demuxer, track = video.scanned
            self._path = demuxer.path
            self._timeline: Timeline = track.timeline
            self.info: VideoInfo = video.info
            stream = demuxer.stream.index
            for kind in library.wrong_on:
                if KINDS[kind](demuxer, track):
                    raise self._refused(f"{library.name} is wrong on {kind}")
        self._half_gap_seconds = float(np.diff(self._timeline.starts_seconds).min(initial=1.0)) / 2
        self._opened: Opened | None
        try:
            self._opened = library.open(_at_start(source), stream)
        except library.errors as error:
            raise self._refused(f"{library.name} cannot open it ({_first_line(error)})") from error
        if self._opened.frames != self.info.frames:
            raise self._refused(f"{library.name} counts {self._opened.frames} frames for {self.info.frames}")
        self._deadline = Deadline(self._path, limits)
        self._reads = 0  # a stream ends when another read begins

    @property
    def timeline(self) -> Timeline:
        return self._timeline

    def at(self, seconds: Sequence[float], emit: Emits | None = None) -> Clip:
        return self._clip(*self._timeline.locate_seconds(seconds), emit)

    def at_index(self, indices: Sequence[int], emit: Emits | None = None) -> Clip:
        return self._clip(*self._timeline.locate_indices(indices), emit)

    def _clip(self, positions: np.ndarray, clamped: int, emit: Emits | None) -> Clip:
        self._begin_read()
        builder = ClipBuilder(self._timeline, positions, clamped, emit)
        for position, frame in self._fetch(builder.missing.tolist()):
            builder.put(position, frame)
        return builder.clip()

    def stream(
        self, start_seconds: float = 0.0, stop_seconds: float | None = None, emit: Emit | None = None
    ) -> Iterator[tuple[float, torch.Tensor]]:
        positions = range(*self._timeline.locate_range(start_seconds, stop_seconds))
        self._begin_read()
        return self._stream(positions, emit, self._reads)

    def stream_index(self, indices: Sequence[int], emit: Emit | None = None) -> Iterator[torch.Tensor]:
        positions = self._timeline.locate_rising(indices).tolist()
        self._begin_read()
        return (frame for _, frame in self._stream(positions, emit, self._reads))

    def _stream(self, positions: Sequence[int], emit: Emit | None, read: int) -> Iterator[tuple[float, torch.Tensor]]:
        for position, frame in self._fetch(positions):
            yield float(self._timeline.starts_seconds[position]), emitted_frame(frame, emit)
            if self._opened is None or self._reads != read:
                raise RuntimeError(f"{self._path}: another read ended this stream; open a second reader for it")
            self._deadline.restart()

    def _fetch(self, positions: Sequence[int]) -> Iterator[tuple[int, torch.Tensor]]:
        """(position, uint8 (H, W, 3)) of these rising positions."""
        name, shape = self._library.name, (self.info.height, self.info.width, 3)
        for first in range(0, len(positions), CHUNK):
            self._deadline.check()
            opened, chunk = self._open(), list(positions[first : first + CHUNK])
            try:
                frames, pts_seconds = opened.fetch(chunk)
            except self._library.errors as error:
                where = f"frames {chunk[0]} to {chunk[-1]}"
                raise self._refused(f"{name} cannot decode {where} ({_first_line(error)})") from error
            late = pts_seconds - opened.first_pts_seconds - self._timeline.starts_seconds[chunk]
            if (np.abs(late) > self._half_gap_seconds).any():
                raise self._refused(f"{name} dates its frames otherwise than their packets")
            if frames.shape[1:] != shape:
                raise self._refused(f"{name} gives frames of {tuple(frames.shape[1:])} for {shape}")
            yield from zip(chunk, frames, strict=True)

    def _refused(self, reason: str) -> Refused:
        return Refused(self._path, reason, "open it with backend='pyav'")

    def _open(self) -> Opened:
        if self._opened is None:
            raise ValueError(f"{self._path}: this reader is closed; open the video again")
        return self._opened

    def _begin_read(self) -> None:
        self._open()
        self._reads += 1
        self._deadline.restart()

    def close(self) -> None:
        self._opened = None  # the libraries close a file when its object goes


def _at_start(source: Source) -> str | BinaryIO:
    """A path as text, or a file at its start."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    source.seek(0)
    return source


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).partition("\n")[0][:200]
