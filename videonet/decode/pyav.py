"""The default backend: PyAV on one thread, with a packet plan.

All packets are read once at opening, without decoding: their pts say which frames there are and when each is on screen.
A clip then decodes only the groups of pictures it needs, and in them skips what no wanted frame refers to. What comes
out is bit for bit what a plain decode of the whole file gives.
"""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from types import TracebackType
from typing import NoReturn, Self

import av
import numpy as np
import torch
from av.video.reformatter import VideoReformatter

from videonet.decode.clip import Clip, ClipBuilder, Emit, emitted_frame
from videonet.decode.demux import Demuxer
from videonet.decode.plan import PacketTable
from videonet.decode.reader import Limits, Source, Undecodable, VideoInfo
from videonet.decode.track import FROM_THE_START, CountedTrack, PlannedTrack, decode, header_fps

APART = 250  # lost frames farther apart than this are looked for in separate decodes
NO_FRAME, FETCH_AGAIN = "not one frame can be decoded", "the file is damaged; fetch it again"


class PyavReader:
    """A `VideoReader` of one video file."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self._limits = limits
        self._demuxer = Demuxer(source)
        self._reformatter = VideoReformatter()
        self._reads = 0  # a stream ends when another read begins
        self._closed = False
        try:
            self._read_facts()
        except BaseException:
            self._demuxer.close()
            raise

    def _read_facts(self) -> None:
        path, context = self._demuxer.path, self._demuxer.context
        self._limits.check_size(path, context.width, context.height)
        table = self._demuxer.scan(self._limits)
        if not table.shown.any():
            raise Undecodable(path, "the video track holds no frames", "the file was cut off; fetch it again")
        frame = self._first_decodable(table)
        self._size = frame.width, frame.height
        self._quarter_turns = round(frame.rotation / 90) % 4
        # Only now does the decoder know from the stream itself whether it puts frames in another order.
        self._track: PlannedTrack | CountedTrack
        if table.orders_frames(bool(self._demuxer.context.has_b_frames), self._demuxer.is_avi):
            self._track = PlannedTrack(self._demuxer, self._without_headless(table))
        else:
            self._track = CountedTrack(self._demuxer)
        timeline = self._track.timeline
        upright = self._size[:: -1 if self._quarter_turns % 2 else 1]
        self.info = VideoInfo(
            width=upright[0],
            height=upright[1],
            fps=self._fps(),
            frames=len(timeline.starts_seconds),
            duration_seconds=timeline.duration_seconds,
            codec=self._demuxer.context.codec.canonical_name,
            rotation=90 * self._quarter_turns,
            missing=self._demuxer.missing_packets(),
        )

    def _first_decodable(self, table: PacketTable) -> av.VideoFrame:
        """Any first frame: the true size and the rotation are only known from one.

        A keyframe alone is pushed out at once; only where none can be decoded are all packets tried.
        """
        for keys_only in (True, False):
            for place, packet in self._demuxer.packets_from(0):
                if keys_only and not table.key[place]:
                    continue
                context = self._demuxer.context
                frames = decode(context, packet) or (decode(context, None) if keys_only else None)
                if frames:
                    return self._checked(frames[0])
                if keys_only:
                    context.flush_buffers()
        raise Undecodable(self._demuxer.path, NO_FRAME, FETCH_AGAIN)

    def _without_headless(self, table: PacketTable) -> PacketTable:
        """The table without frames that lean on what came before the file's first keyframe, in a file cut out of more.

        Where the index says that the file began with a keyframe, what is missing is damage, and its frames stay.
        """
        early = table.frames_before_first_key()
        if not early or (self._demuxer.index_starts_with_key() and not table.key[0]):
            return table
        frames = PlannedTrack(self._demuxer, table).dense(0, 0)
        decodable = {position for position, _ in takewhile(lambda named: named[0] < early, frames)}
        return table.hiding(set(range(early)) - decodable)

    def _checked(self, frame: av.VideoFrame) -> av.VideoFrame:
        self._limits.check_size(self._demuxer.path, frame.width, frame.height)
        return frame

    def _fps(self) -> float:
        """The header's rate where the frames' times agree with it within 1 %, else the rate of those times."""
        starts, claimed = self._track.timeline.starts_seconds, header_fps(self._demuxer)
        if len(starts) < 2:
            return 1 / self._track.timeline.duration_seconds
        counted = (len(starts) - 1) / float(starts[-1])
        return claimed if abs(counted / claimed - 1) < 0.01 else counted

    def at(self, seconds: Sequence[float], emit: Emit | None = None) -> Clip:
        return self._clip(*self._track.timeline.locate_seconds(seconds), emit)

    def at_index(self, indices: Sequence[int], emit: Emit | None = None) -> Clip:
        return self._clip(*self._track.timeline.locate_indices(indices), emit)

    def _clip(self, positions: np.ndarray, clamped: int, emit: Emit | None) -> Clip:
        self._begin_read()
        builder = ClipBuilder(self._track.timeline, positions, clamped, emit)
        for position, frame in self._track.wanted(builder.missing):
            if builder.wants(position):
                builder.put(position, self._rgb(frame), damaged=frame.is_corrupt)
                if builder.done:
                    break
        lost = builder.missing
        for near in np.split(lost, np.flatnonzero(np.diff(lost) > APART) + 1) if len(lost) else ():
            for position, frame, exact in self._every(int(near[0]), int(near[-1]) + 1):
                if builder.wants(position):
                    builder.put(position, self._rgb(frame), exact and frame.is_corrupt, substituted=not exact)
        return builder.clip()

    def stream(
        self, start_seconds: float = 0.0, stop_seconds: float | None = None, emit: Emit | None = None
    ) -> Iterator[tuple[float, torch.Tensor]]:
        starts = self._track.timeline.starts_seconds
        first, stop = self._track.timeline.locate_range(start_seconds, stop_seconds)
        self._begin_read()
        return self._stream(first, stop, starts, emit, self._reads)

    def _stream(
        self, first: int, stop: int, starts: np.ndarray, emit: Emit | None, read: int
    ) -> Iterator[tuple[float, torch.Tensor]]:
        if first >= stop:
            return
        for position, frame, _ in self._every(first, stop):
            yield float(starts[position]), emitted_frame(self._rgb(frame), emit)
            if self._closed or self._reads != read:
                raise RuntimeError(f"{self._demuxer.path}: another read ended this stream; open a second reader for it")

    def _every(self, first: int, stop: int) -> Iterator[tuple[int, av.VideoFrame, bool]]:
        """(position, frame, exact) of all of [first, stop), in order.

        A frame that cannot be decoded is its nearest earlier good one, or the next where there is none; exact=False.
        """
        for lead_groups in (1, FROM_THE_START):
            expected, good = first, None
            for position, frame in self._track.dense(first, lead_groups):
                if position > expected and good is None and lead_groups != FROM_THE_START:
                    break  # nothing earlier in the groups read: read from the start
                for gap in range(expected, min(position, stop)):
                    yield gap, good or frame, False
                expected = max(expected, min(position, stop))
                if position == expected and expected < stop:
                    yield position, frame, True
                    expected += 1
                if expected == stop:
                    return
                good = frame
            else:
                if good is not None:
                    for gap in range(expected, stop):
                        yield gap, good, False
                    return
        raise Undecodable(self._demuxer.path, NO_FRAME, FETCH_AGAIN)

    def _rgb(self, frame: av.VideoFrame) -> torch.Tensor:
        """uint8 (H, W, 3), upright, of `info` size (a stream may change its size half way)."""
        self._checked(frame)
        width, height = self._size
        try:
            rgb = self._reformatter.reformat(frame, width=width, height=height, format="rgb24", threads=1)
        except av.FFmpegError as error:
            reason = f"{frame.format.name} {frame.width}x{frame.height} cannot be turned into RGB ({error.strerror})"
            raise Undecodable(self._demuxer.path, reason, "re-encode it, to H.264 yuv420p for instance") from error
        image: np.ndarray = rgb.to_ndarray()
        if self._quarter_turns:
            image = np.ascontiguousarray(np.rot90(image, self._quarter_turns))
        return torch.from_numpy(image)

    def _begin_read(self) -> None:
        if self._closed:
            raise ValueError(f"{self._demuxer.path}: this reader is closed; open the video again")
        self._reads += 1

    def close(self) -> None:
        self._closed = True
        self._demuxer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open video cannot be pickled; send the path and open it in the worker")
