"""One video track of a file through PyAV's demuxer: open, scan all packets, and read on from a given packet.

Decoder threads stay at one: a data loader has its own workers, and frame threads cost CPU and can hang over a fork.
"""

import io
import os
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

import av
from av.stream import Discard, Disposition

from videonet.decode.plan import NO_TIME, PacketTable
from videonet.decode.reader import Limits, NoVideoStream, OpenError, Source, Undecodable

READ_ON_PACKETS = 200  # nearer than this, reading on is cheaper than a seek
SEEK_BACK_SECONDS = (0.0, 2.0, 10.0)  # some containers land late: ask for an earlier time, then start over


class Demuxer:
    """Packets of the first video track that is not a cover picture.

    Raises OpenError where no container is recognised, NoVideoStream without a video track, Undecodable without a
    decoder for it.
    """

    def __init__(self, source: Source) -> None:
        self._file: str | BinaryIO
        if isinstance(source, bytes):
            self.path, self._file = f"<{len(source)} bytes>", io.BytesIO(source)
        elif isinstance(source, str | os.PathLike):
            self.path = self._file = os.fspath(source)
        else:
            self.path, self._file = str(getattr(source, "name", "<open file>")), source
        self._table = PacketTable.from_rows([])
        self._open()

    def _open(self) -> None:
        if not isinstance(self._file, str):
            self._file.seek(0)
        try:
            self._container = av.open(self._file, "r", metadata_errors="replace")
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
        self.is_avi = self._container.format.name == "avi"
        self.context = self.stream.codec_context
        self.context.thread_type = "SLICE"
        self.context.thread_count = 1
        self._next = 0  # the place of the packet that comes next
        self._packets: Iterator[av.Packet] = self._demux()

    def _demux(self) -> Iterator[av.Packet]:
        """Packets with data, up to the end of the file or the first place that cannot be read."""
        try:
            yield from (packet for packet in self._container.demux(self.stream) if packet.size)
        except av.FFmpegError:
            return

    def scan(self, limits: Limits) -> PacketTable:
        """Read through all packets once. Raises TooLarge past `limits.max_frames`."""
        rows: list[tuple[int, int, int, bool, bool]] = []
        hides = self.context.codec.canonical_name == "vp8"
        for packet in self._packets:
            limits.check_frames(self.path, len(rows) + 1)
            hidden = hides and not memoryview(packet)[0] & 0x10  # VP8 frame header: the show_frame bit
            pts = NO_TIME if packet.pts is None else packet.pts
            dts = NO_TIME if packet.dts is None else packet.dts
            shown = not (packet.is_discard or hidden)
            rows.append((pts, dts, packet.duration or 0, packet.is_keyframe, shown))
        self._table = PacketTable.from_rows(rows)
        self._next = len(rows)
        return self._table

    def missing_packets(self) -> int:
        """Packets that the index of an mp4 or mov promises and the scan did not find: the file was cut short."""
        promised = len(self.stream.index_entries) if self._container.format.name.startswith("mov") else 0
        return max(0, promised - len(self._table.pts))

    def index_starts_with_key(self) -> bool:
        """Whether the container's own index calls the first packet a keyframe, whatever its data now looks like."""
        entries = self.stream.index_entries
        first = max(int(self._table.pts[0]), int(self._table.dts[0]))
        return len(entries) > 0 and entries[0].is_keyframe and entries[0].timestamp <= first

    def packets_from(self, start: int) -> Iterator[tuple[int, av.Packet]]:
        """(place in the file, packet) from packet `start` on; a packet not in the table keeps its neighbour's place.

        Resets the decoder.
        """
        if not 0 <= start - self._next < READ_ON_PACKETS:
            self._seek(start)
        self.context.flush_buffers()
        for packet in self._packets:
            place = self._table.packet_of_pts.get(packet.pts, self._next) if packet.pts is not None else self._next
            self._next = place + 1
            if place >= start:
                yield place, packet

    def packets(self) -> Iterator[av.Packet]:
        """All packets from the start of the file. Resets the decoder."""
        self.reopen()
        yield from self._packets

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
        self._container.close()
        self._open()

    def close(self) -> None:
        self._packets = iter(())  # it refers back to this object, and would keep it for the garbage collector
        self._container.close()
