"""The official csv of Kinetics-400, -600 and -700: label,youtube_id,time_start,time_end,split[,is_cc]."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from .folders import VideoFinder
from .listing import Listing, Reading
from .names import ClassIndex, plain
from .text import ListError, csv_rows, join, start_folder

_NEEDED = ("youtube_id", "time_start", "time_end")
_SECONDS = re.compile(r"(\d{1,6})(?:\.\d*)?")
_VAL = ("val", "validate", "validation")


def read_kinetics(path: str | Path, root: str | None = None, class_names: Sequence[str] | None = None) -> Listing:
    """Videos `<id>_<start>_<end>.mp4`, seconds in six digits; a csv without a label column lists unlabelled videos.

    A video is looked for in `<root>/<split>/<class>`, `<root>/<class>`, `<root>/<split>` and `<root>`, with any suffix
    or as a folder of frames; the class folder may be written with spaces or underscores. One that is nowhere keeps the
    path where it belongs. Ids are file names without suffix. Without `class_names`: the labels of the csv, sorted,
    which is the order of the usual label maps.
    """
    start = start_folder(path, root)
    rows = csv_rows(path)
    header = [name.lower() for name in next(rows, (1, []))[1]]
    if missing := [name for name in _NEEDED if name not in header]:
        raise ListError(f"{path}: no column {missing[0]!r} in its first line; the kinetics source needs the csv with "
                        "label,youtube_id,time_start,time_end,split")  # fmt: skip
    reading = Reading(path, class_names, by_name=True)
    index = ClassIndex(class_names or ())
    finder = VideoFinder()
    folders: dict[tuple[str, str], tuple[str, ...]] = {}
    for number, row in rows:
        if len(row) != len(header):
            reading.wrong(number, f"{len(row)} columns, where the first line has {len(header)}")
            continue
        cells = dict(zip(header, row, strict=True))
        seconds = [_SECONDS.fullmatch(cells[name]) for name in ("time_start", "time_end")]
        if not all(seconds) or not cells["youtube_id"]:
            reading.wrong(number, f"{','.join(row)!r} has no id, or times that are not seconds")
            continue
        name = "_".join([cells["youtube_id"], *(f"{int(match[1]):06d}" for match in seconds if match)])
        label = plain(cells.get("label", ""))
        split = cells.get("split", "")
        if (split, label) not in folders:
            known = index.label(label)
            written = label if known is None else index.names[known]
            likely = _folders(start, split, [label, written] if label else [])
            folders[split, label] = finder.present(likely) or likely[:1]
        candidates = folders[split, label]
        video = finder.find(candidates, name) or join(candidates[0], f"{name}.mp4")
        reading.add(number, name, video, (label,) if label else ())
    return reading.listing()


def _folders(root: str, split: str, class_names: Sequence[str]) -> tuple[str, ...]:
    """Where videos of a class may lie, the likeliest first."""
    classes = dict.fromkeys(variant for name in class_names for variant in (name, name.replace(" ", "_")))
    tops = [join(root, name) for name in (_VAL if split in _VAL else (split,)) if name]
    below = [os.path.join(top, name) for top in (*tops, root) for name in classes]
    return (*below, *tops, root)
