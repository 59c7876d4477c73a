"""Lists of paths with labels: `path label`, frame folders of MMAction2, several labels a video."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from .listing import Listing, Reading
from .text import content_lines, csv_rows, join, start_folder

_NUMBERED = re.compile(r"(?P<path>.*[^\s,])[\s,]+(?P<label>-?\d+)")
_NAMED = re.compile(r"(?P<path>.+)[,\t](?P<label>[^,\t]+)")
_HEADER = re.compile(r"(path|video|file|file_?name)[\s,]+labels?", re.IGNORECASE)
_WHOLE = re.compile(r"-?\d+")
_MOST_FRAMES = 999_999_999  # what a frame's number may be
_PATH_COLUMNS = frozenset({"path", "video", "video_path", "file", "filename", "file_name", "name", "id"})


def read_list(
    path: str | Path,
    root: str | None = None,
    class_names: Sequence[str] | None = None,
    labels_needed: bool = True,
) -> Listing:
    """`path label` or `path,label` a line; split from the right, so that paths may hold spaces.

    A label is a number from 0, or, after a comma or a tab, a class name. Relative paths start at `root` (default: the
    list's folder). `#` starts a comment line. Without `labels_needed` a line may be a path alone.
    """
    start = start_folder(path, root)
    known = frozenset(class_names or ())
    reading = Reading(path, class_names)
    lines = content_lines(path)
    for number, text in lines[1:] if lines and _HEADER.fullmatch(lines[0][1]) else lines:
        match = _NUMBERED.fullmatch(text)
        named = _NAMED.fullmatch(text) if labels_needed else None
        if named is not None and (match is None or named["label"].strip() in known):
            match = named
        if not labels_needed:
            name = text if match is None else match["path"]
            reading.add(number, name, join(start, name))
        elif match is not None:
            name = match["path"].strip()
            reading.add(number, name, join(start, name), (match["label"].strip(),))
        else:
            reading.wrong(number, f"{text!r} is not `path label` with a whole-number label, nor `path,class name`")
    return reading.listing()


def read_rawframes(
    path: str | Path, root: str | None = None, class_names: Sequence[str] | None = None, several: bool = False
) -> Listing:
    """MMAction2's frame lists, `folder [offset] total label` a line: a video is the folder of its frames.

    With `several`: `folder total label label ...`. The frames are counted in the folder, not taken from the list. With
    an offset, a video is the frames numbered offset + 1 to offset + total, and its id names them: `folder#3-7`.
    """
    start = start_folder(path, root)
    reading = Reading(path, class_names)
    form = "folder total label label ..." if several else "folder [offset] total label"
    for number, text in content_lines(path):
        name, numbers = _trailing_numbers(text)
        if len(numbers) < 2 or (len(numbers) > 3 and not several):
            reading.wrong(number, f"{text!r} is not `{form}`")
            continue
        if len(numbers) == 3 and not several:
            offset, total = int(numbers[0]), int(numbers[1])
            if offset < 0 or not 0 < total <= _MOST_FRAMES - offset:
                reading.wrong(number, f"{text!r} is not the frames offset + 1 to offset + total of a folder")
                continue
            name = f"{name}#{offset + 1}-{offset + total}"
        reading.add(number, name, join(start, name), numbers[1:] if several else numbers[-1:])
    return reading.listing(several)


def read_multilabel(path: str | Path, root: str | None = None, class_names: Sequence[str] | None = None) -> Listing:
    """Several labels a video: `path l1 l2 ...` (MMAction2), `path,l1;l2`, or a csv of 0 and 1 with a column a class.

    Labels are numbers from 0, or class names in the csv forms. Without `class_names` the class columns name them.
    """
    start = start_folder(path, root)
    if "," not in next((text for _, text in content_lines(path)), ""):
        reading = Reading(path, class_names)
        for number, text in content_lines(path):
            name, labels = _trailing_numbers(text)
            if labels:
                reading.add(number, name, join(start, name), labels)
            else:
                reading.wrong(number, f"{text!r} is not `path label label ...` with whole-number labels")
        return reading.listing(several=True)
    rows = list(csv_rows(path))
    header = rows.pop(0)[1] if rows[0][1][0].lower() in _PATH_COLUMNS else ["path", "labels"]
    columns = header[1:] if len(header) > 2 else None
    reading = Reading(path, columns if class_names is None else class_names, by_name=columns is not None)
    for number, cells in rows:
        if len(cells) != len(header) or (columns and not set(cells[1:]) <= {"0", "1"}):
            wanted = f"a path and {len(columns)} times 0 or 1" if columns else "`path,label;label`"
            reading.wrong(number, f"{','.join(cells)!r} is not {wanted}")
        elif columns:
            marked = [name for name, cell in zip(columns, cells[1:], strict=True) if cell == "1"]
            reading.add(number, cells[0], join(start, cells[0]), marked)
        else:
            labels = [text for part in cells[1].split(";") if (text := part.strip())]
            reading.add(number, cells[0], join(start, cells[0]), labels)
    return reading.listing(several=True)


def _trailing_numbers(text: str) -> tuple[str, list[str]]:
    """The whole numbers at the end of a line, and what stands before them: at least one word."""
    words = text.split()
    count = 0
    while count < len(words) - 1 and _WHOLE.fullmatch(words[-1 - count]):
        count += 1
    return text.rsplit(None, count)[0], words[len(words) - count :]
