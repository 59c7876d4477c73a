"""Which packets to decode for the frames wanted: pure arithmetic on a table of packets.

A packet is named by its place in the file (demux order); a frame by its place on screen (pts order). Decoding can only
start at a keyframe, so the file falls into groups of pictures. With an open group, pictures after a keyframe in the
file but before it on screen ("leading") lean on the previous group, so a wanted one starts there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

NO_TIME = np.iinfo(np.int64).min  # a packet without pts or dts


@dataclass(frozen=True)
class PacketTable:
    """One row a packet, in demux order: arrays (P,)."""

    pts: np.ndarray
    """int64, ticks; NO_TIME where the file has none."""
    dts: np.ndarray
    """int64, ticks; NO_TIME where the file has none."""
    duration: np.ndarray
    """int64, ticks; 0 where the file has none."""
    key: np.ndarray
    """bool: decoding may start here."""
    shown: np.ndarray
    """bool: gives a frame on screen; False for packets cut away by an edit list, and for hidden reference frames."""

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[int, int, int, bool, bool]]) -> "PacketTable":
        """From (pts, dts, duration, key, shown) of each packet."""
        return cls.from_columns(*zip(*rows, strict=True)) if rows else cls.from_columns((), (), (), (), ())

    @classmethod
    def from_columns(
        cls, pts: Sequence[int], dts: Sequence[int], duration: Sequence[int], key: Sequence[int], shown: Sequence[int]
    ) -> "PacketTable":
        """From the columns, each (P,)."""
        times = np.array([pts, dts, duration], dtype=np.int64)
        return cls(times[0], times[1], times[2], np.array(key, dtype=bool), np.array(shown, dtype=bool))

    @cached_property
    def order(self) -> np.ndarray:
        """int64 (frames,): the packet of each shown frame, in the order of presentation."""
        shown = np.flatnonzero(self.shown)
        return shown[np.argsort(self.pts[shown], kind="stable")]

    @cached_property
    def group_starts(self) -> np.ndarray:
        """int64 (G,): the first packet of each group of pictures."""
        return np.unique(np.concatenate(([0], np.flatnonzero(self.key))))

    @cached_property
    def packet_of_pts(self) -> dict[int, int]:
        """Where in the file the packet with this pts is; shown packets win over hidden ones."""
        ranked = np.concatenate((np.flatnonzero(~self.shown), np.flatnonzero(self.shown)))
        return dict(zip(self.pts[ranked].tolist(), ranked.tolist(), strict=True))

    @property
    def last_pts(self) -> int:
        """Ticks of the last shown frame; 0 where the file has no pts."""
        last = int(self.pts[self.shown].max())
        return 0 if last == NO_TIME else last

    def orders_frames(self, reorders: bool, is_avi: bool) -> bool:
        """Whether pts can be trusted to name frames: all there, all different, and no clock that jumps back.

        `reorders`: the decoder gives frames out in another order than their packets. Then pts that rise with the
        packets are decoding times under a false name, and in AVI, which stores no pts, they are a guess.
        """
        pts, dts = self.pts[self.shown], self.dts[self.dts != NO_TIME]
        rising = len(pts) > 1 and bool((np.diff(pts) > 0).all())
        return (
            not (pts == NO_TIME).any()
            and len(np.unique(pts)) == len(pts)
            and not (np.diff(dts) < 0).any()
            and not (reorders and (rising or is_avi))
        )

    def frames_before_first_key(self) -> int:
        """How many frames are on screen before the first keyframe: a file that begins in the middle of a group."""
        first_keys = np.flatnonzero(self.key)[:1]
        return int((self.pts[self.order] < self.pts[first_keys]).sum()) if len(first_keys) else 0

    def hiding(self, positions: Iterable[int]) -> "PacketTable":
        """The table with the frames at these positions no longer shown."""
        shown = self.shown.copy()
        shown[self.order[list(positions)]] = False
        return replace(self, shown=shown)

    def start_packets(self, packets: np.ndarray, lead_groups: int = 0) -> np.ndarray:
        """Where to start decoding to get each of `packets` right, `lead_groups` groups earlier than needed."""
        group = np.searchsorted(self.group_starts, packets, side="right") - 1
        leading = self.pts[packets] < self.pts[self.group_starts[group]]
        return self.group_starts[np.maximum(0, group - leading - lead_groups)]

    def runs(self, packets: np.ndarray) -> list[tuple[int, int]]:
        """[start, stop) stretches of packets to decode, in file order and apart, that hold all wanted `packets`."""
        merged: list[tuple[int, int]] = []
        for start, last in sorted(zip(self.start_packets(packets).tolist(), packets.tolist(), strict=True)):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(last + 1, merged[-1][1]))
            else:
                merged.append((start, last + 1))
        return merged
