"""The manifest of a data set: a row a video with its exact frames, times, size and codec, or why it cannot be read.

Made by a scan that opens each video and reads its packets, without decoding more than a first frame. Written as a json-
lines file (see `ledger`); the same data gives the same file.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from videonet.decode.reader import VideoError, VideoReader

from .ledger import FileRow, Form, LedgerError, stamp
from .lists import VideoItem
from .mapping import Death, map_jobs

Open = Callable[[str], VideoReader]

LONG_GROUP = 60  # frames from keyframe to keyframe beyond which clips get dear to decode
_MOST_KINDS = 6  # most frequent values that the summary names


@dataclass(frozen=True)
class Row(FileRow):
    """One video. All numbers are 0 where it cannot be read; seconds are rounded to microseconds."""

    frames: int = 0
    """Exact number of shown frames."""
    first_pts_seconds: float = 0.0
    """Start of the first frame on the file's own clock."""
    last_pts_seconds: float = 0.0
    """Start of the last frame on the file's own clock."""
    duration_seconds: float = 0.0
    """From the first frame's start to the last frame's end."""
    fps: float = 0.0
    width: int = 0
    """Pixels, upright."""
    height: int = 0
    """Pixels, upright."""
    codec: str = ""
    keyframes: int = 0
    rotation: int = 0
    """Degrees counter-clockwise that the stored frames are turned by."""
    missing: int = 0
    """Frames that the file's index promises beyond `frames`."""


FORM = Form("manifest", 1, Row)


@dataclass(frozen=True)
class Manifest:
    """Rows of a scan, sorted by id."""

    rows: tuple[Row, ...]

    @classmethod
    def load(cls, path: str | Path) -> Manifest:
        """Raises LedgerError, with line numbers, for a file that is no manifest."""
        return cls(tuple(sorted(FORM.load(Path(path)), key=lambda row: row.id)))

    def broken(self, items: Sequence[VideoItem] | None = None) -> dict[str, str]:
        """path -> reason of the videos that cannot be read.

        With `items`, under the paths these give: ids stay when the videos move.
        """
        if items is None:
            return {row.path: row.reason for row in self.rows if not row.ok}
        reasons = {row.id: row.reason for row in self.rows if not row.ok}
        return {item.path: reasons[item.id] for item in items if item.id in reasons}

    def fingerprint(self, items: Sequence[VideoItem] | None = None) -> str:
        """SHA-256 (64 hex digits) over id, size and frames of all videos, or of `items`: order, folder and times of
        the files do not matter. Raises LedgerError where the manifest lacks an item.
        """
        rows = self.rows
        if items is not None:
            of_id = {row.id: row for row in self.rows}
            absent = [item.id for item in items if item.id not in of_id]
            if absent:
                named = ", ".join(map(repr, absent[:3]))
                raise LedgerError(f"the manifest lacks {len(absent)} videos ({named} ...); run `videonet index` again")
            rows = tuple(of_id[item.id] for item in items)
        return _digest((row.id, row.size_bytes, row.frames) for row in rows)


def fingerprint_of(items: Sequence[VideoItem]) -> str:
    """The fingerprint without a manifest: over id and size alone, so never equal to one with frames."""
    return _digest((item.id, stamp(item.path)[0]) for item in items)


def scan(items: Sequence[VideoItem], opener: Open, workers: int, timeout_seconds: float = 60.0) -> Iterator[Row]:
    """The rows of these videos, as they get done, by that many processes.

    A video that takes longer than `timeout_seconds`, or kills its process, is a row that is not ok.
    """
    for index, row in map_jobs(functools.partial(scan_one, opener=opener), items, workers, timeout_seconds):
        yield FORM.failed(items[index], row.reason) if isinstance(row, Death) else row


def scan_one(item: VideoItem, opener: Open) -> Row:
    """Open one video and note its facts."""
    size_bytes, mtime_ns = stamp(item.path)
    try:
        with opener(item.path) as reader:
            info = reader.info
    except VideoError as error:
        return Row(item.id, item.path, size_bytes, mtime_ns, ok=False, reason=error.reason)
    return Row(
        item.id, item.path, size_bytes, mtime_ns, ok=True, reason="", frames=info.frames,
        first_pts_seconds=round(info.first_pts_seconds, 6), last_pts_seconds=round(info.last_pts_seconds, 6),
        duration_seconds=round(info.duration_seconds, 6), fps=round(info.fps, 6), width=info.width, height=info.height,
        codec=info.codec, keyframes=info.keyframes, rotation=info.rotation, missing=info.missing,
    )  # fmt: skip


def summary(rows: Sequence[Row]) -> str:
    """What a person wants to know of the data set: a few lines."""
    good = [row for row in rows if row.ok]
    lines = [f"{len(rows)} videos: {len(good)} ok, {len(rows) - len(good)} broken"]
    reasons = Counter(row.reason for row in rows if not row.ok)
    lines += [f"  {count} x {reason}" for reason, count in reasons.most_common(_MOST_KINDS)]
    if not good:
        return lines[0] if not reasons else "\n".join(lines)
    hours = sum(row.duration_seconds for row in good) / 3600
    lines.append(f"{hours:.2f} hours, {sum(row.frames for row in good):,} frames")
    lines.append(f"codec: {_most_frequent(row.codec for row in good)}")
    lines.append(f"frames a second: {_most_frequent(f'{row.fps:.4g}' for row in good)}")
    lines.append(f"size: {_most_frequent(f'{row.width}x{row.height}' for row in good)}")
    sides = sorted(min(row.width, row.height) for row in good)
    lines.append(f"short side: {sides[0]} to {sides[-1]}, median {median(sides):g}")
    short = [row for row in good if row.missing]
    if short:
        lines.append(f"cut short: {len(short)} of the files; {sum(row.missing for row in short)} frames are missing")
    groups = [row.frames / row.keyframes for row in good if row.keyframes]
    if groups and (typical := median(groups)) > LONG_GROUP:
        lines.append(
            f"keyframes are {typical:.0f} frames apart: a clip decodes many frames to get at its own; "
            "`videonet prepare` makes copies that read faster"
        )
    return "\n".join(lines)


def _most_frequent(values: Iterable[str]) -> str:
    """ "h264 (40), vp9 (2) and 3 others"."""
    counts = Counter(values)
    named = ", ".join(f"{value} ({count})" for value, count in counts.most_common(_MOST_KINDS))
    return named + (f" and {len(counts) - _MOST_KINDS} others" if len(counts) > _MOST_KINDS else "")


def _digest(facts: Iterable[tuple[str | int, ...]]) -> str:
    return hashlib.sha256("".join(sorted(json.dumps(fact) + "\n" for fact in facts)).encode()).hexdigest()
