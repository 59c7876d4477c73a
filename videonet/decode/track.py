"""Decoded frames of one track by position: from a packet plan where the file's pts can be trusted, else by counting.

Both tracks answer the same two questions: `wanted(positions)`, sparse and as cheap as the codec allows, and
`dense(first, lead_groups)`, every frame from a position on, with some before it.
"""

from collections.abc import Iterator
from itertools import chain

import av
import numpy as np

from videonet.decode.clip import Timeline
from videonet.decode.demux import Demuxer
from videonet.decode.nonref import droppable_in
from videonet.decode.plan import NO_TIME, PacketTable

# Codecs whose decoder drops exactly the frames no other frame needs, and gives the rest bit for bit.
# Not H.264, whose packets are left out before the decoder sees them; not AV1 (dav1d loses frames), not VP9 (no gain).
SKIPS_NONREF = frozenset({"hevc", "mpeg1video", "mpeg2video", "mpeg4"})

FROM_THE_START = 1 << 30  # lead groups: more than any file has

Frames = Iterator[tuple[int, av.VideoFrame]]


def decode(context: av.VideoCodecContext, packet: av.Packet | None) -> list[av.VideoFrame] | None:
    """Frames that come out after this packet (None: the last ones); None where its data cannot be decoded."""
    try:
        return context.decode(packet)
    except av.FFmpegError:
        return None


def is_sound(frames: list[av.VideoFrame] | None) -> bool:
    """Whether what `decode` gave shows no damage."""
    if frames is None:
        return False
    for frame in frames:  # noqa: SIM110  # three times as fast as any(): it runs for every packet
        if frame.is_corrupt:
            return False
    return True


def timeline(ticks: np.ndarray, last_duration: int, demuxer: Demuxer) -> Timeline:
    """From strictly rising ticks (frames,); a missing last duration is taken from the median step, or the rate."""
    tick_seconds = demuxer.tick_seconds
    starts = (ticks - ticks[0]) * tick_seconds
    if last_duration > 0:
        last_seconds = last_duration * tick_seconds
    elif len(starts) > 1:
        last_seconds = float(np.median(np.diff(starts)))
    else:
        last_seconds = 1 / header_fps(demuxer)
    return Timeline(starts, float(starts[-1]) + last_seconds, tick_seconds / 2)


def header_fps(demuxer: Demuxer) -> float:
    """Frames a second as the header says, 25 where it says nothing."""
    return float(demuxer.stream.average_rate or demuxer.stream.guessed_rate or 25)


class PlannedTrack:
    """Frames found by their pts: only the groups of pictures that hold wanted frames are decoded."""

    def __init__(self, demuxer: Demuxer, table: PacketTable) -> None:
        self._demuxer = demuxer
        self.table = table
        ticks = table.pts[table.order]
        self._positions = {pts: position for position, pts in enumerate(ticks.tolist())}
        self.timeline = timeline(ticks, int(table.duration[table.order[-1]]), demuxer)

    def wanted(self, positions: np.ndarray) -> Frames:
        """(position, frame) of these sorted positions, in no promised order, as far as the data is sound.

        What comes after damage in a group leans on whatever was decoded before it, so it is left to `dense`, which
        skips nothing.
        """
        packets = self.table.order[positions]
        needed = set(packets.tolist())
        for start, stop in self.table.runs(packets):
            begun, frames_begun = self._demuxer.take_begun() if start == 0 else (0, [])
            yield from self._named(frames_begun)
            if begun >= stop:
                yield from self._named(decode(self._demuxer.context, None))
                continue
            numbered = self._demuxer.packets_from(begun, fresh=False) if begun else self._demuxer.packets_from(start)
            context = self._demuxer.context
            droppable = droppable_in(context)
            skips = context.codec.canonical_name in SKIPS_NONREF
            context.skip_frame, skipping = "DEFAULT", False
            for place, packet in numbered:
                needless = place not in needed
                if not (needless and droppable(packet)):
                    if skips and needless != skipping:
                        context.skip_frame, skipping = "NONREF" if needless else "DEFAULT", needless
                    frames = decode(context, packet)
                    if not is_sound(frames):
                        break
                    if frames:
                        yield from self._named(frames)
                if place + 1 >= stop:
                    yield from self._named(decode(context, None))
                    break

    def dense(self, first: int, lead_groups: int) -> Frames:
        """(position, frame) of every decodable frame from `lead_groups` groups before `first` to the end."""
        self._demuxer.reopen()  # a decoder without memory: damaged data may show it
        packets = self._demuxer.packets_from(int(self.table.start_packets(self.table.order[first], lead_groups)))
        context = self._demuxer.context
        context.skip_frame = "DEFAULT"
        for _, packet in packets:
            yield from self._named(decode(context, packet))
        yield from self._named(decode(context, None))

    def _named(self, frames: list[av.VideoFrame] | None) -> Frames:
        for frame in frames or ():
            position = None if frame.pts is None else self._positions.get(frame.pts)
            if position is not None:
                yield position, frame


class CountedTrack:
    """Frames counted from the start as they are decoded: for raw streams, AVI with B-frames, clocks that jump back.

    Opening one decodes the whole file once, for its number of frames.
    """

    def __init__(self, demuxer: Demuxer) -> None:
        self._demuxer = demuxer
        pts = [NO_TIME if frame.pts is None else frame.pts for _, frame in self._all()]
        ticks = np.array(pts, dtype=np.int64)
        if not len(ticks):
            self.timeline = Timeline(np.zeros(0), 0.0, 0.0)
        elif ticks[0] != NO_TIME and (np.diff(ticks) > 0).all():
            self.timeline = timeline(ticks, 0, demuxer)
        else:  # no clock to go by: evenly spaced
            fps = header_fps(demuxer)
            self.timeline = Timeline(np.arange(len(ticks)) / fps, len(ticks) / fps, demuxer.tick_seconds / 2)

    def wanted(self, positions: np.ndarray) -> Frames:
        """(position, frame) of these sorted positions."""
        needed = set(positions.tolist())
        return (numbered for numbered in self._all() if numbered[0] in needed)

    def dense(self, first: int, lead_groups: int) -> Frames:
        """(position, frame) of every frame from the start of the file."""
        return self._all()

    def _all(self) -> Frames:
        position = 0
        for packet in chain(self._demuxer.packets(), [None]):
            for frame in decode(self._demuxer.context, packet) or ():
                yield position, frame
                position += 1
