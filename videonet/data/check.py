"""Decoding every frame of each video, to find what a scan of the packets does not see: damage inside the frames."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from videonet.decode.reader import VideoError, VideoReader

from .ledger import FileRow, Form, stamp
from .lists import VideoItem
from .manifest import Open
from .mapping import Death, map_jobs

_FINDING_STEPS = 6  # halvings of the video to tell where the damage begins: to a 64th of it
_MOST_REASONS = 6
_MOST_SHOWN = 20


@dataclass(frozen=True)
class Check(FileRow):
    """One video; ok where each promised frame is there and sound. `reason` is the first thing found wrong."""

    promised: int = 0
    """Frames that the file's packets and its index promise."""
    decoded: int = 0
    """Frames that came out of the decoder, damaged ones among them."""
    damaged: int = 0
    """Frames that the decoder flagged as corrupt."""
    substituted: int = 0
    """Frames that could not be decoded; readers give a neighbour in their place."""

    @property
    def bad_share(self) -> float:
        """Share of the promised frames that are missing, damaged or substituted; 1 where nothing can be read."""
        return (self.promised - self.decoded + self.damaged) / self.promised if self.promised else 1.0

    def usable(self, max_missing: float = 0.1, max_damaged: float = 0.25) -> bool:
        """Whether training would take it: at most these shares of its frames are missing, or damaged."""
        frames = self.decoded + self.substituted
        missing, damaged = self.promised - frames, self.damaged + self.substituted
        return frames > 0 and missing <= max_missing * self.promised and damaged <= max_damaged * frames


FORM = Form("check", 1, Check)


def check(items: Sequence[VideoItem], opener: Open, workers: int, timeout_seconds: float) -> Iterator[Check]:
    """The rows of these videos, as they get done, by that many processes.

    A video that takes longer than `timeout_seconds`, or kills its process, is a row that is not ok.
    """
    for index, row in map_jobs(functools.partial(check_one, opener=opener), items, workers, timeout_seconds):
        yield FORM.failed(items[index], row.reason) if isinstance(row, Death) else row


def check_one(item: VideoItem, opener: Open) -> Check:
    """Decode one video from its first frame to its last."""
    size_bytes, mtime_ns = stamp(item.path)
    try:
        with opener(item.path) as reader:
            info = reader.info
            damaged, substituted = _bad_frames(reader, 0, info.frames)
            found = [f"cut short: {info.missing} of {info.frames + info.missing} frames are missing"] * (
                info.missing > 0
            )
            if damaged or substituted:
                start = _first_bad(reader, info.frames) / info.fps
                found += [f"from about {start:.1f} s on, {damaged} frames damaged and {substituted} not decodable"]
    except VideoError as error:
        return FORM.failed(item, error.reason)
    return Check(
        item.id, item.path, size_bytes, mtime_ns, ok=not found, reason="; ".join(found),
        promised=info.frames + info.missing, decoded=info.frames - substituted, damaged=damaged,
        substituted=substituted,
    )  # fmt: skip


def _bad_frames(reader: VideoReader, start: int, stop: int) -> tuple[int, int]:
    """(damaged, substituted) among the frames [start, stop); of each frame only a corner is kept."""
    clip = reader.at_index(range(start, stop), emit=_corner)
    return clip.damaged, clip.substituted


def _corner(frame: torch.Tensor) -> torch.Tensor:
    return frame[:1, :1]


def _first_bad(reader: VideoReader, frames: int) -> int:
    """Where in a video with bad frames they begin, within a 64th of its length."""
    start, stop = 0, frames
    for _ in range(_FINDING_STEPS):
        middle = (start + stop) // 2
        if middle == start:
            break
        if any(_bad_frames(reader, start, middle)):
            stop = middle
        else:
            start = middle
    return start


def summary(rows: Sequence[Check]) -> str:
    """How many are sound, and the most frequent reasons why others are not."""
    bad = sorted((row for row in rows if not row.ok), key=lambda row: -row.bad_share)
    damaged = [f"  {row.path}: {row.reason}" for row in bad if row.promised]
    reasons = Counter(row.reason for row in bad if not row.promised)
    lines = [
        f"{len(rows)} videos, {sum(row.decoded for row in rows):,} frames decoded: {len(rows) - len(bad)} sound, "
        f"{len(damaged)} damaged, {reasons.total()} cannot be read"
    ]
    lines += [f"  {count} x {reason}" for reason, count in reasons.most_common(_MOST_REASONS)]
    lines += damaged[:_MOST_SHOWN]
    lines += [f"  and {len(damaged) - _MOST_SHOWN} more"] * (len(damaged) > _MOST_SHOWN)
    return "\n".join(lines)
