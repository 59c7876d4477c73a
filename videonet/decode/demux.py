"""One video track of a file through PyAV's demuxer: open, scan all packets, and read on from a given packet.

Decoder threads stay at one: a data loader has its own workers, and frame threads cost CPU and can hang over a fork.
"""

import io
import os
from collections.abc import Iterator
from itertools import chain, islice
from typing import BinaryIO

import av
from av.stream import Discard, Disposition

from videonet.decode.errors import NoVideoStream, OpenError, Undecodable, VideoError
from videonet.decode.limits import Deadline, Limits
from videonet.decode.plan import NO_TIME, PacketTable
from videonet.decode.reader import Source

KEPT_BYTES = 1 << 25  # packets of a file smaller than this stay in memory between the scan and the reads
SCAN_PACKETS = 256  # packets whose facts are taken together
CHECKED_PACKETS = 16  # packets between two looks at the clock, of which one costs as much as a packet
READ_ON_PACKETS = 200  # nearer than this, reading on is cheaper than a seek
SEEK_BACK_SECONDS = (0.0, 2.0, 10.0)  # some containers land late: ask for an earlier time, then start over


class Demuxer:
    """Packets of the first video track that is not a cover picture.

    Raises OpenError where no container is recognised, NoVideoStream without a video track, Undecodable without a
    decoder for it, and TimedOut anywhere past the deadline, which whoever reads restarts.
    """

    def __init__(self, source: Source, limits: Limits) -> None:
        self._file: str | BinaryIO
        if isinstance(source, bytes):
            self.path, self._file = f"<{len(source)} bytes>", io.BytesIO(source)
        elif isinstance(source, str | os.PathLike):
            self.path = self._file = os.fspath(source)
        else:
            self.path, self._file = str(getattr(source, "name", "<open file>")), source
        self._limits = limits
        self.deadline = Deadline(self.path, limits)
        self._table = PacketTable.from_rows([])
        self._kept: list[av.Packet] | None = None
        self._begun: tuple[int, list[av.VideoFrame]] = (0, [])
        self._open()

    def _open(self) -> None:
        if not isinstance(self._file, str):
            self._file.seek(0)
        try:
            self._container = av.open(self._file, "r", metadata_errors="replace", options=self._probing_options())
        except VideoError:
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            raise OpenError(self.path, f"not a readable video ({getattr(error, 'strerror', None) or error})") from error
        tracks = [s for s in self._container.streams.video if not s.disposition & Disposition.attached_pic]
        if not tracks:
            self._container.close()
            raise NoVideoStream(self.path, "no video track in this file")
        self.stream = tracks[0]
        if self.stream.codec_context is None:
            self._container.close()
            raise Undecodable(self.path, "no decoder for its codec", "re-encode it, to H.264 for instance")
        for other in self._container.streams:
            if other.index != self.stream.index:
                other.discard = Discard.all
        self.tick_seconds = float(self.stream.time_base or 1)
        self.container = self._container.format.name
        self.is_avi = self.container == "avi"
        self.context = self.stream.codec_context
        self.context.thread_type = "SLICE"
        self.context.thread_count = 1
        self._next = 0  # the place of the packet that comes next
        self._packets: Iterator[av.Packet] = self._demux()

    def _probing_options(self) -> dict[str, str]:
        """MP4 tells in its header all that a scan needs, so FFmpeg need decode no frame to learn about its tracks."""
        if isinstance(self._file, str):
            try:
                with open(self._file, "rb") as file:
                    start = file.read(8)
            except OSError:
                return {}
        else:
            start = self._file.read(8)
            self._file.seek(0)
        return {"skip_frame": "all", "probesize": "32"} if start[4:] == b"ftyp" else {}

    def _demux(self) -> Iterator[av.Packet]:
        """Packets with data, up to the end of the file or the first place that cannot be read."""
        while True:
            try:
                for packet in self._container.demux(self.stream):
                    if packet.size:
                        yield packet
                return
            except av.FFmpegError:
                return
            except IndexError:  # PyAV trips over tracks that begin after opening; a second iterator knows them
                self.deadline.check()

    def scan(self) -> PacketTable:
        """Read through all packets once. Raises TooLarge past `max_frames` of the limits."""
        columns: tuple[list[int], ...] = ([], [], [], [], [])
        kept: list[av.Packet] = []
        kept_bytes = 0
        while some := list(islice(self._packets, SCAN_PACKETS)):
            self.deadline.check()
            for column, values in zip(columns, self._facts(some), strict=True):
                column.extend(values)
            self._limits.check_frames(self.path, len(columns[0]))
            kept_bytes += sum([packet.size for packet in some])
            if kept_bytes <= KEPT_BYTES:
                kept += some
        self._table = PacketTable.from_columns(*columns)
        self._kept = kept if len(kept) == len(columns[0]) else None
        self._next = len(columns[0])
        return self._table

    def _facts(self, packets: list[av.Packet]) -> tuple[list[int], ...]:
        """pts, dts, duration, key, shown of each packet."""
        shown: list[int] = [not packet.is_discard for packet in packets]
        if self.context.codec.canonical_name == "vp8":  # the show_frame bit of its frame header
            shown = [sees and bool(memoryview(packet)[0] & 0x10) for sees, packet in zip(shown, packets, strict=True)]
        return (
            [NO_TIME if (pts := packet.pts) is None else pts for packet in packets],
            [NO_TIME if (dts := packet.dts) is None else dts for packet in packets],
            [packet.duration or 0 for packet in packets],
            [packet.is_keyframe for packet in packets],
            shown,
        )

    def missing_packets(self) -> int:
        """Packets that the index of an mp4 or mov promises and the scan did not find: the file was cut short."""
        promised = len(self.stream.index_entries) if self._container.format.name.startswith("mov") else 0
        return max(0, promised - len(self._table.pts))

    def index_starts_with_key(self) -> bool:
        """Whether the container's own index calls the first packet a keyframe, whatever its data now looks like."""
        entries = self.stream.index_entries
        first = max(int(self._table.pts[0]), int(self._table.dts[0]))
        return len(entries) > 0 and entries[0].is_keyframe and entries[0].timestamp <= first

    def note_begun(self, packets: int, frames: list[av.VideoFrame]) -> None:
        """The decoder has seen the first `packets` and gave `frames`: a read from there can go on."""
        self._begun = packets, frames

    def take_begun(self) -> tuple[int, list[av.VideoFrame]]:
        """What was noted, where the decoder still stands there, else (0, [])."""
        begun, self._begun = self._begun, (0, [])
        return begun

    def packets_from(self, start: int, fresh: bool = True) -> Iterator[tuple[int, av.Packet]]:
        """(place in the file, packet) from packet `start` on; a packet not in the table keeps its neighbour's place.

        Resets the decoder where `fresh`.
        """
        if fresh:
            self._begun = (0, [])
            self.context.flush_buffers()
        if self._kept is not None:
            for place in range(start, len(self._kept)):
                if not place % CHECKED_PACKETS:
                    self.deadline.check()
                yield place, self._kept[place]
            return
        if not 0 <= start - self._next < READ_ON_PACKETS:
            self._seek(start)
        for packet in self._packets:
            self.deadline.check()
            place = self._table.packet_of_pts.get(packet.pts, self._next) if packet.pts is not None else self._next
            self._next = place + 1
            if place >= start:
                yield place, packet

    def packets(self) -> Iterator[av.Packet]:
        """All packets from the start of the file. Resets the decoder."""
        self.reopen()
        for packet in self._packets:
            self.deadline.check()
            yield packet

    def _seek(self, start: int) -> None:
        pts = int(self._table.pts[start])
        for back_seconds in SEEK_BACK_SECONDS if pts != NO_TIME else ():
            if self._lands_before(start, max(pts - int(back_seconds / self.tick_seconds), NO_TIME)):
                return
        self.reopen()

    def _lands_before(self, start: int, target: int) -> bool:
        """Seek to the tick `target`; whether packet `start` is still to come."""
        try:
            self._container.seek(target, stream=self.stream, backward=True)
        except av.FFmpegError:
            return False
        packets = self._demux()
        for packet in packets:
            if packet.pts in self._table.packet_of_pts:
                self._next = self._table.packet_of_pts[packet.pts]
                self._packets = chain([packet], packets)
                return self._next <= start
        return False

    def reopen(self) -> None:
        self._begun = (0, [])
        self._container.close()
        self._open()

    def close(self) -> None:
        self._kept = None
        self._begun = (0, [])
        self._packets = iter(())  # it refers back to this object, and would keep it for the garbage collector
        self._container.close()
