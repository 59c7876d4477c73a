"""The official JSON of Something-Something-v2: entries with id and template; the test file has ids alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .folders import VideoFinder
from .listing import Listing, Reading
from .names import plain
from .text import ListError, join, read_json, start_folder


def read_ssv2(path: str | Path, root: str | None = None, class_names: Sequence[str] | None = None) -> Listing:
    """Videos `<root>/<id>.webm`, or with another suffix, or as a folder of frames `<root>/<id>`.

    The class is the template without its []. Without `class_names`: the templates of the file, sorted, which is the
    order of the official labels file.
    """
    entries = read_json(path)
    if not isinstance(entries, list):
        raise ListError(f"{path} is not a list; the ssv2 source needs something-something-v2-<split>.json")
    start = start_folder(path, root)
    finder = VideoFinder()
    reading = Reading(path, class_names, "entry", by_name=True)
    for number, entry in enumerate(entries, 1):
        name = entry.get("id") if isinstance(entry, dict) else None
        template = entry.get("template", "") if isinstance(entry, dict) else None
        if not isinstance(name, str | int) or not isinstance(template, str):
            reading.wrong(number, f"{entry!r:.80} has no id, or a template that is not text")
            continue
        video = finder.find([start], str(name)) or join(start, f"{name}.webm")
        reading.add(number, str(name), video, (plain(template),) if template else ())
    return reading.listing()
