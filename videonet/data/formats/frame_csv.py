"""PySlowFast's frame lists (Charades): original_vido_id video_id frame_id path labels, one line a frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .listing import Listing, Reading
from .text import ListError, csv_rows, join, start_folder

_HEADER = ["original_vido_id", "video_id", "frame_id", "path", "labels"]


def read_frame_csv(path: str | Path, root: str | None = None, class_names: Sequence[str] | None = None) -> Listing:
    """Columns are divided by one space; `labels` is `"3,17"` or `""`. A video is the folder of its frames, with the
    labels of all of them.
    """
    start = start_folder(path, root)
    reading = Reading(path, class_names)
    first: dict[str, tuple[int, str]] = {}
    labels: dict[str, dict[str, None]] = {}
    rows = csv_rows(path, " ")
    header = next(rows, (1, []))[1]
    if header != _HEADER:
        raise ListError(f"{path} starts with {' '.join(header)!r}; it must start with {' '.join(_HEADER)!r}")
    for line, row in rows:
        folder = row[3].rpartition("/")[0] if len(row) == len(_HEADER) else ""
        if not folder:
            reading.wrong(line, f"{' '.join(row)!r} is not {len(_HEADER)} columns with folder/frame")
            continue
        number, before = first.setdefault(row[0], (line, folder))
        if folder != before:
            reading.wrong(line, f"a frame of {row[0]!r} in {folder}; line {number} has it in {before}")
        labels.setdefault(row[0], {}).update(
            dict.fromkeys(text for part in row[4].split(",") if (text := part.strip()))
        )
    for name, (number, folder) in first.items():
        reading.add(number, name, join(start, folder), tuple(labels[name]))
    return reading.listing(several=True)
