"""The default backend: PyAV on one thread, with a packet plan.

All packets are read once at opening, without decoding: their pts say which frames there are and when each is on screen.
A clip then decodes only the groups of pictures it needs, and in them skips what no wanted frame refers to. What comes
out is bit for bit what a plain decode of the whole file gives.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile

import av
import numpy as np
import torch

from videonet.decode.clip import Clip, ClipBuilder, Emit, Emits, Picture, Timeline, emitted_frame
from videonet.decode.demux import Demuxer
from videonet.decode.errors import Undecodable
from videonet.decode.limits import Limits
from videonet.decode.pixels import ToRgb, ToYuv
from videonet.decode.plan import PacketTable
from videonet.decode.reader import OpenVideo, Pixels, Source, VideoInfo
from videonet.decode.track import FROM_THE_START, CountedTrack, PlannedTrack, decode, header_fps, is_sound

APART = 250  # lost frames farther apart than this are looked for in separate decodes
FEW_GROUPS = 2  # with so few groups of pictures, most reads start at the first packet
BEGUN_PACKETS = 8  # more than most decoders hold back before the first frame
NO_FRAME, FETCH_AGAIN = "not one frame can be decoded", "the file is damaged; fetch it again"


class PyavReader(OpenVideo):
    """A `VideoReader` of one video file."""

    def __init__(self, source: Source, limits: Limits, pixels: Pixels = "rgb") -> None:
        self._limits = limits
        self._demuxer = Demuxer(source, limits)
        self._reads = 0  # a stream ends when another read begins
        self.bad_streamed = 0
        self._closed = False
        try:
            self._read_facts(pixels)
        except BaseException:
            self._demuxer.close()
            raise

    def _read_facts(self, pixels: Pixels) -> None:
        path, context = self._demuxer.path, self._demuxer.context
        self._limits.check_size(path, context.width, context.height)
        table = self._demuxer.scan()
        if not table.shown.any():
            raise Undecodable(path, "the video track holds no frames", "the file was cut off; fetch it again")
        frame = self._first_decodable(table)
        to_rgb = ToRgb(path, frame)
        self._convert: Callable[[av.VideoFrame], Picture] = to_rgb if pixels == "rgb" else ToYuv(to_rgb, frame)
        # Only now does the decoder know from the stream itself whether it puts frames in another order.
        self._track: PlannedTrack | CountedTrack
        if table.orders_frames(bool(self._demuxer.context.has_b_frames), self._demuxer.is_avi):
            self._track = PlannedTrack(self._demuxer, self._without_headless(table))
        else:
            self._track = CountedTrack(self._demuxer)
        timeline = self._track.timeline
        upright = to_rgb.size[:: -1 if to_rgb.quarter_turns % 2 else 1]
        last_pts = table.last_pts * self._demuxer.tick_seconds
        self.info = VideoInfo(
            width=upright[0],
            height=upright[1],
            fps=self._fps(),
            frames=len(timeline.starts_seconds),
            duration_seconds=timeline.duration_seconds,
            codec=self._demuxer.context.codec.canonical_name,
            rotation=90 * to_rgb.quarter_turns,
            missing=self._demuxer.missing_packets(),
            keyframes=int(table.key.sum()),
            first_pts_seconds=last_pts - float(timeline.starts_seconds[-1]),
            last_pts_seconds=last_pts,
        )

    @property
    def scanned(self) -> tuple[Demuxer, PlannedTrack | CountedTrack]:
        """What the scan found, for readers that take the times from here and the pixels from another library."""
        return self._demuxer, self._track

    def _first_decodable(self, table: PacketTable) -> av.VideoFrame:
        """Any first frame: the true size and the rotation are only known from one.

        Of a damaged file, the first keyframe that can be pushed out alone; only where there is none, any frame.
        """
        frames = self._begin(BEGUN_PACKETS if len(table.group_starts) <= FEW_GROUPS else 1) if table.key[0] else []
        if frames:
            return self._checked(frames[0])
        for keys_only in (True, False):
            for place, packet in self._demuxer.packets_from(0):
                if keys_only and not table.key[place]:
                    continue
                context = self._demuxer.context
                frames = decode(context, packet) or (decode(context, None) if keys_only else None) or []
                if frames:
                    return self._checked(frames[0])
                if keys_only:
                    context.flush_buffers()
        raise Undecodable(self._demuxer.path, NO_FRAME, FETCH_AGAIN)

    def _begin(self, most: int) -> list[av.VideoFrame]:
        """The frames that come first, none where there is damage; pushed out after `most` packets.

        If they came by themselves, a read from the start goes on from there, and they are not decoded twice.
        """
        for place, packet in self._demuxer.packets_from(0):
            frames = decode(self._demuxer.context, packet)
            if not is_sound(frames):
                return []
            if frames:
                self._demuxer.note_begun(place + 1, frames)
                return frames
            if place + 1 >= most:
                return decode(self._demuxer.context, None) or []
        return []

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

    @property
    def timeline(self) -> Timeline:
        return self._track.timeline

    def at(self, seconds: Sequence[float], emit: Emits | None = None) -> Clip:
        return self._clip(*self._track.timeline.locate_seconds(seconds), emit)

    def at_index(self, indices: Sequence[int], emit: Emits | None = None) -> Clip:
        return self._clip(*self._track.timeline.locate_indices(indices), emit)

    def _clip(self, positions: np.ndarray, clamped: int, emit: Emits | None) -> Clip:
        self._begin_read()
        builder = ClipBuilder(self._track.timeline, positions, clamped, emit)
        for position, frame in self._track.wanted(builder.missing):
            if builder.wants(position):
                builder.put(position, self._picture(frame), damaged=frame.is_corrupt)
                if builder.done:
                    break
        lost = builder.missing
        for near in np.split(lost, np.flatnonzero(np.diff(lost) > APART) + 1) if len(lost) else ():
            for position, frame, exact in self._every(int(near[0]), int(near[-1]) + 1):
                if builder.wants(position):
                    builder.put(position, self._picture(frame), exact and frame.is_corrupt, substituted=not exact)
        return builder.clip()

    def stream(
        self, start_seconds: float = 0.0, stop_seconds: float | None = None, emit: Emit | None = None
    ) -> Iterator[tuple[float, torch.Tensor]]:
        first, stop = self._track.timeline.locate_range(start_seconds, stop_seconds)
        self._begin_read()
        return self._stream(self._every(first, stop) if first < stop else iter(()), emit, self._reads)

    def stream_index(self, indices: Sequence[int], emit: Emit | None = None) -> Iterator[torch.Tensor]:
        positions = self._track.timeline.locate_rising(indices)
        self._begin_read()
        return (frame for _, frame in self._stream(self._in_order(positions), emit, self._reads))

    def _stream(
        self, frames: Iterator[tuple[int, av.VideoFrame, bool]], emit: Emit | None, read: int
    ) -> Iterator[tuple[float, torch.Tensor]]:
        starts = self._track.timeline.starts_seconds
        for position, frame, exact in frames:
            self.bad_streamed += not exact or frame.is_corrupt
            yield float(starts[position]), emitted_frame(self._picture(frame), emit)
            if self._closed or self._reads != read:
                raise RuntimeError(f"{self._demuxer.path}: another read ended this stream; open a second reader for it")
            self._demuxer.deadline.restart()

    def _in_order(self, positions: np.ndarray) -> Iterator[tuple[int, av.VideoFrame, bool]]:
        """(position, frame, exact) of these rising positions: planned as far as the data is sound, else by `_every`."""
        while len(positions):
            done, reached = 0, np.inf
            for position, frame in self._track.wanted(positions):
                if position > positions[done]:
                    reached = position
                    break
                if position == positions[done]:
                    yield position, frame, True
                    done += 1
                    if done == len(positions):
                        return
            lost = positions[done : np.searchsorted(positions, reached)]
            positions = positions[done + len(lost) :]
            for near in np.split(lost, np.flatnonzero(np.diff(lost) > APART) + 1):
                asked = set(near.tolist())
                for named in self._every(int(near[0]), int(near[-1]) + 1):
                    if named[0] in asked:
                        yield named

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

    def _picture(self, frame: av.VideoFrame) -> Picture:
        self._demuxer.deadline.check()
        return self._convert(self._checked(frame))

    def _begin_read(self) -> None:
        if self._closed:
            raise ValueError(f"{self._demuxer.path}: this reader is closed; open the video again")
        self._reads += 1
        self.bad_streamed = 0
        self._demuxer.deadline.restart()

    def close(self) -> None:
        self._closed = True
        self._demuxer.close()
